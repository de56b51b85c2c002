import assert from 'node:assert/strict';
import test from 'node:test';
import WebSocket from 'ws';
import { storageOutbox } from '../client.js';
import { client, proxyTo, member, next, record, seqs, startServer, upTo } from './chatd.js';

const isOpen = ({ state }) => state === 'open';
const isWaiting = ({ state }) => state === 'waiting';

test('each message is stored and delivered once, even if the server is killed', async (t) => {
  const server = await startServer(t);
  const ana = await member(t, server.url, 'ana', 'lobby');
  const bob = await member(t, server.url, 'bob', 'lobby');
  const received = { ana: record(ana.room), bob: record(bob.room) };
  const sent = [];
  const sendMany = (count) => upTo(count).forEach(() => sent.push(ana.room.send(`number ${sent.length}`)));
  for (const batch of upTo(3)) {
    sendMany(60);
    // Some messages are in flight, others are stored but not acknowledged.
    await received.bob.has(batch * 60 - 50);
    await server.kill();
    sendMany(20);
    await server.start();
    sendMany(20);
    await received.bob.has(batch * 60);
  }
  const acks = await Promise.all(sent);
  const count = sent.length;
  await Promise.all([received.ana.has(count), received.bob.has(count)]);
  for (const { messages } of [received.ana, received.bob]) {
    assert.deepEqual(seqs(messages), upTo(count));
    assert.deepEqual(new Set(messages.map(({ id }) => id)), new Set(sent.map(({ id }) => id)));
  }
  assert.deepEqual(new Set(acks.map(({ seq }) => seq)), new Set(upTo(count)));
  assert.equal(ana.client.queued, 0);
});

test('a reconnecting client receives the missed messages', async (t) => {
  const server = await startServer(t);
  const proxy = await proxyTo(t, server);
  const ana = await member(t, server.url, 'ana', 'lobby');
  const bob = await member(t, proxy.url, 'bob', 'lobby');
  const received = record(bob.room);
  await ana.room.send('before');
  await received.has(1);
  const waiting = next(bob.client, 'state', isWaiting);
  proxy.cut();
  const { reason, retryAt } = await waiting;
  assert.equal(reason.code, 'lost');
  assert.ok(retryAt >= Date.now() - 1_000);
  assert.equal(bob.room.state, 'rejoining');
  await assert.rejects(bob.room.history(), { code: 'disconnected' });
  await ana.room.send('meanwhile');
  const sentOffline = bob.room.send('said while offline');
  const missed = next(bob.room, 'message', (event) => event.missed);
  const rejoined = next(bob.room, 'joined');
  proxy.restore();
  bob.client.reconnect();
  const { recovered, messages } = await rejoined;
  assert.deepEqual([recovered, messages], [true, []]);
  assert.equal((await missed).message.body, 'meanwhile');
  assert.equal((await sentOffline).seq, 3);
  assert.deepEqual(seqs(await received.has(3)), [1, 2, 3]);
});

test('a client that missed too much starts again with the newest messages', async (t) => {
  const server = await startServer(t);
  const proxy = await proxyTo(t, server);
  const ana = await member(t, server.url, 'ana', 'lobby', { queueLimit: 3_000 });
  const bob = await member(t, proxy.url, 'bob', 'lobby', { history: 50 });
  const received = record(bob.room);
  await ana.room.send('1');
  await received.has(1);
  proxy.cut();
  await next(bob.client, 'state', isWaiting);
  await Promise.all(upTo(1_200).map((number) => ana.room.send(`${number + 1}`)));
  const joined = next(bob.room, 'joined');
  // These are sent while the room is joined again.
  bob.room.once('joined', () => upTo(20).forEach((number) => ana.room.send(`${number + 1_201}`)));
  proxy.restore();
  const { recovered, rejoined, messages, first, last, seq } = await joined;
  assert.deepEqual([recovered, rejoined, first, last, seq], [false, true, 1_152, 1_201, 1_201]);
  assert.deepEqual(seqs(messages), upTo(1_201).slice(1_151));
  assert.deepEqual(seqs(await received.has(21)), [1, ...upTo(1_221).slice(1_201)]);
  // A program that needs every message reads the others from its own position.
  const read = [];
  for (let [after, more] = [1, true]; more;) {
    const page = await bob.room.history({ after, limit: 200 });
    read.push(...page.messages);
    [after, more] = [page.last, page.more];
  }
  assert.deepEqual(read.map(({ body }) => Number(body)), upTo(1_221).slice(1));
});

