// The dialog that chooses an emoji. It is loaded when it is opened for the first time.

import { closable, h, icon, loadStyles } from '../dom.js';
import { emojiGroups } from '../state/emoji.js';
import { fold } from '../text/references.js';
import { plural } from '../text/words.js';
import { QUICK } from './reactions.js';

const styles = loadStyles('/page/picker.css');

export class Picker {
  #search = h('input', { id: 'picker-search', type: 'text', inputmode: 'search', placeholder: 'Search emoji', 'aria-label': 'Search emoji', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', enterkeyhint: 'done' });
  #status = h('p', { class: 'visually-hidden', role: 'status' });
  #groups = h('div', { class: 'picker-groups' });
  #dialog = h('dialog', { id: 'picker', class: 'menu picker', 'aria-label': 'Add a reaction' },
    h('div', { class: 'picker-head' }, this.#search, h('button', { class: 'icon', type: 'button', 'data-close': true, 'aria-label': 'Close' }, icon('close'))),
    this.#status, this.#groups);
  #choose = () => {};

  constructor() {
    document.body.append(this.#dialog);
    closable(this.#dialog);
    this.#search.addEventListener('input', () => this.#filter());
    this.#dialog.addEventListener('keydown', (event) => this.#key(event));
    this.#groups.addEventListener('click', ({ target }) => {
      const button = target.closest('button');
      if (button) this.#chosen(button.textContent);
    });
  }

  /** `choose(emoji)` is called when the user has chosen one. */
  async open(choose) {
    await styles;
    if (this.#dialog.open) return;
    this.#choose = choose;
    this.#search.value = '';
    this.#dialog.showModal();
    this.#search.focus();
    if (this.#groups.childElementCount <= 1) await this.#load();
    this.#filter();
  }

  async #load() {
    this.#groups.replaceChildren(groupOf('Quick reactions', QUICK));
    const groups = await emojiGroups();
    this.#groups.append(...groups.map(([title, all]) => groupOf(title, all)));
    if (groups.length === 0) this.#status.textContent = 'The other emoji could not be loaded.';
  }

  #chosen(emoji) {
    this.#dialog.close();
    this.#choose(emoji);
  }

  /** Shows the emoji whose name or code has a word that begins with each word of the text. */
  #filter() {
    const words = fold(this.#search.value).replaceAll(':', '').split(/[\s_]+/).filter((word) => word !== '');
    let count = 0;
    for (const [index, group] of [...this.#groups.children].entries()) {
      // The first group repeats emoji of the others.
      const isRepeated = index === 0 && words.length > 0;
      for (const button of group.querySelectorAll('button')) {
        button.hidden = isRepeated || !words.every((word) => button.dataset.words.includes(` ${word}`));
        if (!button.hidden) count += 1;
      }
      group.hidden = group.querySelector('button:not([hidden])') === null;
    }
    this.#status.textContent = words.length === 0 ? '' : count === 0 ? 'No emoji found' : plural(count, 'emoji', 'emoji');
    this.#groups.dataset.empty = count === 0 ? 'No emoji found' : '';
  }

  #key(event) {
    const { key, target } = event;
    const buttons = [...this.#groups.querySelectorAll('section:not([hidden]) button:not([hidden])')];
    const at = buttons.indexOf(target);
    if (target === this.#search) {
      if (key !== 'ArrowDown' && key !== 'Enter') return;
      event.preventDefault();
      if (key === 'ArrowDown') buttons[0]?.focus();
      else if (buttons.length > 0 && this.#search.value.trim() !== '') this.#chosen(buttons[0].textContent);
    } else if (at >= 0) this.#move(event, buttons, at);
  }

  #move(event, buttons, at) {
    const { key } = event;
    const steps = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 };
    const isVertical = key === 'ArrowDown' || key === 'ArrowUp';
    if (!isVertical && !(key in steps)) return;
    event.preventDefault();
    const next = isVertical ? inNextRow(buttons, at, key === 'ArrowDown' ? 1 : -1) : buttons[steps[key]];
    if (next) next.focus();
    else if (key === 'ArrowUp' || key === 'ArrowLeft') this.#search.focus();
  }
}

/** The button above or below, or `undefined`. */
function inNextRow(buttons, at, by) {
  const { left, top } = buttons[at].getBoundingClientRect();
  let best;
  let row = null;
  for (let index = at + by; index >= 0 && index < buttons.length; index += by) {
    const box = buttons[index].getBoundingClientRect();
    if (Math.abs(box.top - top) < 1) continue;
    row ??= box.top;
    if (Math.abs(box.top - row) > 1) break;
    const distance = Math.abs(box.left - left);
    if (!best || distance < best.distance) best = { button: buttons[index], distance };
  }
  return best?.button;
}

let groups = 0;

function groupOf(title, all) {
  groups += 1;
  const id = `picker-group-${groups}`;
  return h('section', { 'aria-labelledby': id }, h('h2', { id }, title), h('div', { class: 'picker-grid' }, all.map(emojiButton)));
}

function emojiButton([emoji, name, ...codes]) {
  const words = ` ${fold([name, ...codes].join(' ')).replace(/[\s_-]+/g, ' ')} ${codes.join(' ')}`;
  return h('button', { type: 'button', tabindex: -1, 'aria-label': name, title: name, 'data-words': words }, emoji);
}
