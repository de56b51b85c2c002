// The durable events of a room: cursor, resyncs, deletions and lists, with a scripted server.

import assert from 'node:assert/strict';
import test from 'node:test';
import { RoomLog } from './support/room-log.js';
import { Socket, USER, connected, reconnected } from './support/socket.js';

const EVENTS = ['joined', 'message', 'changed', 'deleted', 'left'];

/** A client in a room of this log, and everything that the room has reported since. */
function inRoom(t, log, { history = 50, ...options } = {}) {
  const { client, socket, tick } = connected(t, options);
  client.join(log.name, { history });
  socket.reply(log.joined({ history }));
  const room = client.room(log.name);
  const events = [];
  for (const type of EVENTS) room.on(type, (event) => events.push([type, summary(type, event)]));
  const joins = () => Socket.all.at(-1).sent.filter(({ type }) => type === 'join').map(({ since }) => since);
  return { client, socket, tick, room, events, joins };
}

function summary(type, event) {
  if (type === 'message') return event.message.seq;
  if (type === 'changed') return event.messages.map(({ seq }) => seq);
  if (type === 'deleted') return event.targets;
  if (type === 'joined') return event.recovered;
  return event.reason;
}

const logOf = (count) => {
  const log = new RoomLog();
  for (let number = 0; number < count; number += 1) log.post();
  return log;
};

test('events are delivered once, in order, and an ack does not move the cursor', (t) => {
  const log = logOf(1);
  const { client, socket, room, events } = inRoom(t, log);
  const sending = client.send('lobby', 'own');
  socket.reply({ type: 'ack', room: 'lobby', seq: 2, id: sending.id, sent_at: '2026-01-01T00:00:00.000Z' });
  assert.equal(room.seq, 1);
  const own = log.post({ id: sending.id, user: USER.id, body: 'own' });
  socket.deliver(own);
  socket.deliver(own);
  socket.deliver(log.frames[0]);
  assert.deepEqual([room.seq, events], [2, [['message', 2]]]);
});

test('an event of an unknown type moves the cursor', (t) => {
  const log = logOf(1);
  const { client, socket, room, events, joins } = inRoom(t, log);
  socket.deliver(log.other());
  assert.equal(room.seq, 2);
  // One frame for several events, as a later version may have.
  log.other();
  log.other();
  const frame = { ...log.other(), first_seq: 3, pinned: { seq: 1 } };
  socket.deliver(frame);
  assert.equal(room.seq, 5);
  socket.deliver(log.post());
  assert.deepEqual([events, joins().length, room.seq], [[['message', 6]], 1, 6]);
  const again = reconnected(client);
  assert.deepEqual(again.sent.at(-1).since, { epoch: 'e', seq: 6 });
});

test('a deletion is reported with its targets', (t) => {
  const log = logOf(3);
  const { socket, room } = inRoom(t, log);
  const deletions = [];
  room.on('deleted', ({ room: where, ...event }) => deletions.push([where.name, event]));
  socket.deliver(log.delete([1, 3], 'moderator'));
  assert.deepEqual(deletions, [['lobby', { seq: 4, targets: [1, 3], by: 'moderator' }]]);
  assert.equal(room.seq, 4);
});

test('an edit is reported with the new text', (t) => {
  const log = logOf(2);
  const { socket, room } = inRoom(t, log);
  const edits = [];
  room.on('edited', ({ room: where, ...event }) => edits.push([where.name, event]));
  const { type: _, room: __, ...frame } = log.edit(1, 'better');
  socket.deliver({ type: 'edited', room: 'lobby', ...frame });
  assert.deepEqual(edits, [['lobby', frame]]);
  assert.equal(room.seq, 3);
});

test('edit and delete resolve with the number of the event, or with null', async (t) => {
  const log = logOf(1);
  const { socket, room } = inRoom(t, log);
  const editing = room.edit(1, 'better');
  assert.deepEqual([socket.sent.at(-1).type, socket.sent.at(-1).target, socket.sent.at(-1).body], ['edit', 1, 'better']);
  socket.reply({ type: 'ack', room: 'lobby', seq: 2 });
  assert.equal(await editing, 2);
  const deleting = room.delete(1);
  socket.reply({ type: 'ack', room: 'lobby' });
  assert.equal(await deleting, null);
  const refused = room.delete(7);
  socket.reply({ type: 'error', code: 'not_found', message: 'there is no such message' });
  await assert.rejects(refused, { code: 'not_found' });
});

