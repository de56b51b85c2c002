// The settings dialog, and the effects of the settings on the page.

import { byId, closable, h } from '../dom.js';
import { session, site } from '../state/account.js';
import { applyTheme, settings } from '../state/settings.js';

export class Preferences {
  #dialog = byId('settings');
  #notify = byId('set-notify');
  #blocked = h('button', { id: 'open-blocked-users', class: 'wide', type: 'button', 'aria-haspopup': 'dialog' }, 'Blocked users');

  #serverLog = h('button', { id: 'open-server-log', class: 'wide', type: 'button', 'aria-haspopup': 'dialog' }, 'Reports and log of this server');

  /** `becomeUser` lets a guest register or sign in. `signOut` ends the session of a guest. */
  constructor({ signOut, becomeUser, openAccount, openBlocked, openServerLog }) {
    closable(this.#dialog);
    byId('open-account').after(this.#blocked, this.#serverLog);
    const buttons = [['become-user', becomeUser], ['open-account', openAccount], ['open-blocked-users', openBlocked], ['open-server-log', openServerLog]];
    for (const [id, act] of buttons) {
      byId(id).addEventListener('click', () => {
        this.#dialog.close();
        act();
      });
    }
    for (const name of ['theme', 'send']) this.#choice(name);
    this.#notify.addEventListener('change', () => this.#requestPermission());
    byId('sign-out').addEventListener('click', () => {
      this.#dialog.close();
      signOut();
    });
    this.#updateNotify();
  }

  /** `moderatesServer`: whether the user is a moderator or an admin of the server. */
  open({ moderatesServer }) {
    this.#serverLog.hidden = !moderatesServer;
    const isUser = session() !== null;
    byId('open-account').hidden = this.#blocked.hidden = !isUser;
    byId('sign-out').hidden = isUser;
    byId('become-user').hidden = true;
    if (!isUser) site().then(({ accounts }) => { byId('become-user').hidden = !accounts; });
    this.#updateNotify();
    this.#dialog.showModal();
  }

  #choice(name) {
    for (const input of this.#dialog.querySelectorAll(`input[name=${name}]`)) {
      input.checked = input.value === settings.get(name);
      input.addEventListener('change', () => {
        settings.set(name, input.value);
        if (name === 'theme') applyTheme();
      });
    }
  }

  /** The browser asks for permission only when the user ticks the box. */
  async #requestPermission() {
    const wanted = this.#notify.checked;
    const allowed = wanted && 'Notification' in window && await Notification.requestPermission() === 'granted';
    settings.set('notify', allowed);
    this.#updateNotify(wanted && !allowed);
  }

  #updateNotify(refused = false) {
    const can = 'Notification' in window && window.isSecureContext;
    this.#notify.disabled = !can;
    this.#notify.checked = can && settings.get('notify') && Notification.permission === 'granted';
    let hint = '';
    if (!can) hint = 'Notifications need HTTPS. Ask the operator of this chat to turn it on.';
    else if (refused || Notification.permission === 'denied') hint = 'Notifications are blocked for this page. You can allow them in your browser’s settings.';
    byId('set-notify-hint').textContent = hint;
  }
}
