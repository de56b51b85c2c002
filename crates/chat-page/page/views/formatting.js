// The formatting toolbar and its keyboard shortcuts.

import { byId, h } from '../dom.js';
import { settings } from '../state/settings.js';
import { continueLine, makeLink, toggleCode, toggleLines, toggleMark } from '../text/editing.js';
import { applyChange } from './edits.js';

const SVG = 'http://www.w3.org/2000/svg';
const isMac = /^Mac|iPhone|iPad/.test(navigator.platform);
const COMMAND = isMac ? '⌘' : 'Ctrl+';
const SHIFT = isMac ? '⇧' : 'Shift+';

const ACTIONS = [
  { id: 'bold', label: 'Bold', key: 'KeyB', path: 'M7 5h6a3.500 3.500 0 0 1 0 7H7zM7 12h7a3.500 3.500 0 0 1 0 7H7z', change: (text) => toggleMark(text, '**') },
  { id: 'italic', label: 'Italic', key: 'KeyI', path: 'M10 5h7M7 19h7M14 5l-4 14', change: (text) => toggleMark(text, '*') },
  {
    id: 'strike', label: 'Strikethrough', key: 'KeyX', shift: true,
    path: 'M4 12h16M16.500 8c-.500-2-2-3-4.500-3s-4.500 1.200-4.500 3.300c0 1 .5 1.800 1.300 2.400M7.500 15.500c.500 2.300 2 3.500 4.500 3.500 2.700 0 4.500-1.300 4.500-3.500',
    change: (text) => toggleMark(text, '~~'),
  },
  { id: 'code', label: 'Code', key: 'KeyE', path: 'M8.500 7L3.500 12l5 5M15.500 7l5 5-5 5', change: toggleCode },
  {
    id: 'link', label: 'Link', key: 'KeyL', shift: true,
    path: 'M10 14a4.500 4.500 0 0 0 6.400 0l3.200-3.200a4.500 4.500 0 0 0-6.400-6.400L12 5.600M14 10a4.500 4.500 0 0 0-6.400 0l-3.200 3.200a4.500 4.500 0 0 0 6.400 6.400l1.200-1.200',
    change: makeLink,
  },
  { id: 'list', label: 'List', key: 'Digit8', shift: true, path: 'M9 6h11M9 12h11M9 18h11M4.500 6v.1M4.500 12v.1M4.500 18v.1', change: (text) => toggleLines(text, '- ') },
  { id: 'quote', label: 'Quote', key: 'Digit9', shift: true, path: 'M5 5v14M10 8h10M10 12h10M10 16h6', change: (text) => toggleLines(text, '> ') },
];

export class Formatting {
  #box;
  #bar = byId('formatting');
  #toggle = byId('toggle-formatting');

  constructor(box) {
    this.#box = box;
    this.#bar.append(...ACTIONS.map((action, index) => this.#button(action, index)));
    // The box keeps the focus and its selection.
    for (const element of [this.#bar, this.#toggle]) element.addEventListener('pointerdown', (event) => event.preventDefault());
    this.#bar.addEventListener('keydown', (event) => this.#move(event));
    this.#toggle.addEventListener('click', () => {
      settings.set('formatting', !settings.get('formatting'));
      this.#show();
    });
    box.addEventListener('beforeinput', (event) => {
      if (event.inputType !== 'insertLineBreak' || event.isComposing) return;
      const change = continueLine(selection(box));
      if (!change) return;
      event.preventDefault();
      applyChange(box, change);
    });
    this.#show();
  }

  /** Handles a key. Returns whether it was a shortcut of the toolbar. */
  key(event) {
    const { ctrlKey, metaKey, altKey, shiftKey } = event;
    if (altKey || (isMac ? !metaKey || ctrlKey : !ctrlKey || metaKey)) return false;
    // The letter that the keyboard layout has on this key, or the physical key if that is not a
    // Latin letter.
    const code = /^[a-z]$/i.test(event.key) ? `Key${event.key.toUpperCase()}` : event.code;
    const action = ACTIONS.find(({ key, shift = false }) => key === code && shift === shiftKey);
    if (!action) return false;
    event.preventDefault();
    this.#do(action);
    return true;
  }

  #do({ change }) {
    if (!this.#box.disabled) applyChange(this.#box, change(selection(this.#box)));
  }

  #button(action, index) {
    const { id, label, key, shift, path } = action;
    const keys = `${COMMAND}${shift ? SHIFT : ''}${key.replace(/^(Key|Digit)/, '')}`;
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('viewBox', '0 0 24 24');
    svg.append(document.createElementNS(SVG, 'path'));
    svg.firstChild.setAttribute('d', path);
    return h('button', {
      type: 'button', class: 'icon', id: `format-${id}`, 'aria-label': label, title: `${label} (${keys})`, tabindex: index === 0 ? '0' : '-1',
      onclick: () => this.#do(action),
    }, svg);
  }

  /** The toolbar is a single tab stop. Arrow keys move within it. */
  #move(event) {
    const buttons = [...this.#bar.children];
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    const next = buttons.at(to % buttons.length);
    buttons[at].tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }

  #show() {
    this.#bar.hidden = !settings.get('formatting');
    this.#toggle.setAttribute('aria-pressed', String(settings.get('formatting')));
  }
}

function selection({ value, selectionStart: start, selectionEnd: end }) {
  return { value, start, end };
}
