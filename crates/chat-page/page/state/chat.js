// The session and its rooms: which rooms there are, which one is shown, and the connection status.

import { ChatClient, ChatError } from '/client.js';
import { isAddress } from '../text/names.js';
import { called, calledApart } from '../text/words.js';
import { forgetDrafts } from './drafts.js';
import { guestToken, keepGuestToken } from './guest.js';
import { forgetInvite, openedInvite } from './invite-link.js';
import { FailedMessages, forgetOutbox, outboxOf } from './outbox.js';
import { RoomState } from './room.js';
import { forgetRooms, listRoom, listedRooms, unlistRoom } from './room-list.js';
import { Signal } from './signal.js';
import { persistent, perTab } from './storage.js';

const HISTORY_SIZE = 60;
/**
 * Changes of unread counts are batched. This uses a timer because a background page gets no
 * animation frames.
 */
const COUNTS_INTERVAL_MS = 50;
/** How long to retry a join while a session of an earlier guest token still holds the name. */
const TAKEN_TIMEOUT_MS = 45_000;
const TAKEN_RETRY_MS = 1_000;
/** How long to wait for the list of the user's rooms before the first room is joined. */
const LIST_TIMEOUT_MS = 3_000;
/** Errors after which an invitation is of no more use. */
const REFUSED = new Set(['not_found', 'forbidden', 'limit_reached']);

/**
 * Emits `rooms` (the list, its names or its counts changed), `shown`, `status`, `notice`,
 * `announcement`, `warned`, `left`, `mention`, `invitations`, `blocking` (the user has blocked
 * others, or unblocked them), and `retracted` with `{room, seqs}`: what was shown of these
 * messages is no longer valid. Without `seqs` it is every message of the room.
 */
export class Chat extends Signal {
  rooms = new Map();
  shown = null;
  /** Warnings by moderators that the user has not closed yet, also those before a reload. */
  warnings = [];
  /** The rooms into which the user is invited: `{room, title, by, expiresAt}` by room. */
  invitations = new Map();
  #client;
  #failed;
  /** The order of the list, including rooms that are not joined yet or no longer joined. */
  #order;
  #countsTimer;
  /** The joins that are not answered yet, by room. */
  #joins = new Map();
  /** Rooms without a name that the user does not want to see here, although it may join them. */
  #hidden = new Set();
  /** The blocked users, as far as the rooms know. */
  #blocked = new Set();
  /** The rooms whose invitation is being accepted. */
  #accepting = new Set();