test('react resolves with the number of the event, or with null', async (t) => {
  const log = logOf(1);
  const { socket, room } = inRoom(t, log);
  const reacting = room.react(1, '👍');
  const { ref: _, ...command } = socket.sent.at(-1);
  assert.deepEqual(command, { type: 'react', room: 'lobby', target: 1, emoji: '👍', on: true });
  socket.reply({ type: 'ack', room: 'lobby', seq: 2 });
  assert.equal(await reacting, 2);
  const removing = room.react(1, ':tada:', false);
  assert.deepEqual([socket.sent.at(-1).emoji, socket.sent.at(-1).on], [':tada:', false]);
  socket.reply({ type: 'ack', room: 'lobby' });
  assert.equal(await removing, null);
  const refused = room.react(1, '🦄');
  socket.reply({ type: 'error', code: 'limit_reached', message: 'too many emoji' });
  await assert.rejects(refused, { code: 'limit_reached' });
});

test('reactions are reported, and say what they mean for the user', (t) => {
  const log = logOf(1);
  const { socket, room } = inRoom(t, log);
  const events = [];
  room.on('reactions', ({ room: where, ...event }) => events.push([where.name, event.seq, event.target, event.changes.map(({ mine }) => mine)]));
  socket.deliver(log.react(1, '👍', 'bob'));
  socket.deliver(log.react(1, '👍', 'ana'));
  socket.deliver(log.react(1, '👍', 'ana', false));
  assert.deepEqual(events, [['lobby', 2, 1, [undefined]], ['lobby', 3, 1, [true]], ['lobby', 4, 1, [false]]]);
  assert.equal(room.seq, 4);
});

test('a reply names its message, also when it is sent again', (t) => {
  const log = logOf(1);
  const { client, socket, room } = inRoom(t, log);
  const outgoing = [];
  room.on('outgoing', ({ state, replyTo }) => outgoing.push([state, replyTo]));
  room.send('first', { replyTo: 1 });
  assert.equal(socket.sent.at(-1).reply_to, 1);
  room.send('no reply');
  assert.ok(!('reply_to' in socket.sent.at(-1)));
  const again = reconnected(client);
  again.reply(log.joined({ ...again.sent.at(-1) }));
  assert.deepEqual(again.sent.filter(({ type }) => type === 'send').map(({ reply_to: replyTo }) => replyTo), [1, undefined]);
  assert.deepEqual(outgoing, [['pending', 1], ['pending', undefined]]);
});

test('in another epoch a reply is sent without the number of the old one', (t) => {
  const log = logOf(1);
  const { client } = inRoom(t, log);
  client.send('lobby', 'a reply', { replyTo: 1 });
  const again = reconnected(client);
  again.reply(new RoomLog('lobby', 'f').joined({ history: 50 }));
  const { type, body, reply_to: replyTo } = again.sent.at(-1);
  assert.deepEqual([type, body, replyTo], ['send', 'a reply', undefined]);
});

test('search asks for one page, which says where the next one begins', async (t) => {
  const { client, socket } = inRoom(t, logOf(1));
  const searching = client.search('tea', { room: 'lobby', from: 'bob', limit: 20 });
  const { ref: _, ...command } = socket.sent.at(-1);
  assert.deepEqual(command, { type: 'search', query: 'tea', room: 'lobby', from: 'bob', limit: 20 });
  const found = { room: 'lobby', seq: 1, id: 'm1', from: 'bob', user: 'g_bob', body: 'tea?', sent_at: '2026-01-01T00:00:01.000Z' };
  socket.reply({ type: 'found', messages: [found], more: true, before: 'x' });
  assert.deepEqual(await searching, { messages: [found], more: true, before: 'x' });
  const next = client.search('tea', { before: 'x' });
  assert.deepEqual([socket.sent.at(-1).before, 'room' in socket.sent.at(-1)], ['x', false]);
  socket.reply({ type: 'found', messages: [], more: false });
  assert.deepEqual(await next, { messages: [], more: false, before: undefined });
  const refused = client.search('…');
  socket.reply({ type: 'error', code: 'missing_field', message: 'the query has no word' });
  await assert.rejects(refused, { code: 'missing_field' });
});

