// `MessageList`: the messages that a program holds, fed by the events of a client.

import assert from 'node:assert/strict';
import test from 'node:test';
import { MessageList } from '../client.js';
import { RoomLog } from './support/room-log.js';
import { connected, reconnected } from './support/socket.js';

const EVENTS = ['joined', 'message', 'edited', 'reactions', 'changed', 'deleted'];
const HISTORY = 5;

/** A program that shows the room of this log: its list, and what each event changed in it. */
function program(t, log, history = HISTORY) {
  const { client, socket } = connected(t);
  const list = new MessageList();
  const changes = [];
  const join = () => {
    client.join(log.name, { history });
    for (const type of EVENTS) client.room(log.name).on(type, (event) => changes.push(list.apply(type, event)));
    socket.reply(log.joined({ history }));
  };
  return { client, socket, list, changes, join };
}

function logOf(count) {
  const log = new RoomLog();
  for (let number = 0; number < count; number += 1) log.post();
  return log;
}

const seqs = ({ items }) => items.map(({ seq }) => seq);

async function loadOlder({ client, socket, list }, log, limit) {
  const before = list.first;
  const page = client.history(log.name, { before, limit });
  socket.reply(log.history({ before, limit }));
  return list.prepend(await page, before);
}

test('the list begins with the newest messages and grows at both ends', async (t) => {
  const log = logOf(8);
  log.other();
  log.post();
  const place = program(t, log);
  place.join();
  const { list, changes, socket } = place;
  assert.deepEqual([seqs(list), list.first, list.more], [[5, 6, 7, 8, 10], 5, true]);
  socket.deliver(log.post());
  assert.deepEqual(await loadOlder(place, log, 3), { kind: 'prepended', count: 3 });
  assert.deepEqual([seqs(list), list.first, list.more], [[2, 3, 4, 5, 6, 7, 8, 10, 11], 2, true]);
  assert.deepEqual(await loadOlder(place, log, 3), { kind: 'prepended', count: 1 });
  assert.deepEqual([list.first, list.more], [1, false]);
  assert.deepEqual(changes, [{ kind: 'replaced' }, { kind: 'appended', count: 1 }]);
  assert.deepEqual([0, 8, 9, 10, 12].map((seq) => list.indexFrom(seq)), [0, 7, 8, 8, 10]);
});

test('an edit replaces the text, and an older state does not come back', (t) => {
  const log = logOf(2);
  const { list, changes, socket, join } = program(t, log);
  join();
  const before = log.messages[0];
  socket.deliver(log.edit(1, 'better'));
  assert.deepEqual([list.items[0].body, list.items[0].html, list.items[0].id, list.items[0].changed_seq], ['better', '<p>better</p>', 'm1', 3]);
  assert.deepEqual(list.items, log.messages);
  assert.deepEqual(changes.at(-1), { kind: 'changed', messages: [log.messages[0]] });
  assert.equal(list.apply('changed', { messages: [before] }), null);
  assert.equal(list.apply('edited', { seq: 3, target: 1, body: 'late', edited_at: before.sent_at }), null);
  assert.equal(list.apply('edited', { seq: 9, target: 77, body: 'unknown', edited_at: before.sent_at }), null);
  socket.deliver(log.delete([1]));
  assert.equal(list.apply('edited', { seq: 9, target: 1, body: 'late', edited_at: before.sent_at }), null);
  assert.deepEqual(list.items, log.messages);
});

test('reactions change their message, and an older state does not come back', (t) => {
  const log = logOf(2);
  const { list, changes, socket, join } = program(t, log);
  join();
  for (const name of ['bob', 'ana']) socket.deliver(log.react(1, '👍', name));
  assert.deepEqual(list.items[0].reactions, [{ emoji: '👍', count: 2, users: ['bob', 'ana'], mine: true }]);
  assert.deepEqual(changes.at(-1), { kind: 'changed', messages: [log.messages[0]] });
  socket.deliver(log.edit(1, 'better'));
  socket.deliver(log.react(1, '👍', 'ana', false));
  assert.deepEqual(list.items, log.messages);
  const late = [{ emoji: '👍', count: 9, added: [], removed: [] }];
  assert.equal(list.apply('reactions', { seq: log.seq, target: 1, changes: late }), null);
  assert.equal(list.apply('reactions', { seq: 99, target: 77, changes: late }), null);
  socket.deliver(log.delete([1]));
  assert.equal(list.apply('reactions', { seq: 99, target: 1, changes: late }), null);
  assert.deepEqual(list.items, log.messages);
});

test('an empty room has nothing older', (t) => {
  const log = new RoomLog();
  const { list, join } = program(t, log);
  join();
  assert.deepEqual([list.items, list.first, list.more], [[], 1, false]);
});

test('a deletion removes everything but the number and the time', (t) => {
  const log = logOf(7);
  const { list, changes, join, socket } = program(t, log);
  join();
  // The program has not loaded message 1.
  socket.deliver(log.delete([1, 4]));
  const deleted = { seq: 4, sent_at: '2026-01-01T00:00:04.000Z', deleted: true, by: 'operator', changed_seq: 8 };
  assert.deepEqual(list.items[1], deleted);
  assert.deepEqual(changes.at(-1), { kind: 'changed', messages: [deleted] });
  socket.deliver(log.delete([1]));
  assert.equal(changes.at(-1), null);
  assert.deepEqual(list.items, log.messages.slice(2));
});