  /**
   * Connects and joins the first room. Rejects with the reason if that fails. `onwait({reason})` is
   * called while the server cannot be reached. With `waitForName` it is also called while a session
   * of an earlier guest token of this browser still holds the name.
   */
  static async enter({ name, room, token, onwait, waitForName = false }, signal) {
    const chat = new Chat(name, token);
    const reportWait = () => onwait({ reason: new ChatError('name_held', 'your last session has not ended yet') });
    const unsubscribe = chat.#client.on('state', (status) => status.state === 'waiting' && onwait(status));
    const abort = () => chat.#client.close();
    signal?.addEventListener('abort', abort);
    try {
      await chat.#client.connect();
      if (token) await chat.#listArrived();
      await (waitForName ? chat.#joinWhenFree(room, reportWait) : chat.join(room));
      return chat;
    } catch (error) {
      chat.#client.close();
      throw error;
    } finally {
      unsubscribe();
      signal?.removeEventListener('abort', abort);
    }
  }

  constructor(name, token) {
    super();
    this.#client = new ChatClient({
      username: name, token, guestToken: guestToken() ?? undefined, client: 'page', render: true,
      outbox: outboxOf(name.normalize('NFC')),
    });
    if (this.#client.guestToken !== null) keepGuestToken(this.#client.guestToken);
    this.#failed = new FailedMessages(this.name);
    this.#order = listedRooms(this.name);
    this.warnings = perTab.get(this.#warningsKey) ?? [];
    this.#listen();
    const onLook = () => this.shown?.markReadIfSeen();
    window.addEventListener('focus', onLook);
    document.addEventListener('visibilitychange', onLook);
    // The outbox keeps these messages, but they are sent only when the user comes back: let the
    // browser ask before it closes the page.
    window.addEventListener('beforeunload', (event) => {
      if (this.status.state !== 'closed' && [...this.rooms.values()].some((room) => room.outbox.size > 0)) event.preventDefault();
    });
    window.addEventListener('pagehide', () => this.rooms.forEach((room) => room.saveReadMark()));
  }

  get name() {
    return this.#client.username;
  }

  /** The id of the user: a later user of the same name has another one. */
  get userId() {
    return this.#client.user.id;
  }

  get status() {
    return this.#client.status;
  }

  /** The announcement of the operator, or `null`. */
  get announcement() {
    return this.#client.announcement;
  }

  get unread() {
    return [...this.rooms.values()].reduce((sum, room) => sum + room.unread, 0);
  }

  get unreadMore() {
    return [...this.rooms.values()].some((room) => room.unreadMore);
  }

  /** Whether the user has an account. */
  get hasAccount() {
    return this.#client.user.kind === 'account';
  }

  /** Whether the user is a moderator or an admin of the server. */
  get moderatesServer() {
    return this.#client.user.role !== 'user';
  }

  /**
   * The blocked users, `{user, username}`, by name. `username` is `null` for a guest whom neither
   * the server nor one of the rooms knows.
   */
  get blocked() {
    const all = [...this.#client.blocked].map(([user, username]) => ({ user, username: username ?? this.#nameOf(user) ?? null }));
    return all.sort(({ username: one }, { username: other }) => (one === null) - (other === null) || (one ?? '').localeCompare(other ?? ''));
  }

  #nameOf(user) {
    for (const room of this.rooms.values()) {
      const name = room.nameOf(user);
      if (name !== undefined) return name;
    }
  }

  /** Whether the user with this id is blocked. */
  isBlocked(user) {
    return this.#client.blocked.has(user);
  }

  /** Blocks the user with this id, or unblocks it. */
  block(user, on) {
    return this.#client.block(user, on);
  }

  /** What a room is called in a sentence, whether it is joined or not. */
  called(name) {
    return this.rooms.get(name)?.called ?? called(this.#known(name));
  }

  /** The same for a list in which rooms of which only the address is known have to differ. */
  calledApart(name) {
    return this.rooms.get(name)?.called ?? calledApart(this.#known(name));
  }

  #known(name) {
    return this.#client.list?.get(name) ?? this.invitations.get(name) ?? { room: name };
  }

  /** Joins a room, or shows it if it is joined already. */
  async join(name, { show = true } = {}) {
    const room = name.normalize('NFC');
    const existing = this.rooms.get(room);
    if (!existing || existing.left) {
      // The list may have the room before the answer to the user's own join arrives.
      if (!this.#joins.has(room)) this.#joins.set(room, this.#join(room).finally(() => this.#joins.delete(room)));
      await this.#joins.get(room);
    }
    if (show && this.rooms.has(room)) this.show(this.rooms.get(room));
  }

  async #join(name) {
    const opened = openedInvite();
    const invite = this.hasAccount && opened?.room === name ? opened.invite : undefined;
    if (isAddress(name) && !this.hasAccount) throw new ChatError('account_needed', 'an account is needed');
    this.#hidden.delete(name);
    try {
      await this.#client.join(name, { history: HISTORY_SIZE, invite });
      if (invite) forgetInvite();
    } catch (error) {
      // The link is refused. After other errors it can be tried again.
      if (invite && REFUSED.has(error.code)) forgetInvite();
      throw error;
    }
    // Rooms of an account are in the list on all of its devices. The server lists those without a
    // name by itself.
    if (this.#client.list && !this.#client.list.has(name) && !isAddress(name)) this.#client.keep(name).catch(() => {});
  }

  /** Joins a room into which the user is invited. */
  async accept(room) {
    this.#accepting.add(room);
    try {
      await this.join(room);
      // The server lists a room without a name by itself.
      if (!isAddress(room)) await this.#client.keep(room);
    } catch (error) {
      if (error.code === 'not_found') this.#answered(room);
      throw error;
    } finally {
      this.#accepting.delete(room);
    }
  }

  async decline(room) {
    await this.#client.keep(room, { favourite: false });
  }

  /** Creates a private room and shows it. */
  async createPrivate(settings) {
    await this.join(await this.#client.createPrivate(settings));
  }

  /** Shows the direct room with a user. */
  async openDirect(username) {
    const { room } = await this.#client.direct(username);
    await this.join(room);
  }

  /** A page of the public rooms: see `directory` of the client. */
  directory(query) {
    return this.#client.directory(query);
  }

  /** A page of the open reports in all rooms, for moderators of the server. */
  reports(query) {
    return this.#client.reports(undefined, query);
  }

  /** A page of what was done in all rooms and on the server, for moderators of the server. */
  audit(query) {
    return this.#client.audit(undefined, query);
  }

  closeReport(room, number) {
    return this.#client.closeReport(room, number);
  }

  /** Without the list, what other devices have read would be taken for unread. */
  #listArrived() {
    if (this.#client.list) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, LIST_TIMEOUT_MS);
      this.#client.once('list', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /**
   * Joins the other rooms of the last visit without showing them. Resolves with the rooms that
   * could not be joined: `{room, error}`.
   */
  async joinListed() {
    const unsent = this.#client.unsent.map(({ room }) => room);
    const kept = [...this.#client.list?.keys() ?? []];
    // The list of an account is the same on all devices. What this browser knows may be out of
    // date.
    const stored = [...(perTab.get('rooms')?.rooms ?? []), ...listedRooms(this.name)].filter((room) => !isAddress(room));
    const rooms = new Set([...(kept.length > 0 ? kept : stored), ...unsent]);
    // Joining a room into which the user is invited accepts the invitation, which only the user
    // does.
    const missing = [...rooms].filter((room) => !this.rooms.has(room) && !this.invitations.has(room) && !this.#hidden.has(room));
    const results = await Promise.allSettled(missing.map((room) => this.join(room, { show: false })));
    const failed = results.flatMap(({ reason: error }, index) => (error ? [{ room: missing[index], error }] : []));
    return failed.filter(({ error }) => error.code !== 'already_in_room' && error.code !== 'closed');
  }

  show(room) {
    if (this.shown === room) return;
    this.shown?.dropDivider();
    this.shown = room;
    if (room && !isAddress(room.name)) persistent.set('room', room.name);
    this.#saveRooms();
    this.emit('shown', room);
    room?.markReadIfSeen();
  }

  /** Shows the previous room (-1) or the next one (1) of the list. */
  step(by) {
    const rooms = [...this.rooms.values()];
    if (rooms.length > 1) this.show(rooms.at((rooms.indexOf(this.shown) + by) % rooms.length));
  }

  /** Leaves a room. `undo` of the result joins it again and restores its unsent messages. */
  leave(room) {
    const unsent = [...room.outbox.values()].map((message) => ({
      ...message, error: message.error ?? new ChatError('left_room', 'you left the room before this message was sent'),
    }));
    const rooms = [...this.rooms.keys()];
    const next = rooms[rooms.indexOf(room.name) + 1] ?? null;
    for (const { id } of unsent) room.discard(id);
    room.room.leave().catch(() => {});
    this.#drop(room);
    unlistRoom(this.name, room.name);
    // The list has a room without a name for as long as the user may join it.
    if (isAddress(room.name)) this.#hidden.add(room.name);
    else if (this.#client.list?.has(room.name)) this.#client.keep(room.name, { favourite: false }).catch(() => {});
    return {
      unsent: unsent.length,
      undo: async () => {
        if (!isAddress(room.name)) listRoom(this.name, room.name, next);
        await this.join(room.name);
        this.rooms.get(room.name)?.adopt(unsent);
      },
    };
  }

  /** Leaves a private room for good: the user gives up its role there. */
  async resign(room) {
    await room.room.setRole(this.userId, null);
    if (this.rooms.get(room.name) === room) this.leave(room);
    this.#hidden.delete(room.name);
  }

  reconnect() {
    this.#client.reconnect();
  }

  /** A page of messages that have these words: see `search` of the client. */
  search(query, options) {
    return this.#client.search(query, options);
  }

  /** Ends the session and leaves all rooms. */
  close() {
    perTab.set('rooms', null);
    this.#client.close();
  }

  /** Removes everything that the browser stores for this name. The session must have ended. */
  forget() {
    forgetOutbox(this.name);
    this.#failed.forget();
    forgetRooms(this.name);
    forgetDrafts(this.name);
    perTab.set(this.#warningsKey, null);
  }

  /** The user has closed the first of the warnings. */
  closeWarning() {
    this.warnings.shift();
    this.#saveWarnings();
  }

  #saveWarnings() {
    perTab.set(this.#warningsKey, this.warnings.length > 0 ? this.warnings : null);
  }

  get #warningsKey() {
    return `warnings.${this.name}`;
  }

  async #joinWhenFree(room, reportWait) {
    const end = performance.now() + TAKEN_TIMEOUT_MS;
    for (;;) {
      try {
        return await this.join(room);
      } catch (error) {
        if (error.code !== 'username_taken' || performance.now() > end) throw error;
        reportWait();
        await new Promise((resolve) => setTimeout(resolve, TAKEN_RETRY_MS));
      }
    }
  }

  #listen() {
    const client = this.#client;
    client.on('state', () => {
      if (this.#isDisconnected) this.#saveRooms();
      this.emit('status', this.status);
    });
    client.on('notice', (notice) => this.emit('notice', notice));
    client.on('announcement', (announcement) => this.emit('announcement', announcement));
    client.on('warned', (warning) => {
      this.warnings.push(warning);
      this.#saveWarnings();
      this.emit('warned', warning);
    });
    client.on('joined', (joined) => this.#joined(joined));
    client.on('left', (left) => this.#left(left));
    client.on('list', (list) => {
      const invitations = [...list.values()].filter(({ kind }) => kind === 'invitation');
      this.invitations = new Map(invitations.map((entry) => [entry.room, entry]));
      this.#blockingChanged();
      for (const entry of list.values()) if (entry.kind !== 'invitation') this.rooms.get(entry.room)?.listed(entry);
      this.emit('invitations');
      this.emit('rooms');
      if (this.shown) this.joinListed();
    });
    client.on('blocked', () => this.#blockingChanged());
    client.on('invited', (invitation) => this.#invited(invitation));
    client.on('read', ({ room, ...mark }) => this.rooms.get(room)?.readOn(mark));
    client.on('seen', ({ room }) => this.rooms.get(room)?.emit('seen'));
    // Another device has joined or left a room.
    client.on('kept', ({ entry }) => {
      if (entry.kind === 'invitation') return this.#invited(entry);
      this.#answered(entry.room);
      if (!this.rooms.has(entry.room) && !this.#hidden.has(entry.room)) this.join(entry.room, { show: false }).catch(() => {});
      else this.emit('rooms');
    });
    // Someone writes in a direct room that the user has hidden.
    client.on('inbox', ({ room }) => {
      if (this.#hidden.has(room) && client.list?.get(room)?.kind === 'direct') this.join(room, { show: false }).catch(() => {});
    });
    client.on('dropped', ({ room }) => {
      // An invitation has ended. The user may be in the room for another reason.
      if (this.#answered(room) || this.#accepting.has(room)) return;
      const dropped = this.rooms.get(room);
      if (dropped && !dropped.left) this.leave(dropped);
      this.#hidden.delete(room);
    });
    const toRoom = (type, act) => client.on(type, (event) => {
      const room = this.rooms.get(event.room.name);
      if (room?.room === event.room) act(room, event);
    });
    toRoom('message', (room, event) => room.message(event));
    toRoom('message', (room, { message }) => (room.mentionsMe(message) || (room.isDirect && !room.isMine(message) && !room.isBlocked(message) && !message.deleted)) && this.emit('mention', { room, message }));
    toRoom('edited', (room, event) => this.#revised(room, [event.target], () => room.edited(event)));
    toRoom('deleted', (room, event) => this.#revised(room, event.targets, () => room.deleted(event)));
    toRoom('reactions', (room, event) => room.reacted(event));
    toRoom('changed', (room, event) => this.#revised(room, event.messages.map(({ seq }) => seq), () => room.changed(event)));
    toRoom('roomChanged', (room) => {
      room.emit('state');
      this.emit('rooms');
    });
    toRoom('standing', (room) => room.standingChanged());
    toRoom('outgoing', (room, event) => room.outgoing(event));
    toRoom('presence', (room, event) => room.presence(event));
    toRoom('members', (room) => room.membersChanged());
    toRoom('typing', (room, event) => room.typingStarted(event));
    toRoom('rejoinDelayed', (room, event) => {
      room.delayed = event;
      room.emit('state');
    });
  }

  #invited(invitation) {
    this.invitations.set(invitation.room, invitation);
    this.emit('invitations');
  }

  /**
   * The invitation into a room is accepted, declined, or has ended. Returns whether there was one.
   */
  #answered(room) {
    const wasInvited = this.invitations.delete(room);
    if (wasInvited) this.emit('invitations');
    return wasInvited;
  }

  #joined(joined) {
    const name = joined.room.name;
    if (joined.rejoined) return this.#rejoined(this.rooms.get(name), joined);
    const room = new RoomState(this.#client, joined.room, { isRead: (state) => this.#isRead(state), failed: this.#failed });
    const previous = this.rooms.get(name);
    this.#insert(room);
    room.begin(joined);
    if (previous) room.adopt([...previous.outbox.values()].filter(({ state }) => state === 'failed'));
    room.on('unread', () => this.#countsChanged());
    if (!isAddress(name)) listRoom(this.name, name);
    if (previous && previous === this.shown) this.show(room);
    this.#saveRooms();
    this.emit('rooms');
  }

  #rejoined(room, joined) {
    if (room?.room !== joined.room) return;
    if (joined.recovered) room.rejoined(joined);
    else this.#revised(room, undefined, () => room.rejoined(joined));
  }

  #revised(room, seqs, revise) {
    revise();
    this.emit('retracted', { room, seqs });
  }

  /** Every list has the blocked users, so that most of the time nothing has changed. */
  #blockingChanged() {
    const [before, now] = [this.#blocked, new Set(this.#client.blocked.keys())];
    const changed = new Set([...before, ...now].filter((user) => before.has(user) !== now.has(user)));
    if (changed.size === 0) return;
    this.#blocked = now;
    for (const room of this.rooms.values()) {
      const seqs = room.blockingChanged(changed);
      if (seqs.length > 0) this.emit('retracted', { room, seqs });
    }
    this.emit('blocking');
  }

  /** Inserts a room at its position in the list, or at the end. */
  #insert(room) {
    if (!this.#order.includes(room.name)) this.#order.push(room.name);
    const rooms = [...this.rooms.values()].filter(({ name }) => name !== room.name);
    rooms.push(room);
    rooms.sort((one, other) => this.#order.indexOf(one.name) - this.#order.indexOf(other.name));
    this.rooms.clear();
    for (const each of rooms) this.rooms.set(each.name, each);
  }

  #countsChanged() {
    this.#countsTimer ??= setTimeout(() => {
      this.#countsTimer = undefined;
      this.emit('rooms');
    }, COUNTS_INTERVAL_MS);
  }

  #left({ room: handle, reason, error, until }) {
    const room = this.rooms.get(handle.name);
    if (room?.room !== handle || reason === 'asked' || reason === 'closed') return;
    room.left = { reason, error, until };
    unlistRoom(this.name, room.name);
    this.#saveRooms();
    room.emit('state');
    this.emit('left', { room, reason, error });
    this.emit('rooms');
  }

  #drop(room) {
    const rooms = [...this.rooms.values()];
    const next = rooms[rooms.indexOf(room) + 1] ?? rooms[rooms.indexOf(room) - 1] ?? null;
    this.rooms.delete(room.name);
    this.emit('rooms');
    if (this.shown === room) this.show(next);
    this.#saveRooms();
  }

  /** Whether a moderator or an admin has ended the session. */
  get #isDisconnected() {
    return this.status.state === 'closed' && this.status.reason.code === 'forbidden';
  }

  /**
   * Saves the rooms, so that a reload rejoins them. A ban from the whole server may remove the user
   * from the rooms before it ends the session. Then a reload tries the room that is shown, and the
   * form says until when the ban holds.
   */
  #saveRooms() {
    const isKept = (room) => !room.left || (room === this.shown && this.#isDisconnected);
    const rooms = [...this.rooms.values()].filter(isKept).map(({ name }) => name);
    perTab.set('rooms', rooms.length > 0 ? { name: this.name, rooms, shown: this.shown?.name } : null);
  }

  #isRead(room) {
    return room === this.shown && room.atEnd && document.visibilityState === 'visible' && document.hasFocus();
  }
}
