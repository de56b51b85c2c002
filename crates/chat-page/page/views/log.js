// The messages of the room that is shown. Only a window of a long history is in the DOM: it grows
// at the end towards which the user scrolls, a few entries per frame, and shrinks at the other end.
// Visible messages keep their position.

import { byId, h } from '../dom.js';
import { dayName, onNewDay } from '../text/time.js';
import { newMessages, plural } from '../text/words.js';
import { MessageActions } from './actions.js';
import { isPlainClick } from './links.js';
import { isCut, toggle } from './long.js';
import { entryOf, outboxEntry } from './message.js';
import { MessageFocus } from './message-focus.js';
import { updateQuote } from './quote.js';
import { updateReactions } from './reactions.js';
import { welcome } from './welcome.js';

/** The maximum number of entries in the DOM. */
const MAX_ENTRIES = 300;
/** The maximum number of entries that one frame adds. */
const ENTRIES_PER_FRAME = 30;
/** The number of entries with which a room opens. */
const INITIAL_ENTRIES = 60;
/** The window extends at least this far beyond the visible part. */
const PREFETCH_PX = 1_200;
/** The log counts as scrolled to the end within this distance. */
const END_TOLERANCE_PX = 40;
/** A smooth scroll ends within this time after the key or wheel event that started it. */
const SCROLL_TIMEOUT_MS = 500;
/** The author above a message. With the keyboard, the menu of the message leads to the card. */
const SENDER = '.message-head > .from, .message[data-state="stored"] > .avatar';

export class LogView {
  #scroller = byId('messages');
  #list = byId('log-list');
  #outbox = byId('log-outbox');
  #beginning = byId('log-start');
  #toNewest = byId('jump-newest');
  #toUnread = byId('jump-unread');
  #toMention = byId('jump-mention');
  #announcer;
  #on;
  #actions;
  #room = null;
  #unsubscribes = [];
  /** The children of the list are the room's items from `#start` up to, not including, `#end`. */
  #start = 0;
  #end = 0;
  /** Whether the log is at the end and follows new messages. */
  #pinned = true;
  /**
   * After a jump to the newest message, the rest of an earlier smooth scroll is ignored until this
   * time, or until the next input.
   */
  #pinLockedUntil = 0;
  /** What else the next frame has to do. */
  #pending = { open: false, outbox: false, head: false };
  #arrived = [];
  /** The numbers of messages whose reactions have changed. */
  #reacted = new Set();
  #frame = 0;
  /** The topmost visible entry and its offset. */
  #anchor = null;
  /** The entry that was last scrolled into position, and its exact offset before rounding. */
  #settled = null;
  #width = 0;
  /** The scroll position at the last measurement. */
  #lastTop = 0;
  #height = 0;
  /** Pixels above and below the visible part. */
  #above = 0;
  #below = 0;

