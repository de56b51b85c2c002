// The pane that searches messages. It is loaded when it is opened for the first time.

import { closable, h, icon, loadStyles } from '../dom.js';
import { pathOf } from '../state/address.js';
import { textOf } from '../text/html.js';
import { clock, dayName, full } from '../text/time.js';
import { inWords, plural } from '../text/words.js';
import { isPlainClick } from './links.js';

const PAGE_SIZE = 30;
/** The server may answer with pages that are short or empty: these are read on at once. */
const MIN_RESULTS = 10;
const MAX_PAGES = 5;
/** How much of a message is shown before the first word that was found, and in all. */
const LEAD = 40;
const MAX_CHARACTERS = 240;
const WORDS = {
  forbidden: 'This server has no search.',
  missing_field: 'Enter a word to search for.',
  rate_limited: 'Another search of yours is running. Try again in a moment.',
};
/** Scripts in which a part of a run of letters is found, too. */
const UNSPACED = /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Hangul}]/u;

const styles = loadStyles('/page/search.css');

export class Search {
  #query = h('input', { id: 'search-query', type: 'text', inputmode: 'search', maxlength: 200, dir: 'auto', autocomplete: 'off', autocapitalize: 'none', enterkeyhint: 'search' });
  #thisRoom = h('option', { value: 'room' });
  #where = h('select', { id: 'search-where' }, this.#thisRoom, h('option', { value: 'all' }, 'All my rooms'));
  #people = h('datalist', { id: 'search-people' });
  #from = h('input', { id: 'search-from', type: 'text', list: 'search-people', maxlength: 50, placeholder: 'Anyone', dir: 'auto', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false' });
  #status = h('p', { id: 'search-status', class: 'quiet', role: 'status' });
  #results = h('ol', { id: 'search-results', class: 'results' });
  #more = h('button', { id: 'search-more', class: 'wide', type: 'button', hidden: true, onclick: () => this.#run() }, 'Show more results');
  #dialog;
  #chat = null;
  #open;
  /** What was searched for: `{query, room, from}`. */
  #asked = null;
  /** Where the next page begins, or `undefined`. */
  #before;
  #latest = 0;

