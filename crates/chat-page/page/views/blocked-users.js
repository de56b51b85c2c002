// The dialog with the users whom the user has blocked. It is loaded when it is opened for the first
// time.

import { arrange, avatar, closable, h, icon, setText } from '../dom.js';
import { isolated } from '../text/names.js';
import { inWords } from '../text/words.js';

export class BlockedUsersDialog {
  #error = h('p', { id: 'blocked-users-error', class: 'error', role: 'alert', hidden: true });
  #status = h('p', { id: 'blocked-users-status', class: 'quiet', role: 'status' });
  #list = h('ul', { id: 'blocked-users-list', class: 'devices' });
  #close = h('button', { class: 'icon', type: 'button', 'data-close': true, 'aria-label': 'Close' }, icon('close'));
  #dialog = h('dialog', { id: 'blocked-users', class: 'modal', 'aria-labelledby': 'blocked-users-title' },
    h('header', { class: 'modal-head' }, h('h2', { id: 'blocked-users-title' }, 'Blocked users'), this.#close),
    this.#error, this.#status, this.#list);
  #chat;

  constructor(chat) {
    this.#chat = chat;
    document.body.append(this.#dialog);
    closable(this.#dialog);
    chat.on('blocking', () => this.#dialog.open && this.#render());
  }

  open() {
    if (this.#dialog.open) return;
    setText(this.#error, '');
    this.#render();
    this.#dialog.showModal();
  }

  /** Users who are listed already keep their elements, so that the focus stays. */
  #render() {
    const users = this.#chat.blocked;
    const hadFocus = this.#list.contains(document.activeElement);
    const existing = new Map([...this.#list.children].map((item) => [item.dataset.user, item]));
    arrange(this.#list, users.map((blocked) => this.#item(blocked, existing.get(blocked.user))));
    setText(this.#status, users.length > 0 ? 'You do not see what they write. They do not learn of it.' : 'You have blocked no one.');
    if (hadFocus && !this.#list.contains(document.activeElement)) (this.#list.querySelector('button') ?? this.#close).focus();
  }

  #item({ user, username }, existing) {
    const name = username ?? `Unknown ${user.startsWith('g_') ? 'guest' : 'user'} ${user.slice(2, 8)}`;
    if (existing?.dataset.name === name) return existing;
    return h('li', { 'data-user': user, 'data-name': name }, avatar({ username: name, user }, 'small'), h('span', { dir: 'auto', class: username === null && 'quiet' }, name),
      h('button', { class: 'plain-button', type: 'button', 'aria-label': `Unblock ${name}`, onclick: () => this.#unblock(user, name) }, 'Unblock'));
  }

  async #unblock(user, name) {
    setText(this.#error, '');
    try {
      await this.#chat.block(user, false);
      setText(this.#status, `You unblocked ${isolated(name)}.`);
    } catch (error) {
      setText(this.#error, `Not unblocked. ${inWords(error)}`);
    }
  }
}
