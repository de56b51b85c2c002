// The list of suggestions above the message box. The box remains a plain text field for assistive
// technology, because HTML allows no other role for a textarea. It refers to the list and the
// active option with `aria-controls` and `aria-activedescendant`.

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
  /**
   * Whether the user has moved in the list. Then Enter accepts the active option even if it is
   * already typed in full.
   */
  #hasMoved = false;
  /** The start of the token for which the user dismissed the list, or -1. */
  #dismissed = -1;
  #latest = 0;

  /** `suggest(token)` returns suggestions, or a promise of them. */
  constructor(box, suggest) {
    this.#box = box;
    this.#suggest = suggest;
    box.setAttribute('aria-autocomplete', 'list');
    box.parentElement.append(this.#list, this.#status);
    box.addEventListener('input', () => this.#update());
    box.addEventListener('blur', () => this.close());
    document.addEventListener('selectionchange', () => this.#caretMoved());
    // The box keeps the focus, so a phone keeps its keyboard open.
    this.#list.addEventListener('pointerdown', (event) => event.preventDefault());
    this.#list.addEventListener('click', ({ target }) => {
      const option = target.closest('[role="option"]');
      if (option) this.#accept([...this.#list.children].indexOf(option));
    });
  }

  get isOpen() {
    return !this.#list.hidden;
  }

  /** Handles a key. Returns whether the list used it. */
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
    } else if (key === 'Tab' || (key === 'Enter' && !this.#isTyped())) this.#accept(this.#active);
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

  async #update() {
    const { value, selectionStart, selectionEnd } = this.#box;
    const token = selectionStart === selectionEnd ? tokenAt(value, selectionStart) : null;
    if (token?.from !== this.#dismissed) this.#dismissed = -1;
    if (token === null || token.from === this.#dismissed) return this.close();
    this.#latest += 1;
    const request = this.#latest;
    const result = this.#suggest(token);
    const suggestions = result instanceof Promise ? await result : result;
    if (request !== this.#latest) return;
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

  /** Whether the token is typed in full, so that Enter sends it. A slash alone is a message too. */
  #isTyped() {
    const { from, to, kind, query } = this.#token;
    if (this.#hasMoved) return false;
    return (kind === 'command' && query === '') || fold(this.#box.value.slice(from, to)) === fold(this.#suggestions[this.#active].typed);
  }

  #accept(index) {
    const { from, to } = this.#token;
    const { insert } = this.#suggestions[index];
    const text = this.#box.value.startsWith(' ', to) ? insert.trimEnd() : insert;
    const caret = from + insert.length;
    this.close();
    applyChange(this.#box, { from, to, insert: text, start: caret, end: caret });
  }
}

function option({ member, symbol, label, hint }, index) {
  return h('li', { role: 'option', id: `completion-${index}`, class: 'completion-option' },
    member ? avatar(member, 'small') : h('span', { class: 'completion-symbol', 'aria-hidden': 'true' }, symbol),
    h('span', { class: 'completion-label', dir: 'auto' }, label), hint && h('span', { class: 'quiet completion-hint' }, hint));
}
