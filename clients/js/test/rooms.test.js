import assert from 'node:assert/strict';
import test from 'node:test';
import WebSocket from 'ws';
import { MessageList } from '../client.js';
import { client, member, next, record, startServer, upTo } from './chatd.js';

test('two users exchange messages', async (t) => {
  const server = await startServer(t);
  const ana = await member(t, server.url, 'ana', 'lobby');
  const bob = await member(t, server.url, 'bob', 'lobby');
  const received = record(bob.room);
  const steps = [];
  ana.room.on('outgoing', ({ id, state }) => steps.push([id, state]));
  ana.room.on('message', ({ message }) => steps.push([message.id, 'message']));
  const sending = ana.room.send('*hi*');
  const ack = await sending;
  const [message] = await received.has(1);
  assert.deepEqual([message.from, message.body, message.seq, message.id], ['ana', '*hi*', 1, sending.id]);
  assert.deepEqual(ack, { id: sending.id, seq: 1, sentAt: message.sent_at, stored: true });
  while (steps.length < 3) await next(ana.room, 'message');
  assert.deepEqual(steps, ['pending', 'acked', 'message'].map((state) => [sending.id, state]));
});

test('replies, mentions and reactions are the same for everyone, and for a newcomer', async (t) => {
  const server = await startServer(t);
  const ana = await member(t, server.url, 'ana', 'lobby');
  const bob = await member(t, server.url, 'bob', 'lobby');
  const lists = [ana, bob].map(({ room, joined }) => {
    const list = new MessageList();
    list.apply('joined', joined);
    for (const type of ['message', 'edited', 'reactions', 'deleted']) room.on(type, (event) => list.apply(type, event));
    return list;
  });
  await ana.room.send('first');
  await bob.room.send('yes, @ana', { replyTo: 1 });
  await bob.room.react(1, '👍');
  await ana.room.react(1, ':+1:');
  await ana.room.react(1, '🎉');
  assert.equal(await ana.room.react(1, '🎉'), null, 'it is there already');
  await bob.room.edit(2, 'yes');
  const last = next(bob.room, 'reactions', ({ changes }) => changes[0].removed.length > 0);
  assert.equal(await ana.room.react(1, '🎉', false), 7);
  await last;
  await assert.rejects(bob.room.send('to nothing', { replyTo: 99 }), { code: 'not_found' });
  await assert.rejects(bob.room.react(1, 'no emoji'));
  const { joined } = await member(t, server.url, 'cid', 'lobby', { history: 10 });
  const [first, second] = joined.messages;
  assert.deepEqual(first.reactions, [{ emoji: '👍', count: 2, users: ['bob', 'ana'] }]);
  assert.deepEqual([second.reply_to, second.mentions], [{ seq: 1, from: 'ana', user: ana.client.user.id }, undefined]);
  // What is "mine" differs.
  const shared = ({ items }) => items.map(({ reactions, ...message }) => ({ ...message, ...(reactions && { reactions: reactions.map(({ mine: _, ...rest }) => rest) }) }));
  for (const list of lists) assert.deepEqual(shared(list).map(({ room: _, ...message }) => message), joined.messages);
  assert.deepEqual(lists.map(({ items }) => items[0].reactions[0].mine), [true, true]);
});

test('messages are found by words, room and author', async (t) => {
  const server = await startServer(t);
  const { client: ana, room: lobby } = await member(t, server.url, 'ana', 'lobby');
  const { room: tea } = await ana.join('tea');
  const bob = await member(t, server.url, 'bob', 'lobby');
  await lobby.send('green tea');
  await bob.room.send('black tea');
  await tea.send('Tea!');
  /** The index follows the messages, a little later. */
  const find = async (count, ...query) => {
    for (;;) {
      const { messages } = await ana.search(...query);
      if (messages.length === count) return messages.map(({ room, body }) => `${room}: ${body}`);
    }
  };
  assert.deepEqual(await find(3, 'TEA'), ['tea: Tea!', 'lobby: black tea', 'lobby: green tea']);
  assert.deepEqual(await find(2, 'tea', { room: 'lobby' }), ['lobby: black tea', 'lobby: green tea']);
  assert.deepEqual(await find(1, 'tea', { from: 'bob' }), ['lobby: black tea']);
  const first = await ana.search('tea', { room: 'lobby', limit: 1 });
  assert.deepEqual([first.messages.length, first.more], [1, true]);
  const second = await ana.search('tea', { room: 'lobby', limit: 1, before: first.before });
  assert.deepEqual(second.messages.map(({ body }) => body), ['green tea']);
  await assert.rejects(ana.search('…'), { code: 'missing_field' });
});

