// The form that asks for a name and a room.

import { Chat } from '../state/chat.js';
import { byId, setText } from '../dom.js';
import { persistent, perTab } from '../state/storage.js';
import { isolated, nextName, validNameFrom } from '../text/names.js';
import { hash, inWords } from '../text/words.js';

const FIELD_OF = { invalid_username: 'name', username_taken: 'name', unauthorized: 'name', invalid_room: 'room', forbidden: 'room' };

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
    for (const field of ['name', 'room']) byId(`entry-${field}`).addEventListener('input', () => this.#setError(field, ''));
  }

  /** Shows the form, filled in with what is known. */
  open({ room, focus = true }) {
    this.#main.hidden = false;
    this.#name.value = persistent.get('name') ?? '';
    this.#room.value = room ?? persistent.get('room') ?? 'lobby';
    byId('entry-title').textContent = room ? `Join ${hash(room)}` : 'Join the chat';
    document.title = room ? `${room} – chatd` : 'chatd';
    if (focus) (this.#name.value ? this.#join : this.#name).focus();
  }

  /**
   * Submits the form with these values, for example after a reload. Resolves with the chat if the
   * user got in.
   */
  async enter(name, room, { waitForName = false } = {}) {
    this.#name.value = name;
    this.#room.value = room;
    return this.#submit(waitForName);
  }

  async #submit(waitForName = false) {
    if (this.#attempt) return;
    const name = this.#name.value.trim();
    // The page writes rooms as #lobby, and so may the user.
    const room = this.#room.value.trim().replace(/^#+/, '');
    for (const field of ['name', 'room']) this.#setError(field, '');
    setText(this.#status, '');
    if (!name) return this.#refuse('name', 'Enter a name.');
    if (!room) return this.#refuse('room', 'Enter a room.');
    this.#setAttempt(new AbortController());
    const onwait = (status) => {
      setText(this.#status, `${inWords(status.reason)} Still trying…`);
      this.#cancel.hidden = false;
    };
    let chat = null;
    try {
      chat = await Chat.enter({ name, room, onwait, waitForName }, this.#attempt.signal);
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

  #showFailure(error, name, room) {
    this.#main.hidden = false;
    if (error.code === 'closed') {
      setText(this.#status, '');
      return this.#join.focus();
    }
    const text = inWords(error, { name, room });
    const field = FIELD_OF[error.code];
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
    this.#join.textContent = attempt ? 'Joining…' : 'Join';
    if (!attempt) this.#cancel.hidden = true;
  }
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
