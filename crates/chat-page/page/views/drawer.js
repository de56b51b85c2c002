// Where there is no room for them beside the messages, the rooms and the people are in a drawer: the same elements, put into a dialog.

import { byId, closable } from '../dom.js';

export class Drawer {
  #dialog = byId('drawer');
  /** What is in it, and where that belongs. */
  #guest = null;
  #home = null;

  constructor() {
    closable(this.#dialog);
    this.#dialog.addEventListener('close', () => this.#takeHome());
    for (const width of ['(min-width: 48rem)', '(min-width: 70rem)']) matchMedia(width).addEventListener('change', () => this.close());
  }

  open(element, side) {
    this.close();
    this.#guest = element;
    this.#home = document.createComment('');
    element.replaceWith(this.#home);
    this.#dialog.append(element);
    this.#dialog.dataset.side = side;
    this.#dialog.setAttribute('aria-label', element.getAttribute('aria-label'));
    this.#dialog.showModal();
  }

  close() {
    if (this.#dialog.open) this.#dialog.close();
    this.#takeHome();
  }

  #takeHome() {
    this.#home?.replaceWith(this.#guest);
    this.#guest = this.#home = null;
  }
}