test('one session joins several rooms and leaves them one by one', async (t) => {
  const server = await startServer(t);
  const { client: ana, room: lobby } = await member(t, server.url, 'ana', 'lobby');
  const { room: tea } = await ana.join('tea');
  assert.deepEqual(ana.rooms.map(({ name }) => name), ['lobby', 'tea']);
  await assert.rejects(ana.join('tea'), { code: 'already_in_room' });
  const left = next(ana, 'left');
  await tea.leave();
  const { room, reason } = await left;
  assert.deepEqual([room, reason, tea.state, lobby.state], [tea, 'asked', 'left', 'in']);
  await assert.rejects(tea.send('hello?'), { code: 'not_in_room' });
  // Commands to leave and join take effect in the order sent.
  lobby.leave();
  const again = await ana.join('lobby');
  assert.equal(again.room.state, 'in');
  assert.notEqual(again.room, lobby);
});

test('a taken name is refused, and free after its user has left', async (t) => {
  const server = await startServer(t);
  const first = await member(t, server.url, 'ana', 'lobby');
  const second = client(t, server.url, 'ana');
  await second.connect();
  await assert.rejects(second.join('lobby'), { name: 'ChatError', code: 'username_taken' });
  assert.equal(second.room('lobby'), undefined);
  await first.room.leave();
  assert.equal((await second.join('lobby')).room.state, 'in');
});

test('clients with the same token and name are one member', async (t) => {
  const server = await startServer(t);
  const bob = await member(t, server.url, 'bob', 'lobby');
  const changes = [];
  const came = (name) => next(bob.room, 'presence', ({ joined }) => joined.some(({ username }) => username === name));
  const all = () => changes.flatMap(({ joined, left }) => [...joined.map(({ username }) => `${username} came`), ...left.map((name) => `${name} went`)]);
  // A newcomer may be sent its own arrival.
  const seen = () => all().filter((event) => event !== 'bob came');
  bob.room.on('presence', (change) => changes.push(change));
  const first = await member(t, server.url, 'ana', 'lobby');
  const { guestToken, user } = first.client;
  if (bob.room.memberCount < 2) await came('ana');
  const second = await member(t, server.url, 'ana', 'lobby', { guestToken });
  assert.deepEqual(second.client.user, user);
  assert.deepEqual([user.username, user.kind, user.id.startsWith('g_')], ['ana', 'guest', true]);
  assert.deepEqual([[...second.room.members.keys()].sort(), second.room.memberCount], [['ana', 'bob'], 2]);
  assert.equal(second.room.members.get('ana').user, user.id);
  // Presence events are batched: once this one has been received, so have all earlier ones.
  const cidCame = came('cid');
  await member(t, server.url, 'cid', 'lobby');
  await cidCame;
  second.client.close();
  const danCame = came('dan');
  await member(t, server.url, 'dan', 'lobby');
  await danCame;
  assert.deepEqual(seen(), ['ana came', 'cid came', 'dan came']);
  const left = next(bob.room, 'presence', (change) => change.left.includes('ana'));
  first.client.close();
  await left;
  assert.deepEqual(seen(), ['ana came', 'cid came', 'dan came', 'ana went']);
});

test('a message sent by one client of a guest is the own message of the other', async (t) => {
  const server = await startServer(t);
  const first = await member(t, server.url, 'ana', 'lobby');
  const second = await member(t, server.url, 'ana', 'lobby', { guestToken: first.client.guestToken });
  const received = record(second.room);
  const ack = await first.room.send('from the first tab');
  const [message] = await received.has(1);
  assert.deepEqual([message.user, message.id, message.seq], [second.client.user.id, ack.id, ack.seq]);
  const { messages } = await second.room.history();
  assert.deepEqual(messages.map(({ user }) => user), [second.client.user.id]);
});

