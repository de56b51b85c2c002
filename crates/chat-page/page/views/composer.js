// The box in which one writes.

import { byId, say } from '../dom.js';
import { settings } from '../state/settings.js';
import { renderPreview } from '../text/markdown.js';
import { hash, inWords } from '../text/words.js';

const growsByItself = CSS.supports('field-sizing', 'content');

export class Composer {
  #form = byId('compose');
  #text = byId('compose-text');
  #send = byId('send');
  #error = byId('compose-error');
  #toggle = byId('toggle-preview');
  #preview = byId('preview');
  #previewFrame = 0;
  #room = null;
  #offs = [];
  #onsent;

  /** `onsent` is called when a message is on its way. */
  constructor(onsent) {
    this.#onsent = onsent;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#text.addEventListener('keydown', (event) => this.#key(event));
    this.#text.addEventListener('input', () => this.#changed());
    this.#toggle.addEventListener('click', () => this.togglePreview());
    // the box keeps the focus, and a phone its keyboard, when the button is touched
    this.#send.addEventListener('pointerdown', (event) => event.preventDefault());
    settings.on('change', () => this.#hint());
    this.#hint();
  }

  show(room) {
    for (const off of this.#offs) off();
    this.#room = room;
    this.#offs = room ? [room.on('state', () => this.#enable())] : [];
    if (!room) return;
    this.#text.value = room.draft;
    say(this.#error, '');
    this.#enable();
    this.#fit();
    this.#showPreview();
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

  togglePreview() {
    const on = this.#toggle.getAttribute('aria-pressed') !== 'true';
    this.#toggle.setAttribute('aria-pressed', String(on));
    this.#showPreview();
  }

  #key(event) {
    // Enter that ends a word of an input method is no Enter
    if (event.key !== 'Enter' || event.isComposing || event.keyCode === 229) return;
    const withCtrl = event.ctrlKey || event.metaKey;
    const sends = settings.get('send') === 'enter' ? !event.shiftKey && !event.altKey : withCtrl;
    if (!sends) return;
    event.preventDefault();
    this.#submit();
  }

  #submit() {
    const body = this.#text.value;
    if (!this.#room || body.trim() === '') return this.focus();
    try {
      this.#room.send(body.replace(/\s+$/, ''));
    } catch (error) {
      say(this.#error, inWords(error, { room: this.#room.name }));
      this.#text.setAttribute('aria-invalid', 'true');
      return;
    }
    this.#text.value = '';
    this.#changed();
    this.#onsent();
  }

  #changed() {
    this.#room.draft = this.#text.value;
    if (this.#text.value !== '') this.#room.room.typing();
    say(this.#error, '');
    this.#text.removeAttribute('aria-invalid');
    this.#fit();
    this.#showPreview();
  }

  #fit() {
    if (growsByItself) return;
    this.#text.style.height = 'auto';
    this.#text.style.height = `${this.#text.scrollHeight}px`;
  }

  #showPreview() {
    if (this.#previewFrame) return;
    this.#previewFrame = requestAnimationFrame(() => {
      this.#previewFrame = 0;
      const shown = this.#toggle.getAttribute('aria-pressed') === 'true';
      this.#preview.hidden = !shown;
      if (!shown) return;
      const text = this.#text.value;
      byId('preview-body').replaceChildren(text.trim() ? renderPreview(text) : 'Nothing to preview yet.');
    });
  }

  #enable() {
    const out = this.#room.left !== null;
    this.#text.placeholder = out ? `You’re not in ${hash(this.#room.name)}` : `Message ${hash(this.#room.name)}`;
    this.#text.disabled = this.#send.disabled = out;
  }

  #hint() {
    byId('compose-hint').textContent = settings.get('send') === 'enter'
      ? 'Enter sends, Shift+Enter makes a new line. Markdown works.'
      : 'Ctrl+Enter or the button sends, Enter makes a new line. Markdown works.';
  }
}
