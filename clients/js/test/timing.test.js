// Everything that depends on time, with a scripted socket and fake clocks.

import assert from 'node:assert/strict';
import test from 'node:test';
import { ChatClient, storageOutbox } from '../client.js';
import { JOINED, Socket, TOKEN, USER, WELCOME, clocks, connected, reconnected, storage } from './support/socket.js';

const TAKEN = { type: 'error', code: 'username_taken', message: 'the name is taken in that room' };

test('a connection that is silent for a heartbeat is pinged, and dropped 10 s later', (t) => {
  const { client, socket, tick } = connected(t);
  assert.deepEqual([socket.url, socket.protocol], ['ws://chat.example/ws', 'chat.v2']);
  tick(20_000);
  socket.deliver({ type: 'notice', level: 'info', body: 'hello' });
  tick(24_999);
  assert.equal(socket.sent.at(-1).type, 'hello');
  tick(1);
  assert.equal(socket.sent.at(-1).type, 'ping');
  tick(9_000);
  socket.deliver({ type: 'pong' });
  tick(16_000);
  assert.deepEqual(socket.sent.map(({ type }) => type), ['hello', 'ping']);
  tick(9_000);
  assert.deepEqual(socket.sent.map(({ type }) => type), ['hello', 'ping', 'ping']);
  tick(10_000);
  assert.deepEqual([client.status.state, client.status.reason.code], ['waiting', 'silent']);
});

test('reconnect delays double up to the maximum, and the session is replaced', (t) => {
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
  assert.equal(Socket.all.at(-1).sent[0].replaces, 's');
  Socket.all.at(-1).reply({ ...WELCOME, session: 'newer' });
  Socket.all.at(-1).onclose({ code: 1006, reason: '' });
  client.reconnect();
  Socket.all.at(-1).onopen();
  assert.equal(Socket.all.at(-1).sent[0].replaces, 'newer');
  assert.equal(socket.sent[0].replaces, undefined);
});

test('a guest token is used for all connections, and appears nowhere else', (t) => {
  const states = [];
  const { client, socket } = connected(t, { guestToken: TOKEN });
  client.on('state', (status) => states.push(status));
  socket.onclose({ code: 1006, reason: '' });
  client.reconnect();
  Socket.all.at(-1).onopen();
  Socket.all.at(-1).reply(WELCOME);
  assert.equal(client.guestToken, TOKEN);
  assert.deepEqual(Socket.all.map(({ sent }) => sent[0].guest_token), [TOKEN, TOKEN]);
  assert.ok(Socket.all.every(({ url }) => !url.includes(TOKEN)));
  assert.ok(states.length >= 3 && !JSON.stringify(states).includes(TOKEN));
  assert.deepEqual([client.user, client.username, client.status.limits.sessions], [USER, 'ana', 20]);
});

test('a client without a guest token makes one, unless it has a token', (t) => {
  const guest = connected(t);
  assert.match(guest.client.guestToken, /^[\w-]{43}$/);
  assert.equal(Buffer.from(guest.client.guestToken, 'base64url').toString('base64url'), guest.client.guestToken);
  assert.equal(Buffer.from(guest.client.guestToken, 'base64url').length, 32);
  assert.equal(guest.socket.sent[0].guest_token, guest.client.guestToken);
  t.mock.reset();
  const other = connected(t);
  assert.notEqual(other.client.guestToken, guest.client.guestToken);
  t.mock.reset();
  const account = connected(t, { token: 'credential' });
  assert.equal(account.client.guestToken, null);
  assert.deepEqual([account.socket.sent[0].token, account.socket.sent[0].guest_token], ['credential', undefined]);
});

test('an invalid guest token is refused without being repeated', () => {
  for (const guestToken of ['', 'short', `${TOKEN}A`, `${TOKEN.slice(0, -1)}=`, `${TOKEN.slice(0, -1)}B`, `${TOKEN.slice(0, -1)} `]) {
    assert.throws(() => new ChatClient({ url: 'ws://chat.example/ws', username: 'ana', WebSocket: Socket, guestToken }), (error) => (
      error instanceof TypeError && /43 characters/.test(error.message) && (guestToken === '' || !error.message.includes(guestToken))));
  }
});

test('a pending message is settled by the id of its user, not by a name', async (t) => {
  const { client, socket } = connected(t);
  client.join('lobby');
  socket.reply(JOINED);
  const sending = client.send('lobby', 'one');
  const message = { type: 'message', room: 'lobby', from: 'ana', body: 'one', sent_at: '2026-01-01T00:00:00.000Z' };
  socket.deliver({ ...message, seq: 1, id: sending.id, user: 'g_other' });
  socket.deliver({ ...message, seq: 2, id: 'another id', user: USER.id });
  assert.equal(client.queued, 1);
  // Whatever its body: it may have been changed since.
  socket.deliver({ ...message, seq: 3, id: sending.id, user: USER.id, body: 'changed' });
  assert.equal(client.queued, 0);
  assert.deepEqual(await sending, { id: sending.id, seq: 3, sentAt: message.sent_at, stored: true });
});