  /**
   * `on` has `edit(text, replyTo)`, which puts a text back into the message box;
   * `act(name, message, emoji)`, which carries out an action of a message; `open(seq)`, which shows
   * a message; `newest()`, called when the log shows the newest message; `invite()`, which opens
   * the dialog that invites people; and `leave()`, which moves the focus out of the log.
   */
  constructor(announcer, on) {
    this.#announcer = announcer;
    this.#on = on;
    this.#actions = new MessageActions(this.#list, on.act);
    new MessageFocus(this.#scroller, this.#list, {
      menu: (article) => this.#actions.openMenu(article),
      newest: () => this.toNewest({ focus: true }),
      leave: on.leave,
    });
    this.#scroller.addEventListener('scroll', () => this.#schedule(), { passive: true });
    const unlock = () => (this.#pinLockedUntil = 0);
    for (const type of ['wheel', 'touchstart', 'pointerdown', 'keydown']) document.addEventListener(type, unlock, { capture: true, passive: true });
    this.#toNewest.addEventListener('click', () => this.toNewest({ focus: true }));
    this.#toUnread.addEventListener('click', () => this.#goToUnread());
    this.#toMention.addEventListener('click', () => this.#goToMention());
    this.#scroller.addEventListener('click', (event) => this.#clicked(event));
    // The focus, or the browser's search, moved to the hidden part of a message.
    this.#scroller.addEventListener('scroll', ({ target }) => isCut(target) && this.#reveal(target), { capture: true, passive: true });
    onNewDay(() => this.#updateDayLabels());
    const observer = new ResizeObserver(() => this.#resized());
    observer.observe(this.#scroller);
    observer.observe(this.#list);
  }

  show(room) {
    for (const unsubscribe of this.#unsubscribes) unsubscribe();
    if (this.#room) this.#room.scrollPosition = this.#currentPosition();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#room = room;
    this.#actions.use(room);
    this.#arrived = [];
    this.#reacted.clear();
    this.#list.replaceChildren();
    this.#outbox.replaceChildren();
    [this.#start, this.#end] = [0, 0];
    this.#unsubscribes = [];
    if (!room) return;
    this.#unsubscribes = [
      room.on('items', (change) => this.#changed(change)),
      room.on('arrived', (message) => {
        this.#arrived.push(message);
        this.#schedule();
      }),
      room.on('outbox', () => this.#schedule('outbox')),
      room.on('divider', () => this.#schedule('head')),
      room.on('unread', () => this.#schedule()),
      room.on('history', () => this.#schedule()),
    ];
    this.#pending = { open: true, outbox: true, head: false };
    // Immediately: the messages of the previous room must not be visible under the new name.
    this.#update();
  }

  /** Shows the newest message, and with `focus` moves the focus to the log. */
  toNewest({ focus = false } = {}) {
    this.#room.showNewest();
    const { items } = this.#room;
    this.#pending.open = false;
    if (this.#end < items.length || this.#list.childElementCount === 0) this.#render(items.length - INITIAL_ENTRIES, items.length);
    if (!this.#pinned) this.#pinLockedUntil = performance.now() + SCROLL_TIMEOUT_MS;
    this.#pinned = true;
    this.#list.querySelector('.message.target')?.classList.remove('target');
    this.#toEnd();
    if (focus) this.#scroller.focus({ preventScroll: true });
    this.#on.newest();
    this.#schedule();
  }

  /**
   * Shows a message with what is around it, and moves the focus to it. Resolves with whether it
   * exists. Rejects if it cannot be loaded.
   */
  async goTo(seq) {
    const room = this.#room;
    const isFound = await room.showAround(seq);
    if (isFound && room === this.#room) this.#highlight(seq);
    return isFound;
  }

  #highlight(seq) {
    this.#pending.open = false;
    this.#openAt(this.#room.indexFrom(seq), this.#scroller.clientHeight / 4);
    this.#list.querySelector('.message.target')?.classList.remove('target');
    const article = this.#list.querySelector(`.message[data-seq="${seq}"]`);
    article?.classList.add('target');
    article?.focus({ preventScroll: true });
    this.#schedule();
  }

  get isAtEnd() {
    return this.#pinned;
  }

  // Changes of the room. Indices are updated at once, the DOM in the next frame.

  #changed({ kind, count, messages, isSameLog, onlyReactions }) {
    if (kind === 'changed' && onlyReactions) {
      for (const { seq } of messages) this.#reacted.add(seq);
    } else if (kind === 'changed') {
      this.#revise(messages.map(({ seq }) => seq));
    } else if (kind === 'prepended') {
      // The entry that was the very first now has a predecessor, and may belong to the same group.
      if (this.#start === 0 && this.#list.firstElementChild) this.#pending.head = true;
      this.#start += count;
      this.#end += count;
    } else if (kind === 'dropped') {
      const gone = Math.max(0, count - this.#start);
      if (gone > 0) this.#keepPosition(() => this.#removeFirst(gone));
      this.#start = Math.max(0, this.#start - count);
      this.#end = Math.max(0, this.#end - count);
      if (this.#start === 0) this.#pending.head = true;
    } else if (kind === 'replaced') {
      // A user who reads back stays there, if the messages are still there.
      this.#room.scrollPosition = isSameLog ? this.#currentPosition() : null;
      this.#pending.open = true;
      this.#arrived = [];
      this.#keepFocus(() => this.#list.replaceChildren());
      [this.#start, this.#end] = [0, 0];
    }
    this.#schedule();
  }

  /**
   * Creates entries again, at once: nothing of a deleted or hidden message stays on the screen
   * until the next frame. The entries after them may need a name now.
   */
  #revise(seqs) {
    this.#arrived = this.#arrived.filter(({ seq }) => !seqs.includes(seq));
    this.#actions.revised(seqs);
    this.#updateQuotes((seq) => seqs.includes(seq));
    const indices = new Set(seqs.map((seq) => this.#room.indexFrom(seq)).flatMap((index) => [index, index + 1]));
    const stale = [...indices].map((index) => this.#list.children[index - this.#start]).filter(Boolean);
    if (stale.length === 0) return;
    this.#keepPosition(() => stale.forEach((entry) => this.#renew(entry)));
  }

  /** Shows the present texts of the quoted messages that `matches`. */
  #updateQuotes(matches = () => true) {
    for (const container of [this.#list, this.#outbox]) {
      for (const quote of container.querySelectorAll('.quote')) if (matches(Number(quote.dataset.target))) updateQuote(quote, this.#room);
    }
  }

  #showReactions() {
    const articles = [...this.#reacted].map((seq) => this.#list.querySelector(`.message[data-seq="${seq}"][data-state="stored"]`)).filter(Boolean);
    this.#reacted.clear();
    if (articles.length === 0) return;
    this.#keepPosition(() => {
      for (const article of articles) updateReactions(article, this.#room.find(Number(article.dataset.seq)), this.#room);
    });
  }

  #renew(entry) {
    const { items } = this.#room;
    const index = this.#indexOf(entry);
    if (index >= 0) entry.replaceWith(entryOf(items[index], items[index - 1], this.#room));
  }

  /** The index of an entry's message, or -1 if it is not loaded any more. */
  #indexOf(entry) {
    const seq = Number(entry.dataset.seq);
    const index = this.#room.indexFrom(seq);
    return this.#room.items[index]?.seq === seq ? index : -1;
  }

  #removeFirst(count) {
    for (let left = count; left > 0 && this.#list.firstElementChild; left -= 1) this.#list.firstElementChild.remove();
  }

  #schedule(what) {
    if (what) this.#pending[what] = true;
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#update());
  }

  #update() {
    this.#frame = 0;
    if (!this.#room) return;
    if (this.#pending.open) this.#open();
    else if (this.#pending.head) this.#keepPosition(() => this.#rebuildHead());
    this.#pending.open = this.#pending.head = false;
    if (this.#reacted.size > 0) this.#showReactions();
    this.#measure();
    this.#extend();
    if (this.#pending.outbox || this.#outbox.childElementCount > this.#room.outbox.size) this.#showOutbox();
    if (this.#pinned) this.#toEnd();
    this.#announce();
    this.#updateBeginning();
    this.#updateJumpButtons();
  }

  // Opening a room.

  #open() {
    const { items, first, scrollPosition, dividerSeq, unread } = this.#room;
    if (scrollPosition && scrollPosition.seq >= first) this.#openAt(this.#room.indexFrom(scrollPosition.seq), scrollPosition.offset);
    else if (unread > 0 && dividerSeq !== null && dividerSeq + 1 >= first && !this.#room.atEndOnce) this.#openAt(this.#room.indexFrom(dividerSeq + 1), 24);
    else {
      this.#pinned = true;
      this.#render(items.length - INITIAL_ENTRIES, items.length);
      this.#toEnd();
    }
    this.#room.atEndOnce = true;
  }

  /** Shows an item this many pixels below the top. */
  #openAt(index, offset) {
    const { items } = this.#room;
    const at = Math.min(index, items.length - 1);
    this.#render(at - INITIAL_ENTRIES / 2, at + INITIAL_ENTRIES);
    const entry = this.#list.children[at - this.#start];
    if (!entry) return;
    this.#pinned = false;
    this.#scrollEntryTo(entry, offset);
  }

  /**
   * Scrolls until the entry is this many pixels below the top. Heights are fractional but scroll
   * positions are whole pixels, so the position is rounded, in the direction in which the first
   * visible entry remains the first.
   */
  #scrollEntryTo(entry, offset) {
    const moved = entry.getBoundingClientRect().top - this.#top() - offset;
    this.#settled = { entry, offset };
    if (Math.abs(moved) < 0.01) return;
    const exact = this.#scroller.scrollTop + moved;
    const isWhole = Math.abs(exact - Math.round(exact)) < 0.01;
    const whole = offset > -1 ? Math.ceil(exact) : Math.floor(exact);
    this.#scroller.scrollTop = isWhole ? Math.round(exact) : whole;
  }

  #render(from, to) {
    const { items } = this.#room;
    this.#start = Math.max(0, from);
    this.#end = Math.min(items.length, to);
    this.#keepFocus(() => this.#list.replaceChildren(this.#entries(this.#start, this.#end)));
    this.#outbox.hidden = !this.#showsEnd;
  }

  /** Whether the entries reach the newest message. */
  get #showsEnd() {
    return this.#end === this.#room.items.length && !this.#room.isPast;
  }

  /** The focus stays at its message, or in the log if the message is not shown any more. */
  #keepFocus(change) {
    const focused = this.#list.contains(document.activeElement) ? document.activeElement.closest('.entry')?.dataset.seq : undefined;
    change();
    if (focused === undefined || this.#list.contains(document.activeElement)) return;
    const article = this.#list.querySelector(`.message[data-seq="${focused}"]`);
    (article ?? this.#scroller).focus({ preventScroll: true });
  }

  #entries(from, to) {
    const { items } = this.#room;
    const fragment = document.createDocumentFragment();
    for (let index = from; index < to; index += 1) fragment.append(entryOf(items[index], items[index - 1], this.#room));
    return fragment;
  }

  // The window.

  /** Measures the scroll position: once a frame, before anything changes. */
  #measure() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    this.#above = scrollTop;
    this.#below = scrollHeight - scrollTop - clientHeight;
    // If there is little more than a screenful, only a part of it counts as the end, so that the
    // beginning stays reachable.
    const near = Math.min(END_TOLERANCE_PX, (scrollHeight - clientHeight) / 2);
    // The visible part also moves when the box below it grows: only scrolling up leaves the end.
    const isScrolledUp = performance.now() >= this.#pinLockedUntil && clientHeight === this.#height && scrollTop < this.#lastTop - 1 && this.#below > near;
    if (isScrolledUp || this.#room.isPast) this.#pinned = false;
    else if (this.#below <= near && this.#showsEnd) this.#pin();
    [this.#lastTop, this.#height] = [scrollTop, clientHeight];
    this.#room.atEnd = this.#pinned;
    if (this.#pinned) {
      this.#anchor = null;
      this.#room.markReadIfSeen();
    } else {
      this.#anchor = this.#topEntry();
    }
  }

  #extend() {
    const { items } = this.#room;
    const remaining = items.length - this.#end;
    // More than anyone can read: create only the last entries.
    if (this.#pinned && remaining > ENTRIES_PER_FRAME) this.#render(items.length - ENTRIES_PER_FRAME, items.length);
    else if (remaining > 0 && (this.#pinned || this.#below < PREFETCH_PX)) this.#extendDown();
    else if (this.#room.canLoadNewer && this.#below < PREFETCH_PX) this.#room.loadNewer();
    if (this.#above >= PREFETCH_PX) return;
    if (this.#start > 0) this.#extendUp();
    else if (this.#room.more && !this.#room.historyFailed) this.#room.loadOlder();
  }

  /** The user has scrolled to the end. */
  #pin() {
    if (!this.#pinned) this.#on.newest();
    this.#pinned = true;
  }

  #extendDown() {
    const { items } = this.#room;
    const to = Math.min(items.length, this.#end + ENTRIES_PER_FRAME);
    this.#list.append(this.#entries(this.#end, to));
    this.#end = to;
    this.#outbox.hidden = !this.#showsEnd;
    const surplus = this.#list.childElementCount - MAX_ENTRIES;
    if (surplus > 0) this.#keepPosition(() => this.#cutTop(surplus));
    if (to < items.length) this.#schedule();
  }

  #cutTop(count) {
    this.#removeFirst(count);
    this.#start += count;
  }

  #extendUp() {
    this.#keepPosition(() => this.#prepend());
    this.#schedule();
  }

  #prepend() {
    const from = Math.max(0, this.#start - ENTRIES_PER_FRAME);
    this.#list.prepend(this.#entries(from, this.#start));
    this.#updateQuotes((seq) => seq < Number(this.#list.children[this.#start - from]?.dataset.seq));
    this.#start = from;
    for (let surplus = this.#list.childElementCount - MAX_ENTRIES; surplus > 0; surplus -= 1) {
      this.#list.lastElementChild.remove();
      this.#end -= 1;
    }
    this.#outbox.hidden = !this.#showsEnd;
  }

  /**
   * The first entry may become lower, because it loses its day and its name. Near the top there is
   * no room to scroll by the difference, unless the entries above it are added at the same time.
   */
  #rebuildHead() {
    this.#rebuildEdges();
    if (this.#start > 0 && this.#above < PREFETCH_PX) this.#prepend();
  }

  /** Applies a change outside the visible part, and keeps the visible part in position. */
  #keepPosition(change) {
    this.#keepFocus(() => this.#changeInPlace(change));
  }

  #changeInPlace(change) {
    if (this.#pinned) {
      change();
      return this.#toEnd();
    }
    const anchor = this.#topEntry();
    const bottom = anchor?.entry.getBoundingClientRect().bottom;
    change();
    if (!anchor || anchor.entry.isConnected) return this.#restore(anchor);
    // An entry that was created again may have another height: keep what is below it in position.
    const entry = this.#list.querySelector(`:scope > [data-seq="${anchor.entry.dataset.seq}"]`);
    if (entry) this.#scroller.scrollTop += entry.getBoundingClientRect().bottom - bottom;
  }

  #restore(anchor) {
    if (anchor?.entry.isConnected) this.#scrollEntryTo(anchor.entry, anchor.offset);
  }

  /**
   * The first visible entry and its offset: the exact offset if the entry was scrolled into
   * position and only rounding moved it.
   */
  #topEntry() {
    const { children } = this.#list;
    const top = this.#top();
    let [low, high] = [0, children.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (children[middle].getBoundingClientRect().bottom > top) high = middle;
      else low = middle + 1;
    }
    const entry = children[low];
    if (!entry) return null;
    const offset = entry.getBoundingClientRect().top - top;
    const isSettled = this.#settled?.entry === entry && Math.abs(this.#settled.offset - offset) < 1;
    return { entry, offset: isSettled ? this.#settled.offset : offset };
  }

  #currentPosition() {
    if (this.#pinned || !this.#anchor?.entry.isConnected) return null;
    return { seq: Number(this.#anchor.entry.dataset.seq), offset: this.#anchor.offset };
  }

  #top() {
    return this.#scroller.getBoundingClientRect().top;
  }

  #toEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#lastTop = this.#scroller.scrollTop;
  }

  #resized() {
    if (!this.#room) return;
    const { clientWidth } = this.#scroller;
    if (this.#pinned) this.#toEnd();
    else if (clientWidth !== this.#width) this.#restore(this.#anchor);
    this.#width = clientWidth;
  }

  /** Creates the first entry again, and those that have or had the "New messages" line. */
  #rebuildEdges() {
    const { dividerSeq } = this.#room;
    const stale = new Set([this.#list.firstElementChild, this.#list.querySelector('.new-line')?.closest('.entry')]);
    if (dividerSeq !== null) stale.add(this.#list.children[this.#room.indexFrom(dividerSeq + 1) - this.#start]);
    for (const entry of stale) if (entry) this.#renew(entry);
  }

  /** Labels like "Today" are correct for one day only. */
  #updateDayLabels() {
    if (!this.#room) return;
    const { items } = this.#room;
    for (const label of this.#list.querySelectorAll('.day > span')) {
      const item = items[this.#indexOf(label.closest('.entry'))];
      if (item) label.textContent = dayName(new Date(item.sent_at));
    }
  }

  /**
   * Expands or collapses a long message. What the user reads keeps its position, even at the end of
   * the log: it does not follow a message that grows.
   */
  #toggleLong(button) {
    this.#pinned = false;
    const isOpen = toggle(button);
    const above = button.closest('.entry').getBoundingClientRect().top - this.#top();
    if (!isOpen && above < 0) this.#scroller.scrollTop += above;
    this.#schedule();
  }

  #reveal(body) {
    const scrolled = body.scrollTop;
    this.#toggleLong(body.nextElementSibling);
    this.#scroller.scrollTop += scrolled;
  }

  #clicked(event) {
    const { target } = event;
    const [more, chip, add, quote, blocked, sender] = ['.show-more', '.reaction', '.add-reaction', '.quote', '.show-blocked', SENDER].map((selector) => target.closest(selector));
    const message = this.#room?.find(Number(target.closest('.message')?.dataset.seq));
    if (more) this.#toggleLong(more);
    else if (chip && message) this.#on.act('react', message, chip.dataset.emoji);
    else if (add && message) this.#on.act('pick', message);
    else if (blocked && message) this.#room.reveal(message);
    else if (sender && message) this.#on.act('profile', message);
    else if (quote && isPlainClick(event)) {
      event.preventDefault();
      this.#on.open(Number(quote.dataset.target));
    }
  }

  // Everything around the messages.

  #showOutbox() {
    this.#pending.outbox = false;
    const act = (what, id) => {
      const { body, replyTo } = this.#room.outbox.get(id) ?? {};
      if (what === 'retry') return this.#room.retry(id);
      this.#room.discard(id);
      if (what === 'edit') this.#on.edit(body, replyTo);
    };
    this.#outbox.replaceChildren(...[...this.#room.outbox.values()].map((message) => outboxEntry(message, this.#room, act)));
  }

  #announce() {
    const arrived = this.#arrived.splice(0).filter(({ seq }) => !this.#room.find(seq)?.deleted);
    if (arrived.length > 0) this.#announcer.messages(this.#room, arrived);
  }

  #updateBeginning() {
    const { more, loading, historyFailed, items, name } = this.#room;
    const state = historyFailed ? 'failed' : loading || more || this.#start > 0 ? 'loading' : items.length > 0 ? 'beginning' : 'empty';
    const { called } = this.#room;
    if (this.#beginning.dataset.state === state && this.#beginning.dataset.room === name && this.#beginning.dataset.called === called) return;
    // Its height may change.
    this.#keepPosition(() => this.#showBeginning(state, name));
  }

  #showBeginning(state, name) {
    const { called } = this.#room;
    Object.assign(this.#beginning.dataset, { state, room: name, called });
    if (state === 'failed') {
      const retry = () => {
        this.#room.historyFailed = null;
        this.#schedule();
      };
      this.#beginning.replaceChildren('Couldn’t load earlier messages. ', h('button', { type: 'button', onclick: retry }, 'Try again'));
    } else if (state === 'loading') this.#beginning.replaceChildren('Loading earlier messages…');
    else if (state === 'beginning') this.#beginning.replaceChildren(`This is the beginning of ${called}.`);
    else this.#beginning.replaceChildren(...welcome(this.#room, this.#on.invite));
  }

  #updateJumpButtons() {
    const { unread, dividerSeq } = this.#room;
    this.#toNewest.hidden = this.#pinned;
    byId('jump-newest-text').textContent = unread > 0 ? newMessages(this.#room) : 'Jump to latest';
    const line = byId('new-line')?.getBoundingClientRect();
    const first = Number((this.#anchor ?? this.#topEntry())?.entry.dataset.seq ?? 0);
    const isAbove = dividerSeq !== null && (line ? line.bottom < this.#top() : first > dividerSeq + 1);
    if (line && !isAbove) this.#room.dividerSeen = dividerSeq;
    this.#toUnread.hidden = !isAbove || this.#room.dividerSeen === dividerSeq;
    this.#toUnread.textContent = '↑ Where you left off';
    this.#updateMentions();
  }

  /** Mentions on the screen are seen. For the others there is a button. */
  #updateMentions() {
    const { unseenMentions } = this.#room;
    if (unseenMentions.size > 0 && document.hasFocus() && document.visibilityState === 'visible') {
      const { top, bottom } = this.#scroller.getBoundingClientRect();
      for (const seq of [...unseenMentions]) {
        const box = this.#list.querySelector(`.message[data-seq="${seq}"]`)?.getBoundingClientRect();
        if (box && box.bottom > top && box.top < bottom) this.#room.sawMention(seq);
      }
    }
    const count = this.#room.mentionsToSee;
    this.#toMention.hidden = count === 0;
    const words = `Jump to mention, ${plural(count, 'unread mention', 'unread mentions')}`;
    if (this.#toMention.title === words) return;
    this.#toMention.title = words;
    this.#toMention.setAttribute('aria-label', words);
    byId('jump-mention-count').textContent = count;
  }

  async #goToMention() {
    const room = this.#room;
    const seq = await room.oldestMention();
    if (seq === null || this.#room !== room) return;
    room.sawMention(seq);
    this.#on.open(seq);
  }

  async #goToUnread() {
    const room = this.#room;
    const { dividerSeq } = room;
    await room.loadBackTo(dividerSeq + 1);
    if (this.#room !== room || room.items.length === 0) return;
    this.#openAt(room.indexFrom(dividerSeq + 1), 24);
    this.#scroller.focus({ preventScroll: true });
    this.#schedule();
  }
}
