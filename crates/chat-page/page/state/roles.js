// Who has a role in a room.

import { Signal } from './signal.js';

const PAGE_SIZE = 200;
/** Of a room in which very many have a role, the others are shown without one. */
const MAX_PAGES = 10;

const RANKS = { member: 1, moderator: 2, owner: 3 };
const ROLES = [null, 'member', 'moderator', 'owner'];

const known = new WeakMap();

/** Whether the user may moderate this one, as far as the page knows. The server decides. */
export function outranks(room, user) {
  return room.moderatesServer || (room.isModerator && (RANKS[rolesIn(room).of(user)] ?? 0) < RANKS[room.role]);
}

/** The roles that the user may give to this one. Empty if it may not change that role. */
export function rolesToGive(room, user) {
  // Guests have no role, and nobody gives one in a direct room.
  if (user.startsWith('g_') || room.isDirect || !outranks(room, user)) return [];
  return room.isOwner ? ROLES : ROLES.slice(0, 2);
}

/** The roles in a room, which are read when they are needed for the first time. */
export function rolesIn(room) {
  if (!known.has(room)) known.set(room, new Roles(room));
  return known.get(room);
}

/** Emits `change` after the roles were read. */
class Roles extends Signal {
  #room;
  /** By the ids of the users, or `null` before they were read. */
  #roles = null;
  #latest = 0;
  /** The present or the last reading, or `null` if there was none that succeeded. */
  #reading = null;

  constructor(room) {
    super();
    this.#room = room;
    room.on('standing', () => this.#reading && this.read());
  }

  /** The role of the user with this id, or `null`. */
  of(user) {
    return this.#roles?.get(user) ?? null;
  }

  /** Whether it is certain that the room has no owner. */
  get isUnowned() {
    return this.#roles !== null && ![...this.#roles.values()].includes('owner');
  }

  /** Reads the roles if that has not been done yet. Never rejects. */
  need() {
    return this.#reading ?? this.read();
  }

  /** Reads the roles again, because they may have changed. Never rejects. */
  read() {
    this.#latest += 1;
    this.#reading = this.#read(this.#latest);
    return this.#reading;
  }

  async #read(request) {
    try {
      const roles = new Map();
      let after;
      for (let page = 0; page < MAX_PAGES; page += 1) {
        const { roles: found, more } = await this.#room.room.roles({ after, limit: PAGE_SIZE });
        if (request !== this.#latest) return;
        for (const { user, role } of found) roles.set(user, role);
        if (!more || found.length === 0) break;
        after = found.at(-1).user;
      }
      this.#roles = roles;
      this.emit('change');
    } catch {
      // What was known stays. The next need reads them again.
      if (request === this.#latest) this.#reading = null;
    }
  }
}