test('another token under the same name is another guest', async (t) => {
  const server = await startServer(t);
  const first = await member(t, server.url, 'ana', 'lobby');
  const other = client(t, server.url, 'ana');
  await other.connect();
  assert.notEqual(other.guestToken, first.client.guestToken);
  assert.notEqual(other.user.id, first.client.user.id);
  await assert.rejects(other.join('lobby'), { code: 'username_taken' });
  const { id } = await first.room.send('from the first one');
  await first.room.leave();
  const { messages } = await other.join('lobby', { history: 10 });
  assert.deepEqual(messages.map(({ user, from }) => [user, from]), [[first.client.user.id, 'ana']]);
  // The id of a message is unique for its sender only.
  assert.equal((await other.send('lobby', 'from the other one', { id })).seq, 2);
});

test('one guest token makes different guests under different names', async (t) => {
  const server = await startServer(t);
  const ana = await member(t, server.url, 'ana', 'lobby');
  const anna = await member(t, server.url, 'anna', 'lobby', { guestToken: ana.client.guestToken });
  assert.notEqual(anna.client.user.id, ana.client.user.id);
  assert.equal(anna.room.memberCount, 2);
});

test('with one session too many, the one that was silent for longest ends', async (t) => {
  const server = await startServer(t);
  const first = await member(t, server.url, 'ana', 'lobby');
  const { guestToken, status: { limits } } = first.client;
  const closed = next(first.client, 'state', ({ state }) => state === 'closed');
  const others = [];
  for (let count = 1; count < limits.sessions; count += 1) others.push(await member(t, server.url, 'ana', 'lobby', { guestToken }));
  assert.equal(first.client.status.state, 'open');
  const newest = await member(t, server.url, 'ana', 'lobby', { guestToken });
  const { reason } = await closed;
  assert.deepEqual([reason.code, reason.closeCode], ['replaced', 4409]);
  assert.ok([...others, newest].every((each) => each.client.status.state === 'open'));
  assert.equal((await newest.room.send('still here')).seq, 1);
});

test('a credential that is not accepted is reported, and the client does not become a guest', async (t) => {
  const server = await startServer(t);
  const ana = client(t, server.url, 'ana', { token: 'not-a-token' });
  const closed = next(ana, 'state', ({ state }) => state === 'closed');
  await assert.rejects(ana.connect(), { code: 'unauthorized' });
  assert.equal((await closed).reason.code, 'unauthorized');
  assert.deepEqual([ana.guestToken, ana.user], [null, null]);
});

test('an invalid name is refused', async (t) => {
  const server = await startServer(t);
  const nobody = client(t, server.url, 'not a name');
  const closed = next(nobody, 'state', ({ state }) => state === 'closed');
  await assert.rejects(nobody.connect(), { code: 'invalid_username' });
  assert.equal((await closed).reason.code, 'invalid_username');
  await assert.rejects(nobody.join('lobby'), { code: 'invalid_username' });
  const ana = client(t, server.url, 'ana');
  await ana.connect();
  await assert.rejects(ana.join('no room'), { code: 'invalid_room' });
});

test('two Unicode spellings of a name are the same name', async (t) => {
  const server = await startServer(t);
  const { client: zoe, room } = await member(t, server.url, 'Zoe\u0308', 'cafe\u0301');
  assert.deepEqual([zoe.username, room.name, zoe.room('caf\u00e9')], ['Zo\u00eb', 'caf\u00e9', room]);
});

test('history is read page by page, in both directions', async (t) => {
  const server = await startServer(t);
  const { room } = await member(t, server.url, 'ana', 'lobby');
  await Promise.all(upTo(30).map((number) => room.send(`${number}`)));
  const bob = await member(t, server.url, 'bob', 'lobby', { history: 10 });
  const bodies = (messages) => messages.map(({ body }) => Number(body));
  assert.deepEqual(bodies(bob.joined.messages), upTo(30).slice(20));
  const older = await bob.room.history({ before: 21, limit: 15 });
  assert.deepEqual([bodies(older.messages), older.more, older.epoch], [upTo(20).slice(5), true, bob.room.epoch]);
  const oldest = await bob.room.history({ before: 6, limit: 15 });
  assert.deepEqual([bodies(oldest.messages), oldest.more], [upTo(5), false]);
  const newer = await bob.room.history({ after: 28 });
  assert.deepEqual([bodies(newer.messages), newer.more], [[29, 30], false]);
});

