// What the user can do with a message: a bar, which is at the message under the pointer or at the
// one that has the focus, and a menu with everything.

import { h, icon } from '../dom.js';
import { MessageMenu } from './menu.js';

/** For this long a finger has to stay on a message to open its menu. */
const LONG_PRESS_MS = 500;
/** A finger that moves further scrolls. */
const MAX_MOVE_PX = 10;
/** These have a purpose of their own. */
const EXCLUDED = 'a, button, input, summary';

export class MessageActions {
  #bar = h('div', { class: 'message-actions', role: 'group', 'aria-label': 'Message actions' });
  #menu;
  #list;
  #act;
  #room = null;
  #message = null;
  #press = null;

  /**
   * `act(name, message, emoji)` carries out an action: `react` (with an emoji), `pick`, `reply`,
   * `edit`, `copy`, `link`, `profile`, `delete`, `report`, `warn`, `mute`, `kick` or `ban`. `list`
   * is the element with the messages.
   */
  constructor(list, act) {
    this.#list = list;
    // The message may have changed since.
    this.#act = (name, message, emoji) => act(name, this.#room?.find(message.seq) ?? message, emoji);
    this.#menu = new MessageMenu(this.#act);
    list.addEventListener('pointerover', ({ target, pointerType }) => pointerType === 'mouse' && this.#showAt(target));
    list.addEventListener('pointerleave', ({ pointerType }) => pointerType === 'mouse' && !this.#hasFocus && this.hide());
    list.addEventListener('focusin', ({ target }) => target.matches(':focus-visible') && this.#showAt(target));
    list.addEventListener('pointerdown', (event) => this.#pressed(event));
    for (const type of ['pointerup', 'pointercancel', 'pointerleave']) list.addEventListener(type, () => this.#endPress());
    list.addEventListener('pointermove', ({ clientX, clientY }) => {
      if (this.#press && Math.hypot(clientX - this.#press.x, clientY - this.#press.y) > MAX_MOVE_PX) this.#endPress();
    }, { passive: true });
    list.addEventListener('contextmenu', (event) => this.#contextMenu(event));
    list.addEventListener('click', ({ target }) => target.closest('.open-menu') && this.openMenu(target.closest('.message')));
  }

  get #hasFocus() {
    return this.#bar.contains(document.activeElement);
  }

  use(room) {
    this.#menu.close();
    this.hide();
    this.#room = room;
  }

  hide() {
    this.#bar.remove();
    this.#message = null;
  }

  /** Messages have changed: a menu of one that is deleted or hidden closes. */
  revised(seqs) {
    const open = seqs.includes(this.#menu.seq) ? this.#room.find(this.#menu.seq) : undefined;
    if (open && (open.deleted || this.#room.isHidden(open))) this.#menu.close();
    if (seqs.includes(this.#message?.seq)) this.hide();
  }

  /** Opens the menu of a message, at this position or at the message itself. */
  openMenu(article, position = null) {
    const message = this.#messageOf(article);
    if (message) this.#menu.open(message, this.#room.permissions(message), article, position);
  }

  #messageOf(article) {
    const message = article?.dataset.state === 'stored' ? this.#room.find(Number(article.dataset.seq)) : undefined;
    return message?.deleted ? undefined : message;
  }

  #showAt(target) {
    const article = target.closest('.message');
    if (!article || article === this.#bar.parentElement) return;
    const message = this.#messageOf(article);
    if (!message) return;
    // The pointer is elsewhere: the focus stays at its message.
    if (this.#hasFocus) this.#bar.parentElement.focus({ preventScroll: true });
    this.#message = message;
    const { canPost, canEdit } = this.#room.permissions(message);
    this.#bar.replaceChildren(...[
      canPost && this.#button('pick', 'Add a reaction', 'smile'),
      canPost && this.#button('reply', 'Reply', 'reply'),
      canEdit && this.#button('edit', 'Edit', 'edit'),
      this.#button('menu', 'More actions', 'more'),
    ].filter(Boolean));
    article.append(this.#bar);
  }

  #button(action, label, symbol) {
    const onclick = ({ currentTarget }) => {
      if (action === 'menu') this.openMenu(currentTarget.closest('.message'), belowOf(currentTarget));
      else this.#act(action, this.#message);
    };
    const popup = action === 'menu' ? 'menu' : action === 'pick' ? 'dialog' : null;
    return h('button', { type: 'button', class: 'icon', 'data-action': action, 'aria-label': label, title: label, 'aria-haspopup': popup, onclick }, icon(symbol));
  }

  // Touch.

  #pressed({ pointerType, target, clientX: x, clientY: y, isPrimary }) {
    this.#endPress();
    if (pointerType !== 'touch' || !isPrimary || target.closest(EXCLUDED)) return;
    const article = target.closest('.message');
    this.#press = { x, y, timer: setTimeout(() => {
      this.#press = null;
      this.openMenu(article);
    }, LONG_PRESS_MS) };
  }

  #endPress() {
    clearTimeout(this.#press?.timer);
    this.#press = null;
  }

  /** Some browsers notice the long press first. A mouse gets the browser's own menu. */
  #contextMenu(event) {
    // Some browsers do not say what has caused it.
    const isTouch = event.pointerType === 'touch' || this.#press !== null;
    if (!isTouch || event.target.closest(EXCLUDED)) return;
    event.preventDefault();
    this.#endPress();
    this.openMenu(event.target.closest('.message'));
  }
}

function belowOf(element) {
  const { right, bottom } = element.getBoundingClientRect();
  return { right, top: bottom };
}
