import assert from 'node:assert/strict';
import test from 'node:test';
import { storageOutbox } from '../client.js';
import { client, lineTo, member, next, record, seqs, startServer, upTo } from './chatd.js';

const isOpen = ({ state }) => state === 'open';
const isWaiting = ({ state }) => state === 'waiting';

test('each message is stored and told once, though the server is killed in the midst of it', async (t) => {
  const server = await startServer(t);
  const ana = await member(t, server.url, 'ana', 'lobby');
  const bob = await member(t, server.url, 'bob', 'lobby');
  const heard = { ana: record(ana.room), bob: record(bob.room) };
  const sent = [];
  const say = (count) => upTo(count).forEach(() => sent.push(ana.room.send(`number ${sent.length}`)));
  for (const batch of upTo(3)) {
    say(60);
    // some of them are on their way, some are stored and have no ack
    await heard.bob.has(batch * 60 - 50);
    await server.kill();
    say(20);
    await server.up();
    say(20);
    await heard.bob.has(batch * 60);
  }
  const acks = await Promise.all(sent);
  const count = sent.length;
  await Promise.all([heard.ana.has(count), heard.bob.has(count)]);
  for (const { messages } of [heard.ana, heard.bob]) {
    assert.deepEqual(seqs(messages), upTo(count));
    assert.deepEqual(new Set(messages.map(({ id }) => id)), new Set(sent.map(({ id }) => id)));
  }
  assert.deepEqual(new Set(acks.map(({ seq }) => seq)), new Set(upTo(count)));
  assert.equal(ana.client.queued, 0);
});

test('a broken line brings what was missed, and the room sees nobody leave', async (t) => {
  const server = await startServer(t);
  const line = await lineTo(t, server);
  const ana = await member(t, server.url, 'ana', 'lobby');
  const bob = await member(t, line.url, 'bob', 'lobby');
  const heard = record(bob.room);
  await ana.room.send('before');
  await heard.has(1);
  const waiting = next(bob.client, 'state', isWaiting);
  line.cut();
  const { reason, retryAt } = await waiting;
  assert.equal(reason.code, 'lost');
  assert.ok(retryAt >= Date.now() - 1_000);
  assert.equal(bob.room.state, 'rejoining');
  await assert.rejects(bob.room.history(), { code: 'disconnected' });
  await ana.room.send('meanwhile');
  const said = bob.room.send('said while offline');
  const missed = next(bob.room, 'message', (event) => event.missed);
  const recovered = next(bob.room, 'recovered');
  line.mend();
  bob.client.reconnect();
  assert.equal((await missed).message.body, 'meanwhile');
  assert.equal((await recovered).count, 1);
  assert.equal((await said).seq, 3);
  assert.deepEqual(seqs(await heard.has(3)), [1, 2, 3]);
});

test('a gap of more than the server recovers is read from history, before what is live', async (t) => {
  const server = await startServer(t);
  const line = await lineTo(t, server);
  const ana = await member(t, server.url, 'ana', 'lobby', { queueLimit: 3_000 });
  const bob = await member(t, line.url, 'bob', 'lobby', { history: 50 });
  const heard = record(bob.room);
  await ana.room.send('1');
  await heard.has(1);
  line.cut();
  await next(bob.client, 'state', isWaiting);
  await Promise.all(upTo(2_500).map((number) => ana.room.send(`${number + 1}`)));
  const recovered = next(bob.room, 'recovered');
  // the first page of the gap is on its way when these come
  bob.room.once('joined', () => upTo(20).forEach((number) => ana.room.send(`${number + 2_501}`)));
  line.mend();
  assert.equal((await recovered).count, 2_500);
  const messages = await heard.has(2_521);
  assert.deepEqual(seqs(messages), upTo(2_521));
  assert.deepEqual(messages.map(({ body }) => Number(body)), upTo(2_521));
});

