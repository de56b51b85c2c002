// The dialog for the user's own account: profile, password, devices.

import { byId, closable, h, setText } from '../dom.js';
import { RequestError, changePassword, changeProfile, devices, me, signOut, signOutDevice } from '../state/account.js';
import { inWords } from '../text/words.js';

export class Account {
  #dialog = byId('account');
  #status = byId('account-status');
  #signedOut;

  /** `signedOut()` is called after the user has signed out. */
  constructor({ signedOut }) {
    this.#signedOut = signedOut;
    closable(this.#dialog);
    this.#form('profile-form', { display_name: 'profile-name', about: 'profile-about' }, () => this.#saveProfile());
    this.#form('password-form', { old: 'password-old', new: 'password-new' }, () => this.#changePassword());
    byId('account-sign-out').addEventListener('click', async () => {
      await signOut();
      this.#signedOut();
    });
  }

  async open(username) {
    byId('account-title').textContent = username;
    byId('password-username').value = username;
    this.#say('');
    this.#dialog.showModal();
    const fields = [byId('profile-name'), byId('profile-about')];
    const before = fields.map(({ value }) => value);
    await this.#attempt(async () => {
      const { display_name: name, about } = await me();
      // What the user has typed in the meantime stays.
      for (const [index, value] of [name, about].entries()) if (fields[index].value === before[index]) fields[index].value = value ?? '';
      await this.#listDevices();
    });
  }

  async #saveProfile() {
    await changeProfile({ display_name: byId('profile-name').value.trim() || null, about: byId('profile-about').value.trim() || null });
    this.#say('Profile saved.');
  }

  async #changePassword() {
    await changePassword(byId('password-old').value, byId('password-new').value);
    for (const id of ['password-old', 'password-new']) byId(id).value = '';
    this.#say('Password changed. Your other devices are signed out.');
    await this.#listDevices();
  }

  async #listDevices() {
    const all = await devices();
    byId('devices').replaceChildren(...all.map(({ id, device, last_used_at: used, current }) => {
      const when = new Date(used).toLocaleDateString(undefined, { dateStyle: 'medium' });
      const name = device ?? 'Unknown device';
      return h('li', {}, h('span', {}, current ? `${name} (this device)` : `${name}, last used ${when}`),
        !current && h('button', {
          class: 'plain-button', type: 'button', 'aria-label': `Sign out ${name}`,
          onclick: () => this.#attempt(async () => {
            await signOutDevice(id);
            await this.#listDevices();
          }),
        }, 'Sign out'));
    }));
  }

  /** Submits a form with `act`, and shows what is wrong at its fields: `{field of the API: id}`. */
  #form(id, fields, act) {
    byId(id).addEventListener('submit', async (event) => {
      event.preventDefault();
      for (const input of Object.values(fields)) this.#setError(input, '');
      this.#say('');
      await this.#attempt(act, fields);
    });
  }

  async #attempt(act, fields = {}) {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      const wrong = Object.entries(error.fields).filter(([field]) => fields[field]);
      for (const [field, reason] of wrong) this.#setError(fields[field], `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`);
      if (error.code === 'wrong_password' && fields.old) return this.#setError(fields.old, 'Wrong password.');
      if (wrong.length === 0) this.#say(inWords(error));
    }
  }

  #setError(id, text) {
    setText(byId(`${id}-error`), text);
    if (text) byId(id).setAttribute('aria-invalid', 'true');
    else byId(id).removeAttribute('aria-invalid');
  }

  #say(text) {
    setText(this.#status, text);
  }
}
