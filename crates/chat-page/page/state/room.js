// A room as the page knows it: its messages in order, what is on its way, what was read. No elements here.

import { ChatError } from '/client.js';
import { mentions } from '../text/marks.js';
import { draftOf, keepDraft } from './drafts.js';
import { Names } from './names.js';
import { Signal } from './signal.js';
import { lasting } from './storage.js';

const PAGE = 50;
/** At most this many messages are kept; the oldest go first, and are loaded again when the user scrolls up. */
const MOST_KEPT = 6_000;
const TYPING_LASTS_MS = 5_000;
/** Writing to the browser's storage takes time: not for each message. */
const MARK_EVERY_MS = 250;

/**
 * Tells `items` `{kind: 'appended' | 'prepended' | 'replaced' | 'forgotten', count}`, `outbox`, `unread`, `divider`, `typing`,
 * `people`, `history`, `state`.
 */
export class RoomState extends Signal {
  /** Without a hole, oldest first. */
  items = [];
  /** Whether there is something before them. */
  more = false;
  /** While older ones are on their way: a promise. */
  loading = null;
  historyFailed = null;
  /** The user's messages without an ack, by id: `{id, body, createdAt, state: 'pending' | 'failed', error}`. */
  outbox = new Map();
  /** The newest message that was read. */
  readSeq = 0;
  unread = 0;
  mentioned = 0;
  /** The line "new messages" stands behind this seq. Null: there is none. */
  dividerSeq = null;
  /** Who is typing, with the timer that forgets it. */
  typing = new Map();
  /** Whether the newest message is on the screen: told by the log. */
  atEnd = true;
  /** Where the log stood when another room was shown: `{seq, offset}`, null at the end. */
  place = null;
  /** Why one is not in it any more. */
  left = null;
  /** Why it can't be joined again yet. */
  delayed = null;
  /** The people whose `@name` is a mention, for a text: see `mentionsIn`. */
  find = (text) => this.#mentionable().find(text);
  /** Whether the user is in a room of this name. */
  isRoom = (name) => this.#client.room(name) !== undefined;
  #client;
  #reads;
  #failed;
  #marking;
  /** Who wrote the messages that are loaded. */
  #authors = new Set();
  /** The members and the authors; null when they have changed. */
  #names = null;

  constructor(client, room, { reads, failed }) {
    super();
    this.#client = client;
    this.room = room;
    /** Whether the user is looking at the newest message right now. */
    this.#reads = reads;
    this.#failed = failed;
    for (const message of failed.of(room.name)) this.outbox.set(message.id, { ...message, state: 'failed' });
  }

  get name() {
    return this.room.name;
  }

  get me() {
    return this.#client.username;
  }

  get draft() {
    return draftOf(this.me, this.name);
  }

  set draft(text) {
    keepDraft(this.me, this.name, text);
  }

