// Who is in the room, and who of them is typing.

import { avatar, byId, h, say } from '../dom.js';
import { settings } from '../state/settings.js';
import { isolated } from '../text/names.js';
import { plural } from '../text/words.js';

/** More names than this are not listed: one searches then. */
const MOST = 200;
const SEARCH_FROM = 15;
/** From this width on the list has a column of its own. */
const besideMessages = matchMedia('(min-width: 70rem)');
const byName = new Intl.Collator(undefined, { sensitivity: 'base', numeric: true }).compare;

export class People {
  #list = byId('people-list');
  #search = byId('people-search');
  #room = null;
  #offs = [];
  #frame = 0;

  constructor() {
    this.#search.addEventListener('input', () => this.#schedule());
    besideMessages.addEventListener('change', () => this.#tellOpener());
    this.#tellOpener();
  }

  show(room) {
    for (const off of this.#offs) off();
    this.#room = room;
    this.#search.value = '';
    this.#list.replaceChildren();
    this.#offs = room ? [
      room.on('people', () => this.#schedule()), room.on('state', () => this.#schedule()), room.on('typing', () => this.#tellTyping()),
    ] : [];
    if (!room) return;
    this.#work();
    this.#tellTyping();
  }

  /** The user opens the list: of a large room it is a sample that may be old. */
  opened() {
    if (this.#room?.room.partial) this.#room.room.refreshMembers().catch(() => {});
  }

  /** Hides the column, or shows it again. Answers whether there is such a column: else the list belongs into a drawer. */
  toggleColumn() {
    if (!besideMessages.matches) return false;
    settings.set('people', settings.get('people') === 'hidden' ? 'shown' : 'hidden');
    this.#tellOpener();
    return true;
  }

  #tellOpener() {
    const isHidden = settings.get('people') === 'hidden';
    document.body.classList.toggle('no-people', isHidden);
    const opener = byId('open-people');
    for (const [name, value] of besideMessages.matches ? [['aria-expanded', !isHidden]] : [['aria-haspopup', 'dialog']]) opener.setAttribute(name, value);
    opener.removeAttribute(besideMessages.matches ? 'aria-haspopup' : 'aria-expanded');
  }

  #schedule() {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#work());
  }

  #work() {
    this.#frame = 0;
    if (!this.#room) return;
    const { room, me, left } = this.#room;
    // after a removal nobody says who comes and goes: what is certain is that this user is out
    const isOut = left !== null && room.members.has(me);
    const wanted = this.#search.value.trim().normalize('NFC').toLocaleLowerCase();
    const names = [...room.members.keys()].filter((name) => name.toLocaleLowerCase().includes(wanted) && !(isOut && name === me));
    names.sort((one, other) => (other === me) - (one === me) || byName(one, other));
    this.#list.replaceChildren(...this.#items(names.slice(0, MOST), me));
    const count = room.memberCount - (isOut ? 1 : 0);
    byId('people-count').textContent = byId('people-total').textContent = count.toLocaleString();
    byId('people-words').textContent = count === 1 ? ' person here' : ' people here';
    byId('people-filter').hidden = count < SEARCH_FROM;
    const unlisted = (wanted ? names.length : count) - Math.min(names.length, MOST);
    say(byId('people-more'), unlisted > 0 ? `and ${plural(unlisted, 'other', 'others')}` : '');
  }

  /** Those who are there already keep their elements. */
  #items(names, me) {
    const present = new Map([...this.#list.children].map((item) => [item.dataset.name, item]));
    return names.map((name) => present.get(name) ?? h('li', { class: 'person', 'data-name': name },
      avatar(name, 'small'), h('span', { class: 'person-name', dir: 'auto', title: name }, name), name === me && h('span', { class: 'you' }, 'you')));
  }

  #tellTyping() {
    const names = [...this.#room.typing.keys()].sort(byName).map(isolated);
    const [first, second, third] = names;
    let text = '';
    if (names.length === 1) text = `${first} is typing…`;
    else if (names.length === 2) text = `${first} and ${second} are typing…`;
    else if (names.length === 3) text = `${first}, ${second} and ${third} are typing…`;
    else if (names.length > 3) text = 'Several people are typing…';
    const element = byId('typing');
    if (element.textContent !== text) element.textContent = text;
  }
}
