// Reloads, sessions that move, and signing out.

import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

// A browser closes the connection when its page is reloaded: the user leaves the rooms until the
// new page has joined. Others are not notified if that takes less than the quarter of a second over
// which the server batches presence events. A busy machine may be slower, so one quick reload is
// enough.
browserTest('others see no leave or join during a quick reload', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby');
  await ana.joinRoom('tea');
  await ana.page.keyboard.press('Alt+ArrowUp');
  await ana.waitForRoom('lobby');
  const ben = await fixture.bot(server, 'ben', 'lobby');
  await until('ben sees ana', () => ben.room.members.has('ana'));
  let seen = [];
  ben.room.on('presence', ({ joined, left }) => seen.push(...joined.map(({ username }) => `${username} came`), ...left.map((name) => `${name} went`)));
  await ben.send('before');
  await ana.waitForMessage('before');

  const tries = [];
  while (tries.length < 10 && !tries.some((events) => events.length === 0)) {
    seen = [];
    await ana.page.reload();
    await ana.waitForRoom('lobby');
    await ana.waitForMessage('before');
    await untilEqual(() => ana.page.locator('#rooms-list li').evaluateAll((items) => items.map((item) => item.dataset.room)), ['lobby', 'tea']);
    await ana.sendAndWait(`after ${tries.length}`);
    // Presence events are batched: once this one has been received, so have all earlier ones.
    const name = `cid${tries.length}`;
    await fixture.bot(server, name, 'lobby');
    await until(`${name} was seen`, () => seen.includes(`${name} came`));
    tries.push(seen.filter((event) => event.startsWith('ana')));
  }
  assert.deepEqual(tries.at(-1), [], `seen in every one of ${tries.length} reloads`);
});

browserTest('a session that continues elsewhere is reported, and can be taken back', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.visitor(server, '/r/lobby');
  const secret = new Promise((resolve) => {
    ana.page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => {
      const frame = JSON.parse(payload);
      if (frame.type === 'welcome') resolve(frame.resume);
    }));
  });
  await ana.enter('ana');
  const other = await takeOver(server, 'ana', await secret);
  assert.match(await ana.waitForBanner('taken-over'), /You’re using this chat in another tab/);
  assert.equal(await ana.text('#banner-action'), 'Use this tab');
  other.close();
  await ana.page.locator('#banner-action').click();
  await ana.waitForRoom('lobby');
  await ana.sendAndWait('here again');
});

/** Another program continues the session. Resolves when it has joined the room. */
function takeOver(server, username, resume) {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws`, 'chat.v2');
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('open', () => {
      socket.send(JSON.stringify({ type: 'hello', username, resume }));
      socket.send(JSON.stringify({ type: 'join', room: 'lobby' }));
    });
    socket.on('message', (data) => JSON.parse(data).type === 'joined' && resolve(socket));
  });
}

browserTest('signing out leaves the room and shows the form', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  const ben = await fixture.user(server, 'ben');
  await ana.page.locator('#open-settings').click();
  await ana.page.locator('#sign-out').click();
  await ana.page.locator('#entry-form').waitFor();
  await untilEqual(() => ben.people(), ['ben']);
  await ana.enter('anna');
  await untilEqual(() => ben.people(), ['ben', 'anna']);
});