  /** The first time in the room. */
  begin({ epoch, seq, messages }) {
    const mark = lasting.get(this.#markKey);
    this.#replace(messages);
    for (const id of [...this.outbox.keys()]) if (this.#isStored(id)) this.#sent(id);
    this.readSeq = mark?.epoch === epoch ? Math.min(mark.seq, seq) : seq;
    const unseen = messages.filter((message) => this.#isNews(message));
    const unloaded = Math.max(0, (messages[0]?.seq ?? seq + 1) - 1 - this.readSeq);
    this.unread = unseen.length + unloaded;
    this.mentioned = unseen.filter((message) => this.mentionsMe(message)).length;
    if (this.unread > 0) this.dividerSeq = this.readSeq;
    else this.#markRead();
  }

  message({ message, missed }) {
    this.#typedNoMore(message.from);
    if (message.from === this.me) this.#sent(message.id);
    this.items.push(message);
    this.#wrote(message);
    if (this.items.length > MOST_KEPT && this.atEnd) this.#forget(this.items.length - MOST_KEPT + 1_000);
    this.tell('items', { kind: 'appended', count: 1 });
    if (message.from === this.me && !missed) this.#markRead();
    else if (this.#isNews(message)) this.#news(message);
    this.tell('typing');
  }

  /** Nothing is known of what lies between: what is shown begins anew behind it. */
  gap({ before }) {
    this.#replace([]);
    this.more = before > 1;
    this.unread = Math.max(this.unread, before - 1 - this.readSeq);
    this.tell('unread');
  }

  reset({ messages }) {
    this.#replace(messages);
    this.dividerSeq = null;
    this.#markRead();
  }

  outgoing({ id, body, createdAt, state, error, ack }) {
    if (state === 'acked') {
      // one that was stored before the page was loaded again does not come as a message any more
      if (ack.seq > this.room.seq) return;
      this.#sent(id);
    } else if (state === 'pending') {
      this.#sent(id);
      this.outbox.set(id, { id, body, createdAt, state });
    } else if (this.outbox.has(id)) this.#refused({ id, body, createdAt, state, error });
    this.tell('outbox');
  }

  /** Sends; throws where the message was not even taken: then the text belongs back into the box. */
  send(body) {
    const { limits } = this.#client.status;
    const size = new TextEncoder().encode(JSON.stringify(body)).length + 200;
    if (limits && size > limits.messageBytes) throw new ChatError('message_too_large', 'the message is too long');
    if (this.left) throw new ChatError('not_in_room', 'you are not in that room');
    if (this.#client.status.state === 'closed') throw new ChatError('disconnected', 'the session has ended');
    const { id } = this.room.send(body);
    if (!this.outbox.has(id)) throw new ChatError('queue_full', 'too many messages wait to be sent');
  }

  retry(id) {
    const failed = this.outbox.get(id);
    this.#sent(id);
    // under the same id: should the first one have been stored after all, this is no second one
    this.room.send(failed.body, { id: failed.error?.code === 'id_reused' ? undefined : id });
    if (!this.outbox.has(id) && !this.#isStored(id)) this.#refused(failed);
    this.tell('outbox');
  }

  discard(id) {
    this.#sent(id);
    this.tell('outbox');
  }

  /** Takes over the messages that another stay in this room has left without an ack. */
  adopt(messages) {
    for (const message of messages) if (!this.#isStored(message.id)) this.#refused(message);
    this.tell('outbox');
  }

  /** One page of what was said before; resolves when it is there, or failed. */
  loadOlder(limit = PAGE) {
    if (this.loading || !this.more) return this.loading ?? Promise.resolve();
    this.historyFailed = null;
    const { epoch } = this.room;
    const before = this.items[0]?.seq;
    const isStale = () => this.room.epoch !== epoch || this.items[0]?.seq !== before;
    const load = async () => {
      try {
        const page = await this.room.history({ before, limit });
        if (isStale() || page.epoch !== epoch) return;
        this.items.unshift(...page.messages);
        for (const message of page.messages) this.#wrote(message);
        this.more = page.more;
        this.tell('items', { kind: 'prepended', count: page.messages.length });
      } catch (error) {
        this.historyFailed = error;
      } finally {
        this.loading = null;
        this.tell('history');
      }
    };
    this.loading = load();
    this.tell('history');
    return this.loading;
  }

  /** Reads back until this message is there. */
  async loadBackTo(seq) {
    while (this.more && !this.historyFailed && (this.items[0]?.seq ?? Infinity) > seq) await this.loadOlder(200);
  }

  /** The list of members is another one. */
  membersChanged() {
    this.#names = null;
    this.tell('people');
  }

  joinedAgain() {
    this.delayed = null;
    this.historyFailed = null;
    this.tell('state');
    this.tell('history');
  }

  isTyping({ username }) {
    clearTimeout(this.typing.get(username));
    this.typing.set(username, setTimeout(() => {
      this.typing.delete(username);
      this.tell('typing');
    }, TYPING_LASTS_MS));
    this.tell('typing');
  }

  presence({ left }) {
    for (const name of left) this.#typedNoMore(name);
    this.membersChanged();
    if (left.length > 0) this.tell('typing');
  }

  /** Somebody looks: if the newest message is on the screen, it is read now. */
  looked() {
    if (this.unread > 0 && this.#reads(this)) this.#markRead();
  }

  /** The line where one left off has done its work. */
  dropDivider() {
    if (this.dividerSeq === null || this.unread > 0) return;
    this.dividerSeq = null;
    this.tell('divider');
  }

  mentionsMe(message) {
    return message.from !== this.me && !message.erased && mentions(message, this.me, this.find);
  }

  #mentionable() {
    if (this.#names === null) {
      this.#names = new Names().add(this.me);
      for (const name of this.room.members.keys()) this.#names.add(name);
      for (const name of this.#authors) this.#names.add(name);
    }
    return this.#names;
  }

  #wrote({ from }) {
    if (from === undefined || this.#authors.has(from)) return;
    this.#authors.add(from);
    this.#names?.add(from);
  }

  #isStored(id) {
    return this.items.some((message) => message.id === id && message.from === this.me);
  }

  /** The message is no longer in the outbox: it is stored, goes again, or was discarded. */
  #sent(id) {
    const message = this.outbox.get(id);
    if (message?.state === 'failed') this.#failed.remove({ ...message, room: this.name });
    this.outbox.delete(id);
  }

  #refused(message) {
    this.outbox.set(message.id, { ...message, state: 'failed' });
    // what a client that is closed did not send is still in its outbox
    if (this.#client.status.state === 'closed') return;
    const { id, body, createdAt, error } = message;
    this.#failed.add({ room: this.name, id, body, createdAt, error: { code: error?.code, message: error?.message ?? '' } });
  }

  #typedNoMore(name) {
    clearTimeout(this.typing.get(name));
    this.typing.delete(name);
  }

  #isNews(message) {
    return message.seq > this.readSeq && !message.erased && message.from !== this.me;
  }

  #news(message) {
    if (this.#reads(this)) return this.#markRead();
    if (this.unread === 0) {
      this.dividerSeq = message.seq - 1;
      this.tell('divider');
    }
    this.unread += 1;
    if (this.mentionsMe(message)) this.mentioned += 1;
    this.tell('unread');
  }

  #markRead() {
    this.readSeq = this.room.seq;
    this.unread = 0;
    this.mentioned = 0;
    this.#marking ??= setTimeout(() => this.keepMark(), MARK_EVERY_MS);
    this.tell('unread');
  }

  /** Remembers where one left off. */
  keepMark() {
    if (this.#marking === undefined) return;
    clearTimeout(this.#marking);
    this.#marking = undefined;
    lasting.set(this.#markKey, { epoch: this.room.epoch, seq: this.readSeq });
  }

  get #markKey() {
    return `read.${this.me}.${this.name}`;
  }

  #replace(messages) {
    this.items = [...messages];
    for (const message of messages) this.#wrote(message);
    this.more = this.items.length > 0 && this.items[0].seq > 1;
    this.place = null;
    this.tell('items', { kind: 'replaced', count: messages.length });
  }

  #forget(count) {
    this.items.splice(0, count);
    this.more = true;
    this.tell('items', { kind: 'forgotten', count });
  }
}
