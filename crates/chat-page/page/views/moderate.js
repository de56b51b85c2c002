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

/** What a moderator can do. `done` follows the name. */
const ACTIONS = {
  warn: { label: 'Warn', button: 'Warn', hint: 'The warning and its reason stay on the screen until they close it.', done: 'was warned' },
  mute: { label: 'Mute', button: 'Mute', hint: 'They can read, but not write, edit or react.', hasTime: true, done: 'is muted' },
  unmute: { label: 'End a mute', button: 'End the mute', hint: 'They can write again.', done: 'can write again' },
  kick: { label: 'Kick', button: 'Kick', hint: 'Removes them from the room. They can come back.', done: 'was removed from the room' },
  ban: {
    label: 'Ban', button: 'Ban', hasTime: true, done: 'is banned',
    hint: 'Removes them from the room and keeps them out. A guest can come back as another guest, unless the room is for people with an account.',
  },
  unban: { label: 'End a ban', button: 'End the ban', hint: 'They can join again.', done: 'can join again' },
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
  #reasonField = field('Reason', this.#reason, this.#reasonHint);
  #timeField = field('How long', this.#time);
  #roleField = field('Role', this.#role);
  #form = new FormDialog('moderate', [field('What to do', this.#action, this.#hint), this.#timeField, this.#roleField, this.#reasonField],
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
    this.#reason.value = '';
    this.#time.value = DEFAULT_TIME;
    this.#form.title = ['Moderate ', h('bdi', {}, person.username)];
    this.#update();
    return this.#form.open(this.#action, person.seq);
  }

  #update() {
    const { button, hint, hasTime = false, isRole = false } = ACTIONS[this.#action.value];
    this.#form.button = button;
    this.#hint.textContent = hint;
    this.#timeField.hidden = !hasTime;
    this.#roleField.hidden = !isRole;
    this.#reasonField.hidden = isRole;
    const readers = this.#action.value === 'warn' ? 'They read it.' : 'Moderators read it in the log of the room.';
    setText(this.#reasonHint, `${readers} At most ${MAX_REASON} characters.`);
  }

  async #submit() {
    const [room, person, action] = [this.#room, this.#person, this.#action.value];
    const { hasTime, done } = ACTIONS[action];
    const { username, user, seq: target } = person;
    if (action === 'role') {
      const role = this.#role.value || null;
      await room.room.setRole(person.user, role);
      rolesIn(room).read();
      return this.#done(`${isolated(username)} ${role === null ? 'has no role any more' : `is ${role === 'owner' ? 'an' : 'a'} ${role} now`}.`);
    }
    const seconds = hasTime && this.#time.value !== '' ? Number(this.#time.value) : undefined;
    // with the message: of a guest who is gone, the server knows only what it wrote
    await room.room.moderate(action, { user, target, reason: this.#reason.value.trim() || undefined, seconds });
    const end = seconds === undefined ? '' : ` until ${when(Date.now() + seconds * 1_000)}`;
    this.#done(`${isolated(username)} ${done}${end}.`);
  }

  #inWords(error) {
    const name = isolated(this.#person.username);
    if (error.code === 'not_found') return `The server does not know ${name}.`;
    if (error.code !== 'forbidden') return inWords(error);
    if (this.#action.value === 'role') return `You can’t change the role of ${name}. That needs a higher role than theirs, and a room keeps an owner.`;
    return `You can’t do this to ${name}. That needs a higher role in this room than theirs.`;
  }
}
