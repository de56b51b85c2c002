// Leaving a room, and undoing it.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

const rooms = (user) => user.page.locator('#rooms-list li').evaluateAll((items) => items.map((item) => item.dataset.room));

browserTest('leaving can be undone, and the room returns to its position in the list', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby');
  await ana.joinRoom('tea');
  await ana.sendAndWait('in tea');
  await ana.page.locator('#compose-text').fill('half a thought');
  await ana.joinRoom('code');
  await ana.page.keyboard.press('Alt+ArrowUp');
  await ana.waitForRoom('tea');
  await ana.page.locator('#leave-room').click();
  await ana.waitForRoom('code');
  assert.equal(await ana.text('#toast-text'), 'You left #tea.');
  assert.deepEqual(await rooms(ana), ['lobby', 'code']);
  await ana.page.locator('#toast-action', { hasText: 'Undo' }).click();
  await ana.waitForRoom('tea');
  assert.deepEqual(await rooms(ana), ['lobby', 'tea', 'code']);
  await ana.waitForMessage('in tea');
  assert.equal(await ana.page.locator('#compose-text').inputValue(), 'half a thought');
  await ana.waitUntilHidden('#toast');
  await ana.page.reload();
  await ana.waitForRoom('tea');
  await untilEqual(() => rooms(ana), ['lobby', 'tea', 'code']);
});

browserTest('leaving the only room keeps the session and offers to rejoin or join another', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby');
  const ben = await fixture.bot(server, 'ben', 'lobby');
  await ana.page.locator('#leave-room').click();
  await ana.page.locator('#no-room').waitFor();
  await until('ana has left the room', () => !ben.room.members.has('ana'));
  assert.equal(await ana.isVisible('#entry'), false);
  assert.equal(await ana.focused(), 'no-room-join');
  await ana.page.locator('#toast-action').click();
  await ana.waitForRoom('lobby');
  await ana.sendAndWait('back');
  await ana.page.locator('#leave-room').click();
  await ana.page.locator('#no-room-join').click();
  await ana.page.locator('#switcher-room').fill('tea');
  await ana.page.keyboard.press('Enter');
  await ana.waitForRoom('tea');
  await ana.waitUntilHidden('#no-room');
  await ana.sendAndWait('in tea');
});

browserTest('going back to a room that the user left asks before joining', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby');
  const ben = await fixture.bot(server, 'ben', 'tea');
  await ana.joinRoom('tea');
  await ana.joinRoom('code');
  await ana.page.locator('#rooms-list a[data-room="tea"]').click();
  await ana.waitForRoom('tea');
  await ana.page.locator('#leave-room').click();
  await ana.waitForRoom('code');
  await until('ana has left tea', () => !ben.room.members.has('ana'));
  const received = [];
  ben.room.on('presence', ({ joined }) => received.push(...joined.map(({ username }) => username)));
  await ana.page.goBack();
  await until('the toast offers to join', async () => await ana.text('#toast-text') === 'You’re not in #tea.');
  assert.equal(await ana.text('#room-title'), 'code');
  assert.equal(new URL(ana.page.url()).pathname, '/r/code');
  await fixture.bot(server, 'cid', 'tea');
  await until('cid was seen', () => received.includes('cid'));
  assert.deepEqual(received, ['cid']);
  await ana.page.locator('#toast-action', { hasText: 'Join #tea' }).click();
  await ana.waitForRoom('tea');
});

browserTest('undoing restores unsent messages', async (fixture) => {
  const server = await fixture.server();
  const proxy = await fixture.proxy(server);
  const ana = await fixture.user(proxy, 'ana', 'lobby');
  await ana.joinRoom('tea');
  ana.expectsOutage = true;
  proxy.cut();
  await ana.waitForBanner('down');
  await ana.send('not sent');
  await ana.page.locator('.message[data-state="pending"]').waitFor();
  await ana.page.locator('#leave-room').click();
  await ana.waitForRoom('lobby');
  assert.equal(await ana.text('#toast-text'), 'You left #tea. 1 message was not sent.');
  proxy.restore();
  await ana.clickBannerAction();
  await ana.page.locator('#toast-action').click();
  await ana.waitForRoom('tea');
  const failed = ana.page.locator('.message[data-state="failed"]');
  await failed.locator('[data-action="retry"]').click();
  await ana.waitForMessage('not sent');
  assert.deepEqual(await ana.texts(), ['not sent']);
});
