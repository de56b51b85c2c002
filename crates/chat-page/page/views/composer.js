// The message box.

import { byId, say } from '../dom.js';
import { settings } from '../state/settings.js';
import { commandOf } from '../text/commands.js';
import { hash, inWords } from '../text/words.js';
import { Completion } from './completion.js';
import { Formatting } from './formatting.js';
import { suggestionsFor } from './suggestions.js';

const growsByItself = CSS.supports('field-sizing', 'content');

export class Composer {
  #form = byId('compose');
  #text = byId('compose-text');
  #send = byId('send');
  #error = byId('compose-error');
  #completion = new Completion(this.#text, (token) => (this.#room ? suggestionsFor(token, this.#chat, this.#room) : []));
  #formatting = new Formatting(this.#text);
  #chat = null;
  #room = null;
  #offs = [];
  #onsent;
  #onhelp;

  /** `onsent()` is called when a message is on its way, `onhelp()` for `/help`. */
  constructor({ onsent, onhelp }) {
    this.#onsent = onsent;
    this.#onhelp = onhelp;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#text.addEventListener('keydown', (event) => this.#key(event));
    this.#text.addEventListener('input', () => this.#changed());
    // the box keeps the focus, and a phone its keyboard, when the button is touched
    this.#send.addEventListener('pointerdown', (event) => event.preventDefault());
    settings.on('change', () => this.#hint());
    this.#hint();
  }

  use(chat) {
    this.#chat = chat;
  }

  show(room) {
    for (const off of this.#offs) off();
    this.#completion.close();
    this.#room = room;
    this.#offs = room ? [room.on('state', () => this.#enable())] : [];
    if (!room) return;
    this.#text.value = room.draft;
    this.#complain('');
    this.#enable();
    this.#fit();
  }

  focus() {
    this.#text.focus({ preventScroll: true });
  }

  /** Puts a text into the box, before what is in it already. */
  put(text) {
    this.#text.value = this.#text.value ? `${text}\n${this.#text.value}` : text;
    this.#changed();
    this.focus();
  }

  #key(event) {
    // keys that belong to an input method
    if (event.isComposing || event.keyCode === 229) return;
    if (this.#completion.key(event) || this.#formatting.key(event) || event.key !== 'Enter') return;
    const withCtrl = event.ctrlKey || event.metaKey;
    const sends = settings.get('send') === 'enter' ? !event.shiftKey && !event.altKey : withCtrl;
    if (!sends) return;
    event.preventDefault();
    this.#submit();
  }

  #submit() {
    const body = this.#text.value;
    if (!this.#room || body.trim() === '') return this.focus();
    const command = commandOf(body.replace(/\s+$/, ''));
    if (command.hint) return this.#complain(command.hint);
    if (command.help) this.#onhelp();
    else {
      try {
        this.#room.send(command.send);
      } catch (error) {
        return this.#complain(inWords(error, { room: this.#room.name }));
      }
    }
    this.#text.value = '';
    this.#changed();
    if (command.send) this.#onsent();
  }

  #changed() {
    this.#room.draft = this.#text.value;
    if (this.#text.value !== '') this.#room.room.typing();
    else this.#completion.close();
    this.#complain('');
    this.#fit();
  }

  #complain(text) {
    say(this.#error, text);
    if (text) this.#text.setAttribute('aria-invalid', 'true');
    else this.#text.removeAttribute('aria-invalid');
  }

  #fit() {
    if (growsByItself) return;
    this.#text.style.height = 'auto';
    this.#text.style.height = `${this.#text.scrollHeight}px`;
  }

  #enable() {
    const out = this.#room.left !== null;
    this.#text.placeholder = out ? `You’re not in ${hash(this.#room.name)}` : `Message ${hash(this.#room.name)}`;
    this.#text.disabled = this.#send.disabled = out;
  }

  #hint() {
    byId('compose-hint').textContent = settings.get('send') === 'enter'
      ? 'Enter to send, Shift+Enter for a new line. Markdown is supported.'
      : 'Ctrl+Enter or the button to send, Enter for a new line. Markdown is supported.';
  }
}
