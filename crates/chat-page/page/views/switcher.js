// The dialog that switches to a room, joins another one, or writes to a person.

import { byId, closable, h, setText } from '../dom.js';
import { roomAt } from '../state/address.js';
import { keepInvite } from '../state/invite-link.js';
import { whyNotDirect } from '../text/direct.js';
import { isAddress, isolated } from '../text/names.js';
import { fold } from '../text/references.js';
import { inWords, unreadCount } from '../text/words.js';

/** No more people than this are suggested. */
const MAX_PEOPLE = 20;
const byName = new Intl.Collator(undefined, { sensitivity: 'base', numeric: true }).compare;

export class Switcher {
  #dialog = byId('switcher');
  #input = byId('switcher-room');
  #error = byId('switcher-error');
  #go = byId('switcher-go');
  #list = byId('switcher-list');
  #chat;
  #create = h('button', { id: 'create-private', class: 'wide', type: 'button', 'aria-haspopup': 'dialog' }, 'Create a private room');
  #hint = h('p', { id: 'switcher-hint', class: 'hint' }, 'Type @ and a name to write to a person.');
  /**
   * The options: `{name, text, sign, isNew, unread, unreadMore, mentioned}`. A person has a
   * `username` in place of a `name`.
   */
  #choices = [];
  #active = 0;

