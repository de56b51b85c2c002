// What the user can do with a message: one bar, which is at the message under the pointer, or at
// the one that was tapped.

import { h } from '../dom.js';

/** For this long a second click on "Delete" deletes. */
const CONFIRM_MS = 4_000;

export class MessageActions {
  #bar = h('div', { class: 'message-actions', role: 'group', 'aria-label': 'Message' });
  #room = null;
  #message = null;
  #act;
  #timer = 0;

  /**
   * `act(name, message)` carries out an action: `edit`, `copy` or `delete`. `list` is the element
   * with the messages.
   */
  constructor(list, act) {
    this.#act = act;
    list.addEventListener('pointerover', ({ target, pointerType }) => pointerType === 'mouse' && this.#showAt(target));
    list.addEventListener('pointerleave', ({ pointerType }) => pointerType === 'mouse' && this.hide());
    list.addEventListener('click', ({ target }) => {
      // A tap. Links and buttons have their own purpose.
      if (!matchMedia('(hover: none)').matches || target.closest('a, button, input, summary')) return;
      if (target.closest('.message') === this.#bar.parentElement) this.hide();
      else this.#showAt(target);
    });
  }

  use(room) {
    this.hide();
    this.#room = room;
  }

  hide() {
    clearTimeout(this.#timer);
    this.#bar.remove();
    this.#message = null;
  }

  #showAt(target) {
    const article = target.closest('.message[data-state="stored"]');
    if (!article || article === this.#bar.parentElement) return;
    const { items } = this.#room;
    const seq = Number(article.dataset.seq);
    const message = items[this.#room.indexFrom(seq)];
    if (message?.seq !== seq) return;
    this.hide();
    this.#message = message;
    const { canEdit, canDelete } = this.#room.permissions(message);
    this.#bar.replaceChildren(...[
      canEdit && this.#button('edit', 'Edit'),
      this.#button('copy', 'Copy text'),
      canDelete && this.#button('delete', 'Delete'),
    ].filter(Boolean));
    article.append(this.#bar);
  }

  #button(action, label) {
    return h('button', { type: 'button', 'data-action': action, onclick: ({ currentTarget }) => this.#clicked(action, currentTarget) }, label);
  }

  #clicked(action, button) {
    if (action === 'delete' && !button.dataset.asked) {
      button.dataset.asked = 'true';
      button.textContent = 'Really delete?';
      this.#timer = setTimeout(() => this.hide(), CONFIRM_MS);
      return;
    }
    const message = this.#message;
    this.hide();
    this.#act(action, message);
  }
}
