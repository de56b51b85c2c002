// On a narrow screen, rooms and people are shown in a drawer: the same elements, moved into a
// dialog.

import { byId, closable } from '../dom.js';

export class Drawer {
  #dialog = byId('drawer');
  /** The element in the drawer, and the placeholder at its usual position. */
  #content = null;
  #placeholder = null;

  constructor() {
    closable(this.#dialog);
    this.#dialog.addEventListener('close', () => this.#putBack());
    for (const width of ['(min-width: 48rem)', '(min-width: 70rem)']) matchMedia(width).addEventListener('change', () => this.close());
  }

  open(element, side) {
    this.close();
    this.#content = element;
    this.#placeholder = document.createComment('');
    element.replaceWith(this.#placeholder);
    this.#dialog.append(element);
    this.#dialog.dataset.side = side;
    this.#dialog.setAttribute('aria-label', element.getAttribute('aria-label'));
    this.#dialog.showModal();
  }

  close() {
    if (this.#dialog.open) this.#dialog.close();
    this.#putBack();
  }

  #putBack() {
    this.#placeholder?.replaceWith(this.#content);
    this.#content = this.#placeholder = null;
  }
}
