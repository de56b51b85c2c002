// Shown in place of a room when the user is in none.

import { byId, h } from '../dom.js';

export class NoRoom {
  #text = h('p', {}, h('strong', {}, 'You’re not in a room.'));
  #element;

  /** `join()` asks for a room. */
  constructor(join) {
    this.#element = h('div', { class: 'no-room-card', id: 'no-room', hidden: true },
      this.#text, h('button', { type: 'button', class: 'primary', id: 'no-room-join', onclick: join }, 'Join a room'));
    byId('messages').before(this.#element);
  }

  show(isShown) {
    this.#element.hidden = !isShown;
    document.body.classList.toggle('no-room', isShown);
  }

  focus() {
    byId('no-room-join').focus();
  }
}
