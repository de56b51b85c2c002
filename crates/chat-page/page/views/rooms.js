// The list of the user's rooms, with unread counts.

import { arrange, byId, h } from '../dom.js';
import { pathOf } from '../state/address.js';
import { newMessages, plural, unreadCount } from '../text/words.js';

export class Rooms {
  #list = byId('rooms-list');
  #elsewhere = byId('elsewhere');
  #chat;

  constructor(chat, onchosen) {
    this.#chat = chat;
    chat.on('rooms', () => this.#render());
    chat.on('shown', () => this.#render());
    // Assigned, so that there is never more than one handler.
    this.#list.onclick = (event) => {
      const link = event.target.closest('a[data-room]');
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      chat.show(chat.rooms.get(link.dataset.room));
      onchosen();
    };
    this.#render();
  }

  #render() {
    const existing = new Map([...this.#list.children].map((item) => [item.dataset.room, item]));
    const items = [...this.#chat.rooms.values()].map((room) => this.#item(room, existing.get(room.name)));
    arrange(this.#list, items);
    const others = [...this.#chat.rooms.values()].filter((room) => room !== this.#chat.shown && room.unread > 0);
    this.#elsewhere.hidden = others.length === 0;
    this.#elsewhere.classList.toggle('mentioned', others.some((room) => room.mentioned > 0));
    byId('open-rooms').setAttribute('aria-label', others.length > 0 ? `Rooms, ${plural(others.length, 'room has', 'rooms have')} new messages` : 'Rooms');
  }

  #item(room, existing) {
    const item = existing ?? h('li', { 'data-room': room.name },
      h('a', { class: 'room-link', href: pathOf(room.name), 'data-room': room.name },
        h('span', { class: 'hash', 'aria-hidden': 'true' }), h('span', { class: 'room-name', dir: 'auto' }),
        h('span', { class: 'badge mentioned', hidden: true }), h('span', { class: 'badge unread', hidden: true }), h('span', { class: 'visually-hidden' })));
    const [link] = item.children;
    const [sign, name, mentions, badge, words] = link.children;
    sign.textContent = room.sign;
    // Names change.
    if (name.textContent !== room.label) name.textContent = name.title = room.label;
    if (room === this.#chat.shown) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
    link.classList.toggle('has-unread', room.unread > 0);
    mentions.hidden = room.mentioned === 0;
    mentions.textContent = `@${room.mentioned}`;
    badge.hidden = room.unread === 0;
    badge.textContent = room.unread > 999 ? '999+' : unreadCount(room);
    for (const element of [mentions, badge]) element.setAttribute('aria-hidden', 'true');
    words.textContent = room.unread > 0
      ? `, ${newMessages(room)}${room.mentioned > 0 ? `, ${plural(room.mentioned, 'mention', 'mentions')}` : ''}`
      : '';
    return item;
  }
}
