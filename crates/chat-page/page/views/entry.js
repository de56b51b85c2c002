// The form at the beginning: a name and a room.

import { Chat } from '../state/chat.js';
import { byId, say } from '../dom.js';
import { lasting, ofTab } from '../state/storage.js';
import { asName, isolated, nextName } from '../text/names.js';
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
  #inside;
  #trying = null;

  /** `inside` is on its way: the module whose `openChat(chat)` takes over. */
  constructor(inside) {
    this.#inside = inside;
    byId('entry-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#suggestion.addEventListener('click', () => {
      this.#name.value = this.#suggested;
      this.#submit();
    });
    this.#cancel.addEventListener('click', () => this.#trying?.abort());
    for (const field of ['name', 'room']) byId(`entry-${field}`).addEventListener('input', () => this.#mark(field, ''));
  }

  /** Shows the form, with what is known already. */
  open({ room, focus = true }) {
    this.#main.hidden = false;
    this.#name.value = lasting.get('name') ?? '';
    this.#room.value = room ?? lasting.get('room') ?? 'lobby';
    byId('entry-title').textContent = room ? `Join ${hash(room)}` : 'Join the chat';
    document.title = room ? `${room} – chatd` : 'chatd';
    if (focus) (this.#name.value ? this.#join : this.#name).focus();
  }

  /** As if the form had been sent: after a reload. Resolves with the chat, if there is one. */
  async enter(name, room, { insist = false } = {}) {
    this.#name.value = name;
    this.#room.value = room;
    return this.#submit(insist);
  }

  async #submit(insist = false) {
    if (this.#trying) return;
    const name = this.#name.value.trim();
    // the page writes rooms as #lobby, and so may the user
    const room = this.#room.value.trim().replace(/^#+/, '');
    for (const field of ['name', 'room']) this.#mark(field, '');
    say(this.#status, '');
    if (!name) return this.#refuse('name', 'Enter a name.');
    if (!room) return this.#refuse('room', 'Enter a room.');
    this.#busy(new AbortController());
    const onwait = (status) => {
      say(this.#status, `${inWords(status.reason)} Still trying…`);
      this.#cancel.hidden = false;
    };
    let chat = null;
    try {
      chat = await Chat.enter({ name, room, onwait, insist }, this.#trying.signal);
      lasting.set('name', name);
      const { openChat } = await this.#inside.catch(reloadOnce);
      ofTab.set('reloaded', null);
      this.#busy(null);
      say(this.#status, '');
      this.#main.hidden = true;
      openChat(chat);
      return chat;
    } catch (error) {
      chat?.close();
      this.#busy(null);
      this.#failed(error, name, room);
    }
  }

  #failed(error, name, room) {
    this.#main.hidden = false;
    if (error.code === 'closed') {
      say(this.#status, '');
      return this.#join.focus();
    }
    const text = inWords(error, { name, room });
    const field = FIELD_OF[error.code];
    if (field) this.#refuse(field, text);
    if (error.code === 'username_taken') this.#suggest(nextName(name));
    else if (error.code === 'invalid_username') this.#suggest(asName(name));
    if (!field) say(this.#status, text);
  }

  #refuse(field, text) {
    this.#mark(field, text);
    const input = byId(`entry-${field}`);
    input.focus();
    input.select();
  }

  /** A name that probably works, to be taken with one click. */
  #suggest(name) {
    this.#suggested = name ?? '';
    say(this.#suggestion, name === null ? '' : `Use ${isolated(name)}`);
  }

  #mark(field, text) {
    if (field === 'name') this.#suggest(null);
    say(byId(`entry-${field}-error`), text);
    const input = byId(`entry-${field}`);
    if (text) input.setAttribute('aria-invalid', 'true');
    else input.removeAttribute('aria-invalid');
  }

  #busy(trying) {
    this.#trying = trying;
    this.#join.disabled = trying !== null;
    this.#join.textContent = trying ? 'Joining…' : 'Join';
    if (!trying) this.#cancel.hidden = true;
  }
}

/** The rest of the page did not arrive. The server lets one in, so it is there by now: a reload brings both. Once, lest it never ends. */
function reloadOnce() {
  if (ofTab.get('reloaded')) throw new Error('a part of the page could not be loaded');
  ofTab.set('reloaded', true);
  location.reload();
  return new Promise(() => {});
}
