// What the room is called, and what it is about: in the header, and above the people.

import { byId, h, setText } from '../dom.js';
import { insertServerHtml, textOf } from '../text/html.js';

export class Heading {
  #title = byId('room-title');
  /** One line of text. The whole topic is above the people, too, with its links. */
  #topic = h('p', { id: 'room-topic', class: 'room-topic', dir: 'auto', hidden: true });
  #about = h('div', { id: 'people-topic', class: 'people-topic body', dir: 'auto', hidden: true });
  #copyLink = byId('copy-link');
  #leave = byId('leave-room');
  #shownTopic = '';
  #unsubscribes = [];

  constructor() {
    const heading = h('div', { class: 'heading' });
    this.#title.replaceWith(heading);
    heading.append(this.#title, this.#topic);
    byId('people').querySelector('header').after(this.#about);
  }

  show(chat, room) {
    for (const unsubscribe of this.#unsubscribes) unsubscribe();
    this.#unsubscribes = room ? [chat.on('rooms', () => this.#update(room))] : [];
    this.#update(room);
  }

  #update(room) {
    const name = room?.label ?? 'No room';
    // An unchanged text is not set again, because a screen reader may be reading it.
    setText(this.#title, name);
    this.#title.title = name;
    this.#title.dataset.sign = room?.sign ?? '';
    this.#showTopic(room?.room.info?.topicHtml ?? '');
    this.#copyLink.hidden = room?.isDirect === true;
    labelled(this.#copyLink, room?.isForMembers ? 'Invite people' : 'Copy a link to this room');
    labelled(this.#leave, room?.isDirect ? 'Hide this conversation' : 'Leave this room');
  }

  #showTopic(html) {
    if (html === this.#shownTopic) return;
    this.#shownTopic = html;
    const text = textOf(html).trim();
    setText(this.#topic, text);
    this.#topic.title = text;
    insertServerHtml(this.#about, html);
    this.#about.hidden = text === '';
  }
}

function labelled(button, label) {
  button.title = label;
  button.setAttribute('aria-label', label);
}
