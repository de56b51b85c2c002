// The stories in clients/conformance: frames in, state out.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import test from 'node:test';
import { MessageList } from '../client.js';
import { USER, connected } from './support/socket.js';

const FOLDER = new URL('../../conformance/', import.meta.url);
const EVENTS = ['joined', 'message', 'edited', 'reactions', 'changed', 'deleted'];

const names = readdirSync(FOLDER).filter((name) => name.endsWith('.jsonl'));
assert.ok(names.length >= 8);

for (const name of names) {
  test(`conformance: ${name}`, (t) => {
    const steps = readFileSync(new URL(name, FOLDER), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
    const { client, socket } = connected(t, {}, { ...USER, ...steps[0].user });
    const list = new MessageList();
    client.join('lobby', { history: 50 }).catch(() => {});
    for (const type of EVENTS) client.room('lobby').on(type, (event) => list.apply(type, event));
    let read = 0;
    const joins = () => socket.sent.filter(({ type }) => type === 'join');
    for (const [index, { user, frame, joins: since, state }] of steps.entries()) {
      if (user) continue;
      const where = `${name}:${index + 1}`;
      if (frame) socket.deliver(frame.type === 'joined' ? { ...frame, ref: joins().at(-1).ref } : frame);
      else if (state) {
        assert.equal(client.room('lobby').seq, state.seq, where);
        // A posted message has the room of its frame.
        assert.deepEqual(list.items.map(({ room: _, ...message }) => message), state.messages, where);
      } else {
        assert.deepEqual(joins().slice(read).map((join) => join.since ?? null), [since], where);
        read = joins().length;
      }
    }
  });
}
