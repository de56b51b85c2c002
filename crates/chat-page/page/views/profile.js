// The card of a user.

import { byId, closable, setText } from '../dom.js';
import { profileOf } from '../state/account.js';

export class Profile {
  #dialog = byId('profile');
  #shown = null;

  constructor() {
    closable(this.#dialog);
  }

  async open(username, user) {
    const isGuest = user.startsWith('g_');
    this.#shown = user;
    byId('profile-title').textContent = username;
    byId('profile-kind').textContent = isGuest ? 'Guest: this name is not registered.' : 'Registered user';
    for (const id of ['profile-display', 'profile-text', 'profile-since']) setText(byId(id), '');
    this.#dialog.showModal();
    if (isGuest) return;
    const profile = await profileOf(username).catch(() => null);
    // Names change hands: the card is of this user, and not of a later one.
    if (profile?.id !== this.#shown) return;
    setText(byId('profile-display'), profile.display_name ?? '');
    setText(byId('profile-text'), profile.about ?? '');
    const since = new Date(profile.created_at).toLocaleDateString(undefined, { dateStyle: 'long' });
    setText(byId('profile-since'), `Registered on ${since}`);
  }
}
