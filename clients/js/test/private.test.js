// Private rooms, invitations, direct rooms, the directory and reports, with the real server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { account, client, member, next, startServer } from './chatd.js';

async function user(t, server, username) {
  const chatClient = client(t, server.url, undefined, { token: await account(server, username) });
  await chatClient.connect();
  return chatClient;
}

test('a private room is created, and others are invited', async (t) => {
  const server = await startServer(t);
  const ana = await user(t, server, 'ana');
  const bob = await user(t, server, 'bob');
  const kept = next(ana, 'kept');
  const club = await ana.createPrivate({ title: 'The club', topic: '*us*' });
  const { entry } = await kept;
  assert.deepEqual([entry.room, entry.kind, entry.title, entry.role], [club, 'private', 'The club', 'owner']);
  const { room } = await ana.join(club);
  assert.deepEqual([room.info.title, room.info.topic, room.info.visibility], ['The club', '*us*', 'private']);
  assert.equal(room.info.topicHtml, undefined, 'it was not asked for');
  await assert.rejects(bob.join(club), { code: 'not_found' });

  const invited = next(bob, 'invited');
  await room.invite('bob');
  const { title, by, expiresAt } = await invited;
  assert.deepEqual([title, by], ['The club', 'ana']);
  assert.ok(Date.parse(expiresAt) > Date.now());
  await bob.join(club);

  const { invite, uses } = await room.inviteLink({ uses: 2, seconds: 600 });
  assert.equal(uses, 2);
  const cid = await user(t, server, 'cid');
  await cid.join(club, { invite });
  await room.endInviteLinks();
  const dan = await user(t, server, 'dan');
  await assert.rejects(dan.join(club, { invite }), { code: 'not_found' });

  const changed = next(room, 'roomChanged');
  await room.configure({ topic: null });
  assert.equal((await changed).info.topic, null);
  const { records } = await room.audit({ limit: 2 });
  assert.deepEqual(records.map(({ act }) => act), ['configure', 'end_links']);
});

test('two users talk in their direct room', async (t) => {
  const server = await startServer(t);
  const ana = await user(t, server, 'ana');
  const token = await account(server, 'bob');
  const direct = await ana.direct('bob');
  assert.equal(direct.with, 'bob');
  const { room } = await ana.join(direct.room);
  await room.send('hello');
  const bob = client(t, server.url, undefined, { token });
  const listed = next(bob, 'list');
  await bob.connect();
  const [entry] = [...(await listed).values()];
  assert.deepEqual([entry.room, entry.kind, entry.with, entry.unread], [direct.room, 'direct', 'ana', 1]);

  const seen = next(ana, 'seen');
  await bob.markRead(direct.room, 1, entry.epoch);
  assert.deepEqual(await seen, { room: direct.room, username: 'bob', epoch: entry.epoch, upTo: 1 });
  assert.equal(ana.list.get(direct.room).seenUpTo, 1);
  assert.deepEqual([bob.list.get(direct.room).readUpTo, bob.list.get(direct.room).seenUpTo], [1, null]);
  await assert.rejects(ana.direct('nobody'), { code: 'not_found' });
  const guest = client(t, server.url, 'gus');
  await guest.connect();
  await assert.rejects(guest.direct('bob'), { code: 'forbidden' });
});

test('the directory lists public rooms, and moderators read reports', async (t) => {
  const server = await startServer(t);
  const ana = await member(t, server.url, 'ana', 'tea', { token: await account(server, 'ana') });
  await ana.client.createRoom('tea', { title: 'Tea and cake', visibility: 'public' });
  const gus = await member(t, server.url, 'gus', 'tea');
  const { rooms, more } = await gus.client.directory({ query: 'cake' });
  assert.deepEqual(rooms.map(({ room, title, members }) => [room, title, members]), [['tea', 'Tea and cake', 2]]);
  assert.equal(more, false);
  const { seq } = await ana.room.send('buy this');
  await gus.room.report(seq, 'spam');
  await assert.rejects(gus.room.reports(), { code: 'forbidden' });
  const page = await ana.room.reports();
  assert.deepEqual(page.reports.map(({ from, by, body, reason }) => [from, by, body, reason]), [['ana', 'gus', 'buy this', 'spam']]);
  await ana.room.closeReport(page.reports[0].number);
  assert.deepEqual(await ana.room.reports(), { reports: [], more: false });
});

test('a blocked user is silent', async (t) => {
  const server = await startServer(t);
  const ana = await user(t, server, 'ana');
  const bob = await member(t, server.url, 'bob', 'tea', { token: await account(server, 'bob') });
  await ana.keep('tea');
  assert.equal(ana.blocked.size, 0);
  const told = next(ana, 'blocked');
  await ana.block(bob.client.user.id);
  assert.deepEqual(await told, { user: bob.client.user.id, username: 'bob', on: true });
  assert.ok(ana.blocked.has(bob.client.user.id));
  const cid = await member(t, server.url, 'cid', 'tea');
  const inbox = next(ana, 'inbox');
  await bob.room.send('not heard');
  await cid.room.send('heard');
  assert.equal((await inbox).unread, 1);
  await ana.block(bob.client.user.id, false);
  assert.equal(ana.blocked.size, 0);
  await assert.rejects(ana.block(ana.user.id), { code: 'forbidden' });
});
