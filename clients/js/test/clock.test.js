// What depends on time, against a socket and a clock of our own.

import assert from 'node:assert/strict';
import test from 'node:test';
import { ChatClient } from '../client.js';

class Socket {
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

  says(frame) {
    this.onmessage({ data: typeof frame === 'string' ? frame : JSON.stringify(frame) });
  }

  answers(frame) {
    this.says({ ...frame, ref: this.sent.at(-1).ref });
  }
}

const WELCOME = {
  type: 'welcome', session: 's', resume: 'secret', username: 'ana', server: 'chatd/0', heartbeat_ms: 25_000,
  limits: { message_bytes: 1_000, messages_per_second: 0, burst: 0, rooms: 1 },
};

function connected(t, options) {
  Socket.all = [];
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const client = new ChatClient({ url: 'http://chat.example/ws', username: 'ana', WebSocket: Socket, random: () => 1, ...options });
  t.after(() => client.close());
  client.connect();
  const [socket] = Socket.all;
  socket.onopen();
  socket.answers(WELCOME);
  return { client, socket, tick: (ms) => t.mock.timers.tick(ms) };
}

test('a connection that is silent for a heartbeat is asked, and given up 10 s later', (t) => {
  const { client, socket, tick } = connected(t);
  assert.deepEqual([socket.url, socket.protocol], ['ws://chat.example/ws', 'chat.v2']);
  tick(20_000);
  socket.says({ type: 'notice', level: 'info', body: 'hello' });
  tick(24_999);
  assert.equal(socket.sent.at(-1).type, 'hello');
  tick(1);
  assert.equal(socket.sent.at(-1).type, 'ping');
  tick(9_000);
  socket.says({ type: 'pong' });
  tick(16_000);
  assert.deepEqual(socket.sent.map(({ type }) => type), ['hello', 'ping']);
  tick(9_000);
  assert.deepEqual(socket.sent.map(({ type }) => type), ['hello', 'ping', 'ping']);
  tick(10_000);
  assert.deepEqual([client.status.state, client.status.reason.code], ['waiting', 'silent']);
});

test('pauses double up to the longest, and a secret comes along', (t) => {
  const { client, socket, tick } = connected(t);
  socket.onclose({ code: 1006, reason: '' });
  const pauses = [];
  for (let attempt = 0; attempt < 8; attempt += 1) {
    const pause = client.status.retryAt - Date.now();
    pauses.push(pause);
    tick(pause - 1);
    assert.equal(client.status.state, 'waiting');
    tick(1);
    assert.equal(client.status.state, 'connecting');
    Socket.all.at(-1).onclose({ code: 1006, reason: '' });
  }
  assert.deepEqual(pauses, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  assert.equal(client.status.reason.code, 'unreachable');
  client.reconnect();
  Socket.all.at(-1).onopen();
  assert.equal(Socket.all.at(-1).sent[0].resume, 'secret');
});

test('a bye says whether to come back, and when', (t) => {
  const { client, socket, tick } = connected(t);
  socket.says({ type: 'bye', code: 1001, reason: 'at noon', reconnect: true, after_ms: 60_000 });
  socket.onclose({ code: 1001, reason: '' });
  assert.deepEqual([client.status.reason.message, client.status.retryAt - Date.now()], ['at noon', 60_500]);
  tick(60_500);
  const again = Socket.all.at(-1);
  again.onopen();
  again.answers(WELCOME);
  again.says({ type: 'bye', code: 4429, reason: 'enough', reconnect: false });
  again.onclose({ code: 4429, reason: '' });
  assert.deepEqual([client.status.state, client.status.reason.code], ['closed', 'rate_limited']);
});

test('a server that says nothing at all is given up', (t) => {
  Socket.all = [];
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const client = new ChatClient({ url: 'ws://chat.example/ws', username: 'ana', WebSocket: Socket });
  t.after(() => client.close());
  client.connect();
  t.mock.timers.tick(15_000);
  assert.deepEqual([client.status.state, client.status.reason.code], ['waiting', 'timeout']);
});

test('what a newer server says is ignored', (t) => {
  const { client, socket } = connected(t);
  for (const frame of ['no json', 'null', '[]', '1', { type: 'aurora', room: 'lobby' }, { type: 'pong', ref: '99' }]) socket.says(frame);
  assert.equal(client.status.state, 'open');
});

test('a message whose fate is unknown goes again after a pause, before those behind it', async (t) => {
  const { client, socket, tick } = connected(t);
  client.join('lobby');
  const joined = { type: 'joined', room: 'lobby', epoch: 'e', seq: 0, members: [], member_count: 0, messages: [], recovered: false };
  socket.answers(joined);
  const sends = () => socket.sent.filter(({ type }) => type === 'send').map(({ body }) => body);
  const first = client.send('lobby', 'one');
  socket.answers({ type: 'error', code: 'store_unavailable', message: 'the store does not answer', retry_after_ms: 3_000 });
  const second = client.send('lobby', 'two');
  assert.deepEqual(sends(), ['one']);
  tick(3_000);
  assert.deepEqual(sends(), ['one', 'one']);
  socket.answers({ type: 'ack', room: 'lobby', id: first.id, seq: 1, sent_at: '2026-01-01T00:00:00.000Z' });
  assert.equal((await first).seq, 1);
  assert.deepEqual(sends(), ['one', 'one', 'two']);
  assert.equal(client.queued, 1);
  client.close();
  await assert.rejects(second, { code: 'closed' });
});