test('a program continues from a cursor that it has stored', async (t) => {
  const server = await startServer(t);
  const ana = await member(t, server.url, 'ana', 'lobby');
  const bob = await member(t, server.url, 'bob', 'lobby');
  const received = record(bob.room);
  await ana.room.send('one');
  await received.has(1);
  const since = { epoch: bob.room.epoch, seq: bob.room.seq };
  bob.client.close();
  await ana.room.send('two');
  const again = client(t, server.url, 'bob', { guestToken: bob.client.guestToken });
  const missed = next(again, 'message');
  await again.connect();
  const { recovered, rejoined } = await again.join('lobby', { since });
  assert.deepEqual([recovered, rejoined, (await missed).message.body], [true, true, 'two']);
});

test('a replaced history voids everything that the program has', async (t) => {
  const server = await startServer(t, '--database', ':memory:');
  const { client: ana, room } = await member(t, server.url, 'ana', 'lobby', { history: 10 });
  assert.equal((await room.send('forgotten')).stored, false);
  const { epoch } = room;
  await server.kill();
  const joined = next(ana, 'joined');
  await server.start();
  const event = await joined;
  assert.notEqual(event.epoch, epoch);
  assert.deepEqual([event.room, event.recovered, event.messages], [room, false, []]);
  assert.deepEqual([room.epoch, room.seq], [event.epoch, 0]);
  assert.equal((await room.send('the first')).seq, 1);
});

test('a shutdown is announced by bye, and the client reconnects', async (t) => {
  const server = await startServer(t);
  const { client: ana, room } = await member(t, server.url, 'ana', 'lobby');
  const waiting = next(ana, 'state', isWaiting);
  await server.stop();
  const { reason } = await waiting;
  assert.deepEqual([reason.code, reason.closeCode], ['shutting_down', 1001]);
  const open = next(ana, 'state', isOpen);
  const joined = next(room, 'joined');
  await server.start();
  ana.reconnect();
  await open;
  assert.equal((await joined).rejoined, true);
});

test('a reconnect makes no presence event', async (t) => {
  const server = await startServer(t);
  const proxy = await proxyTo(t, server);
  const bob = await member(t, server.url, 'bob', 'lobby');
  const came = next(bob.room, 'presence', ({ joined }) => joined.some(({ username }) => username === 'ana'));
  const ana = await member(t, proxy.url, 'ana', 'lobby');
  await came;
  const changes = [];
  bob.room.on('presence', (change) => changes.push(change));
  const { session } = ana.client.status;
  // The server sees no end of the first connection, and the client opens another one.
  proxy.freeze();
  const waiting = next(ana.client, 'state', isWaiting);
  proxy.dropClients();
  await waiting;
  const joined = next(ana.room, 'joined');
  await joined;
  assert.notEqual(ana.client.status.session, session);
  // Presence events are batched: once this one has been received, so have all earlier ones.
  const last = next(bob.room, 'presence', (change) => change.joined.some(({ username }) => username === 'cid'));
  await member(t, server.url, 'cid', 'lobby');
  await last;
  assert.deepEqual(changes.flatMap((change) => [...change.joined.map(({ username }) => username), ...change.left]), ['cid']);
});

test('a crashed page with its guest token has its name back at once', async (t) => {
  const server = await startServer(t);
  const proxy = await proxyTo(t, server);
  const { client: ana } = await member(t, proxy.url, 'ana', 'lobby');
  proxy.freeze();
  const reopened = client(t, proxy.url, 'ana', { guestToken: ana.guestToken });
  await reopened.connect();
  assert.equal((await reopened.join('lobby')).room.state, 'in');
  assert.deepEqual(reopened.user, ana.user);
});

