// The people in the room, and who is typing or has read the newest message.

import { arrange, avatar, byId, h, setText } from '../dom.js';
import { rolesIn } from '../state/roles.js';
import { settings } from '../state/settings.js';
import { isolated } from '../text/names.js';
import { plural } from '../text/words.js';
import { moveInList } from './keys.js';

/** No more names than this are listed. The rest can be found with the search. */
const MAX_LISTED = 200;
const MIN_FOR_SEARCH = 15;
/** From this width on the list has its own column. */
const besideMessages = matchMedia('(min-width: 70rem)');
const byName = new Intl.Collator(undefined, { sensitivity: 'base', numeric: true }).compare;

/** The ids of guests, and only those, begin with `g_`. */
const isRegistered = (user) => !user.startsWith('g_');

export class People {
  #list = byId('people-list');
  #search = byId('people-search');
  #room = null;
  #unsubscribes = [];
  #frame = 0;
  #settings = byId('open-room-settings');
  #invite = h('button', { id: 'open-invite', class: 'people-settings', type: 'button', 'aria-haspopup': 'dialog' }, 'Invite people');
  #log = h('button', { id: 'open-moderation-log', class: 'people-settings', type: 'button', 'aria-haspopup': 'dialog' }, 'Reports and log');
  #actions = h('div', { class: 'people-actions', hidden: true });

  constructor() {
    this.#settings.replaceWith(this.#actions);
    this.#actions.append(this.#invite, this.#settings, this.#log);
    this.#search.addEventListener('input', () => this.#schedule());
    this.#list.addEventListener('keydown', (event) => moveInList(event, this.#buttons));
    this.#list.addEventListener('focusin', ({ target }) => this.#setTabStop(target));
    besideMessages.addEventListener('change', () => {
      this.#updateOpener();
      this.#needRoles();
    });
    this.#updateOpener();
  }

