// The dialog that switches to a room or joins another one.

import { byId, closable, h, setText } from '../dom.js';
import { roomAt } from '../state/address.js';
import { fold } from '../text/references.js';
import { hash, inWords, unreadCount } from '../text/words.js';

export class Switcher {
  #dialog = byId('switcher');
  #input = byId('switcher-room');
  #error = byId('switcher-error');
  #go = byId('switcher-go');
  #list = byId('switcher-list');
  #chat;
  /** The options: `{name, isNew, unread, unreadMore, mentioned}`. */
  #choices = [];
  #active = 0;

  constructor() {
    closable(this.#dialog);
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
    this.#input.value = '';
    this.#showError('');
    this.#suggest();
    this.#dialog.showModal();
    this.#input.focus();
  }

  /** Opens the dialog with a room that could not be joined. */
  openWith(room, error) {
    this.open();
    this.#input.value = room;
    this.#suggest();
    this.#showError(inWords(error, { name: this.#chat.name, room }));
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
    try {
      await this.#chat.join(name);
      this.#dialog.close();
    } catch (error) {
      this.#showError(inWords(error, { name: this.#chat.name, room: name }));
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
    this.#go.textContent = choice === undefined ? 'Open' : `${choice.isNew ? 'Create' : 'Open'} ${hash(choice.name)}`;
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
  const rank = ({ name }) => {
    if (name === wanted) return 0;
    const at = fold(name).indexOf(key);
    return at > 0 ? 2 : at === 0 ? 1 : -1;
  };
  const rooms = [...chat.rooms.values()].filter((room) => rank(room) >= 0);
  // With an empty field the room that is shown comes last.
  const order = wanted === '' ? (room) => Number(room === chat.shown) : rank;
  rooms.sort((one, other) => order(one) - order(other));
  const found = rooms.map(({ name, unread, unreadMore, mentioned }) => ({ name, unread, unreadMore, mentioned, isNew: false }));
  if (wanted !== '' && !chat.rooms.has(wanted)) found.push({ name: wanted, unread: 0, unreadMore: false, mentioned: 0, isNew: true });
  return found;
}

function option({ name, isNew, unread, unreadMore, mentioned }, index) {
  const words = isNew
    ? [h('span', { class: 'room-name' }, `Create ${hash(name)}`), h('span', { class: 'quiet create-hint' }, 'or join it')]
    : [h('span', { class: 'hash', 'aria-hidden': 'true' }, '#'), h('span', { class: 'room-name', dir: 'auto', title: name }, name)];
  return h('li', { role: 'option', id: `switcher-option-${index}`, class: isNew ? 'room-link create' : 'room-link', 'data-room': name }, words,
    mentioned > 0 && h('span', { class: 'badge mentioned' }, `@${mentioned}`),
    unread > 0 && h('span', { class: 'badge unread' }, unreadCount({ unread, unreadMore })));
}
