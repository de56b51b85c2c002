// The dialog with the public rooms. It is loaded when it is opened for the first time.

import { closable, h, icon, loadStyles, setText } from '../dom.js';
import { textOf } from '../text/html.js';
import { full } from '../text/time.js';
import { hash, inWords, label, plural, when } from '../text/words.js';

const PAGE_SIZE = 30;
/** While the user types, a search begins only after this pause. */
const TYPING_MS = 250;

const styles = loadStyles('/page/moderation.css');

export class Directory {
  #query = h('input', { id: 'directory-query', type: 'search', maxlength: 50, dir: 'auto', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', oninput: () => this.#typed() });
  #status = h('p', { id: 'directory-status', class: 'quiet', role: 'status' });
  #list = h('ul', { id: 'directory-list', class: 'entries' });
  #more = h('button', { id: 'directory-more', class: 'wide', type: 'button', hidden: true, onclick: () => this.#read() }, 'Show more rooms');
  #dialog = h('dialog', { id: 'directory', class: 'modal form-dialog', 'aria-labelledby': 'directory-title' },
    h('header', { class: 'modal-head' }, h('h2', { id: 'directory-title' }, 'Public rooms'),
      h('button', { class: 'icon', type: 'button', 'data-close': true, 'aria-label': 'Close' }, icon('close'))),
    h('form', { class: 'form', role: 'search', novalidate: true, onsubmit: (event) => this.#submit(event) },
      h('div', { class: 'field' }, h('label', { for: 'directory-query' }, 'Search public rooms'), this.#query)),
    this.#status, this.#list, this.#more);
  #chat;
  #timer;
  #count = 0;
  #latest = 0;

  constructor(chat) {
    this.#chat = chat;
    document.body.append(this.#dialog);
    closable(this.#dialog);
  }

  async open() {
    await styles;
    if (this.#dialog.open) return;
    this.#query.value = '';
    this.#dialog.showModal();
    this.#query.focus();
    await this.#search();
  }

  #typed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#search(), TYPING_MS);
  }

  #submit(event) {
    event.preventDefault();
    return this.#search();
  }

  #search() {
    clearTimeout(this.#timer);
    this.#count = 0;
    return this.#read();
  }

  async #read() {
    this.#latest += 1;
    const [request, after] = [this.#latest, this.#count];
    const query = this.#query.value.trim();
    try {
      const { rooms, more } = await this.#chat.directory({ query: query || undefined, after, limit: PAGE_SIZE });
      if (request !== this.#latest) return;
      const items = rooms.map((room) => this.#item(room));
      if (after === 0) this.#list.replaceChildren(...items);
      else this.#list.append(...items);
      if (after > 0) items[0]?.querySelector('button').focus();
      this.#count = after + rooms.length;
      this.#more.hidden = !more;
      const found = `${plural(this.#count, 'room', 'rooms')}${more ? ', and there are more' : ''}`;
      setText(this.#status, this.#count > 0 ? found : query ? 'No public room has this text in its name, title or topic.' : 'There are no public rooms yet.');
    } catch (error) {
      if (request === this.#latest) setText(this.#status, inWords(error));
    }
  }

  #item({ room, title, topicHtml, members, lastMessageAt }) {
    const isJoined = this.#chat.rooms.has(room);
    const name = label({ room, title });
    const active = lastMessageAt ? new Date(lastMessageAt) : null;
    return h('li', { class: 'entry', 'data-room': room },
      h('div', { class: 'entry-head' }, h('strong', { dir: 'auto' }, name), title && h('span', { class: 'quiet', dir: 'auto' }, hash(room))),
      topicHtml && h('p', { class: 'entry-text', dir: 'auto' }, textOf(topicHtml).trim()),
      h('p', { class: 'quiet' }, `${plural(members, 'person', 'people')} here now`, active ? ', last message ' : ', no messages yet',
        active && h('time', { datetime: lastMessageAt, title: full(active) }, when(active))),
      h('div', { class: 'entry-buttons' }, h('button', { type: 'button', 'aria-label': `${isJoined ? 'Open' : 'Join'} ${name}`, onclick: ({ currentTarget }) => this.#join(room, currentTarget) }, isJoined ? 'Open' : 'Join')));
  }

  async #join(room, button) {
    button.disabled = true;
    try {
      await this.#chat.join(room);
      this.#dialog.close();
    } catch (error) {
      setText(this.#status, inWords(error, { name: this.#chat.name, where: hash(room) }));
    } finally {
      button.disabled = false;
    }
  }
}