  show(room) {
    for (const unsubscribe of this.#unsubscribes) unsubscribe();
    this.#room = room;
    this.#search.value = '';
    this.#list.replaceChildren();
    this.#unsubscribes = room ? [
      room.on('people', () => this.#schedule()), room.on('state', () => this.#schedule()), room.on('typing', () => this.#updateTyping()),
      room.on('seen', () => this.#updateTyping()), room.on('items', () => this.#updateTyping()),
      rolesIn(room).on('change', () => this.#schedule()),
    ] : [];
    this.#actions.hidden = true;
    if (!room) return;
    this.#needRoles();
    this.#render();
    this.#updateTyping();
  }

  /**
   * Called when the user opens the list. In a large room it is a sample that may be outdated, and
   * others may have changed roles.
   */
  opened() {
    if (this.#room && !besideMessages.matches) rolesIn(this.#room).read();
    if (this.#room?.room.partial) this.#room.room.refreshMembers().catch(() => {});
  }

  /**
   * Hides or shows the column. Returns whether there is one: otherwise the list belongs in a
   * drawer.
   */
  toggleColumn() {
    if (!besideMessages.matches) return false;
    settings.set('people', settings.get('people') === 'hidden' ? 'shown' : 'hidden');
    this.#updateOpener();
    this.#needRoles();
    return true;
  }

  /** Roles are read when the list is visible for the first time. */
  #needRoles() {
    if (this.#room && besideMessages.matches && settings.get('people') !== 'hidden') rolesIn(this.#room).need();
  }

  #updateOpener() {
    const isHidden = settings.get('people') === 'hidden';
    document.body.classList.toggle('no-people', isHidden);
    const opener = byId('open-people');
    for (const [name, value] of besideMessages.matches ? [['aria-expanded', !isHidden]] : [['aria-haspopup', 'dialog']]) opener.setAttribute(name, value);
    opener.removeAttribute(besideMessages.matches ? 'aria-haspopup' : 'aria-expanded');
  }

  #schedule() {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#render());
  }

  #render() {
    this.#frame = 0;
    if (!this.#room) return;
    const { room, me, left } = this.#room;
    // After a removal there are no more presence events. What is certain is that this user is not
    // in the room.
    const isOut = left !== null && room.members.has(me);
    const wanted = this.#search.value.trim().normalize('NFC').toLocaleLowerCase();
    const isWanted = ({ username }) => username.toLocaleLowerCase().includes(wanted) && !(isOut && username === me);
    const members = [...room.members.values()].filter(isWanted);
    members.sort(({ username: one }, { username: other }) => (other === me) - (one === me) || byName(one, other));
    this.#show(this.#items(members.slice(0, MAX_LISTED), me));
    this.#offerActions();
    const count = room.memberCount - (isOut ? 1 : 0);
    byId('people-count').textContent = byId('people-total').textContent = count.toLocaleString();
    byId('people-words').textContent = count === 1 ? ' person here' : ' people here';
    byId('people-filter').hidden = count < MIN_FOR_SEARCH;
    const unlisted = (wanted ? members.length : count) - Math.min(members.length, MAX_LISTED);
    setText(byId('people-more'), unlisted > 0 ? `and ${plural(unlisted, 'other', 'others')}` : '');
  }

  /** Members who are listed already keep their elements. */
  #items(members, me) {
    const existing = new Map([...this.#list.children].map((item) => [item.dataset.user, item]));
    const roles = rolesIn(this.#room);
    return members.map(({ username: name, user }) => {
      const item = existing.get(user) ?? h('li', { class: 'person', 'data-name': name, 'data-user': user },
        h('button', { class: 'person-open', type: 'button', tabindex: -1, 'aria-haspopup': 'dialog' },
          avatar({ username: name, user }, 'small'), h('span', { class: 'person-name', dir: 'auto', title: name }, name),
          isRegistered(user) && h('span', { class: 'registered', role: 'img', title: 'Registered', 'aria-label': 'registered' }, '✓'),
          h('span', { class: 'role', hidden: true }), name === me && h('span', { class: 'you' }, 'you')));
      setText(item.querySelector('.role'), roles.of(user) ?? '');
      return item;
    });
  }

  /** What stays in its place keeps the focus. */
  #show(items) {
    const focused = this.#list.contains(document.activeElement) ? document.activeElement : null;
    arrange(this.#list, items);
    const buttons = this.#buttons;
    if (buttons.length > 0 && !buttons.some(({ tabIndex }) => tabIndex === 0)) buttons[0].tabIndex = 0;
    if (focused && focused !== document.activeElement) (focused.isConnected ? focused : buttons[0])?.focus({ preventScroll: true });
  }

  get #buttons() {
    return [...this.#list.querySelectorAll('.person-open')];
  }

  /** Tab reaches one person, and the arrow keys the others. */
  #setTabStop(button) {
    for (const each of this.#buttons) each.tabIndex = each === button ? 0 : -1;
  }

  /**
   * Owners change the settings, and moderators invite. A room without an owner can be registered.
   * In a direct room there is nothing to do.
   */
  #offerActions() {
    const { left, isOwner, isModerator, hasAccount, isDirect, isPrivate } = this.#room;
    const canRegister = hasAccount && !isPrivate && rolesIn(this.#room).isUnowned;
    this.#settings.hidden = !(isOwner || canRegister);
    this.#invite.hidden = this.#log.hidden = !isModerator;
    this.#actions.hidden = left !== null || isDirect || (this.#settings.hidden && !isModerator);
    this.#settings.textContent = isOwner ? 'Room settings' : 'Register this room';
  }

  #updateTyping() {
    const names = [...this.#room.typing.keys()].sort(byName).map(isolated);
    const [first, second, third] = names;
    let text = '';
    if (names.length === 1) text = `${first} is typing…`;
    else if (names.length === 2) text = `${first} and ${second} are typing…`;
    else if (names.length === 3) text = `${first}, ${second} and ${third} are typing…`;
    else if (names.length > 3) text = 'Several people are typing…';
    else if (this.#room.isSeen) text = 'Seen';
    const element = byId('typing');
    if (element.textContent !== text) element.textContent = text;
  }
}