test('a room has its settings, and reports changes', (t) => {
  const log = logOf(1);
  const { client, socket, room } = inRoom(t, log);
  const changes = [];
  room.on('roomChanged', ({ room: where, info }) => changes.push([where.name, info.post, room.info.post, room.seq]));
  assert.deepEqual(room.info, { title: null, topic: null, visibility: 'unlisted', join: 'everyone', post: 'everyone', slowModeS: 0, mentionRoom: 'moderators' });
  socket.deliver(log.configure({ post: 'accounts' }));
  // missed events, of which one is in a sync
  log.configure({ post: 'moderators' });
  socket.deliver(log.sync(3));
  assert.deepEqual(changes, [['lobby', 'accounts', 'accounts', 2], ['lobby', 'moderators', 'moderators', 3]]);
  // and after a reconnect
  log.configure({ post: 'everyone' });
  const again = reconnected(client);
  again.reply(log.joined({ since: again.sent.at(-1).since }));
  assert.deepEqual([room.info.post, room.seq], ['everyone', 4]);
});

test('an event that does not fit causes one resync, and others are ignored until it is answered', (t) => {
  const log = logOf(1);
  const { socket, room, events, joins } = inRoom(t, log);
  log.post();
  socket.deliver(log.post());
  socket.deliver(log.post());
  socket.deliver(log.delete([1]));
  assert.deepEqual([events, room.seq, joins().slice(1)], [[], 1, [{ epoch: 'e', seq: 1 }]]);
  socket.reply(log.joined({ since: joins().at(-1) }));
  assert.deepEqual(events, [['joined', true], ['changed', [1]], ['message', 2], ['message', 3], ['message', 4]]);
  assert.equal(room.seq, 5);
  socket.deliver(log.post());
  assert.deepEqual([events.at(-1), joins().length], [['message', 6], 2]);
  // The next gap is another resync.
  log.post();
  socket.deliver(log.post());
  assert.deepEqual(joins().at(-1), { epoch: 'e', seq: 6 });
  assert.equal(joins().length, 3);
});

test('an event that fits during a resync is applied, and not delivered again', (t) => {
  const log = logOf(1);
  const { socket, events, joins, room } = inRoom(t, log);
  const missing = log.post();
  socket.deliver(log.post());
  socket.deliver(missing);
  assert.deepEqual([events, room.seq], [[['message', 2]], 2]);
  log.delete([2]);
  socket.reply(log.joined({ since: joins().at(-1) }));
  assert.deepEqual(events.slice(1), [['joined', true], ['changed', [2]], ['message', 3]]);
  assert.equal(room.seq, 4);
});

test('a refused resync is repeated after a growing pause', (t) => {
  const log = logOf(1);
  const { socket, tick, events, joins, room } = inRoom(t, log);
  log.post();
  socket.deliver(log.post());
  socket.reply({ type: 'error', code: 'store_unavailable', message: 'the store does not answer' });
  tick(499);
  socket.deliver(log.post());
  assert.equal(joins().length, 2);
  tick(1);
  assert.equal(joins().length, 3);
  socket.reply({ type: 'error', code: 'rate_limited', message: 'too fast', retry_after_ms: 7_000 });
  tick(6_999);
  assert.equal(joins().length, 3);
  tick(1);
  assert.equal(joins().length, 4);
  assert.deepEqual([room.state, room.seq, events], ['in', 1, []]);
  socket.reply(log.joined({ since: joins().at(-1) }));
  assert.deepEqual(events.map(([, what]) => what), [true, 2, 3, 4]);
});