test('a pending message whose ack was lost is settled by a list after the reconnect', async (t) => {
  const server = await startServer(t);
  const proxy = await proxyTo(t, server);
  const bob = await member(t, server.url, 'bob', 'lobby');
  const received = record(bob.room);
  const sent = [];
  class Watched extends WebSocket {
    send(text) {
      sent.push(JSON.parse(text));
      super.send(text);
    }
  }
  const ana = await member(t, proxy.url, 'ana', 'lobby', { WebSocket: Watched });
  const { room } = ana;
  // The server gets the message, and its answer does not get through.
  proxy.freezeAnswers();
  const sending = room.send('stored, but not acknowledged');
  await received.has(1);
  const steps = [];
  room.on('outgoing', ({ id, state, ack }) => steps.push([id, state, ack?.seq]));
  room.on('message', ({ message }) => steps.push([message.id, 'message', message.seq]));
  proxy.cut();
  await next(ana.client, 'state', isWaiting);
  const stored = next(room, 'message');
  proxy.restore();
  await stored;
  assert.deepEqual(steps, [[sending.id, 'acked', 1], [sending.id, 'message', 1]]);
  assert.deepEqual((({ id, seq, stored }) => ({ id, seq, stored }))(await sending), { id: sending.id, seq: 1, stored: true });
  assert.equal(ana.client.queued, 0);
  assert.equal((await room.send('the next one')).seq, 2);
  assert.deepEqual(sent.filter(({ type }) => type === 'send').map(({ body }) => body), ['stored, but not acknowledged', 'the next one']);
});

test('unsent messages survive the page, and are sent once and before newer ones', async (t) => {
  const server = await startServer(t);
  const proxy = await proxyTo(t, server);
  const storage = memory();
  const outbox = () => storageOutbox(storage, 'outbox');
  const bob = await member(t, server.url, 'bob', 'lobby');
  const received = record(bob.room);
  const ana = await member(t, proxy.url, 'ana', 'lobby', { outbox: outbox() });
  const stored = await ana.room.send('stored');
  assert.equal(storage.size, 0);
  proxy.cut();
  await next(ana.client, 'state', isWaiting);
  const ids = upTo(3).map((number) => ana.room.send(`unsent ${number}`).id);
  ana.client.close();
  // The ack of this message was lost with the page.
  outbox().add({ room: 'lobby', id: stored.id, body: 'stored', createdAt: Date.now() - 60_000 });

  const reopened = client(t, server.url, 'ana', { outbox: outbox(), guestToken: ana.client.guestToken });
  await reopened.connect();
  assert.deepEqual(reopened.unsent.map(({ id }) => id), [stored.id, ...ids]);
  assert.equal(reopened.queued, 4);
  const events = [];
  reopened.on('joined', () => events.push('joined'));
  reopened.on('outgoing', ({ id, state, restored }) => restored && events.push(`${state} ${id}`));
  const joining = reopened.join('lobby');
  const newest = reopened.send('lobby', 'newest');
  await joining;
  assert.deepEqual(events.slice(0, 5), ['joined', ...[stored.id, ...ids].map((id) => `pending ${id}`)]);
  assert.equal((await newest).seq, 5);
  assert.deepEqual((await received.has(5)).map(({ body }) => body), ['stored', 'unsent 1', 'unsent 2', 'unsent 3', 'newest']);
  assert.deepEqual(events.slice(5), [stored.id, ...ids].map((id) => `acked ${id}`));
  assert.deepEqual([reopened.queued, reopened.unsent, storage.size], [0, [], 0]);
});

test('a saved message that is in the history is not shown as unsent', async (t) => {
  const server = await startServer(t);
  const outbox = storageOutbox(memory(), 'outbox');
  const ana = await member(t, server.url, 'ana', 'lobby');
  const { id } = await ana.room.send('stored');
  await ana.room.leave();
  outbox.add({ room: 'lobby', id, body: 'stored', createdAt: Date.now() });
  const reopened = client(t, server.url, 'ana', { outbox, guestToken: ana.client.guestToken });
  const events = [];
  reopened.on('outgoing', (event) => events.push(event));
  await reopened.connect();
  const { messages } = await reopened.join('lobby', { history: 10 });
  assert.deepEqual([messages.map((message) => message.id), events, reopened.queued, outbox.load()], [[id], [], 0, []]);
});

