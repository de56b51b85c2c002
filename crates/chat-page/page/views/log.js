// The messages of the room that is shown. Of a long history only a window is in the page: it grows at the end that one scrolls to, a few
// entries a frame, and shrinks at the other. What is in sight stays where it is.

import { byId, h } from '../dom.js';
import { dayName, onNewDay } from '../text/time.js';
import { hash, plural } from '../text/words.js';
import { isCut, toggle } from './long.js';
import { entryOf, outboxEntry } from './message.js';
import { welcome } from './welcome.js';

/** Entries in the page at most. */
const MOST = 300;
/** Entries that one frame may add. */
const STEP = 30;
/** Entries that a room is opened with. */
const FIRST = 60;
/** This many pixels beyond what is in sight are kept filled. */
const AHEAD = 1_200;
/** So near to the end counts as being there. */
const NEAR = 40;
/** A smooth scroll takes no longer than that after the key or the wheel that began it. */
const SCROLL_LASTS_MS = 500;

export class LogView {
  #scroller = byId('messages');
  #list = byId('log-list');
  #outbox = byId('log-outbox');
  #beginning = byId('log-start');
  #toNewest = byId('jump-newest');
  #toUnread = byId('jump-unread');
  #announcer;
  #edit;
  #room = null;
  #offs = [];
  /** The children of the list are the room's items from `#start` up to `#end`. */
  #start = 0;
  #end = 0;
  /** Whether the newest message is in sight, and new ones shall push it up. */
  #pinned = true;
  /** Until then, or until one does something, what is left of a scroll that a key or a wheel began leads nowhere: one went to the newest. */
  #heldUntil = 0;
  /** What the next frame has to do besides. */
  #due = { open: false, outbox: false, head: false };
  #arrived = [];
  #frame = 0;
  /** The entry at the top of what is in sight, and where it is. */
  #anchor = null;
  /** The entry that was last put somewhere, and where that is, before rounding. */
  #settled = null;
  #width = 0;
  /** How far it was scrolled when that was last looked at. */
  #lastTop = 0;
  #height = 0;
  /** Pixels above and below what is in sight. */
  #above = 0;
  #below = 0;