test('a resync ends with its connection, and the next connection continues from the cursor', (t) => {
  const log = logOf(1);
  const { client, socket, tick, events, joins } = inRoom(t, log);
  log.post();
  socket.deliver(log.post());
  socket.reply({ type: 'error', code: 'internal', message: 'a fault' });
  const again = reconnected(client);
  assert.deepEqual(joins(), [{ epoch: 'e', seq: 1 }]);
  again.reply(log.joined({ since: joins()[0] }));
  tick(20_000);
  assert.equal(joins().length, 1);
  log.post();
  again.deliver(log.post());
  assert.deepEqual(joins()[1], { epoch: 'e', seq: 3 });
  assert.deepEqual(events, [['joined', true], ['message', 2], ['message', 3]]);
});

test('a client that was removed during a resync does not come back', (t) => {
  const log = logOf(1);
  const { socket, events, joins } = inRoom(t, log);
  log.post();
  socket.deliver(log.post());
  const since = joins().at(-1);
  socket.deliver({ type: 'left', room: 'lobby', reason: 'kicked' });
  socket.reply(log.joined({ since }));
  assert.deepEqual(events, [['left', 'kicked']]);
  assert.deepEqual([socket.sent.at(-1).type, socket.sent.at(-1).room], ['leave', 'lobby']);
});

test('what cannot be recovered voids everything, also if the epoch is the same', (t) => {
  const log = logOf(3);
  const { client, room, events } = inRoom(t, log, { history: 2 });
  const joined = [];
  room.on('joined', ({ room: _, ...event }) => joined.push(event));
  for (let count = 0; count < 1_001; count += 1) log.post();
  const again = reconnected(client);
  const { since, history } = again.sent.at(-1);
  again.reply(log.joined({ since, history }));
  assert.deepEqual(events, [['joined', false]]);
  assert.deepEqual(joined, [{
    epoch: 'e', seq: 1_004, oldest: 1, first: 1_003, last: 1_004, info: room.info, rejoined: true, recovered: false, messages: log.messages.slice(-2),
  }]);
  assert.deepEqual([room.epoch, room.seq], ['e', 1_004]);
});

test('an epoch that changes under a resync voids everything', (t) => {
  const log = logOf(3);
  const { socket, room, events, joins } = inRoom(t, log);
  log.post();
  socket.deliver(log.post());
  const restored = new RoomLog('lobby', 'f');
  restored.post();
  socket.reply(restored.joined({ since: joins().at(-1), history: 50 }));
  assert.deepEqual([events, room.epoch, room.seq], [[['joined', false]], 'f', 1]);
  socket.deliver(restored.post());
  assert.deepEqual(events.at(-1), ['message', 2]);
});

test('a page of another epoch is refused and causes a resync', async (t) => {
  const log = logOf(3);
  const { client, socket, room, events, joins } = inRoom(t, log);
  const restored = new RoomLog('lobby', 'f');
  restored.post();
  const [page, late] = [client.history('lobby', { before: 3 }), client.history('lobby', { before: 2 })];
  const [{ ref }, { ref: lateRef }] = socket.sent.slice(-2);
  socket.deliver({ ...restored.history({ before: 3 }), ref });
  await assert.rejects(page, { code: 'epoch_changed' });
  assert.deepEqual(joins().slice(1), [{ epoch: 'e', seq: 3 }]);
  socket.reply(restored.joined({ since: joins().at(-1), history: 50 }));
  assert.deepEqual([events, room.epoch], [[['joined', false]], 'f']);
  // Its numbers are of the old epoch, although the client is in the new one by now.
  socket.deliver({ ...restored.history({ before: 2 }), ref: lateRef });
  await assert.rejects(late, { code: 'epoch_changed' });
  assert.equal(joins().length, 2);
});

test('a page of history says which range it covers', async (t) => {
  const log = new RoomLog();
  log.post();
  log.other();
  log.post();
  log.delete([1]);
  const { client, socket } = inRoom(t, log);
  const page = client.history('lobby', { after: 1, limit: 1 });
  assert.deepEqual((({ after, limit }) => ({ after, limit }))(socket.sent.at(-1)), { after: 1, limit: 1 });
  socket.reply(log.history({ after: 1, limit: 1 }));
  assert.deepEqual(await page, { epoch: 'e', first: 2, last: 4, messages: [log.messages[1]], more: false });
});