  /** `browse()` shows the public rooms, and `create()` creates a private one. */
  constructor({ browse, create }) {
    closable(this.#dialog);
    const opensInstead = (button, open) => button.addEventListener('click', () => {
      this.#dialog.close();
      open();
    });
    const directory = h('button', { id: 'browse-rooms', class: 'wide', type: 'button', 'aria-haspopup': 'dialog' }, 'Browse public rooms');
    opensInstead(directory, browse);
    opensInstead(this.#create, create);
    this.#error.after(this.#hint);
    this.#go.after(h('div', { class: 'switcher-more' }, directory, this.#create));
    byId('switcher-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#enter(this.#choices[this.#active]);
    });
    this.#input.addEventListener('input', () => {
      this.#showError('');
      this.#suggest();
    });
    this.#input.addEventListener('keydown', (event) => this.#key(event));
    // The text field keeps the focus.
    this.#list.addEventListener('pointerdown', (event) => event.preventDefault());
    this.#list.addEventListener('click', ({ target }) => {
      const option = target.closest('[role="option"]');
      if (option) this.#enter(this.#choices[[...this.#list.children].indexOf(option)]);
    });
  }

  use(chat) {
    this.#chat = chat;
  }

  open() {
    if (!this.#chat || this.#dialog.open) return;
    this.#create.hidden = this.#hint.hidden = !this.#chat.hasAccount;
    this.#input.value = '';
    this.#showError('');
    this.#suggest();
    this.#dialog.showModal();
    this.#input.focus();
  }

  /** Opens the dialog with a room that could not be joined. */
  openWith(room, error) {
    this.open();
    // An address is not for people.
    this.#input.value = isAddress(room) ? '' : room;
    this.#suggest();
    this.#showError(inWords(error, { name: this.#chat.name, where: this.#chat.called(room) }));
  }

  #key(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.isComposing || event.altKey || !(event.key in steps) || this.#choices.length === 0) return;
    event.preventDefault();
    const count = this.#choices.length;
    this.#activate((this.#active + steps[event.key] + count) % count);
  }

  async #enter(choice) {
    if (!choice) return this.#input.focus();
    const { name, username } = choice;
    this.#go.disabled = true;
    // The user may have pasted an invite link.
    keepInvite(this.#input.value.trim());
    try {
      await (username === undefined ? this.#chat.join(name) : this.#chat.openDirect(username));
      this.#dialog.close();
    } catch (error) {
      this.#showError(username === undefined ? inWords(error, { name: this.#chat.name, where: this.#chat.called(name) }) : whyNotDirect(error));
      this.#input.focus();
    } finally {
      this.#go.disabled = false;
    }
  }

  #showError(text) {
    setText(this.#error, text);
    if (text) this.#input.setAttribute('aria-invalid', 'true');
    else this.#input.removeAttribute('aria-invalid');
  }

  #suggest() {
    const person = wantedPerson(this.#input.value);
    this.#choices = person === undefined ? choices(this.#chat, wantedRoom(this.#input.value)) : people(this.#chat, person);
    if (person !== undefined && !this.#chat.hasAccount) this.#showError('Direct messages are between people with an account.');
    this.#list.setAttribute('aria-label', person === undefined ? 'Rooms' : 'People');
    this.#list.replaceChildren(...this.#choices.map((choice, index) => option(choice, index)));
    this.#activate(0);
  }

  #activate(index) {
    this.#active = index;
    for (const [at, element] of [...this.#list.children].entries()) element.setAttribute('aria-selected', String(at === index));
    const active = this.#list.children[index];
    if (active) this.#input.setAttribute('aria-activedescendant', active.id);
    else this.#input.removeAttribute('aria-activedescendant');
    active?.scrollIntoView({ block: 'nearest' });
    const choice = this.#choices[index];
    this.#go.disabled = choice === undefined;
    this.#go.textContent = choice === undefined ? 'Open' : `${verbOf(choice)} ${choice.called}`;
  }
}

const verbOf = ({ name, username, isNew }) => (username !== undefined ? 'Write to' : isNew && !isAddress(name) ? 'Create' : 'Open');

/** The name of a person, if the text begins with `@`. */
const wantedPerson = (text) => /^\s*[@＠](.*)/u.exec(text)?.[1].trim().normalize('NFC');

/** A room's name as the user may type it: with a leading `#`, or as a link. */
function wantedRoom(text) {
  const trimmed = text.trim();
  const linked = /^https?:\/\//.test(trimmed) && URL.canParse(trimmed) ? roomAt(trimmed) : null;
  return (linked ?? trimmed.replace(/^[#＃]+/, '')).normalize('NFC');
}

/**
 * The rooms whose name begins with the text, then those that contain it, and last a new room of
 * this name.
 */
function choices(chat, wanted) {
  const key = fold(wanted);
  // A room is found by what it is called, and by its name.
  const rank = ({ name, label: text }) => {
    if (name === wanted) return 0;
    const found = (isAddress(name) ? [text] : [text, name]).map((each) => fold(each).indexOf(key)).filter((at) => at >= 0);
    return found.length === 0 ? -1 : Math.min(...found) > 0 ? 2 : 1;
  };
  const rooms = [...chat.rooms.values()].filter((room) => rank(room) >= 0);
  // With an empty field the room that is shown comes last.
  const order = wanted === '' ? (room) => Number(room === chat.shown) : rank;
  rooms.sort((one, other) => order(one) - order(other));
  const found = rooms.map(({ name, label: text, called, sign, unread, unreadMore, mentioned }) => ({ name, text, called, sign, unread, unreadMore, mentioned, isNew: false }));
  if (wanted !== '' && !chat.rooms.has(wanted)) found.push({ name: wanted, called: chat.called(wanted), unread: 0, unreadMore: false, mentioned: 0, isNew: true });
  return found;
}

/**
 * The people with an account whose name begins with the text, then those whose name contains it,
 * and last someone else of this very name.
 */
function people(chat, wanted) {
  if (!chat.hasAccount) return [];
  const key = fold(wanted);
  const names = new Set();
  for (const room of chat.rooms.values()) {
    if (room.isDirect) names.add(room.label);
    const isOffered = (member) => !member.user.startsWith('g_') && !room.isMine(member) && !room.isBlocked(member);
    for (const member of room.room.members.values()) if (isOffered(member)) names.add(member.username);
  }
  const at = (name) => fold(name).indexOf(key);
  const found = [...names].filter((name) => at(name) >= 0).sort((one, other) => (at(one) > 0) - (at(other) > 0) || byName(one, other));
  const choice = (username, isNew) => ({ username, text: username, called: isolated(username), sign: '@', isNew, unread: 0, unreadMore: false, mentioned: 0 });
  const choices = found.slice(0, MAX_PEOPLE).map((name) => choice(name, false));
  return wanted === '' || found.some((name) => fold(name) === key) ? choices : [...choices, choice(wanted, true)];
}

function option(choice, index) {
  const { name, username, text, called, sign, isNew, unread, unreadMore, mentioned } = choice;
  const isCreated = isNew && username === undefined && !isAddress(name);
  const words = isNew
    ? [h('span', { class: 'room-name' }, `${verbOf(choice)} ${called}`), isCreated && h('span', { class: 'quiet create-hint' }, 'or join it')]
    : [h('span', { class: 'hash', 'aria-hidden': 'true' }, sign), h('span', { class: 'room-name', dir: 'auto', title: text }, text)];
  return h('li', { role: 'option', id: `switcher-option-${index}`, class: isNew ? 'room-link create' : 'room-link', 'data-room': name, 'data-name': username }, words,
    mentioned > 0 && h('span', { class: 'badge mentioned' }, `@${mentioned}`),
    unread > 0 && h('span', { class: 'badge unread' }, unreadCount({ unread, unreadMore })));
}