  /** `open(room, seq)` shows a message. */
  constructor(open) {
    this.#open = open;
    const field = (label, control) => h('div', { class: 'field' }, h('label', { for: control.id }, label), control);
    this.#dialog = h('dialog', { id: 'search', class: 'drawer search', 'data-side': 'right', 'aria-labelledby': 'search-title' },
      h('header', { class: 'modal-head' }, h('h2', { id: 'search-title' }, 'Search messages'),
        h('button', { class: 'icon', type: 'button', 'data-close': true, 'aria-label': 'Close' }, icon('close'))),
      h('form', { id: 'search-form', role: 'search', novalidate: true, onsubmit: (event) => this.#submit(event) },
        field('Words', this.#query), h('div', { class: 'search-filters' }, field('In', this.#where), field('From', this.#from), this.#people),
        h('button', { class: 'primary wide', type: 'submit' }, 'Search')),
      this.#status, this.#results, this.#more);
    document.body.append(this.#dialog);
    closable(this.#dialog);
    this.#dialog.addEventListener('keydown', (event) => this.#key(event));
    this.#results.addEventListener('click', (event) => {
      const link = event.target.closest('a');
      if (!link || !isPlainClick(event)) return;
      event.preventDefault();
      this.#dialog.close();
      this.#open(link.dataset.room, Number(link.dataset.seq));
    });
  }

  async show(chat) {
    await styles;
    if (this.#dialog.open) return;
    if (this.#chat !== chat) this.#watch(chat);
    this.#chat = chat;
    const { shown } = chat;
    this.#thisRoom.textContent = shown ? `This room: ${shown.called}` : 'This room';
    this.#thisRoom.disabled = !shown;
    if (!shown) this.#where.value = 'all';
    const names = shown ? [...shown.room.members.keys()].slice(0, 200) : [];
    this.#people.replaceChildren(...names.map((value) => h('option', { value })));
    this.#dialog.showModal();
    this.#query.focus();
    this.#query.select();
  }

  #watch(chat) {
    chat.on('retracted', (messages) => this.#retract(messages));
    chat.on('blocking', () => {
      const before = this.#results.childElementCount;
      for (const item of [...this.#results.children]) if (chat.isBlocked(item.dataset.user)) item.remove();
      if (this.#results.childElementCount < before) this.#showCount();
    });
  }

  #submit(event) {
    event.preventDefault();
    const query = this.#query.value.trim();
    this.#results.replaceChildren();
    this.#before = undefined;
    this.#more.hidden = true;
    this.#latest += 1;
    if (query === '') {
      this.#status.textContent = WORDS.missing_field;
      return this.#query.focus();
    }
    const room = this.#where.value === 'room' ? this.#chat.shown?.name : undefined;
    this.#asked = { query, room, from: this.#from.value.trim().replace(/^@/, '') || undefined };
    this.#run();
  }

  /** Reads the next page of results, and more if it has few. */
  async #run() {
    this.#latest += 1;
    const request = this.#latest;
    const { query, room, from } = this.#asked;
    const hadFocus = document.activeElement === this.#more;
    const before = this.#results.childElementCount;
    this.#more.hidden = true;
    this.#status.textContent = 'Searching…';
    try {
      for (let page = 0; page < MAX_PAGES; page += 1) {
        const found = await this.#chat.search(query, { room, from, before: this.#before, limit: PAGE_SIZE });
        if (request !== this.#latest) return;
        this.#before = found.more ? found.before : undefined;
        this.#results.append(...found.messages.filter(({ user }) => !this.#chat.isBlocked(user)).map((message) => this.#result(message)));
        if (this.#before === undefined || this.#results.childElementCount - before >= MIN_RESULTS) break;
      }
      this.#showCount();
    } catch (error) {
      if (request !== this.#latest) return;
      this.#status.textContent = WORDS[error.code] ?? inWords(error);
    }
    this.#more.hidden = this.#before === undefined;
    if (hadFocus) (this.#results.children[before]?.firstElementChild ?? this.#more).focus();
  }

  #showCount() {
    const count = this.#results.childElementCount;
    const isMore = this.#before !== undefined;
    if (count === 0) this.#status.textContent = isMore ? 'Nothing found so far' : 'No messages found';
    else this.#status.textContent = isMore ? `The newest ${plural(count, 'result', 'results')}` : plural(count, 'result', 'results');
  }

  #result(message) {
    const { room, seq, from, user, sent_at: sentAt } = message;
    const sent = new Date(sentAt);
    return h('li', { 'data-room': room, 'data-seq': seq, 'data-user': user },
      h('a', { class: 'result', href: pathOf(room, seq), 'data-room': room, 'data-seq': seq },
        h('span', { class: 'result-head' }, h('strong', { dir: 'auto' }, from),
          this.#asked.room === undefined && h('span', { class: 'quiet', dir: 'auto' }, this.#chat.called(room)),
          h('time', { class: 'quiet', datetime: sentAt, title: full(sent) }, `${dayName(sent)} ${clock(sent)}`)),
        h('span', { class: 'result-text', dir: 'auto' }, excerpt(message, this.#asked.query))));
  }

  /** Messages were edited or deleted: nothing of their earlier states stays. */
  #retract({ room, seqs }) {
    const before = this.#results.childElementCount;
    for (const item of [...this.#results.children]) {
      if (item.dataset.room !== room.name) continue;
      const seq = Number(item.dataset.seq);
      if (seqs && !seqs.includes(seq)) continue;
      const now = room.find(seq);
      if (now && !now.deleted && !room.isBlocked(now)) item.replaceWith(this.#result({ ...now, room: room.name }));
      else item.remove();
    }
    if (before > 0) this.#showCount();
  }

  #key(event) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by === undefined || event.target === this.#where || event.target === this.#from || event.isComposing) return;
    const links = [...this.#results.querySelectorAll('a')];
    const at = links.indexOf(event.target);
    if (at < 0 && (event.target !== this.#query || by < 0)) return;
    event.preventDefault();
    (links[at + by] ?? (by < 0 ? this.#query : this.#more.hidden ? links.at(-1) : this.#more))?.focus();
  }
}

/** The text around the first word that was found, with all of them marked. */
function excerpt({ body, html }, query) {
  const text = (html === undefined ? body : textOf(html)).replace(/\s+/g, ' ').trim();
  const wanted = query.split(/[^\p{L}\p{M}\p{N}]+/u).map(keyOf).filter((word) => word !== '');
  const isWanted = (part) => wanted.some((word) => keyOf(part) === word || (UNSPACED.test(word) && keyOf(part).includes(word)));
  const parts = text.split(/([\p{L}\p{M}\p{N}]+)/u);
  const first = parts.findIndex(isWanted);
  let begin = Math.max(0, first);
  for (let lead = 0; begin > 0 && lead + parts[begin - 1].length <= LEAD; begin -= 1) lead += parts[begin - 1].length;
  const shown = [];
  for (let index = begin, length = 0; index < parts.length && length < MAX_CHARACTERS; index += 1) {
    const part = [...parts[index]].slice(0, MAX_CHARACTERS).join('');
    length += part.length;
    shown.push(isWanted(parts[index]) ? h('mark', {}, part) : part);
  }
  return [begin > 0 && '… ', ...shown];
}

/** Case and accents make no difference, as in the server. */
function keyOf(word) {
  return word.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}
