// A short message below the messages, with an optional action.

import { byId, h } from '../dom.js';

const TIMEOUT_MS = 30_000;

export class Toast {
  #text = h('span', { id: 'toast-text', dir: 'auto' });
  #action = h('button', { type: 'button', id: 'toast-action', onclick: () => this.#act() });
  #element = h('div', { class: 'toast', id: 'toast', hidden: true }, this.#text, this.#action,
    h('button', { type: 'button', class: 'icon', 'aria-label': 'Dismiss', title: 'Dismiss', onclick: () => this.hide() }, '✕'));
  #callback = null;
  #timer;
  #announce;

  /**
   * `announce(text)` passes the text to a screen reader: a live region that was hidden is not read.
   */
  constructor(announce) {
    this.#announce = announce;
    byId('typing').before(this.#element);
    // A toast that is being read or used stays.
    for (const type of ['pointerenter', 'focusin']) this.#element.addEventListener(type, () => clearTimeout(this.#timer));
    for (const type of ['pointerleave', 'focusout']) this.#element.addEventListener(type, () => this.#startTimer());
  }

  /** Shows a text in place of the previous one. */
  show(text, { action = '', act = null } = {}) {
    this.#callback = act;
    this.#element.hidden = false;
    this.#text.textContent = text;
    this.#action.textContent = action;
    this.#action.hidden = action === '';
    this.#announce(action === '' ? text : `${text} The button “${action}” is below the messages.`);
    this.#startTimer();
  }

  hide() {
    clearTimeout(this.#timer);
    this.#element.hidden = true;
    this.#text.textContent = '';
    this.#callback = null;
  }

  #act() {
    const act = this.#callback;
    this.hide();
    act?.();
  }

  #startTimer() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.hide(), TIMEOUT_MS);
  }
}