test('the member list follows joins and leaves', async (t) => {
  const server = await startServer(t);
  const { room } = await member(t, server.url, 'ana', 'lobby');
  const joined = next(room, 'presence', ({ joined }) => joined.some(({ username }) => username === 'bob'));
  const bob = await member(t, server.url, 'bob', 'lobby');
  await joined;
  assert.deepEqual([[...room.members.keys()].sort(), room.memberCount, room.partial], [['ana', 'bob'], 2, false]);
  assert.deepEqual([...bob.room.members.keys()].sort(), ['ana', 'bob']);
  const left = next(room, 'presence', ({ left }) => left.includes('bob'));
  bob.client.close();
  await left;
  assert.deepEqual([[...room.members.keys()], room.memberCount], [['ana'], 1]);
});

test('a long member list is completed, or marked as a sample', async (t) => {
  const server = await startServer(t);
  const crowd = upTo(130).map((number) => `guest${String(number).padStart(3, '0')}`);
  const [{ room: first }] = await Promise.all(crowd.map((name) => member(t, server.url, name, 'hall')));
  const counted = async (count) => {
    while (first.memberCount < count) await next(first, 'presence');
  };
  await counted(130);
  const ana = client(t, server.url, 'ana');
  await ana.connect();
  const complete = next(ana, 'members');
  const { room } = await ana.join('hall');
  await complete;
  assert.deepEqual([room.members.size, room.memberCount, room.partial], [131, 131, false]);
  const { members, more } = await room.listMembers({ prefix: 'guest12', limit: 5 });
  assert.deepEqual([members.map(({ username }) => username), more], [crowd.slice(119, 124), true]);
  await counted(131);
  const { room: sample } = await member(t, server.url, 'bob', 'hall', { memberLimit: 50 });
  assert.deepEqual([sample.members.size, sample.partial], [100, true]);
  await sample.refreshMembers(500);
  assert.deepEqual([sample.members.size, sample.partial], [132, false]);
});

test('typing is sent to the others, at most once in 3 s', async (t) => {
  const server = await startServer(t);
  const { room } = await member(t, server.url, 'ana', 'lobby');
  const bob = await member(t, server.url, 'bob', 'lobby');
  const typing = [];
  room.on('typing', ({ username }) => typing.push(username));
  const received = record(room);
  bob.room.typing();
  bob.room.typing();
  await bob.room.send('done');
  await received.has(1);
  assert.deepEqual(typing, ['bob']);
});

test('a listener that throws does not stop the stream', async (t) => {
  const server = await startServer(t);
  const { room } = await member(t, server.url, 'ana', 'lobby');
  const reported = t.mock.method(console, 'error', () => {});
  room.on('message', () => {
    throw new Error('a bug in the application');
  });
  const received = record(room);
  await room.send('one');
  await room.send('two');
  await received.has(2);
  assert.equal(reported.mock.callCount(), 2);
});

test('messages are compressed if both sides support it', async (t) => {
  const server = await startServer(t, '--compression', 'on');
  const sockets = [];
  class Watched extends WebSocket {
    constructor(...args) {
      super(...args);
      sockets.push(this);
    }
  }
  const ana = await member(t, server.url, 'ana', 'lobby', { WebSocket: Watched });
  const bob = await member(t, server.url, 'bob', 'lobby', { WebSocket: Watched });
  assert.deepEqual(sockets.map(({ extensions }) => extensions), ['permessage-deflate', 'permessage-deflate']);
  const received = record(bob.room);
  // The package ws compresses messages of more than a kilobyte.
  const long = 'the same over and over '.repeat(200);
  await ana.room.send(long);
  await ana.room.send('short');
  assert.deepEqual((await received.has(2)).map(({ body }) => body), [long, 'short']);
  const { messages } = await bob.room.history();
  assert.deepEqual(messages.map(({ body }) => body), [long, 'short']);
});
