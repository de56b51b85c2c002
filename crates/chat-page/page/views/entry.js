// The form that asks for a name and a room.

import { keepSession, register, session, signIn, signOut, site, siteName } from '../state/account.js';
import { Chat } from '../state/chat.js';
import { guestToken } from '../state/guest.js';
import { needsAccount, openedInvite } from '../state/invite-link.js';
import { byId, setText } from '../dom.js';
import { persistent, perTab } from '../state/storage.js';
import { isAddress, isolated, nextName, validNameFrom } from '../text/names.js';
import { hash, inWords, isServerBan, label } from '../text/words.js';

const FIELD_OF = {
  invalid_username: 'name', username_taken: 'name', name_reserved: 'name', wrong_password: 'password',
  invalid_room: 'room', forbidden: 'room',
};
/** The fields of the form by the names that the HTTP API has for them. */
const API_FIELDS = { username: 'name', password: 'password', invite: 'invite' };
const FIELDS = ['name', 'password', 'invite', 'room'];

/** What the form asks for. `others` are the ways that it offers instead. */
const MODES = {
  guest: { lead: 'Pick a name and a room. No account needed.', button: 'Join', others: ['sign-in', 'register'] },
  'sign-in': { lead: 'Sign in with your name and password.', button: 'Sign in', others: ['guest', 'register'] },
  register: { lead: 'Your name will be yours, on all your devices.', button: 'Create account', others: ['guest', 'sign-in'] },
  'signed-in': { button: 'Join', others: ['sign-out'] },
};

/** How long a submitted form waits for the room that the site proposes. */
const SITE_TIMEOUT_MS = 3_000;

export class Entry {
  #main = byId('entry');
  #name = byId('entry-name');
  #room = byId('entry-room');
  #join = byId('entry-join');
  #cancel = byId('entry-cancel');
  #status = byId('entry-status');
  #suggestion = byId('entry-suggestion');
  #suggested = '';
  #chatModule;
  #attempt = null;
  #mode = 'guest';
  #site = { guests: true, accounts: false, registration: 'closed' };
  /** Resolves when `#site` is what the server says. */
  #siteArrived;
  /** The room in the address, or `null`. */
  #addressed = null;
  /** Whether the room is the usual one, and the site may propose another one. */
  #awaitsProposal = false;

  /** `chatModule` is a promise of the module whose `openChat(chat)` takes over. */
  constructor(chatModule) {
    this.#chatModule = chatModule;
    byId('entry-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#suggestion.addEventListener('click', () => {
      this.#name.value = this.#suggested;
      this.#submit();
    });
    this.#cancel.addEventListener('click', () => this.#attempt?.abort());
    for (const field of FIELDS) byId(`entry-${field}`).addEventListener('input', () => this.#setError(field, ''));
    this.#room.addEventListener('input', () => (this.#awaitsProposal = false));
    for (const mode of ['guest', 'sign-in', 'register']) {
      byId(`entry-${mode}`).addEventListener('click', () => {
        this.#setMode(mode);
        (this.#name.value ? byId(mode === 'guest' ? 'entry-join' : 'entry-password') : this.#name).focus();
      });
    }
    byId('entry-sign-out').addEventListener('click', async () => {
      await signOut();
      this.#setMode('sign-in');
      this.#name.focus();
    });
    this.#setMode(session() ? 'signed-in' : 'guest');
    this.#siteArrived = site().then((known) => {
      this.#site = known;
      this.#showSite(known);
      const signsIn = !known.guests || (known.accounts && this.#invited);
      this.#setMode(this.#mode === 'guest' && signsIn ? 'sign-in' : this.#mode);
    });
  }

  /** Whether the form is for a room that the user can only join with an account. */
  get #invited() {
    return session() === null && (openedInvite()?.room === this.#room.value || needsAccount(this.#room.value));
  }

