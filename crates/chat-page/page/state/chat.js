// The session and its rooms: which there are, which one is shown, where the connection stands.

import { ChatClient, ChatError } from '/client.js';
import { forgetDrafts } from './drafts.js';
import { FailedMessages, forgetOutbox, outboxOf } from './outbox.js';
import { RoomState } from './room.js';
import { forgetRooms, listRoom, listedRooms, unlistRoom } from './room-list.js';
import { Signal } from './signal.js';
import { browserStorage, lasting, ofTab } from './storage.js';
import { tabs } from './tabs.js';

const HISTORY = 60;
/** After a longer absence than this the page starts again at the end, and reads back when the user scrolls. */
const MOST_MISSED = 1_000;
/** Counts of unread messages are told together when many come at once. A timer, since a page in the background draws nothing. */
const COUNTS_EVERY_MS = 50;
/** A name that an earlier session of this browser still holds is free after this time at the latest. */
const TAKEN_FOR_MS = 45_000;
const TAKEN_RETRY_MS = 1_000;

/** Signals `rooms` (the list or its counts), `shown`, `status`, `notice`, `left`, `mention`. */
export class Chat extends Signal {
  rooms = new Map();
  shown = null;
  #client;
  #failed;
  /** The order of the list, with rooms that are not joined yet, or not any more. */
  #order;
  #handedOver = false;
  #counting;

  /**
   * Connects and joins the first room; rejects with the reason if that fails. `onwait({reason})` is called while the server can't be
   * reached. With `insist` it is also called while an earlier session of this browser still holds the name.
   */
  static async enter({ name, room, token, onwait, insist = false }, signal) {
    const chat = new Chat(name, token);
    const elsewhere = Promise.withResolvers();
    elsewhere.promise.catch(() => {});
    const waits = () => onwait({ reason: new ChatError('name_held', 'your last session has not ended yet') });
    const offs = [
      chat.#client.on('state', (status) => status.state === 'waiting' && onwait(status)),
      chat.#client.on('joinDelayed', ({ error }) => (tabs.has(chat.name) ? elsewhere.reject(error) : waits())),
    ];
    const given = () => chat.#client.close();
    signal?.addEventListener('abort', given);
    try {
      await chat.#client.connect();
      await Promise.race([insist ? chat.#joinOnceFree(room, waits) : chat.join(room), elsewhere.promise]);
      return chat;
    } catch (error) {
      chat.#client.close();
      throw error;
    } finally {
      for (const off of offs) off();
      signal?.removeEventListener('abort', given);
    }
  }

  constructor(name, token) {
    super();
    this.#client = new ChatClient({
      username: name, token, client: 'page', render: true, gapLimit: MOST_MISSED, storage: browserStorage('sessionStorage'),
      outbox: outboxOf(name.normalize('NFC')),
    });
    this.#failed = new FailedMessages(this.name);
    this.#order = listedRooms(this.name);
    this.#listen();
    const looked = () => this.shown?.looked();
    window.addEventListener('focus', looked);
    document.addEventListener('visibilitychange', looked);
    // they are kept, but they are sent only when the user comes back: the browser asks whether to go
    window.addEventListener('beforeunload', (event) => {
      if (this.status.state !== 'closed' && [...this.rooms.values()].some((room) => room.outbox.size > 0)) event.preventDefault();
    });
    window.addEventListener('pagehide', () => this.rooms.forEach((room) => room.keepMark()));
  }

  get name() {
    return this.#client.username;
  }

