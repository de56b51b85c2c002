// The dialog in which one goes to a room, or joins another.

import { byId, closable, h, say } from '../dom.js';
import { inWords } from '../text/words.js';

export class Switcher {
  #dialog = byId('switcher');
  #input = byId('switcher-room');
  #error = byId('switcher-error');
  #go = byId('switcher-go');
  #list = byId('switcher-list');
  #chat;

  constructor() {
    closable(this.#dialog);
    byId('switcher-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#enter(this.#input.value.trim());
    });
    this.#input.addEventListener('input', () => {
      this.#tell('');
      this.#suggest();
    });
  }

  use(chat) {
    this.#chat = chat;
  }

  open() {
    if (!this.#chat || this.#dialog.open) return;
    this.#input.value = '';
    this.#tell('');
    this.#suggest();
    this.#dialog.showModal();
    this.#input.focus();
  }

  /** With a room that could not be joined. */
  openWith(room, error) {
    this.open();
    this.#input.value = room;
    this.#suggest();
    this.#tell(inWords(error, { name: this.#chat.name, room }));
  }

  async #enter(name) {
    if (!name) return this.#input.focus();
    this.#go.disabled = true;
    try {
      await this.#chat.join(name);
      this.#dialog.close();
    } catch (error) {
      this.#tell(inWords(error, { name: this.#chat.name, room: name }));
      this.#input.focus();
    } finally {
      this.#go.disabled = false;
    }
  }

  #tell(text) {
    say(this.#error, text);
    if (text) this.#input.setAttribute('aria-invalid', 'true');
    else this.#input.removeAttribute('aria-invalid');
  }

  #suggest() {
    const wanted = this.#input.value.trim().normalize('NFC').toLocaleLowerCase();
    const rooms = [...this.#chat.rooms.values()].filter(({ name }) => name.toLocaleLowerCase().includes(wanted));
    this.#list.replaceChildren(...rooms.map(({ name, unread }) => h('li', {},
      h('button', { type: 'button', class: 'room-link', onclick: () => this.#enter(name) },
        h('span', { class: 'hash', 'aria-hidden': 'true' }, '#'), h('span', { class: 'room-name', dir: 'auto', title: name }, name),
        unread > 0 && h('span', { class: 'badge' }, String(unread))))));
    const isNew = wanted !== '' && !rooms.some(({ name }) => name.toLocaleLowerCase() === wanted);
    this.#go.textContent = isNew ? 'Join this room' : 'Open';
  }
}