  /** Shows what the site says about itself. */
  #showSite({ name, logo, welcome, default_room: proposed }) {
    setText(byId('entry-site'), name);
    if (!this.#main.hidden) this.#setTitle();
    if (this.#awaitsProposal) this.#room.value = proposed;
    this.#awaitsProposal = false;
    // Without this part the form works, too.
    if (logo || welcome) import('./site.js').then(({ showSite }) => showSite(logo, welcome), () => {});
  }

  #setTitle() {
    document.title = this.#addressed ? `${label({ room: this.#addressed })} – ${siteName()}` : siteName();
  }

  /** Shows the fields that a way to get in needs, and offers the other ways. */
  #setMode(mode) {
    this.#mode = mode;
    const { lead, button, others } = MODES[mode];
    const isOffered = {
      guest: this.#site.guests && !needsAccount(this.#room.value), 'sign-in': this.#site.accounts,
      register: this.#site.accounts && this.#site.registration !== 'closed', 'sign-out': true,
    };
    byId('entry-lead').textContent = this.#invited
      ? 'This invitation is for people with an account. Sign in or create one.'
      : lead ?? `Signed in as ${isolated(session()?.username ?? '')}.`;
    byId('entry-name-field').hidden = mode === 'signed-in';
    byId('entry-password-field').hidden = !['sign-in', 'register'].includes(mode);
    byId('entry-password-hint').hidden = mode !== 'register';
    byId('entry-invite-field').hidden = !(mode === 'register' && this.#site.registration === 'invite');
    byId('entry-password').autocomplete = mode === 'register' ? 'new-password' : 'current-password';
    this.#name.autocomplete = mode === 'guest' ? 'nickname' : 'username';
    if (!this.#attempt) this.#join.textContent = button;
    let offers = 0;
    for (const other of ['guest', 'sign-in', 'register', 'sign-out']) {
      const offered = others.includes(other) && isOffered[other];
      byId(`entry-${other}`).hidden = !offered;
      offers += offered;
    }
    byId('entry-other').hidden = offers === 0;
    for (const field of FIELDS) this.#setError(field, '');
  }

  /** Shows the form, filled in with what is known. */
  open({ room, focus = true }) {
    this.#main.hidden = false;
    this.#name.value = persistent.get('name') ?? '';
    this.#addressed = room;
    this.#fillRoom(room);
    this.#setMode(this.#mode);
    byId('entry-title').textContent = room ? `Join ${hash(room)}` : 'Join the chat';
    this.#setTitle();
    if (focus) (this.#name.value ? this.#join : this.#name).focus();
  }

  /** An address is not for people: the form keeps it, and does not show it. */
  #fillRoom(room) {
    const visited = room ?? persistent.get('room');
    this.#awaitsProposal = visited === null;
    this.#room.value = visited ?? this.#site.default_room ?? 'lobby';
    this.#room.parentElement.hidden = isAddress(this.#room.value);
  }

  /**
   * Submits the form with these values, for example after a reload. Resolves with the chat if the
   * user got in.
   */
  async enter(name, room, { waitForName = false } = {}) {
    this.#name.value = name;
    this.#fillRoom(room);
    return this.#submit(waitForName);
  }

  async #submit(waitForName = false) {
    if (this.#awaitsProposal) {
      await Promise.race([this.#siteArrived, new Promise((resolve) => setTimeout(resolve, SITE_TIMEOUT_MS))]);
    }
    if (this.#attempt) return;
    const name = this.#mode === 'signed-in' ? session()?.username ?? '' : this.#name.value.trim();
    // The page writes rooms as #lobby, and so may the user.
    const room = this.#room.value.trim().replace(/^#+/, '');
    for (const field of FIELDS) this.#setError(field, '');
    setText(this.#status, '');
    if (!name) return this.#refuse('name', 'Enter a name.');
    if (!room) return this.#refuse('room', 'Enter a room.');
    const password = byId('entry-password').value;
    if (['sign-in', 'register'].includes(this.#mode) && !password) return this.#refuse('password', 'Enter your password.');
    this.#setAttempt(new AbortController());
    const onwait = (status) => {
      setText(this.#status, `${inWords(status.reason)} Still trying…`);
      this.#cancel.hidden = false;
    };
    let chat = null;
    try {
      await this.#authenticate(name, password);
      const token = session()?.token;
      chat = await Chat.enter({ name: session()?.username ?? name, room, token, onwait, waitForName }, this.#attempt.signal);
      persistent.set('name', name);
      const { openChat } = await this.#chatModule.catch(reloadOnce);
      perTab.set('reloaded', null);
      this.#setAttempt(null);
      setText(this.#status, '');
      this.#main.hidden = true;
      openChat(chat);
      return chat;
    } catch (error) {
      chat?.close();
      this.#setAttempt(null);
      this.#showFailure(error, name, room);
    }
  }

  /** Signs in or registers, if that is what the form is for. */
  async #authenticate(username, password) {
    if (this.#mode === 'sign-in') await signIn({ username, password });
    else if (this.#mode === 'register') {
      await register({ username, password, invite: byId('entry-invite').value.trim() || undefined, guestToken: guestToken() ?? undefined });
    } else return;
    byId('entry-password').value = '';
    this.#setMode('signed-in');
  }

  #showFailure(error, name, room) {
    this.#main.hidden = false;
    if (error.code === 'unauthorized' || error.code === 'no_token') {
      const hadSession = session() !== null;
      keepSession(null);
      this.#setMode('sign-in');
      this.#name.value = name;
      return setText(this.#status, inWords(hadSession ? error : { code: 'no_guests' }));
    }
    const wrong = Object.entries(error.fields ?? {}).filter(([field]) => API_FIELDS[field]);
    if (wrong.length > 0) {
      for (const [field, reason] of wrong.reverse()) this.#refuse(API_FIELDS[field], sentence(reason));
      return;
    }
    if (error.code === 'name_reserved' && this.#mode === 'guest') this.#setMode('sign-in');
    if (error.code === 'closed') {
      setText(this.#status, '');
      return this.#join.focus();
    }
    const text = inWords(error, { name, where: hash(room) });
    if (error.code === 'not_found') this.#fillRoom(null);
    const field = isServerBan(error) ? undefined : FIELD_OF[error.code];
    if (field) this.#refuse(field, text);
    if (error.code === 'username_taken') this.#suggest(nextName(name));
    else if (error.code === 'invalid_username') this.#suggest(validNameFrom(name));
    if (!field) setText(this.#status, text);
  }

  #refuse(field, text) {
    this.#setError(field, text);
    const input = byId(`entry-${field}`);
    input.focus();
    input.select();
  }

  /** Offers a name that probably works and can be accepted with one click. */
  #suggest(name) {
    this.#suggested = name ?? '';
    setText(this.#suggestion, name === null ? '' : `Use ${isolated(name)}`);
  }

  #setError(field, text) {
    if (field === 'name') this.#suggest(null);
    setText(byId(`entry-${field}-error`), text);
    const input = byId(`entry-${field}`);
    if (text) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
  }

  #setAttempt(attempt) {
    this.#attempt = attempt;
    this.#join.disabled = attempt !== null;
    this.#join.textContent = attempt ? 'Joining…' : MODES[this.#mode].button;
    if (!attempt) this.#cancel.hidden = true;
  }
}

/** A reason of the server as a sentence. */
function sentence(reason) {
  return `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`;
}

/**
 * The rest of the page could not be loaded, but the server is reachable now: a reload gets it. Only
 * once, so that the page does not reload forever.
 */
function reloadOnce() {
  if (perTab.get('reloaded')) throw new Error('a part of the page could not be loaded');
  perTab.set('reloaded', true);
  location.reload();
  return new Promise(() => {});
}
