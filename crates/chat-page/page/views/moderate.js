// The dialog in which a moderator acts on a user. It is loaded when it is first opened.

import { h, setText } from '../dom.js';
import { rolesIn, rolesToGive } from '../state/roles.js';
import { isolated } from '../text/names.js';
import { inWords, when } from '../text/words.js';
import { FormDialog, field, options } from './form-dialog.js';

const MAX_REASON = 300;
const DAY_S = 86_400;
const TIMES = [[600, '10 minutes'], [3_600, '1 hour'], [DAY_S, '1 day'], [7 * DAY_S, '1 week'], ['', 'No end']];
const DEFAULT_TIME = '3600';
const GUEST_BANS = 'A ban of a guest holds for all guests of the same network, for at most 30 days.';
/** Where an act holds. */
const ROOM = ['room', 'In this room'];
const SERVER = ['server', 'On the whole server'];

/**
 * What a moderator can do. `done` follows the name. `server` is what differs on the whole server.
 */
const ACTIONS = {
  warn: { label: 'Warn', button: 'Warn', hint: 'The warning and its reason stay on the screen until they close it.', done: 'was warned', server: {} },
  mute: {
    label: 'Mute', button: 'Mute', hint: 'They can read, but not write, edit or react.', hasTime: true, done: 'is muted',
    server: { hint: 'They can read, but not write, edit or react in any room.', done: 'is muted on the whole server' },
  },
  unmute: {
    label: 'End a mute', button: 'End the mute', hint: 'They can write again.', done: 'can write again',
    server: { hint: 'Ends the mute on the whole server. Mutes in single rooms stay.', done: 'is not muted on the whole server any more' },
  },
  kick: {
    label: 'Kick', button: 'Kick', hint: 'Removes them from the room. They can come back.', done: 'was removed from the room',
    server: { button: 'Kick from all rooms', hint: 'Removes them from all rooms. They can come back.', done: 'was removed from all rooms' },
  },
  ban: {
    label: 'Ban', button: 'Ban', hasTime: true, done: 'is banned', hint: `Removes them from the room and keeps them out. ${GUEST_BANS}`,
    server: { button: 'Ban from the server', hint: `Disconnects them and keeps them off this server. ${GUEST_BANS}`, done: 'is banned from this server' },
  },
  unban: {
    label: 'End a ban', button: 'End the ban', hint: 'They can join again.', done: 'can join again',
    server: { hint: 'Ends the ban from the server: they can connect again. Bans from single rooms stay.', done: 'can connect again' },
  },
  role: { label: 'Change the role', button: 'Change the role', hint: 'What they may do in this room.', isRole: true },
};
const LABELS = { member: 'Member', moderator: 'Moderator', owner: 'Owner' };

export class Moderate {
  #action = h('select', { id: 'moderate-action', 'aria-describedby': 'moderate-hint', onchange: () => this.#update() });
  #hint = h('p', { id: 'moderate-hint', class: 'hint' });
  #reason = h('textarea', { id: 'moderate-reason', rows: 2, maxlength: MAX_REASON, dir: 'auto', 'aria-describedby': 'moderate-reason-hint' });
  #reasonHint = h('p', { id: 'moderate-reason-hint', class: 'hint' });
  #time = h('select', { id: 'moderate-time' }, options(TIMES));
  #role = h('select', { id: 'moderate-role' });
  #scope = h('select', { id: 'moderate-scope', onchange: () => this.#update() });
  #reasonField = field('Reason', this.#reason, this.#reasonHint);
  #timeField = field('How long', this.#time);
  #roleField = field('Role', this.#role);
  #scopeField = field('Where', this.#scope);
  #form = new FormDialog('moderate', [field('What to do', this.#action, this.#hint), this.#scopeField, this.#timeField, this.#roleField, this.#reasonField],
    { submit: () => this.#submit(), words: (error) => this.#inWords(error) });
  #done;
  #room = null;
  #person = null;

  /** `done(text)` is called with what has been done. */
  constructor(done) {
    this.#done = done;
  }

  /** `person` is a member, or the author of the message `seq`. `action` is chosen at first. */
  open(room, person, action) {
    [this.#room, this.#person] = [room, person];
    const roles = rolesToGive(room, person.user);
    const offered = Object.entries(ACTIONS).filter(([, { isRole }]) => !isRole || roles.length > 0);
    this.#action.replaceChildren(...options(offered.map(([value, { label }]) => [value, label])));
    this.#action.value = action;
    this.#role.replaceChildren(...options(roles.map((role) => [role ?? '', LABELS[role] ?? 'None'])));
    this.#role.value = rolesIn(room).of(person.user) ?? '';
    this.#scope.replaceChildren(...options([room.isModerator && ROOM, room.moderatesServer && SERVER].filter(Boolean)));
    this.#reason.value = '';
    this.#time.value = DEFAULT_TIME;
    this.#form.title = ['Moderate ', h('bdi', {}, person.username)];
    this.#update();
    return this.#form.open(this.#action, person.seq);
  }

  /** The chosen action: what it is called, and what it does where it holds. */
  get #chosen() {
    const action = ACTIONS[this.#action.value];
    return this.#isOnServer ? { ...action, ...action.server } : action;
  }

  get #isOnServer() {
    return this.#action.value !== 'role' && this.#scope.value === 'server';
  }

  #update() {
    const { button, hint, hasTime = false, isRole = false } = this.#chosen;
    this.#form.button = button;
    this.#hint.textContent = hint;
    this.#timeField.hidden = !hasTime;
    this.#roleField.hidden = !isRole;
    this.#scopeField.hidden = isRole || !this.#room.moderatesServer;
    this.#reasonField.hidden = isRole;
    const log = this.#isOnServer ? 'Moderators of this server read it in its log.' : 'Moderators read it in the log of the room.';
    setText(this.#reasonHint, `${this.#action.value === 'warn' ? 'They read it.' : log} At most ${MAX_REASON} characters.`);
  }

  async #submit() {
    const [room, person, action] = [this.#room, this.#person, this.#action.value];
    const { hasTime, done } = this.#chosen;
    const { username, user, seq: target } = person;
    if (action === 'role') {
      const role = this.#role.value || null;
      await room.room.setRole(person.user, role);
      rolesIn(room).read();
      return this.#done(`${isolated(username)} ${role === null ? 'has no role any more' : `is ${role === 'owner' ? 'an' : 'a'} ${role} now`}.`);
    }
    const seconds = hasTime && this.#time.value !== '' ? Number(this.#time.value) : undefined;
    const reason = this.#reason.value.trim() || undefined;
    if (this.#isOnServer) await room.moderateServer(action, { user, reason, seconds });
    // With the message: of a guest who is gone, the server knows only what it wrote.
    else await room.room.moderate(action, { user, target, reason, seconds });
    const end = seconds === undefined ? '' : ` until ${when(Date.now() + seconds * 1_000)}`;
    this.#done(`${isolated(username)} ${done}${end}.`);
  }

  #inWords(error) {
    const name = isolated(this.#person.username);
    if (error.code === 'not_found') return `The server does not know ${name}${this.#isOnServer ? ' any more. Choose “In this room” for a guest who has left' : ''}.`;
    if (error.code !== 'forbidden') return inWords(error);
    if (this.#action.value === 'role') return `You can’t change the role of ${name}. That needs a higher role than theirs, and a room keeps an owner.`;
    return `You can’t do this to ${name}. That needs a higher role ${this.#isOnServer ? 'on this server' : 'in this room'} than theirs.`;
  }
}