  get status() {
    if (!this.#handedOver) return this.#client.status;
    return { state: 'closed', reason: new ChatError('taken_over', 'this session continues in another tab') };
  }

  get unread() {
    return [...this.rooms.values()].reduce((sum, room) => sum + room.unread, 0);
  }

  /** Joins, or shows a room that is joined already. */
  async join(name, { show = true } = {}) {
    const present = this.rooms.get(name.normalize('NFC'));
    if (present && !present.left) return show ? this.show(present) : undefined;
    const { room } = await this.#client.join(name, { history: HISTORY });
    if (show) this.show(this.rooms.get(room.name));
  }

  /** Joins the other rooms of the last visit, without showing them. Resolves with those that could not be joined: `{room, error}`. */
  async joinListed() {
    const unsent = this.#client.unsent.map(({ room }) => room);
    // another tab under this name is in those of the list
    const listed = tabs.has(this.name) ? [] : listedRooms(this.name);
    const rooms = new Set([...(ofTab.get('rooms')?.rooms ?? []), ...listed, ...unsent]);
    const missing = [...rooms].filter((room) => !this.rooms.has(room));
    const results = await Promise.allSettled(missing.map((room) => this.join(room, { show: false })));
    const failed = results.flatMap(({ reason: error }, index) => (error ? [{ room: missing[index], error }] : []));
    return failed.filter(({ error }) => error.code !== 'already_in_room' && error.code !== 'closed');
  }

  show(room) {
    if (this.shown === room) return;
    this.shown?.dropDivider();
    this.shown = room;
    if (room) lasting.set('room', room.name);
    this.#remember();
    this.tell('shown', room);
    room?.looked();
  }

  /** The previous room (-1) or the next one (1) of the list. */
  step(by) {
    const rooms = [...this.rooms.values()];
    if (rooms.length > 1) this.show(rooms.at((rooms.indexOf(this.shown) + by) % rooms.length));
  }

  /** Leaves a room. The result takes it back: it joins the room again, with the messages that were not sent. */
  leave(room) {
    const unsent = [...room.outbox.values()].map((message) => ({
      ...message, error: message.error ?? new ChatError('left_room', 'you left the room before this message was sent'),
    }));
    const rooms = [...this.rooms.keys()];
    const next = rooms[rooms.indexOf(room.name) + 1] ?? null;
    for (const { id } of unsent) room.discard(id);
    room.room.leave().catch(() => {});
    this.#drop(room);
    if (!this.#handedOver) unlistRoom(this.name, room.name);
    return {
      unsent: unsent.length,
      undo: async () => {
        listRoom(this.name, room.name, next);
        await this.join(room.name);
        this.rooms.get(room.name)?.adopt(unsent);
      },
    };
  }

  tryNow() {
    this.#client.reconnect();
  }

  /** Ends the session, in all rooms. */
  close() {
    ofTab.set('rooms', null);
    this.#client.close();
  }

  /** Removes what the browser has kept for this name. The session is over. */
  forget() {
    forgetOutbox(this.name);
    this.#failed.forget();
    forgetRooms(this.name);
    forgetDrafts(this.name);
  }

  /** Another tab of this browser continues under this name. */
  handOver() {
    if (this.status.state === 'closed') return;
    this.#handedOver = true;
    this.#remember();
    this.#client.close();
    this.tell('status', this.status);
  }

  async #joinOnceFree(room, waits) {
    const end = performance.now() + TAKEN_FOR_MS;
    for (;;) {
      try {
        return await this.join(room);
      } catch (error) {
        if (error.code !== 'username_taken' || tabs.has(this.name) || performance.now() > end) throw error;
        waits();
        await new Promise((resolve) => setTimeout(resolve, TAKEN_RETRY_MS));
      }
    }
  }

  #listen() {
    const client = this.#client;
    client.on('state', () => this.tell('status', this.status));
    client.on('notice', (notice) => this.tell('notice', notice));
    client.on('joined', (joined) => this.#joined(joined));
    client.on('left', (left) => this.#left(left));
    const toRoom = (type, act) => client.on(type, (event) => {
      const room = this.rooms.get(event.room.name);
      if (room?.room === event.room) act(room, event);
    });
    toRoom('message', (room, event) => room.message(event));
    toRoom('message', (room, { message }) => room.mentionsMe(message) && this.tell('mention', { room, message }));
    toRoom('gap', (room, event) => room.gap(event));
    toRoom('reset', (room, event) => room.reset(event));
    toRoom('outgoing', (room, event) => room.outgoing(event));
    toRoom('presence', (room, event) => room.presence(event));
    toRoom('members', (room) => room.membersChanged());
    toRoom('typing', (room, event) => room.isTyping(event));
    toRoom('rejoinDelayed', (room, event) => {
      room.delayed = event;
      room.tell('state');
    });
  }

  #joined(joined) {
    const name = joined.room.name;
    if (joined.rejoined) {
      this.rooms.get(name)?.joinedAgain();
      this.rooms.get(name)?.membersChanged();
      return;
    }
    const room = new RoomState(this.#client, joined.room, { reads: (asked) => this.#isRead(asked), failed: this.#failed });
    const before = this.rooms.get(name);
    this.#insert(room);
    room.begin(joined);
    if (before) room.adopt([...before.outbox.values()].filter(({ state }) => state === 'failed'));
    room.on('unread', () => this.#counted());
    listRoom(this.name, name);
    if (before && before === this.shown) this.show(room);
    this.#remember();
    this.tell('rooms');
  }

  /** Puts a room where it was in the list, or at the end of it. */
  #insert(room) {
    if (!this.#order.includes(room.name)) this.#order.push(room.name);
    const rooms = [...this.rooms.values()].filter(({ name }) => name !== room.name);
    rooms.push(room);
    rooms.sort((one, other) => this.#order.indexOf(one.name) - this.#order.indexOf(other.name));
    this.rooms.clear();
    for (const each of rooms) this.rooms.set(each.name, each);
  }

  #counted() {
    this.#counting ??= setTimeout(() => {
      this.#counting = undefined;
      this.tell('rooms');
    }, COUNTS_EVERY_MS);
  }

  #left({ room: handle, reason, error }) {
    const room = this.rooms.get(handle.name);
    if (room?.room !== handle || reason === 'asked' || reason === 'closed') return;
    room.left = { reason, error };
    unlistRoom(this.name, room.name);
    this.#remember();
    room.tell('state');
    this.tell('left', { room, reason, error });
    this.tell('rooms');
  }

  #drop(room) {
    const rooms = [...this.rooms.values()];
    const next = rooms[rooms.indexOf(room) + 1] ?? rooms[rooms.indexOf(room) - 1] ?? null;
    this.rooms.delete(room.name);
    this.tell('rooms');
    if (this.shown === room) this.show(next);
    this.#remember();
  }

  /** A reload leads back to the same rooms. */
  #remember() {
    const rooms = [...this.rooms.values()].filter((room) => !room.left).map(({ name }) => name);
    const handedOver = this.#handedOver || undefined;
    ofTab.set('rooms', rooms.length > 0 ? { name: this.name, rooms, shown: this.shown?.name, handedOver } : null);
  }

  #isRead(room) {
    return room === this.shown && room.atEnd && document.visibilityState === 'visible' && document.hasFocus();
  }
}
