// The card of a user.

import { byId, closable, h, setText } from '../dom.js';
import { profileOf } from '../state/account.js';
import { focusAfter } from './message-focus.js';

export class Profile {
  #dialog = byId('profile');
  #actions = h('div', { class: 'profile-actions', role: 'group', 'aria-label': 'Actions' });
  #shown = null;
  #seq;

  constructor() {
    closable(this.#dialog);
    this.#dialog.append(this.#actions);
    this.#dialog.addEventListener('close', () => focusAfter(this.#dialog, this.#seq));
  }

  /**
   * `person` is a member, or the author of the message `seq`. `actions` is what the user can do:
   * `{label, act, opens}`. `opens` says what the button opens.
   */
  async open({ username, user, seq }, actions = []) {
    const isGuest = user.startsWith('g_');
    [this.#shown, this.#seq] = [user, seq];
    byId('profile-title').textContent = username;
    byId('profile-kind').textContent = isGuest ? 'Guest: this name is not registered.' : 'Registered user';
    for (const id of ['profile-display', 'profile-text', 'profile-since']) setText(byId(id), '');
    this.#actions.hidden = actions.length === 0;
    this.#actions.replaceChildren(...actions.map(({ label, act, opens = 'dialog' }) => h('button', { type: 'button', 'aria-haspopup': opens, onclick: () => {
      this.#dialog.close();
      act();
    } }, label)));
    this.#dialog.showModal();
    if (isGuest) return;
    let profile;
    try {
      profile = await profileOf(username);
    } catch {
      if (this.#shown === user) setText(byId('profile-since'), 'The profile could not be read.');
      return;
    }
    // Names change hands: the card is of this user, and not of a later one.
    if (profile.id !== this.#shown) return;
    setText(byId('profile-display'), profile.display_name ?? '');
    setText(byId('profile-text'), profile.about ?? '');
    const since = new Date(profile.created_at).toLocaleDateString(undefined, { dateStyle: 'long' });
    setText(byId('profile-since'), `Registered on ${since}`);
  }
}