test('a pending message that is in a page of history is not sent again', async (t) => {
  const { client, socket } = connected(t);
  client.join('lobby');
  socket.reply(JOINED);
  const sending = client.send('lobby', 'one');
  const acked = [];
  client.on('outgoing', ({ state, ack }) => acked.push([state, ack.seq]));
  const page = client.history('lobby');
  const stored = { seq: 1, id: sending.id, from: 'ana', user: USER.id, body: 'one', sent_at: '2026-01-01T00:00:00.000Z' };
  socket.reply({ type: 'history', room: 'lobby', epoch: 'e', first: 1, last: 1, messages: [stored], more: false });
  assert.deepEqual((await page).messages, [stored]);
  assert.deepEqual(acked, [['acked', 1]]);
  const again = reconnected(client);
  again.reply({ ...JOINED, seq: 1, last: 1, messages: [stored], recovered: true, changed: [] });
  assert.deepEqual(again.sent.map(({ type }) => type), ['hello', 'join']);
});

test('a name that changed hands has the new user in the list of members', (t) => {
  const { client, socket } = connected(t);
  client.join('lobby');
  const at = '2026-01-01T00:00:00.000Z';
  socket.reply({ ...JOINED, members: [{ username: 'bob', user: 'g_1', joined_at: at }], member_count: 1 });
  socket.deliver({ type: 'presence', room: 'lobby', joined: [{ username: 'bob', user: 'g_2', joined_at: at }], left: [], member_count: 1 });
  assert.deepEqual([...client.room('lobby').members.values()], [{ username: 'bob', user: 'g_2', joinedAt: at }]);
});

test('a bye tells whether and when to reconnect', (t) => {
  const { client, socket, tick } = connected(t);
  socket.deliver({ type: 'bye', code: 1001, reason: 'at noon', reconnect: true, after_ms: 60_000 });
  socket.onclose({ code: 1001, reason: '' });
  assert.deepEqual([client.status.reason.message, client.status.retryAt - Date.now()], ['at noon', 60_500]);
  tick(60_500);
  const again = Socket.all.at(-1);
  again.onopen();
  again.reply(WELCOME);
  again.deliver({ type: 'bye', code: 4403, reason: 'enough', reconnect: false });
  again.onclose({ code: 4403, reason: '' });
  assert.deepEqual([client.status.state, client.status.reason.code], ['closed', 'forbidden']);
});

test('a server that does not answer is given up', (t) => {
  Socket.all = [];
  const { tick } = clocks(t);
  const client = new ChatClient({ url: 'ws://chat.example/ws', username: 'ana', WebSocket: Socket });
  t.after(() => client.close());
  client.connect();
  tick(15_000);
  assert.deepEqual([client.status.state, client.status.reason.code], ['waiting', 'timeout']);
});

test('unknown frames are ignored', (t) => {
  const { client, socket } = connected(t);
  for (const frame of ['not JSON', 'null', '[]', '1', { type: 'aurora', room: 'lobby' }, { type: 'pong', ref: '99' }]) socket.deliver(frame);
  assert.equal(client.status.state, 'open');
});

test('a notice has a room only if it is for one room', (t) => {
  const { client, socket } = connected(t);
  const notices = [];
  client.on('notice', (notice) => notices.push(notice));
  socket.deliver({ type: 'notice', level: 'warning', body: 'back at ten' });
  client.join('lobby');
  socket.reply(JOINED);
  socket.deliver({ type: 'notice', room: 'lobby', level: 'info', body: 'hello' });
  socket.deliver({ type: 'notice', room: 'elsewhere', level: 'info', body: 'not for us' });
  assert.deepEqual(notices, [
    { room: undefined, level: 'warning', body: 'back at ten' },
    { room: client.room('lobby'), level: 'info', body: 'hello' },
  ]);
});

test('changes of the wall clock do not hide a dead connection', (t) => {
  for (const by of [-3_600_000, 3_600_000]) {
    const { client, socket, tick, setWallClock } = connected(t);
    socket.deliver({ type: 'notice', level: 'info', body: 'hello' });
    setWallClock(by);
    tick(25_000);
    assert.deepEqual(socket.sent.map(({ type }) => type), ['hello', 'ping']);
    setWallClock(by);
    tick(10_000);
    assert.deepEqual([client.status.state, client.status.reason.code, client.status.retryInMs], ['waiting', 'silent', 500]);
    client.close();
    t.mock.reset();
  }
});