test('a gap over the limit is told, and the stream goes on behind it', async (t) => {
  const server = await startServer(t);
  const line = await lineTo(t, server);
  const ana = await member(t, server.url, 'ana', 'lobby', { queueLimit: 3_000 });
  const bob = await member(t, line.url, 'bob', 'lobby', { history: 50, gapLimit: 100 });
  const heard = record(bob.room);
  line.cut();
  await next(bob.client, 'state', isWaiting);
  await Promise.all(upTo(1_200).map((number) => ana.room.send(`${number}`)));
  const gap = next(bob.room, 'gap');
  line.mend();
  const { after, before } = await gap;
  assert.deepEqual([after, before], [0, 1_151]);
  assert.deepEqual(seqs(await heard.has(50)), upTo(1_200).slice(1_150));
});

test('a history that is another one is told as a reset', async (t) => {
  const server = await startServer(t, '--database', ':memory:');
  const { client: ana, room } = await member(t, server.url, 'ana', 'lobby', { history: 10 });
  assert.equal((await room.send('forgotten')).stored, false);
  const { epoch } = room;
  await server.kill();
  const reset = next(ana, 'reset');
  await server.up();
  const told = await reset;
  assert.notEqual(told.epoch, epoch);
  assert.deepEqual([told.room, told.messages, room.epoch, room.seq], [room, [], told.epoch, 0]);
  assert.equal((await room.send('the first')).seq, 1);
});

test('a shutdown is told by bye, and the client comes back', async (t) => {
  const server = await startServer(t);
  const { client: ana, room } = await member(t, server.url, 'ana', 'lobby');
  const waiting = next(ana, 'state', isWaiting);
  await server.stop();
  const { reason } = await waiting;
  assert.deepEqual([reason.code, reason.closeCode], ['shutting_down', 1001]);
  const open = next(ana, 'state', isOpen);
  const joined = next(room, 'joined');
  await server.up();
  ana.reconnect();
  await open;
  assert.equal((await joined).rejoined, true);
});

test('a page that is loaded again takes its seat over, and a copy of its storage does not', async (t) => {
  const server = await startServer(t);
  const page = () => ({ window: new EventTarget(), document: Object.assign(new EventTarget(), { visibilityState: 'visible' }) });
  const storage = memory();
  const watcher = await member(t, server.url, 'bob', 'lobby');
  const changes = [];
  const first = { page: page(), storage };
  const came = next(watcher.room, 'presence', ({ joined }) => joined.some(({ username }) => username === 'ana'));
  const ana = await member(t, server.url, 'ana', 'lobby', first);
  await came;
  watcher.room.on('presence', (change) => changes.push(change));

  // a tab that is duplicated while this one lives finds no secret
  const copy = client(t, server.url, 'ana', { page: page(), storage: memory(storage) });
  await copy.connect();
  const delayed = next(copy, 'joinDelayed');
  const joining = copy.join('lobby');
  assert.equal((await delayed).error.code, 'username_taken');
  copy.close();
  await assert.rejects(joining, { code: 'closed' });

  first.page.window.dispatchEvent(new Event('pagehide'));
  const closed = next(ana.client, 'state', ({ state }) => state === 'closed');
  const again = await member(t, server.url, 'ana', 'lobby', { page: page(), storage });
  assert.equal((await closed).reason.code, 'taken_over');
  await assert.rejects(ana.client.join('tea'), { code: 'taken_over' });
  const heard = record(watcher.room);
  await again.room.send('here again');
  await heard.has(1);
  assert.deepEqual(changes, []);
  assert.ok([...storage.items.values()].every((kept) => !kept.includes('resume')));
});

test('a tab that was discarded while it was hidden resumes, though its connection looks alive', async (t) => {
  const server = await startServer(t);
  const line = await lineTo(t, server);
  const storage = memory();
  const page = () => ({ window: new EventTarget(), document: Object.assign(new EventTarget(), { visibilityState: 'visible' }) });
  const first = { page: page(), storage };
  await member(t, line.url, 'ana', 'lobby', first);
  first.page.document.visibilityState = 'hidden';
  first.page.document.dispatchEvent(new Event('visibilitychange'));
  // nothing of what the old tab does gets through any more, and the server sees no end of its connection
  line.freeze();
  const again = client(t, line.url, 'ana', { page: page(), storage: memory(storage) });
  again.on('joinDelayed', () => assert.fail('the name is held by our own session'));
  await again.connect();
  assert.equal((await again.join('lobby')).room.state, 'in');
});