  /** `edit(text)` puts a text back into the box. */
  constructor(announcer, edit) {
    this.#announcer = announcer;
    this.#edit = edit;
    this.#scroller.addEventListener('scroll', () => this.#schedule(), { passive: true });
    const free = () => (this.#heldUntil = 0);
    for (const type of ['wheel', 'touchstart', 'pointerdown', 'keydown']) document.addEventListener(type, free, { capture: true, passive: true });
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
    // the focus, or the browser's search, went to what is cut off
    this.#scroller.addEventListener('scroll', ({ target }) => isCut(target) && this.#reveal(target), { capture: true, passive: true });
    onNewDay(() => this.#nameDays());
    const observer = new ResizeObserver(() => this.#resized());
    observer.observe(this.#scroller);
    observer.observe(this.#list);
  }

  show(room) {
    for (const off of this.#offs) off();
    if (this.#room) this.#room.place = this.#placeNow();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#room = room;
    this.#arrived = [];
    this.#list.replaceChildren();
    this.#outbox.replaceChildren();
    [this.#start, this.#end] = [0, 0];
    this.#offs = [];
    if (!room) return;
    this.#offs = [
      room.on('items', (change) => this.#changed(change)),
      room.on('outbox', () => this.#schedule('outbox')),
      room.on('divider', () => this.#schedule('head')),
      room.on('unread', () => this.#schedule()),
      room.on('history', () => this.#schedule()),
    ];
    this.#due = { open: true, outbox: true, head: false };
    // at once: the room that was shown before must not be seen under the new name
    this.#work();
  }

  toNewest() {
    const { items } = this.#room;
    if (this.#end < items.length) this.#render(items.length - FIRST, items.length);
    if (!this.#pinned) this.#heldUntil = performance.now() + SCROLL_LASTS_MS;
    this.#pinned = true;
    this.#toEnd();
    this.#schedule();
  }

  get isAtEnd() {
    return this.#pinned;
  }

  // What changed in the room. Indices are kept right at once, the page follows with the next frame.

  #changed({ kind, count }) {
    if (kind === 'appended') {
      const message = this.#room.items.at(-1);
      if (message.from !== this.#room.me && !message.erased) this.#arrived.push(message);
    } else if (kind === 'prepended') {
      // the entry that was the first of all has a neighbour now, and may be of one piece with it
      if (this.#start === 0 && this.#list.firstElementChild) this.#due.head = true;
      this.#start += count;
      this.#end += count;
    } else if (kind === 'forgotten') {
      const gone = Math.max(0, count - this.#start);
      for (let left = gone; left > 0 && this.#list.firstElementChild; left -= 1) this.#list.firstElementChild.remove();
      this.#start = Math.max(0, this.#start - count);
      this.#end = Math.max(0, this.#end - count);
    } else {
      this.#due.open = true;
      this.#list.replaceChildren();
      [this.#start, this.#end] = [0, 0];
    }
    this.#schedule();
  }

  #schedule(what) {
    if (what) this.#due[what] = true;
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#work());
  }

  #work() {
    this.#frame = 0;
    if (!this.#room) return;
    if (this.#due.open) this.#open();
    else if (this.#due.head) this.#keep(() => this.#rebuildHead());
    this.#due.open = this.#due.head = false;
    this.#look();
    this.#extend();
    if (this.#due.outbox || this.#outbox.childElementCount > this.#room.outbox.size) this.#showOutbox();
    if (this.#pinned) this.#toEnd();
    this.#announce();
    this.#tellBeginning();
    this.#tellChips();
  }

  // Opening.

  #open() {
    const { items, place, dividerSeq, unread } = this.#room;
    const first = items[0]?.seq ?? 0;
    if (place && place.seq >= first) this.#openAt(place.seq - first, place.offset);
    else if (unread > 0 && dividerSeq !== null && dividerSeq + 1 >= first && !this.#room.atEndOnce) this.#openAt(dividerSeq + 1 - first, 24);
    else {
      this.#pinned = true;
      this.#render(items.length - FIRST, items.length);
      this.#toEnd();
    }
    this.#room.atEndOnce = true;
  }

  /** Shows this item so many pixels below the top. */
  #openAt(index, offset) {
    const { items } = this.#room;
    const at = Math.min(index, items.length - 1);
    this.#render(at - FIRST / 2, at + FIRST);
    const entry = this.#list.children[at - this.#start];
    if (!entry) return;
    this.#pinned = false;
    this.#put(entry, offset);
  }

  /**
   * Scrolls until the entry is so many pixels below the top. Heights are fractions of a pixel and a scroller stops at whole ones, so it
   * is rounded, to the side on which the first entry in sight remains the first.
   */
  #put(entry, offset) {
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

  /** Where one is: read once a frame, while nothing is changed. */
  #look() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    this.#above = scrollTop;
    this.#below = scrollHeight - scrollTop - clientHeight;
    // of little more than a screen only a part is near the end: the beginning must be in reach
    const near = Math.min(NEAR, (scrollHeight - clientHeight) / 2);
    // what is in sight also moves when the box below grows: only who scrolls up leaves the end
    const isScrolledUp = performance.now() >= this.#heldUntil && clientHeight === this.#height && scrollTop < this.#lastTop - 1 && this.#below > near;
    if (isScrolledUp) this.#pinned = false;
    else if (this.#below <= near && this.#end === this.#room.items.length) this.#pinned = true;
    [this.#lastTop, this.#height] = [scrollTop, clientHeight];
    this.#room.atEnd = this.#pinned;
    if (this.#pinned) {
      this.#anchor = null;
      this.#room.looked();
    } else {
      this.#anchor = this.#atTop();
    }
  }

  #extend() {
    const { items } = this.#room;
    const behind = items.length - this.#end;
    // more than can be read: only the end of it is made
    if (this.#pinned && behind > STEP) this.#render(items.length - STEP, items.length);
    else if (behind > 0 && (this.#pinned || this.#below < AHEAD)) this.#extendDown();
    if (this.#above >= AHEAD) return;
    if (this.#start > 0) this.#extendUp();
    else if (this.#room.more && !this.#room.historyFailed) this.#room.loadOlder();
  }

  #extendDown() {
    const { items } = this.#room;
    const to = Math.min(items.length, this.#end + STEP);
    this.#list.append(this.#entries(this.#end, to));
    this.#end = to;
    this.#outbox.hidden = to < items.length;
    const surplus = this.#list.childElementCount - MOST;
    if (surplus > 0) this.#keep(() => this.#cutTop(surplus));
    if (to < items.length) this.#schedule();
  }

  #cutTop(count) {
    for (let left = count; left > 0; left -= 1) this.#list.firstElementChild.remove();
    this.#start += count;
  }

  #extendUp() {
    this.#keep(() => this.#prepend());
    this.#schedule();
  }

  #prepend() {
    const from = Math.max(0, this.#start - STEP);
    this.#list.prepend(this.#entries(from, this.#start));
    this.#start = from;
    for (let surplus = this.#list.childElementCount - MOST; surplus > 0; surplus -= 1) {
      this.#list.lastElementChild.remove();
      this.#end -= 1;
    }
    this.#outbox.hidden = this.#end < this.#room.items.length;
  }

  /**
   * The first entry may get lower: it loses its day and its name. Near the top there is nothing to scroll by for that, unless what comes
   * above it is there in the same moment.
   */
  #rebuildHead() {
    this.#rebuildEdges();
    if (this.#start > 0 && this.#above < AHEAD) this.#prepend();
  }

  /** Changes something outside of what is in sight, and puts what is in sight back where it was. */
  #keep(change) {
    if (this.#pinned) {
      change();
      return this.#toEnd();
    }
    const anchor = this.#atTop();
    const bottom = anchor?.entry.getBoundingClientRect().bottom;
    change();
    if (!anchor || anchor.entry.isConnected) return this.#restore(anchor);
    // an entry that was made again may have another height: what is below it stays
    const entry = this.#list.querySelector(`:scope > [data-seq="${anchor.entry.dataset.seq}"]`);
    if (entry) this.#scroller.scrollTop += entry.getBoundingClientRect().bottom - bottom;
  }

  #restore(anchor) {
    if (anchor?.entry.isConnected) this.#put(anchor.entry, anchor.offset);
  }

  /** The first entry that can be seen, and where it is: exactly, if it was put there and rounding moved it since. */
  #atTop() {
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

  #placeNow() {
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

  /** The first entry, and those where the line of new messages is or was, are made anew. */
  #rebuildEdges() {
    const { items, dividerSeq } = this.#room;
    const stale = new Set([this.#list.firstElementChild, this.#list.querySelector('.new-line')?.closest('.entry')]);
    if (dividerSeq !== null && items.length > 0) stale.add(this.#list.children[dividerSeq + 1 - items[0].seq - this.#start]);
    for (const entry of stale) {
      const index = entry ? Number(entry.dataset.seq) - items[0].seq : -1;
      if (index >= 0) entry.replaceWith(entryOf(items[index], items[index - 1], this.#room));
    }
  }

  /** Labels like "Today" are right for one day only. */
  #nameDays() {
    if (!this.#room) return;
    const { items } = this.#room;
    for (const label of this.#list.querySelectorAll('.day > span')) {
      const item = items[Number(label.closest('.entry').dataset.seq) - items[0].seq];
      if (item) label.textContent = dayName(new Date(item.sent_at));
    }
  }

  /** What the user reads stays where it is: at the end, too, a message that grows is not followed. */
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

  // What is said around it.

  #showOutbox() {
    this.#due.outbox = false;
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
    if (arrived.length > 0) this.#announcer.messages(arrived);
  }

  #tellBeginning() {
    const { more, loading, historyFailed, items, name } = this.#room;
    const state = historyFailed ? 'failed' : loading || more || this.#start > 0 ? 'loading' : items.length > 0 ? 'beginning' : 'empty';
    if (this.#beginning.dataset.state === state && this.#beginning.dataset.room === name) return;
    // it may get higher or lower by that
    this.#keep(() => this.#showBeginning(state, name));
  }

  #showBeginning(state, name) {
    Object.assign(this.#beginning.dataset, { state, room: name });
    if (state === 'failed') {
      const again = () => {
        this.#room.historyFailed = null;
        this.#schedule();
      };
      this.#beginning.replaceChildren('Couldn’t load earlier messages. ', h('button', { type: 'button', onclick: again }, 'Try again'));
    } else if (state === 'loading') this.#beginning.replaceChildren('Loading earlier messages…');
    else if (state === 'beginning') this.#beginning.replaceChildren(`This is the beginning of ${hash(name)}.`);
    else this.#beginning.replaceChildren(...welcome(name));
  }

  #tellChips() {
    const { unread, dividerSeq } = this.#room;
    this.#toNewest.hidden = this.#pinned;
    byId('jump-newest-text').textContent = unread > 0 ? plural(unread, 'new message', 'new messages') : 'Jump to latest';
    const line = byId('new-line')?.getBoundingClientRect();
    const first = Number((this.#anchor ?? this.#atTop())?.entry.dataset.seq ?? 0);
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
    this.#openAt(Math.max(0, dividerSeq + 1 - room.items[0].seq), 24);
    this.#scroller.focus({ preventScroll: true });
    this.#schedule();
  }
}