test('a sync stands for all events in its range', (t) => {
  const log = logOf(2);
  const { socket, room, events, joins } = inRoom(t, log);
  const missed = [];
  room.on('message', (event) => missed.push(event.missed));
  log.post();
  log.delete([1]);
  log.other();
  socket.deliver(log.sync(3));
  assert.deepEqual([events, room.seq, missed], [[['changed', [1]], ['message', 3]], 5, [false]]);
  log.delete([2]);
  const { messages: _, ...withoutMessages } = log.sync(6);
  socket.deliver(withoutMessages);
  assert.deepEqual([events.at(-1), room.seq, joins().length], [['changed', [2]], 6, 1]);
});

test('a sync that begins before the cursor brings only what is new', (t) => {
  const log = logOf(3);
  const { socket, room, events } = inRoom(t, log);
  log.delete([2]);
  log.post();
  socket.deliver(log.sync(2));
  assert.deepEqual([events, room.seq], [[['changed', [2]], ['message', 5]], 5]);
  socket.deliver(log.sync(2));
  assert.equal(events.length, 2);
});

test('a sync without its lists, and one after a gap, cause a resync', (t) => {
  for (const frameOf of [() => ({ type: 'sync', room: 'lobby', first_seq: 2, seq: 3, recovered: false }), (log) => log.sync(3)]) {
    const log = logOf(1);
    const { client, socket, room, events, joins } = inRoom(t, log);
    log.post();
    log.post();
    socket.deliver(frameOf(log));
    socket.deliver(log.post());
    assert.deepEqual([events, room.seq, joins().slice(1)], [[], 1, [{ epoch: 'e', seq: 1 }]]);
    socket.reply(log.joined({ since: joins().at(-1) }));
    assert.deepEqual(events, [['joined', true], ['message', 2], ['message', 3], ['message', 4]]);
    client.close();
    t.mock.reset();
  }
});

for (const [where, arrive] of Object.entries({
  'an event that does not fit': (log, { socket }) => socket.deliver({ ...log.frames.at(-1) }),
  'a sync': (log, { socket }) => socket.deliver(log.sync(2)),
  'a resync': (log, { socket, joins }) => {
    socket.deliver({ ...log.post(), user: 'g_other', id: 'other' });
    socket.reply(log.joined({ since: joins().at(-1), history: 50 }));
  },
  'a list after a reconnect': (log, { client, joins }) => reconnected(client).reply(log.joined({ since: joins().at(-1), history: 50 })),
})) {
  test(`a pending message that is in ${where} is not sent again`, async (t) => {
    const log = logOf(1);
    const place = inRoom(t, log);
    const sending = place.client.send('lobby', 'as written');
    log.other();
    log.post({ id: sending.id, user: USER.id, body: 'changed since' });
    arrive(log, place);
    assert.equal(place.client.queued, 0);
    assert.equal((await sending).seq, 3);
    assert.equal(Socket.all.flatMap(({ sent }) => sent).filter(({ type }) => type === 'send').length, 1);
  });
}

test('a pending message that is not in the newest ones is sent again under its id', async (t) => {
  const log = logOf(1);
  const { client, room } = inRoom(t, log, { history: 2 });
  const sending = client.send('lobby', 'stored long ago');
  log.post({ id: sending.id, user: USER.id, body: 'stored long ago' });
  for (let count = 0; count < 1_001; count += 1) log.post();
  const again = reconnected(client);
  again.reply(log.joined({ ...again.sent.at(-1) }));
  const { type, id } = again.sent.at(-1);
  assert.deepEqual([type, id], ['send', sending.id]);
  again.reply({ type: 'ack', room: 'lobby', seq: 2, id, sent_at: '2026-01-01T00:00:00.000Z' });
  assert.equal((await sending).seq, 2);
  assert.equal(room.seq, 1_003);
});
