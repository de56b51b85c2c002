// The messages of the room that is shown. Only a window of a long history is in the DOM: it grows
// at the end towards which the user scrolls, a few entries per frame, and shrinks at the other end.
// Visible messages keep their position.

import { byId, h } from '../dom.js';
import { dayName, onNewDay } from '../text/time.js';
import { hash, newMessages } from '../text/words.js';
import { MessageActions } from './actions.js';
import { isCut, toggle } from './long.js';
import { entryOf, outboxEntry } from './message.js';
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

export class LogView {
  #scroller = byId('messages');
  #list = byId('log-list');
  #outbox = byId('log-outbox');
  #beginning = byId('log-start');
  #toNewest = byId('jump-newest');
  #toUnread = byId('jump-unread');
  #announcer;
  #edit;
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
   * `edit(text)` puts a text back into the message box. `act(name, message)` carries out an action
   * of a message.
   */
  constructor(announcer, edit, act) {
    this.#announcer = announcer;
    this.#edit = edit;
    this.#actions = new MessageActions(this.#list, act);
    this.#scroller.addEventListener('scroll', () => this.#schedule(), { passive: true });
    const unlock = () => (this.#pinLockedUntil = 0);
    for (const type of ['wheel', 'touchstart', 'pointerdown', 'keydown']) document.addEventListener(type, unlock, { capture: true, passive: true });
    this.#scroller.addEventListener('keydown', (event) => {
      if (event.key === 'End' && event.target === this.#scroller) {
        event.preventDefault();
        this.toNewest();
      }
    });
    this.#toNewest.addEventListener('click', () => {
      this.toNewest();
      this.#scroller.focus({ preventScroll: true });
    });
    this.#toUnread.addEventListener('click', () => this.#goToUnread());
    this.#scroller.addEventListener('click', ({ target }) => {
      const button = target.closest('.show-more');
      if (button) this.#toggleLong(button);
    });
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
    this.#list.replaceChildren();
    this.#outbox.replaceChildren();
    [this.#start, this.#end] = [0, 0];
    this.#unsubscribes = [];
    if (!room) return;
    this.#unsubscribes = [
      room.on('items', (change) => this.#changed(change)),
      room.on('outbox', () => this.#schedule('outbox')),
      room.on('divider', () => this.#schedule('head')),
      room.on('unread', () => this.#schedule()),
      room.on('history', () => this.#schedule()),
    ];
    this.#pending = { open: true, outbox: true, head: false };
    // Immediately: the messages of the previous room must not be visible under the new name.
    this.#update();
  }

  toNewest() {
    const { items } = this.#room;
    if (this.#end < items.length) this.#render(items.length - INITIAL_ENTRIES, items.length);
    if (!this.#pinned) this.#pinLockedUntil = performance.now() + SCROLL_TIMEOUT_MS;
    this.#pinned = true;
    this.#toEnd();
    this.#schedule();
  }

  get isAtEnd() {
    return this.#pinned;
  }

  // Changes of the room. Indices are updated at once, the DOM in the next frame.

  #changed({ kind, count, messages, isSameLog }) {
    if (kind === 'appended') {
      const message = this.#room.items.at(-1);
      if (!this.#room.isMine(message) && !message.deleted) this.#arrived.push(message);
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
    } else {
      // A user who reads back stays there, if the messages are still there.
      this.#room.scrollPosition = isSameLog ? this.#currentPosition() : null;
      this.#pending.open = true;
      this.#arrived = [];
      this.#list.replaceChildren();
      [this.#start, this.#end] = [0, 0];
    }
    this.#schedule();
  }

  /**
   * Creates entries again, at once: nothing of a deleted message stays on the screen until the next
   * frame. The entries after them may need a name now.
   */
  #revise(seqs) {
    this.#arrived = this.#arrived.filter(({ seq }) => !seqs.includes(seq));
    const indices = new Set(seqs.map((seq) => this.#room.indexFrom(seq)).flatMap((index) => [index, index + 1]));
    const stale = [...indices].map((index) => this.#list.children[index - this.#start]).filter(Boolean);
    if (stale.length === 0) return;
    const hasFocus = stale.some((entry) => entry.contains(document.activeElement));
    this.#keepPosition(() => stale.forEach((entry) => this.#renew(entry)));
    if (hasFocus) this.#scroller.focus({ preventScroll: true });
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
    this.#list.replaceChildren(this.#entries(this.#start, this.#end));
    this.#outbox.hidden = this.#end < items.length;
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
    if (isScrolledUp) this.#pinned = false;
    else if (this.#below <= near && this.#end === this.#room.items.length) this.#pinned = true;
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
    if (this.#above >= PREFETCH_PX) return;
    if (this.#start > 0) this.#extendUp();
    else if (this.#room.more && !this.#room.historyFailed) this.#room.loadOlder();
  }

  #extendDown() {
    const { items } = this.#room;
    const to = Math.min(items.length, this.#end + ENTRIES_PER_FRAME);
    this.#list.append(this.#entries(this.#end, to));
    this.#end = to;
    this.#outbox.hidden = to < items.length;
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
    this.#start = from;
    for (let surplus = this.#list.childElementCount - MAX_ENTRIES; surplus > 0; surplus -= 1) {
      this.#list.lastElementChild.remove();
      this.#end -= 1;
    }
    this.#outbox.hidden = this.#end < this.#room.items.length;
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

  // Everything around the messages.

  #showOutbox() {
    this.#pending.outbox = false;
    const act = (what, id) => {
      const { body } = this.#room.outbox.get(id) ?? {};
      if (what === 'retry') return this.#room.retry(id);
      this.#room.discard(id);
      if (what === 'edit') this.#edit(body);
    };
    this.#outbox.replaceChildren(...[...this.#room.outbox.values()].map((message) => outboxEntry(message, this.#room, act)));
  }

  #announce() {
    const arrived = this.#arrived.splice(0);
    if (arrived.length > 0) this.#announcer.messages(this.#room, arrived);
  }

  #updateBeginning() {
    const { more, loading, historyFailed, items, name } = this.#room;
    const state = historyFailed ? 'failed' : loading || more || this.#start > 0 ? 'loading' : items.length > 0 ? 'beginning' : 'empty';
    if (this.#beginning.dataset.state === state && this.#beginning.dataset.room === name) return;
    // Its height may change.
    this.#keepPosition(() => this.#showBeginning(state, name));
  }

  #showBeginning(state, name) {
    Object.assign(this.#beginning.dataset, { state, room: name });
    if (state === 'failed') {
      const retry = () => {
        this.#room.historyFailed = null;
        this.#schedule();
      };
      this.#beginning.replaceChildren('Couldn’t load earlier messages. ', h('button', { type: 'button', onclick: retry }, 'Try again'));
    } else if (state === 'loading') this.#beginning.replaceChildren('Loading earlier messages…');
    else if (state === 'beginning') this.#beginning.replaceChildren(`This is the beginning of ${hash(name)}.`);
    else this.#beginning.replaceChildren(...welcome(name));
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