test('an older state does not replace a newer one', () => {
  const log = logOf(2);
  const [before] = log.messages;
  const list = new MessageList();
  list.apply('joined', log.joined({ history: 5 }));
  list.apply('deleted', log.delete([1]));
  assert.equal(list.apply('changed', { messages: [before] }), null);
  assert.equal(list.apply('message', { message: before }), null);
  assert.equal(list.apply('deleted', { seq: 3, targets: [1], by: 'author' }), null);
  assert.deepEqual(list.items, log.messages);
  // The same state again, and a newer one.
  assert.deepEqual(list.apply('changed', { messages: log.messages }), { kind: 'changed', messages: log.messages });
  const newer = { ...log.messages[0], by: 'author', changed_seq: 4 };
  list.apply('deleted', { seq: 4, targets: [1], by: 'author' });
  assert.deepEqual(list.items[0], newer);
});

test('what cannot be recovered replaces the list, and retention shortens it', (t) => {
  const log = logOf(6);
  const { list, changes, join, client } = program(t, log);
  join();
  log.prune(4);
  const recovering = reconnected(client);
  recovering.reply(log.joined({ since: recovering.sent.at(-1).since }));
  assert.deepEqual([seqs(list), list.first, list.more, changes.at(-1)], [[4, 5, 6], 4, false, { kind: 'dropped', count: 2 }]);
  for (let count = 0; count < 1_001; count += 1) log.post();
  const again = reconnected(client);
  again.reply(log.joined({ since: again.sent.at(-1).since, history: HISTORY }));
  assert.deepEqual([list.items, list.first, list.more, changes.at(-1)], [log.messages.slice(-HISTORY), 1_003, true, { kind: 'replaced' }]);
});

test('a page that no longer fits is ignored', async (t) => {
  const log = logOf(9);
  const { client, socket, list, join } = program(t, log);
  join();
  const before = list.first;
  const page = client.history('lobby', { before });
  socket.reply(log.history({ before }));
  assert.deepEqual(list.dropOldest(2), { kind: 'dropped', count: 2 });
  assert.deepEqual([seqs(list), list.first, list.more], [[7, 8, 9], 7, true]);
  assert.equal(list.prepend(await page, before), null);
  assert.deepEqual(seqs(list), [7, 8, 9]);
  assert.equal(list.dropOldest(0), null);
});

/** Numbers that look random and are the same in each run (mulberry32). */
function randomFrom(seed) {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

test('whatever is lost on the way, the list ends as the room is', async (t) => {
  const counts = { lost: 0, syncs: 0, resyncs: 0, reconnects: 0, changed: 0 };
  for (let seed = 1; seed <= 60; seed += 1) {
    await run(t, randomFrom(seed), counts);
    t.mock.reset();
  }
  for (const [what, count] of Object.entries(counts)) assert.ok(count > 50, `${what}: ${count}`);
});

async function run(t, random, counts) {
  const log = logOf(random(12));
  const place = program(t, log);
  place.join();
  let { socket } = place;
  let answered = socket.sent.length;
  const pendingJoin = () => socket.sent.slice(answered).find(({ type }) => type === 'join');
  const answerJoin = () => {
    const { ref, since } = pendingJoin();
    answered = socket.sent.length;
    socket.deliver({ ...log.joined({ since, history: HISTORY }), ref });
  };
  const act = () => {
    const targets = log.messages.filter(({ deleted }) => !deleted).map(({ seq }) => seq);
    const target = targets[random(targets.length)];
    const choice = target === undefined ? 9 : random(10);
    if (choice < 2) return log.delete([target]);
    if (choice < 3) return log.edit(target, `text ${log.seq}`);
    if (choice < 6) {
      const [emoji, name] = [['👍', '🎉'][random(2)], ['ana', 'bob', 'cid'][random(3)]];
      const { reactions = [] } = log.messages.find(({ seq }) => seq === target);
      const isOn = reactions.some((reaction) => reaction.emoji === emoji && reaction.users.includes(name));
      return log.react(target, emoji, name, !isOn);
    }
    return random(5) === 0 ? log.other() : log.post();
  };
  for (let step = 0; step < 80; step += 1) {
    const frame = act();
    const fate = random(10);
    if (fate === 0) counts.lost += 1;
    else if (fate === 1) {
      counts.syncs += 1;
      const failed = { type: 'sync', room: log.name, first_seq: frame.seq, seq: frame.seq, recovered: false };
      socket.deliver(random(4) === 0 ? failed : log.sync(Math.max(1, frame.seq - random(3))));
    } else if (fate === 2) {
      counts.reconnects += 1;
      socket = reconnected(place.client);
      place.socket = socket;
      answered = socket.sent.length - 1;
      answerJoin();
    } else if (fate === 3 && place.list.more && !pendingJoin()) {
      socket.deliver(frame);
      if (!pendingJoin()) await loadOlder(place, log, 1 + random(4));
    } else socket.deliver(frame);
    if (pendingJoin() && random(3) === 0) {
      counts.resyncs += 1;
      answerJoin();
    }
  }
  socket.deliver(log.post());
  if (pendingJoin()) answerJoin();
  assert.equal(place.client.room(log.name).seq, log.seq);
  counts.changed += place.changes.filter((change) => change?.kind === 'changed').length;
  assert.deepEqual(place.list.items, log.messages.filter(({ seq }) => seq >= place.list.first));
}
