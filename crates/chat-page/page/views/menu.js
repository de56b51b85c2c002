// The menu of a message: below the bar, at the bottom of a phone's screen.

import { closable, h, icon } from '../dom.js';
import { QUICK } from './reactions.js';

const MARGIN_PX = 8;

export class MessageMenu {
  #menu = h('div', { role: 'menu', 'aria-label': 'Message actions' });
  #dialog = h('dialog', { id: 'message-menu', class: 'menu', 'aria-label': 'Message actions' }, this.#menu);
  #message = null;
  #article = null;
  /** Whether a press has begun in the menu. */
  #isPressed = false;
  #act;

  /** `act(name, message, emoji)` as for `MessageActions`. */
  constructor(act) {
    this.#act = act;
    document.body.append(this.#dialog);
    closable(this.#dialog);
    this.#dialog.addEventListener('pointerdown', () => (this.#isPressed = true));
    // The finger that has opened the menu may be above an item when it is lifted.
    this.#dialog.addEventListener('click', (event) => event.detail > 0 && !this.#isPressed && event.stopPropagation(), { capture: true });
    this.#dialog.addEventListener('keydown', (event) => this.#key(event));
    this.#dialog.addEventListener('close', () => this.#closed());
    // On some systems the menu key opens the browser's menu when it is released.
    this.#dialog.addEventListener('contextmenu', (event) => event.preventDefault());
  }

  /** The number of the message whose menu is open, or `null`. */
  get seq() {
    return this.#message?.seq ?? null;
  }

  /** `position` is `{right, top}`; by default it is at the message. */
  open(message, { canPost, canEdit, canDelete, canModerate, isOthers }, article, position) {
    if (this.#dialog.open) return;
    [this.#message, this.#article, this.#isPressed] = [message, article, false];
    this.#menu.replaceChildren(...[
      canPost && this.#quick(message),
      canPost && this.#item('reply', 'Reply', 'reply'),
      canEdit && this.#item('edit', 'Edit', 'edit'),
      this.#item('copy', 'Copy text', 'copy'),
      this.#item('link', 'Copy link', 'link'),
      isOthers && this.#item('profile', 'View profile', 'people'),
      canDelete && this.#item('delete', 'Delete', 'delete'),
      isOthers && this.#item('report', 'Report…', 'flag'),
      canModerate && this.#item('warn', 'Warn author…', 'warn'),
      canModerate && this.#item('mute', 'Mute author…', 'mute'),
      canModerate && this.#item('kick', 'Kick author…', 'leave'),
      canModerate && this.#item('ban', 'Ban author…', 'ban'),
    ].filter(Boolean));
    this.#dialog.showModal();
    this.#place(position ?? positionOf(article));
    this.#items[0].focus();
  }

  close() {
    if (this.#dialog.open) this.#dialog.close();
  }

  get #items() {
    return [...this.#menu.querySelectorAll('button')];
  }

  #quick(message) {
    const isMine = (emoji) => message.reactions?.some((reaction) => reaction.emoji === emoji && reaction.mine) === true;
    const buttons = QUICK.map(([emoji, name]) => h('button', {
      type: 'button', role: 'menuitemcheckbox', 'aria-checked': String(isMine(emoji)), 'aria-label': name, title: name, tabindex: -1,
      'data-emoji': emoji, onclick: () => this.#chosen('react', emoji),
    }, emoji));
    const more = h('button', { type: 'button', role: 'menuitem', 'aria-label': 'More emoji', title: 'More emoji', tabindex: -1, 'data-action': 'pick', onclick: () => this.#chosen('pick') }, icon('smile'));
    return h('div', { role: 'group', class: 'quick', 'aria-label': 'Add a reaction' }, buttons, more);
  }

  #item(action, label, symbol) {
    const button = h('button', { type: 'button', role: 'menuitem', tabindex: -1, 'data-action': action, onclick: () => this.#chosen(action) }, icon(symbol), h('span', {}, label));
    return button;
  }

  #chosen(action, emoji) {
    const [message, button] = [this.#message, this.#menu.querySelector(`[data-action="${action}"]`)];
    if (action === 'delete' && !button.dataset.asked) {
      button.dataset.asked = 'true';
      button.lastElementChild.textContent = 'Really delete?';
      return;
    }
    this.close();
    this.#act(action, message, emoji);
  }

  #key(event) {
    const items = this.#items;
    const at = items.indexOf(document.activeElement);
    const inRow = items.filter((item) => item.parentElement.classList.contains('quick')).length;
    const steps = {
      ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: items.length - 1,
      ArrowDown: at < inRow ? inRow : at + 1, ArrowUp: at < inRow ? items.length - 1 : at === inRow ? 0 : at - 1,
    };
    if (event.key === 'Tab') {
      event.preventDefault();
      this.close();
    } else if (event.key in steps) {
      event.preventDefault();
      items[(steps[event.key] + items.length) % items.length].focus();
    }
  }

  /** The focus goes back to where it was, or to the message if that is gone. */
  #closed() {
    // The menu may be open again before the event of its closing arrives.
    if (this.#dialog.open) return;
    const [{ seq }, article] = [this.#message, this.#article];
    this.#message = this.#article = null;
    const { activeElement, body } = document;
    if (activeElement !== body && !this.#dialog.contains(activeElement)) return;
    (article.isConnected ? article : document.querySelector(`.message[data-seq="${seq}"]`))?.focus({ preventScroll: true });
  }

  /** On a narrow screen the styles place it. */
  #place({ right, top }) {
    const { offsetWidth, offsetHeight } = this.#dialog;
    const left = Math.min(Math.max(MARGIN_PX, right - offsetWidth), innerWidth - offsetWidth - MARGIN_PX);
    this.#dialog.style.setProperty('--left', `${left}px`);
    this.#dialog.style.setProperty('--top', `${Math.max(MARGIN_PX, Math.min(top, innerHeight - offsetHeight - MARGIN_PX))}px`);
  }
}

function positionOf(article) {
  const { right, top } = article.getBoundingClientRect();
  return { right: right - MARGIN_PX, top };
}