test('typing is sent at most every 3 s, regardless of the wall clock', (t) => {
  const { client, socket, tick, setWallClock } = connected(t);
  client.join('lobby');
  socket.reply(JOINED);
  const typings = () => socket.sent.filter(({ type }) => type === 'typing').length;
  client.typing('lobby');
  setWallClock(-3_600_000);
  tick(2_999);
  client.typing('lobby');
  assert.equal(typings(), 1);
  tick(1);
  client.typing('lobby');
  assert.equal(typings(), 2);
});

test('a first join that is refused is not repeated, a later one is', async (t) => {
  const { client, socket, tick } = connected(t);
  const joining = client.join('lobby');
  socket.reply(TAKEN);
  await assert.rejects(joining, { code: 'username_taken' });
  assert.equal(client.room('lobby'), undefined);
  client.join('tea');
  socket.reply({ ...JOINED, room: 'tea' });
  const delays = [];
  client.on('rejoinDelayed', ({ error, retryAt }) => delays.push([error.code, retryAt - Date.now()]));
  const again = reconnected(client);
  again.reply(TAKEN);
  assert.deepEqual(delays, [['username_taken', 500]]);
  tick(500);
  again.reply({ ...JOINED, room: 'tea', recovered: true, changed: [] });
  assert.equal(client.room('tea').state, 'in');
});

test('a saved message that is too old is not sent', (t) => {
  const outbox = storageOutbox(storage(), 'outbox');
  const { client, socket } = ((createdAt) => {
    outbox.add({ room: 'lobby', id: 'old', body: 'in five minutes', createdAt });
    outbox.add({ room: 'lobby', id: 'new', body: 'still true', createdAt: createdAt + 1 });
    return connected(t, { outbox });
  })(Date.UTC(2026, 0, 1) - 12 * 3_600_000 - 1);
  const events = [];
  client.on('outgoing', ({ id, state, error, restored }) => events.push([id, state, error?.code, restored]));
  assert.equal(client.queued, 2);
  client.join('lobby');
  socket.reply(JOINED);
  assert.deepEqual(events, [['old', 'failed', 'expired', true], ['new', 'pending', undefined, true]]);
  assert.deepEqual(socket.sent.filter(({ type }) => type === 'send').map(({ id }) => id), ['new']);
  assert.deepEqual(outbox.load().map(({ id }) => id), ['new']);
});

test('a failing or corrupt outbox does not stop the client', (t) => {
  const kept = storage({ 'outbox.[1]': 'not JSON', 'outbox.[2]': '{"room":1}', 'outbox.x': '{}', other: '{}' });
  const full = { ...storageOutbox(kept, 'outbox'), add: () => { throw new Error('the storage is full'); } };
  const { client, socket } = connected(t, { outbox: full });
  assert.deepEqual(client.unsent, []);
  client.join('lobby');
  socket.reply(JOINED);
  const saved = [];
  client.on('outgoing', (event) => saved.push(event.saved));
  client.send('lobby', 'hello');
  assert.deepEqual([saved, socket.sent.at(-1).body], [[false], 'hello']);
});

test('saved messages keep their order when the wall clock is set back', (t) => {
  const outbox = storageOutbox(storage(), 'outbox');
  const { client, socket, setWallClock } = connected(t, { outbox });
  client.join('lobby');
  socket.reply(JOINED);
  for (const body of ['one', 'two', 'three']) {
    client.send('lobby', body);
    setWallClock(-3_600_000);
  }
  assert.deepEqual(outbox.load().map(({ body }) => body), ['one', 'two', 'three']);
});

test('a message with an unknown outcome is sent again after a pause, before later ones', async (t) => {
  const { client, socket, tick } = connected(t);
  client.join('lobby');
  socket.reply(JOINED);
  const sends = () => socket.sent.filter(({ type }) => type === 'send').map(({ body }) => body);
  const first = client.send('lobby', 'one');
  socket.reply({ type: 'error', code: 'store_unavailable', message: 'the store does not answer', retry_after_ms: 3_000 });
  const second = client.send('lobby', 'two');
  assert.deepEqual(sends(), ['one']);
  tick(3_000);
  assert.deepEqual(sends(), ['one', 'one']);
  socket.reply({ type: 'ack', room: 'lobby', id: first.id, seq: 1, sent_at: '2026-01-01T00:00:00.000Z' });
  assert.equal((await first).seq, 1);
  assert.deepEqual(sends(), ['one', 'one', 'two']);
  assert.equal(client.queued, 1);
  client.close();
  await assert.rejects(second, { code: 'closed' });
});
