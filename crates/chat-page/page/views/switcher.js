// The dialog that switches to a room or joins another one.

import { byId, closable, h, setText } from '../dom.js';
import { roomAt } from '../state/address.js';
import { keepInvite } from '../state/invite-link.js';
import { isAddress } from '../text/names.js';
import { fold } from '../text/references.js';
import { inWords, unreadCount } from '../text/words.js';

export class Switcher {
  #dialog = byId('switcher');
  #input = byId('switcher-room');
  #error = byId('switcher-error');
  #go = byId('switcher-go');
  #list = byId('switcher-list');
  #chat;
  #create = h('button', { id: 'create-private', class: 'wide', type: 'button', 'aria-haspopup': 'dialog' }, 'Create a private room');
  /** The options: `{name, text, sign, isNew, unread, unreadMore, mentioned}`. */
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
    this.#go.after(h('div', { class: 'switcher-more' }, directory, this.#create));
    byId('switcher-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#enter(this.#choices[this.#active]?.name);
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
      if (option) this.#enter(this.#choices[[...this.#list.children].indexOf(option)].name);
    });
  }

  use(chat) {
    this.#chat = chat;
  }

  open() {
    if (!this.#chat || this.#dialog.open) return;
    this.#create.hidden = !this.#chat.hasAccount;
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

  async #enter(name) {
    if (!name) return this.#input.focus();
    this.#go.disabled = true;
    // The user may have pasted an invite link.
    keepInvite(this.#input.value.trim());
    try {
      await this.#chat.join(name);
      this.#dialog.close();
    } catch (error) {
      this.#showError(inWords(error, { name: this.#chat.name, where: this.#chat.called(name) }));
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
    const wanted = wantedRoom(this.#input.value);
    this.#choices = choices(this.#chat, wanted);
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
    this.#go.textContent = choice === undefined ? 'Open' : `${choice.isNew && !isAddress(choice.name) ? 'Create' : 'Open'} ${choice.called}`;
  }
}

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

function option({ name, text, called, sign, isNew, unread, unreadMore, mentioned }, index) {
  const words = isNew
    ? [h('span', { class: 'room-name' }, `${isAddress(name) ? 'Open' : 'Create'} ${called}`), !isAddress(name) && h('span', { class: 'quiet create-hint' }, 'or join it')]
    : [h('span', { class: 'hash', 'aria-hidden': 'true' }, sign), h('span', { class: 'room-name', dir: 'auto', title: text }, text)];
  return h('li', { role: 'option', id: `switcher-option-${index}`, class: isNew ? 'room-link create' : 'room-link', 'data-room': name }, words,
    mentioned > 0 && h('span', { class: 'badge mentioned' }, `@${mentioned}`),
    unread > 0 && h('span', { class: 'badge unread' }, unreadCount({ unread, unreadMore })));
}
