// The dialog with the settings of a room, in which a room is registered, too. It is loaded when it
// is opened for the first time.

import { h, setText } from '../dom.js';
import { rolesIn } from '../state/roles.js';
import { isAddress } from '../text/names.js';
import { inWords } from '../text/words.js';
import { MAX_TITLE, MAX_TOPIC } from './create-room.js';
import { FormDialog, field, options } from './form-dialog.js';

const MAX_SLOW_MODE_S = 86_400;
const EVERYONE = ['everyone', 'Everyone'];
const ACCOUNTS = ['accounts', 'People with an account'];
const CHOICES = {
  visibility: [['public', 'Everyone: it is in the list of public rooms'], ['unlisted', 'People who know its name'], ['private', 'Only members']],
  join: [EVERYONE, ACCOUNTS, ['members', 'Members']],
  post: [['everyone', 'Everyone in the room'], ACCOUNTS, ['members', 'Members'], ['moderators', 'Moderators']],
  mentionRoom: [['moderators', 'Moderators'], ['everyone', 'Everyone who may post']],
};

export class RoomSettings {
  #lead = h('p', { class: 'quiet' });
  #title = h('input', {
    id: 'room-settings-name', maxlength: MAX_TITLE, dir: 'auto', 'aria-describedby': 'room-settings-name-hint room-settings-error',
    oninput: () => this.#title.removeAttribute('aria-invalid'),
  });
  #topic = h('textarea', { id: 'room-settings-topic', rows: 2, maxlength: MAX_TOPIC, dir: 'auto', 'aria-describedby': 'room-settings-topic-hint' });
  #visibility = h('select', { id: 'room-settings-visibility' });
  #join = h('select', { id: 'room-settings-join' });
  #post = h('select', { id: 'room-settings-post' });
  #slow = h('input', {
    id: 'room-settings-slow', type: 'number', min: 0, max: MAX_SLOW_MODE_S, step: 1, inputmode: 'numeric', 'aria-describedby': 'room-settings-slow-hint room-settings-error',
    oninput: () => this.#slow.removeAttribute('aria-invalid'),
  });
  #mention = h('select', { id: 'room-settings-mention' });
  #register = h('button', { id: 'room-settings-register', class: 'wide', type: 'submit' }, 'Register this room');
  #titleHint = h('p', { id: 'room-settings-name-hint', class: 'hint' });
  #visibilityField = field('Who can find it', this.#visibility);
  #joinField = field('Who may join', this.#join);
  #form = new FormDialog('room-settings', [
    this.#lead, field('Title', this.#title, this.#titleHint),
    field('Topic', this.#topic, h('p', { id: 'room-settings-topic-hint', class: 'hint' }, 'What the room is about. Everyone in it sees this, and everyone who can find it.')),
    this.#visibilityField, this.#joinField, field('Who may post', this.#post),
    field('Slow mode (seconds)', this.#slow, h('p', { id: 'room-settings-slow-hint', class: 'hint' }, 'How long a person waits between two messages. 0 turns it off. Moderators do not wait.')),
    field('Who may use @room', this.#mention),
  ], { submit: (button) => this.#submit(button), words: (error) => this.#inWords(error), actions: [this.#register] });
  #done;
  #room = null;
  #isRegistering = false;

  /** `done(text)` is called with what has been done. */
  constructor(done) {
    this.#done = done;
  }

  open(room) {
    this.#room = room;
    const info = this.#info;
    const where = h('bdi', {}, room.called);
    const hasName = !isAddress(room.name);
    this.#form.title = room.isOwner ? ['Settings of ', where] : ['Register ', where];
    this.#form.button = room.isOwner ? 'Save' : 'Register this room';
    this.#register.hidden = !(room.isOwner && room.hasAccount && rolesIn(room).isUnowned);
    setText(this.#lead, room.isOwner ? '' : 'You become the owner of this room. You choose its settings, and who moderates it.');
    this.#title.value = info.title ?? '';
    this.#title.removeAttribute('aria-invalid');
    setText(this.#titleHint, hasName ? `Without a title, the room is called #${room.name}.` : '');
    this.#topic.value = info.topic ?? '';
    // A room without a name stays one that only its members find.
    this.#visibilityField.hidden = this.#joinField.hidden = !hasName;
    for (const [select, key] of [[this.#visibility, 'visibility'], [this.#join, 'join'], [this.#post, 'post'], [this.#mention, 'mentionRoom']]) {
      const known = CHOICES[key].some(([value]) => value === info[key]);
      // A value of a newer server stays unless the user changes it.
      select.replaceChildren(...options(known ? CHOICES[key] : [...CHOICES[key], [info[key], info[key]]]));
      select.value = info[key];
    }
    this.#slow.value = info.slowModeS;
    this.#slow.removeAttribute('aria-invalid');
    return this.#form.open(this.#title);
  }

  get #info() {
    const known = { title: null, topic: null, visibility: 'unlisted', join: 'everyone', post: 'everyone', slowModeS: 0, mentionRoom: 'moderators' };
    return { ...known, ...this.#room.room.info };
  }

  async #submit(button) {
    const [room, seconds] = [this.#room, Number(this.#slow.value)];
    this.#isRegistering = !room.isOwner || button === this.#register;
    if (isAddress(room.name) && this.#title.value.trim() === '') {
      this.#title.setAttribute('aria-invalid', 'true');
      this.#form.fail('Enter a title.');
      this.#title.focus();
      return false;
    }
    if (!Number.isInteger(seconds) || seconds < 0 || seconds > MAX_SLOW_MODE_S) {
      this.#slow.setAttribute('aria-invalid', 'true');
      this.#form.fail(`Enter a whole number of seconds from 0 to ${MAX_SLOW_MODE_S.toLocaleString()}.`);
      this.#slow.focus();
      return false;
    }
    const wanted = {
      title: this.#title.value.trim() || null, topic: this.#topic.value.trim() || null, visibility: this.#visibility.value,
      join: this.#join.value, post: this.#post.value, slowModeS: seconds, mentionRoom: this.#mention.value,
    };
    const info = this.#info;
    const changed = Object.fromEntries(Object.entries(wanted).filter(([key, value]) => info[key] !== value));
    if (this.#isRegistering) {
      await room.register(changed);
      rolesIn(room).read();
      this.#done(`You own ${room.called} now.`);
    } else {
      if (Object.keys(changed).length > 0) await room.room.configure(changed);
      this.#done('Settings saved.');
    }
  }

  #inWords(error) {
    if (error.code !== 'forbidden') return inWords(error);
    return this.#isRegistering
      ? 'You can register a room only if it has no owner and no messages, and you are alone in it. For another room, ask a moderator of this server.'
      : 'Only owners of the room can change its settings.';
  }
}