test('a saved message is kept while its room cannot be joined, and can be discarded', async (t) => {
  const server = await startServer(t);
  const outbox = storageOutbox(memory(), 'outbox');
  outbox.add({ room: 'lobby', id: 'one', body: 'one', createdAt: Date.now() });
  outbox.add({ room: 'tea', id: 'two', body: 'two', createdAt: Date.now() });
  const holder = await member(t, server.url, 'ana', 'lobby');
  const reopened = client(t, server.url, 'ana', { outbox, queueLimit: 2 });
  await reopened.connect();
  await assert.rejects(reopened.join('lobby'), { code: 'username_taken' });
  assert.equal(outbox.load().length, 2);
  const tea = await reopened.join('tea');
  reopened.discardUnsent('one');
  assert.deepEqual(reopened.unsent, []);
  await holder.room.leave();
  await reopened.join('lobby');
  // Acks arrive in order: when this one arrives, all earlier messages have been acknowledged.
  assert.equal((await reopened.send('lobby', 'first')).seq, 1);
  assert.equal((await tea.room.send('more')).seq, 2);
  assert.deepEqual([reopened.queued, outbox.load()], [0, []]);
});

test('a saved message is removed when its room is left or it is refused', async (t) => {
  const server = await startServer(t, '--message-bytes', '1000');
  const outbox = storageOutbox(memory(), 'outbox');
  const proxy = await proxyTo(t, server);
  const { client: ana, room } = await member(t, proxy.url, 'ana', 'lobby', { outbox });
  await assert.rejects(room.send('x'.repeat(1_000)), { code: 'message_too_large' });
  assert.deepEqual(outbox.load(), []);
  proxy.cut();
  await next(ana, 'state', isWaiting);
  const sending = room.send('never mind');
  assert.equal(outbox.load().length, 1);
  await room.leave();
  await assert.rejects(sending, { code: 'left_room' });
  assert.deepEqual(outbox.load(), []);
});

test('a page reconnects at once when it goes online', async (t) => {
  const server = await startServer(t);
  const proxy = await proxyTo(t, server);
  const window = new EventTarget();
  const page = { window, document: new EventTarget() };
  const { client: ana } = await member(t, proxy.url, 'ana', 'lobby', { page, backoff: { baseMs: 1e9, capMs: 1e9 }, random: () => 1 });
  const waiting = next(ana, 'state', isWaiting);
  proxy.cut();
  assert.ok((await waiting).retryAt > Date.now() + 1e8);
  proxy.restore();
  const open = next(ana, 'state', isOpen);
  window.dispatchEvent(new Event('online'));
  await open;
});

test('the queue of unsent messages is bounded', async (t) => {
  const server = await startServer(t);
  const proxy = await proxyTo(t, server);
  const { client: ana, room } = await member(t, proxy.url, 'ana', 'lobby', { queueLimit: 3 });
  proxy.cut();
  await next(ana, 'state', isWaiting);
  const kept = upTo(3).map((number) => room.send(`${number}`));
  await assert.rejects(room.send('4'), { code: 'queue_full' });
  assert.equal(ana.queued, 3);
  proxy.restore();
  const acks = await Promise.all(kept);
  assert.deepEqual(seqs(acks), [1, 2, 3]);
  assert.equal((await room.send('4')).seq, 4);
});

test('a message that was refused is not sent again', async (t) => {
  const server = await startServer(t, '--message-bytes', '1000');
  const { client: ana, room } = await member(t, server.url, 'ana', 'lobby');
  await assert.rejects(room.send('x'.repeat(1_000)), { code: 'message_too_large' });
  const received = record(room);
  const sending = room.send('one');
  assert.equal((await sending).seq, 1);
  // The first message would settle another one that has its id.
  await received.has(1);
  await assert.rejects(room.send('another', { id: sending.id }), { code: 'id_reused' });
  assert.equal((await room.send('one', { id: sending.id })).seq, 1);
  assert.deepEqual([ana.queued, ana.status.state], [0, 'open']);
});

test('closing the client settles all pending promises', async (t) => {
  const server = await startServer(t);
  const proxy = await proxyTo(t, server);
  const { client: ana, room } = await member(t, proxy.url, 'ana', 'lobby');
  proxy.cut();
  await next(ana, 'state', isWaiting);
  const sending = room.send('never');
  const joining = ana.join('tea');
  ana.close();
  await assert.rejects(sending, { code: 'closed' });
  await assert.rejects(joining, { code: 'closed' });
  await assert.rejects(room.history(), { code: 'not_in_room' });
  assert.deepEqual([ana.status.state, room.state, ana.rooms], ['closed', 'left', []]);
});

/** What a page has as localStorage. */
function memory() {
  const items = new Map();
  return {
    items,
    get size() {
      return items.size;
    },
    get length() {
      return items.size;
    },
    key: (index) => [...items.keys()][index] ?? null,
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, value),
    removeItem: (key) => items.delete(key),
  };
}
