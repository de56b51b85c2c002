// Clients with an account.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { client, member, next, startServer } from './chatd.js';
import { Socket, USER, WELCOME, connected } from './support/socket.js';
import { ChatClient } from '../client.js';

const PASSWORD = 'correct horse';

/** Registers or signs in, and returns the token. */
async function tokenOf(server, path, body) {
  const response = await fetch(`${server.address}/api/v1/${path}`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
  });
  assert.ok(response.ok, `${path}: ${response.status}`);
  return (await response.json()).token;
}

test('a user with an account chats on two devices, and a guest cannot have the name', async (t) => {
  const server = await startServer(t);
  const credentials = { username: 'ana', password: PASSWORD };
  const desktop = await member(t, server.url, 'ana', 'lobby', { token: await tokenOf(server, 'accounts', credentials) });
  const phone = await member(t, server.url, undefined, 'lobby', { token: await tokenOf(server, 'login', credentials) });
  assert.equal(phone.client.username, 'ana');
  assert.equal(phone.client.user.kind, 'account');
  assert.ok(Date.parse(phone.client.status.expiresAt) > Date.now());
  const arrived = new Promise((resolve) => { phone.client.on('message', resolve); });
  await desktop.room.send('hello');
  const { message } = await arrived;
  assert.ok(phone.client.isMine(message.user));
  await assert.rejects(client(t, server.url, 'ANA').connect(), { code: 'name_reserved' });
});

test('a function gives the token of each connection', async (t) => {
  Socket.all = [];
  const tokens = ['one', 'two'];
  const user = { ...USER, id: 'u_ana', kind: 'account', was: ['g_before'] };
  const chat = new ChatClient({ url: 'http://chat.example/ws', WebSocket: Socket, token: async () => tokens.shift(), backoff: { baseMs: 1, capMs: 1 } });
  t.after(() => chat.close());
  const opened = chat.connect();
  await until(() => Socket.all.length === 1);
  Socket.all[0].onopen();
  Socket.all[0].reply({ ...WELCOME, user });
  await opened;
  assert.deepEqual(['u_ana', 'g_before', 'g_other'].map((id) => chat.isMine(id)), [true, true, false]);
  Socket.all[0].onclose({ code: 1006, reason: '' });
  chat.reconnect();
  await until(() => Socket.all.length === 2);
  Socket.all[1].onopen();
  assert.deepEqual(Socket.all.map(({ sent }) => sent[0].token), ['one', 'two']);
  assert.ok(Socket.all.every(({ sent }) => sent[0].guest_token === undefined));
});

test('a connection without a token is tried again, and the reason of the failure is not shown', async (t) => {
  Socket.all = [];
  let calls = 0;
  const token = () => {
    calls += 1;
    if (calls === 1) throw new Error('a secret');
    return 'two';
  };
  const chat = new ChatClient({ url: 'http://chat.example/ws', WebSocket: Socket, token, backoff: { baseMs: 1, capMs: 1 } });
  t.after(() => chat.close());
  const states = [];
  chat.on('state', (status) => states.push(status));
  chat.connect().catch(() => {});
  await until(() => Socket.all.length === 1);
  const waiting = states.find(({ state }) => state === 'waiting');
  assert.equal(waiting.reason.code, 'no_token');
  assert.ok(!`${waiting.reason.message}${JSON.stringify(states)}`.includes('a secret'));
});

test('a session that has to sign in again connects again', (t) => {
  const { client: chat, socket } = connected(t, { token: 'credential' });
  socket.deliver({ type: 'error', code: 'expired', message: 'the token has expired' });
  socket.deliver({ type: 'bye', code: 4401, reason: 'authentication failed', reconnect: true });
  socket.onclose({ code: 4401, reason: '' });
  assert.equal(chat.status.state, 'waiting');
});

test('the list of rooms is the same on all devices', async (t) => {
  const server = await startServer(t);
  const credentials = { username: 'ana', password: PASSWORD };
  const desktop = client(t, server.url, 'ana', { token: await tokenOf(server, 'accounts', credentials) });
  const phone = client(t, server.url, undefined, { token: await tokenOf(server, 'login', credentials) });
  const lists = [next(desktop, 'list'), next(phone, 'list')];
  await Promise.all([desktop.connect(), phone.connect()]);
  assert.deepEqual((await Promise.all(lists)).map(({ size }) => size), [0, 0]);

  const kept = next(phone, 'kept');
  const entry = await desktop.keep('plans', { favourite: true, notify: 'all' });
  assert.deepEqual((await kept).entry, entry);
  assert.deepEqual([entry.room, entry.favourite, entry.notify, entry.unread], ['plans', true, 'all', 0]);

  // a message for a user who is not in the room
  const inbox = [next(desktop, 'inbox'), next(phone, 'inbox')];
  const bob = await member(t, server.url, 'bob', 'plans');
  const { seq, epoch } = await bob.room.send('hello');
  for (const event of await Promise.all(inbox)) {
    assert.deepEqual([event.room, event.upTo, event.unread, event.mentions, event.from], ['plans', seq, 1, 0, 'bob']);
  }
  assert.equal(desktop.list.get('plans').unread, 1);

  const read = next(desktop, 'read');
  await phone.markRead('plans', seq, epoch ?? bob.room.epoch);
  assert.deepEqual([(await read).upTo, desktop.list.get('plans').unread], [seq, 0]);
  assert.equal(phone.list.get('plans').readUpTo, seq);

  const dropped = next(phone, 'dropped');
  assert.equal(await desktop.keep('plans', { favourite: false }), null);
  assert.equal((await dropped).room, 'plans');
  assert.deepEqual([desktop.list.size, phone.list.size], [0, 0]);
  await assert.rejects(desktop.markRead('plans', seq, bob.room.epoch), { code: 'not_found' });
  await assert.rejects(bob.client.keep('plans', { favourite: true }), { code: 'forbidden' });
});

async function until(holds) {
  while (!holds()) await new Promise((resolve) => { setTimeout(resolve, 1); });
}