test('a page that crashed gets its name back when the server has noticed', async (t) => {
  const server = await startServer(t);
  const line = await lineTo(t, server);
  const storage = memory();
  const page = () => ({ window: new EventTarget(), document: Object.assign(new EventTarget(), { visibilityState: 'visible' }) });
  await member(t, line.url, 'ana', 'lobby', { page: page(), storage });
  line.freeze();
  const again = client(t, line.url, 'ana', { page: page(), storage: memory(storage) });
  await again.connect();
  const delayed = next(again, 'joinDelayed');
  const joining = again.join('lobby');
  assert.equal((await delayed).error.code, 'username_taken');
  assert.equal((await joining).room.state, 'in');
});

test('unsent messages survive the page, are sent once, and before newer ones', async (t) => {
  const server = await startServer(t);
  const line = await lineTo(t, server);
  const storage = memory();
  const outbox = () => storageOutbox(storage, 'outbox');
  const bob = await member(t, server.url, 'bob', 'lobby');
  const heard = record(bob.room);
  const ana = await member(t, line.url, 'ana', 'lobby', { outbox: outbox() });
  const stored = await ana.room.send('stored');
  assert.equal(storage.size, 0);
  line.cut();
  await next(ana.client, 'state', isWaiting);
  const ids = upTo(3).map((number) => ana.room.send(`unsent ${number}`).id);
  ana.client.close();
  // the ack of this one was lost with the page
  outbox().add({ room: 'lobby', id: stored.id, body: 'stored', createdAt: Date.now() - 60_000 });

  const again = client(t, server.url, 'ana', { outbox: outbox() });
  await again.connect();
  assert.deepEqual(again.unsent.map(({ id }) => id), [stored.id, ...ids]);
  assert.equal(again.queued, 4);
  const events = [];
  again.on('joined', () => events.push('joined'));
  again.on('outgoing', ({ id, state, restored }) => restored && events.push(`${state} ${id}`));
  const joining = again.join('lobby');
  const newest = again.send('lobby', 'newest');
  await joining;
  assert.deepEqual(events.slice(0, 5), ['joined', ...[stored.id, ...ids].map((id) => `pending ${id}`)]);
  assert.equal((await newest).seq, 5);
  assert.deepEqual((await heard.has(5)).map(({ body }) => body), ['stored', 'unsent 1', 'unsent 2', 'unsent 3', 'newest']);
  assert.deepEqual(events.slice(5), [stored.id, ...ids].map((id) => `acked ${id}`));
  assert.deepEqual([again.queued, again.unsent, storage.size], [0, [], 0]);
});

test('a saved message that history has is not shown as unsent', async (t) => {
  const server = await startServer(t);
  const outbox = storageOutbox(memory(), 'outbox');
  const ana = await member(t, server.url, 'ana', 'lobby');
  const { id } = await ana.room.send('stored');
  await ana.room.leave();
  outbox.add({ room: 'lobby', id, body: 'stored', createdAt: Date.now() });
  const again = client(t, server.url, 'ana', { outbox });
  const events = [];
  again.on('outgoing', (event) => events.push(event));
  await again.connect();
  const { messages } = await again.join('lobby', { history: 10 });
  assert.deepEqual([messages.map((message) => message.id), events, again.queued, outbox.load()], [[id], [], 0, []]);
});

