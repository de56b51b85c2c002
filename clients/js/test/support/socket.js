// A scripted WebSocket: a test plays the server, frame by frame, with fake clocks.

import { ChatClient } from '../../client.js';

export class Socket {
  static all = [];
  readyState = 1;
  sent = [];

  constructor(url, protocol) {
    Object.assign(this, { url, protocol });
    Socket.all.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.readyState = 3;
  }

  deliver(frame) {
    this.onmessage({ data: typeof frame === 'string' ? frame : JSON.stringify(frame) });
  }

  reply(frame) {
    this.deliver({ ...frame, ref: this.sent.at(-1).ref });
  }
}

export const USER = { id: 'g_ana', username: 'ana', kind: 'guest', role: 'user' };
export const WELCOME = {
  type: 'welcome', session: 's', user: USER, server: 'chatd/0', heartbeat_ms: 25_000,
  limits: { message_bytes: 1_000, messages_per_second: 0, burst: 0, rooms: 1, sessions: 20 },
};
/** 32 bytes in base64url. */
export const TOKEN = 'Yml0cyBvZiBhIHRlc3QgYml0cyBvZiBhIHRlc3QtXzA';

export const JOINED = {
  type: 'joined', room: 'lobby', epoch: 'e', seq: 0, oldest: 1, members: [], member_count: 0, first: 1, last: 0,
  messages: [], recovered: false,
};

/** A monotonic clock, and a wall clock that can be set. */
export function clocks(t) {
  const time = { now: 0, wall: Date.UTC(2026, 0, 1) };
  t.mock.timers.enable({ apis: ['setTimeout'] });
  t.mock.method(performance, 'now', () => time.now);
  t.mock.method(Date, 'now', () => time.wall + time.now);
  return {
    tick(ms) {
      for (const end = time.now + ms; time.now < end;) {
        time.now += 1;
        t.mock.timers.tick(1);
      }
    },
    setWallClock(by) {
      time.wall += by;
    },
  };
}

export function connected(t, options, user = USER) {
  Socket.all = [];
  const time = clocks(t);
  const client = new ChatClient({ url: 'http://chat.example/ws', username: 'ana', WebSocket: Socket, random: () => 1, ...options });
  t.after(() => client.close());
  client.connect();
  const [socket] = Socket.all;
  socket.onopen();
  socket.reply({ ...WELCOME, user });
  return { client, socket, ...time };
}

/** Breaks the connection, and returns the socket of the next session. */
export function reconnected(client) {
  Socket.all.at(-1).onclose({ code: 1006, reason: '' });
  client.reconnect();
  const socket = Socket.all.at(-1);
  socket.onopen();
  socket.reply(WELCOME);
  return socket;
}

/** A storage that survives a reload. */
export function storage(items = {}) {
  const stored = new Map(Object.entries(items));
  return {
    stored,
    get length() {
      return stored.size;
    },
    key: (index) => [...stored.keys()][index] ?? null,
    getItem: (key) => stored.get(key) ?? null,
    setItem: (key, value) => void stored.set(key, value),
    removeItem: (key) => void stored.delete(key),
  };
}
