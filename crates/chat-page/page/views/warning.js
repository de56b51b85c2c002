// The dialog with a warning by a moderator. It is loaded when the first warning arrives.

import { h, loadStyles, setText } from '../dom.js';
import { when } from '../text/words.js';

const styles = loadStyles('/page/moderation.css');

export class Warnings {
  // The dialog may open while the user is typing: the focus is where no key closes it.
  #title = h('h2', { id: 'warning-title', tabindex: -1, autofocus: true }, 'A moderator has warned you');
  #from = h('p', { class: 'quiet' });
  #reason = h('p', { id: 'warning-reason', class: 'reason', dir: 'auto' });
  #dialog = h('dialog', { id: 'warning', class: 'modal form-dialog', role: 'alertdialog', 'aria-labelledby': 'warning-title', 'aria-describedby': 'warning-text' },
    h('header', { class: 'modal-head' }, this.#title),
    h('div', { id: 'warning-text', class: 'form' }, this.#from, this.#reason),
    h('button', { id: 'warning-close', class: 'primary wide', type: 'button', onclick: () => this.#dialog.close() }, 'I have read it'));
  #chat;

  constructor(chat) {
    this.#chat = chat;
    document.body.append(this.#dialog);
    this.#dialog.addEventListener('close', () => {
      chat.closeWarning();
      this.#next();
    });
  }

  /** Shows the warnings one after the other. Each stays until the user closes it. */
  async show() {
    await styles;
    if (!this.#dialog.open) this.#next();
  }

  #next() {
    const [warning] = this.#chat.warnings;
    if (!warning) return;
    const { by, room, reason, at } = warning;
    this.#from.replaceChildren(by ? h('strong', { dir: 'auto' }, by) : 'An admin', room ? ` in ${this.#chat.called(room)}, ` : ' on this server, ', when(at));
    setText(this.#reason, reason ?? '');
    this.#dialog.showModal();
  }
}
