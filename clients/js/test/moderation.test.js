// Owners and moderators of a room, with the real server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { account, client, member, next, startServer } from './chatd.js';
import { JOINED, Socket, connected } from './support/socket.js';
import { ChatClient } from '../client.js';

test('an owner registers a room, gives a role, and changes the settings', async (t) => {
  const server = await startServer(t);
  const ana = await member(t, server.url, 'ana', 'lobby', { token: await account(server, 'ana') });
  assert.deepEqual(ana.room.standing, { role: null, muted: false, mutedUntil: undefined });
  const owns = next(ana.room, 'standing');
  assert.equal(await ana.client.createRoom('lobby', { slowModeS: 60 }), 1);
  assert.equal((await owns).standing.role, 'owner');
  assert.equal(ana.room.info.slowModeS, 60);
  const bob = await member(t, server.url, 'bob', 'lobby', { token: await account(server, 'bob') });
  await assert.rejects(bob.client.createRoom('lobby'), { code: 'forbidden' });
  await assert.rejects(bob.room.configure({ post: 'everyone' }), { code: 'forbidden' });
  const promoted = next(bob.room, 'standing');
  await ana.room.setRole(bob.client.user.id, 'moderator');
  assert.equal((await promoted).standing.role, 'moderator');
  const changed = next(bob.room, 'roomChanged', ({ by }) => by === 'ana');
  assert.ok(await ana.room.configure({ post: 'moderators', slowModeS: 0 }) > 1);
  const expected = { title: null, topic: null, visibility: 'unlisted', join: 'everyone', post: 'moderators', slowModeS: 0, mentionRoom: 'moderators' };
  assert.deepEqual((await changed).info, expected);
  assert.equal(await ana.room.configure({ slowModeS: 0 }), null);
  const { roles, more } = await bob.room.roles();
  assert.deepEqual(Object.fromEntries(roles.map(({ username, role }) => [username, role])), { ana: 'owner', bob: 'moderator' });
  assert.equal(more, false);
  await bob.room.send('hello');
  const gus = await member(t, server.url, 'gus', 'lobby');
  await assert.rejects(gus.room.send('hello'), { code: 'forbidden' });
  await assert.rejects(gus.client.createRoom('lobby'), { code: 'forbidden' });
  await assert.rejects(gus.room.setRole(ana.client.user.id, null), { code: 'forbidden' });
  await assert.rejects(ana.room.setRole(gus.client.user.id, 'member'), { code: 'forbidden' });
  await assert.rejects(ana.room.setRole('u_nobody', 'member'), { code: 'not_found' });
  await assert.rejects(ana.room.setRole(ana.client.user.id, null), { code: 'forbidden' });
  await assert.rejects(ana.room.configure({ slowModeS: 100_000 }), { code: 'missing_field' });
});

test('a moderator mutes, warns, kicks and bans', async (t) => {
  const server = await startServer(t);
  const ana = await member(t, server.url, 'ana', 'lobby', { token: await account(server, 'ana') });
  await ana.client.createRoom('lobby');
  const gus = await member(t, server.url, 'gus', 'lobby');
  const { seq } = await gus.room.send('spam');

  const muted = next(gus.room, 'standing');
  await ana.room.moderate('mute', { target: seq, seconds: 600 });
  const { standing } = await muted;
  assert.equal(standing.muted, true);
  assert.ok(Date.parse(standing.mutedUntil) > Date.now());
  await assert.rejects(gus.room.send('more'), ({ code, until }) => code === 'muted' && until === standing.mutedUntil);
  await assert.rejects(gus.room.edit(seq, 'more'), { code: 'muted' });
  await ana.room.moderate('unmute', { user: gus.client.user.id });
  await gus.room.send('thanks');

  const warned = next(gus.client, 'warned');
  await ana.room.moderate('warn', { user: gus.client.user.id, reason: 'be nice' });
  const { at, ...warning } = await warned;
  assert.deepEqual(warning, { room: 'lobby', by: 'ana', reason: 'be nice' });
  assert.ok(Date.parse(at) > 0);

  const kicked = next(gus.room, 'left');
  await ana.room.moderate('kick', { user: gus.client.user.id });
  assert.equal((await kicked).reason, 'kicked');
  const { room: again } = await gus.client.join('lobby');
  const banned = next(again, 'left');
  await ana.room.moderate('ban', { user: gus.client.user.id, reason: 'spam' });
  assert.equal((await banned).reason, 'banned');
  await assert.rejects(gus.client.join('lobby'), { code: 'forbidden' });
  await gus.client.join('elsewhere');

  // One who is gone.
  const id = gus.client.user.id;
  const { guestToken } = gus.client;
  gus.client.close();
  await ana.room.moderate('unban', { user: id });
  await ana.room.moderate('warn', { target: seq, reason: 'while you were away' });
  const back = client(t, server.url, 'gus', { guestToken });
  const waiting = next(back, 'warned');
  await back.connect();
  assert.equal((await waiting).reason, 'while you were away');
  await back.join('lobby');

  for (const action of ['kick', 'ban', 'unban', 'mute', 'unmute', 'warn']) {
    await assert.rejects(back.room('lobby').moderate(action, { user: ana.client.user.id }), { code: 'forbidden' });
    await assert.rejects(ana.room.moderate(action, { user: ana.client.user.id }), { code: 'forbidden' });
  }
  await assert.rejects(ana.room.moderate('ban', {}), { code: 'missing_field' });
  await assert.rejects(ana.room.moderate('ban', { user: 'u_nobody' }), { code: 'not_found' });
  await assert.rejects(ana.room.moderate('ban', { target: 999 }), { code: 'not_found' });
});

test('a server without roles has settings for all the same', (t) => {
  const { client: chat, socket } = connected(t);
  chat.join('lobby');
  socket.reply({ ...JOINED, info: { join: 'everyone', post: 'everyone' } });
  assert.deepEqual(chat.room('lobby').info, { title: null, topic: null, visibility: 'unlisted', join: 'everyone', post: 'everyone', slowModeS: 0, mentionRoom: 'moderators' });
  assert.equal(chat.room('lobby').standing.role, null);
});

test('a client that is banned from the server says until when, and does not try again', async (t) => {
  Socket.all = [];
  const chat = new ChatClient({ url: 'http://chat.example/ws', WebSocket: Socket, username: 'gus' });
  t.after(() => chat.close());
  const refused = assert.rejects(chat.connect(), { code: 'forbidden', message: 'you are banned from this server', until: '2026-12-24T08:00:00.000Z' });
  const [socket] = Socket.all;
  socket.onopen();
  socket.reply({ type: 'error', code: 'forbidden', message: 'you are banned from this server', until: '2026-12-24T08:00:00.000Z' });
  await refused;
  assert.deepEqual([chat.status.state, chat.status.reason.until, Socket.all.length], ['closed', '2026-12-24T08:00:00.000Z', 1]);
});
