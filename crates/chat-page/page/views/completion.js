// The list of suggestions above the message box. The box stays a text field for assistive technology: HTML allows a textarea no other
// role. It names the list and the active option by `aria-controls` and `aria-activedescendant`.

import { avatar, h } from '../dom.js';
import { fold } from '../text/references.js';
import { tokenAt } from '../text/tokens.js';
import { plural } from '../text/words.js';
import { applyChange } from './edits.js';

export class Completion {
  #box;
  #suggest;
  #list = h('ul', { id: 'completion', class: 'completion', role: 'listbox', 'aria-label': 'Suggestions', hidden: true });
  #status = h('span', { class: 'visually-hidden', role: 'status' });
  #token = null;
  #suggestions = [];
  #active = 0;
  /** Whether the user has moved in the list: then Enter takes what is active, even if it is written already. */
  #hasMoved = false;
  /** Where the token begins that the user does not want to be completed. */
  #dismissed = -1;
  #latest = 0;

  /** `suggest(token)` answers with suggestions, or with a promise of them. */
  constructor(box, suggest) {
    this.#box = box;
    this.#suggest = suggest;
    box.setAttribute('aria-autocomplete', 'list');
    box.parentElement.append(this.#list, this.#status);
    box.addEventListener('input', () => this.#look());
    box.addEventListener('blur', () => this.close());
    document.addEventListener('selectionchange', () => this.#caretMoved());
    // the box keeps the focus, and a phone its keyboard
    this.#list.addEventListener('pointerdown', (event) => event.preventDefault());
    this.#list.addEventListener('click', ({ target }) => {
      const option = target.closest('[role="option"]');
      if (option) this.#take([...this.#list.children].indexOf(option));
    });
  }

  get isOpen() {
    return !this.#list.hidden;
  }

  /** Whether the key was for the list. */
  key(event) {
    const { key, altKey, ctrlKey, metaKey, shiftKey } = event;
    if (!this.isOpen || altKey || ctrlKey || metaKey || shiftKey) return false;
    const count = this.#suggestions.length;
    if (key === 'ArrowDown' || key === 'ArrowUp') {
      this.#hasMoved = true;
      this.#activate((this.#active + (key === 'ArrowDown' ? 1 : -1) + count) % count);
    } else if (key === 'Escape') {
      this.#dismissed = this.#token.from;
      this.close();
    } else if (key === 'Tab' || (key === 'Enter' && !this.#isWritten())) this.#take(this.#active);
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  close() {
    this.#latest += 1;
    this.#token = null;
    if (!this.isOpen) return;
    this.#list.hidden = true;
    this.#list.replaceChildren();
    this.#status.textContent = '';
    for (const name of ['aria-controls', 'aria-activedescendant']) this.#box.removeAttribute(name);
  }

  async #look() {
    const { value, selectionStart, selectionEnd } = this.#box;
    const token = selectionStart === selectionEnd ? tokenAt(value, selectionStart) : null;
    if (token?.from !== this.#dismissed) this.#dismissed = -1;
    if (token === null || token.from === this.#dismissed) return this.close();
    this.#latest += 1;
    const turn = this.#latest;
    const answer = this.#suggest(token);
    const suggestions = answer instanceof Promise ? await answer : answer;
    if (turn !== this.#latest) return;
    if (suggestions.length === 0) return this.close();
    this.#token = { ...token, to: selectionStart };
    this.#show(suggestions);
  }

  #caretMoved() {
    const isAway = document.activeElement !== this.#box || this.#box.selectionStart !== this.#token?.to;
    if (this.isOpen && isAway) this.close();
  }

  #show(suggestions) {
    this.#suggestions = suggestions;
    this.#hasMoved = false;
    this.#list.replaceChildren(...suggestions.map(option));
    this.#list.hidden = false;
    this.#status.textContent = plural(suggestions.length, 'suggestion', 'suggestions');
    this.#box.setAttribute('aria-controls', this.#list.id);
    this.#activate(0);
  }

  #activate(index) {
    this.#active = index;
    for (const [at, element] of [...this.#list.children].entries()) element.setAttribute('aria-selected', String(at === index));
    this.#box.setAttribute('aria-activedescendant', this.#list.children[index].id);
    this.#list.children[index].scrollIntoView({ block: 'nearest' });
  }

  /** A slash alone is a message, too. */
  #isWritten() {
    const { from, to, kind, query } = this.#token;
    if (this.#hasMoved) return false;
    return (kind === 'command' && query === '') || fold(this.#box.value.slice(from, to)) === fold(this.#suggestions[this.#active].written);
  }

  #take(index) {
    const { from, to } = this.#token;
    const { insert } = this.#suggestions[index];
    const text = this.#box.value.startsWith(' ', to) ? insert.trimEnd() : insert;
    const caret = from + insert.length;
    this.close();
    applyChange(this.#box, { from, to, insert: text, start: caret, end: caret });
  }
}

function option({ avatar: name, symbol, label, hint }, index) {
  return h('li', { role: 'option', id: `completion-${index}`, class: 'completion-option' },
    name ? avatar(name, 'small') : h('span', { class: 'completion-symbol', 'aria-hidden': 'true' }, symbol),
    h('span', { class: 'completion-label', dir: 'auto' }, label), hint && h('span', { class: 'quiet completion-hint' }, hint));
}
