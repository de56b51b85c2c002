// The message box.

import { byId, setText } from '../dom.js';
import { settings } from '../state/settings.js';
import { commandOf } from '../text/commands.js';
import { inWords, whoPosts, whyMuted } from '../text/words.js';
import { Completion } from './completion.js';
import { Formatting } from './formatting.js';
import { excerptOf } from './quote.js';
import { suggestionsFor } from './suggestions.js';

const resizesItself = CSS.supports('field-sizing', 'content');

export class Composer {
  #form = byId('compose');
  #text = byId('compose-text');
  #send = byId('send');
  #error = byId('compose-error');
  #completion = new Completion(this.#text, (token) => (this.#room ? suggestionsFor(token, this.#chat, this.#room) : []));
  #formatting = new Formatting(this.#text);
  #chat = null;
  #room = null;
  #unsubscribes = [];
  /** The message that is edited, or `null`. */
  #edited = null;
  #banner = byId('compose-editing');
  #reply = byId('compose-reply');
  #onsent;
  #onhelp;

  /** `onsent()` is called when a message has been passed to the client, `onhelp()` for `/help`. */
  constructor({ onsent, onhelp }) {
    this.#onsent = onsent;
    this.#onhelp = onhelp;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#text.addEventListener('keydown', (event) => this.#key(event));
    this.#text.addEventListener('input', () => this.#changed());
    // Touching the button leaves the focus in the box, so a phone keeps its keyboard open.
    this.#send.addEventListener('pointerdown', (event) => event.preventDefault());
    byId('compose-cancel').addEventListener('click', () => this.#endEdit());
    byId('compose-reply-cancel').addEventListener('click', () => this.#endReply());
    settings.on('change', () => this.#updateHint());
    this.#updateHint();
  }

  use(chat) {
    this.#chat = chat;
  }

  show(room) {
    for (const unsubscribe of this.#unsubscribes) unsubscribe();
    this.#completion.close();
    this.#setEdited(null);
    this.#room = room;
    this.#unsubscribes = room ? [room.on('state', () => this.#enable()), room.on('items', (change) => this.#itemsChanged(change))] : [];
    this.#showReply();
    if (!room) return;
    this.#text.value = room.draft;
    this.#showError('');
    this.#enable();
    this.#resize();
  }

  /** Edits a message of the user: its text is in the box until it is sent or given up. */
  edit(message, text = message.body) {
    this.#setEdited(message);
    this.#text.value = text;
    this.#showError('');
    this.#resize();
    this.#text.setSelectionRange(text.length, text.length);
    this.focus();
  }

  /** What the user writes becomes a reply to this message. */
  reply(message) {
    if (this.#edited) this.#endEdit();
    this.#room.replyTo = message;
    this.#showReply();
    this.focus();
  }

  #endReply() {
    this.#room.replyTo = null;
    this.#showReply();
    this.focus();
  }

  #showReply() {
    const message = this.#room?.replyTo ?? null;
    this.#reply.hidden = message === null || this.#edited !== null;
    byId('compose-reply-to').textContent = message ? message.from : '';
    byId('compose-reply-text').textContent = message && !this.#room.isHidden(message) ? excerptOf(message) : '';
  }

  #itemsChanged({ kind, messages }) {
    const { replyTo } = this.#room;
    if (!replyTo) return;
    const now = kind === 'changed' ? messages.find(({ seq }) => seq === replyTo.seq) : undefined;
    if (!now) return kind === 'replaced' && this.#showReply();
    this.#room.replyTo = now.deleted ? null : now;
    this.#showReply();
    if (now.deleted) this.#showError('The message that you reply to was deleted.');
  }

  /** The draft comes back. */
  #endEdit() {
    if (!this.#edited) return;
    this.#setEdited(null);
    this.#text.value = this.#room.draft;
    this.#showError('');
    this.#resize();
    this.focus();
  }

  #setEdited(message) {
    this.#edited = message;
    this.#banner.hidden = message === null;
    this.#showReply();
    this.#send.title = message ? 'Save' : 'Send';
    this.#send.setAttribute('aria-label', this.#send.title);
  }

  async #saveEdit(body) {
    const [room, message] = [this.#room, this.#edited];
    this.#endEdit();
    try {
      if (body !== message.body) await room.edit(message, body);
    } catch (error) {
      if (room !== this.#room) return;
      // What the user wrote is not lost.
      this.edit(message, body);
      this.#showError(`Not saved. ${inWords(error)}`);
    }
  }

  focus() {
    this.#text.focus({ preventScroll: true });
  }

  /**
   * Inserts a text into the box, before the current one. It is a reply to the message with the
   * number `replyTo`, if that is loaded.
   */
  put(text, replyTo) {
    const message = replyTo === undefined ? undefined : this.#room.find(replyTo);
    if (message && !message.deleted) this.#room.replyTo = message;
    this.#showReply();
    this.#text.value = this.#text.value ? `${text}\n${this.#text.value}` : text;
    this.#changed();
    this.focus();
  }

  #key(event) {
    // Keys that belong to an input method.
    if (event.isComposing || event.keyCode === 229) return;
    if (this.#completion.key(event) || this.#formatting.key(event) || this.#editKey(event) || event.key !== 'Enter') return;
    const withCtrl = event.ctrlKey || event.metaKey;
    const sends = settings.get('send') === 'enter' ? !event.shiftKey && !event.altKey : withCtrl;
    if (!sends) return;
    event.preventDefault();
    this.#submit();
  }

  /** Up edits the last own message, and then those before it; Escape gives up. */
  #editKey(event) {
    if (event.key === 'Escape' && this.#edited) {
      event.preventDefault();
      this.#endEdit();
      return true;
    }
    if (event.key === 'Escape' && this.#room?.replyTo) {
      event.preventDefault();
      event.stopPropagation();
      this.#endReply();
      return true;
    }
    const isUntouched = this.#text.value === (this.#edited?.body ?? '');
    if (event.key !== 'ArrowUp' || event.shiftKey || event.altKey || event.ctrlKey || event.metaKey || !this.#room || !isUntouched) return false;
    const message = this.#room.editableBefore(this.#edited?.seq ?? Infinity);
    if (!message) return false;
    event.preventDefault();
    this.edit(message);
    return true;
  }

  #submit() {
    const body = this.#text.value;
    if (!this.#room || body.trim() === '') return this.focus();
    if (this.#edited) return void this.#saveEdit(body);
    const command = commandOf(body.replace(/\s+$/, ''));
    if (command.hint) return this.#showError(command.hint);
    if (command.help) this.#onhelp();
    else {
      try {
        this.#room.send(command.send);
      } catch (error) {
        return this.#showError(inWords(error));
      }
    }
    this.#text.value = '';
    if (command.send) this.#room.replyTo = null;
    this.#showReply();
    this.#changed();
    if (command.send) this.#onsent();
  }

  #changed() {
    if (this.#edited) return this.#resize();
    this.#room.draft = this.#text.value;
    if (this.#text.value !== '') this.#room.room.typing();
    else this.#completion.close();
    this.#showError('');
    this.#resize();
  }

  #showError(text) {
    setText(this.#error, text);
    if (text) this.#text.setAttribute('aria-invalid', 'true');
    else this.#text.removeAttribute('aria-invalid');
  }

  #resize() {
    if (resizesItself) return;
    this.#text.style.height = 'auto';
    this.#text.style.height = `${this.#text.scrollHeight}px`;
  }

  #enable() {
    const isOut = this.#room.left !== null;
    const { postersOnly } = this.#room;
    const where = this.#room.called;
    const isMuted = !isOut && this.#room.isSilenced;
    setText(byId('compose-muted'), isMuted ? whyMuted(this.#room.room.standing) : '');
    if (isOut) this.#text.placeholder = `You’re not in ${where}`;
    else if (isMuted) this.#text.placeholder = `You are muted in ${where}`;
    else this.#text.placeholder = postersOnly ? whoPosts(where, postersOnly) : `Message ${where}`;
    this.#text.disabled = this.#send.disabled = isOut || isMuted || postersOnly !== null;
    for (const button of byId('formatting').querySelectorAll('button')) button.disabled = this.#text.disabled;
  }

  #updateHint() {
    byId('compose-hint').textContent = settings.get('send') === 'enter'
      ? 'Enter to send, Shift+Enter for a new line. Markdown is supported.'
      : 'Ctrl+Enter or the button to send, Enter for a new line. Markdown is supported.';
  }
}
