// The session and its rooms: which there are, which one is shown, where the connection stands.

import { ChatClient } from '/client.js';
import { RoomState } from './room.js';
import { Signal } from './signal.js';
import { lasting, ofTab, tabStorage } from './storage.js';

const HISTORY = 60;
/** After a longer absence than this the page begins anew at the end, and reads back when somebody scrolls. */
const MOST_MISSED = 1_000;
/** Counts of unread messages are told together where many come at once. A timer, since a page in the background draws nothing. */
const COUNTS_EVERY_MS = 50;

/** Tells `rooms` (the list or its counts), `shown`, `status`, `notice`, `left`, `mention`. */
export class Chat extends Signal {
  rooms = new Map();
  shown = null;
  #client;
  #counting;

  /** Connects and joins the first room; rejects with why not. `onwait` is told while the server can't be reached. */
  static async enter({ name, room, token, onwait }, signal) {
    const chat = new Chat(name, token);
    const off = chat.#client.on('state', (status) => status.state === 'waiting' && onwait(status));
    const given = () => chat.#client.close();
    signal?.addEventListener('abort', given);
    try {
      await chat.#client.connect();
      await chat.join(room);
      return chat;
    } catch (error) {
      chat.#client.close();
      throw error;
    } finally {
      off();
      signal?.removeEventListener('abort', given);
    }
  }

  constructor(name, token) {
    super();
    this.#client = new ChatClient({
      username: name, token, client: 'page', render: true, gapLimit: MOST_MISSED, storage: tabStorage(),
    });
    this.#listen();
    const looked = () => this.shown?.looked();
    window.addEventListener('focus', looked);
    document.addEventListener('visibilitychange', looked);
    // what is not stored yet would be gone with the page: the browser asks whether to go
    window.addEventListener('beforeunload', (event) => {
      if (this.status.state !== 'closed' && [...this.rooms.values()].some((room) => room.outbox.size > 0)) event.preventDefault();
    });
    window.addEventListener('pagehide', () => this.rooms.forEach((room) => room.keepMark()));
  }

  get name() {
    return this.#client.username;
  }

  get status() {
    return this.#client.status;
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

  show(room) {
    if (this.shown === room) return;
    this.shown?.dropDivider();
    this.shown = room;
    if (room) lasting.set('room', room.name);
    this.#remember();
    this.tell('shown', room);
    room?.looked();
  }

  /** The room above (-1) or below (1) in the list. */
  step(by) {
    const rooms = [...this.rooms.values()];
    if (rooms.length > 1) this.show(rooms.at((rooms.indexOf(this.shown) + by) % rooms.length));
  }

  leave(room) {
    room.room.leave().catch(() => {});
    this.#drop(room);
  }

  tryNow() {
    this.#client.reconnect();
  }

  /** Ends it, in all rooms. */
  close() {
    ofTab.set('rooms', null);
    this.#client.close();
  }

  #listen() {
    const client = this.#client;
    client.on('state', (status) => this.tell('status', status));
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
    toRoom('members', (room) => room.tell('people'));
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
      this.rooms.get(name)?.tell('people');
      return;
    }
    const room = new RoomState(this.#client, joined.room, (asked) => this.#isRead(asked));
    this.rooms.set(name, room);
    room.begin(joined);
    room.on('unread', () => this.#counted());
    this.#remember();
    this.tell('rooms');
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

  /** A reload brings one back to the same rooms. */
  #remember() {
    const rooms = [...this.rooms.values()].filter((room) => !room.left).map(({ name }) => name);
    ofTab.set('rooms', rooms.length > 0 ? { name: this.name, rooms, shown: this.shown?.name } : null);
  }

  #isRead(room) {
    return room === this.shown && room.atEnd && document.visibilityState === 'visible' && document.hasFocus();
  }
}
