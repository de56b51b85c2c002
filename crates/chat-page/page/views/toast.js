// A short message below the messages, with something that can be done about it.

import { byId, h } from '../dom.js';

const LASTS_MS = 30_000;

export class Toast {
  #text = h('span', { id: 'toast-text', dir: 'auto' });
  #action = h('button', { type: 'button', id: 'toast-action', onclick: () => this.#act() });
  #element = h('div', { class: 'toast', id: 'toast', hidden: true }, this.#text, this.#action,
    h('button', { type: 'button', class: 'icon', 'aria-label': 'Dismiss', title: 'Dismiss', onclick: () => this.hide() }, '✕'));
  #do = null;
  #timer;
  #announce;

  /** `announce(text)` says it to a screen reader: a live region that was hidden says nothing. */
  constructor(announce) {
    this.#announce = announce;
    byId('typing').before(this.#element);
    // one that is being read or used stays
    for (const type of ['pointerenter', 'focusin']) this.#element.addEventListener(type, () => clearTimeout(this.#timer));
    for (const type of ['pointerleave', 'focusout']) this.#element.addEventListener(type, () => this.#wait());
  }

  /** Shows a text in the place of the one before it. */
  show(text, { action = '', act = null } = {}) {
    this.#do = act;
    this.#element.hidden = false;
    this.#text.textContent = text;
    this.#action.textContent = action;
    this.#action.hidden = action === '';
    this.#announce(action === '' ? text : `${text} The button “${action}” is below the messages.`);
    this.#wait();
  }

  hide() {
    clearTimeout(this.#timer);
    this.#element.hidden = true;
    this.#text.textContent = '';
    this.#do = null;
  }

  #act() {
    const act = this.#do;
    this.hide();
    act?.();
  }

  #wait() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.hide(), LASTS_MS);
  }
}