test('a saved message stays while its room cannot be joined, and can be discarded', async (t) => {
  const server = await startServer(t);
  const outbox = storageOutbox(memory(), 'outbox');
  outbox.add({ room: 'lobby', id: 'one', body: 'one', createdAt: Date.now() });
  outbox.add({ room: 'tea', id: 'two', body: 'two', createdAt: Date.now() });
  const holder = await member(t, server.url, 'ana', 'lobby');
  const again = client(t, server.url, 'ana', { outbox, queueLimit: 2 });
  await again.connect();
  await assert.rejects(again.join('lobby'), { code: 'username_taken' });
  assert.equal(outbox.load().length, 2);
  const tea = await again.join('tea');
  again.discardUnsent('one');
  assert.deepEqual(again.unsent, []);
  await holder.room.leave();
  await again.join('lobby');
  // acks come in order: by this one, whatever else was sent has its own
  assert.equal((await again.send('lobby', 'first')).seq, 1);
  assert.equal((await tea.room.send('more')).seq, 2);
  assert.deepEqual([again.queued, outbox.load()], [0, []]);
});

test('a saved message is removed when its room is left or it is refused', async (t) => {
  const server = await startServer(t, '--message-bytes', '1000');
  const outbox = storageOutbox(memory(), 'outbox');
  const line = await lineTo(t, server);
  const { client: ana, room } = await member(t, line.url, 'ana', 'lobby', { outbox });
  await assert.rejects(room.send('x'.repeat(1_000)), { code: 'message_too_large' });
  assert.deepEqual(outbox.load(), []);
  line.cut();
  await next(ana, 'state', isWaiting);
  const sending = room.send('never mind');
  assert.equal(outbox.load().length, 1);
  await room.leave();
  await assert.rejects(sending, { code: 'left_room' });
  assert.deepEqual(outbox.load(), []);
});

test('a page comes back at once when it is online again', async (t) => {
  const server = await startServer(t);
  const line = await lineTo(t, server);
  const window = new EventTarget();
  const page = { window, document: new EventTarget() };
  const { client: ana } = await member(t, line.url, 'ana', 'lobby', { page, backoff: { baseMs: 1e9, capMs: 1e9 }, random: () => 1 });
  const waiting = next(ana, 'state', isWaiting);
  line.cut();
  assert.ok((await waiting).retryAt > Date.now() + 1e8);
  line.mend();
  const open = next(ana, 'state', isOpen);
  window.dispatchEvent(new Event('online'));
  await open;
});

test('only so many messages wait', async (t) => {
  const server = await startServer(t);
  const line = await lineTo(t, server);
  const { client: ana, room } = await member(t, line.url, 'ana', 'lobby', { queueLimit: 3 });
  line.cut();
  await next(ana, 'state', isWaiting);
  const kept = upTo(3).map((number) => room.send(`${number}`));
  await assert.rejects(room.send('4'), { code: 'queue_full' });
  assert.equal(ana.queued, 3);
  line.mend();
  const acks = await Promise.all(kept);
  assert.deepEqual(seqs(acks), [1, 2, 3]);
  assert.equal((await room.send('4')).seq, 4);
});

test('what is refused for good is not sent again', async (t) => {
  const server = await startServer(t, '--message-bytes', '1000');
  const { client: ana, room } = await member(t, server.url, 'ana', 'lobby');
  await assert.rejects(room.send('x'.repeat(1_000)), { code: 'message_too_large' });
  const sending = room.send('one');
  assert.equal((await sending).seq, 1);
  await assert.rejects(room.send('another', { id: sending.id }), { code: 'id_reused' });
  assert.equal((await room.send('one', { id: sending.id })).seq, 1);
  assert.deepEqual([ana.queued, ana.status.state], [0, 'open']);
});

test('a client that is closed answers everything', async (t) => {
  const server = await startServer(t);
  const line = await lineTo(t, server);
  const { client: ana, room } = await member(t, line.url, 'ana', 'lobby');
  line.cut();
  await next(ana, 'state', isWaiting);
  const sending = room.send('never');
  const joining = ana.join('tea');
  ana.close();
  await assert.rejects(sending, { code: 'closed' });
  await assert.rejects(joining, { code: 'closed' });
  await assert.rejects(room.history(), { code: 'not_in_room' });
  assert.deepEqual([ana.status.state, room.state, ana.rooms], ['closed', 'left', []]);
});

/** What a page knows as sessionStorage. */
function memory(other) {
  const items = new Map(other?.items);
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
