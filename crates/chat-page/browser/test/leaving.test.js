// Leaving a room, and undoing it.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

const rooms = (person) => person.page.locator('#rooms-list li').evaluateAll((items) => items.map((item) => item.dataset.room));

browserTest('leaving can be undone, and the room returns to its position in the list', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana', 'lobby');
  await ana.joinAnother('tea');
  await ana.says('in tea');
  await ana.page.locator('#compose-text').fill('half a thought');
  await ana.joinAnother('code');
  await ana.page.keyboard.press('Alt+ArrowUp');
  await ana.isIn('tea');
  await ana.page.locator('#leave-room').click();
  await ana.isIn('code');
  assert.equal(await ana.text('#toast-text'), 'You left #tea.');
  assert.deepEqual(await rooms(ana), ['lobby', 'code']);
  await ana.page.locator('#toast-action', { hasText: 'Undo' }).click();
  await ana.isIn('tea');
  assert.deepEqual(await rooms(ana), ['lobby', 'tea', 'code']);
  await ana.sees('in tea');
  assert.equal(await ana.page.locator('#compose-text').inputValue(), 'half a thought');
  await ana.hides('#toast');
  await ana.page.reload();
  await ana.isIn('tea');
  await untilEqual(() => rooms(ana), ['lobby', 'tea', 'code']);
});

browserTest('leaving the only room keeps the session and offers to rejoin or join another', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana', 'lobby');
  const ben = await house.raw(server, 'ben', 'lobby');
  await ana.page.locator('#leave-room').click();
  await ana.page.locator('#no-room').waitFor();
  await until('ana has left the room', () => !ben.room.members.has('ana'));
  assert.equal(await ana.shows('#entry'), false);
  assert.equal(await ana.focused(), 'no-room-join');
  await ana.page.locator('#toast-action').click();
  await ana.isIn('lobby');
  await ana.says('back');
  await ana.page.locator('#leave-room').click();
  await ana.page.locator('#no-room-join').click();
  await ana.page.locator('#switcher-room').fill('tea');
  await ana.page.keyboard.press('Enter');
  await ana.isIn('tea');
  await ana.hides('#no-room');
  await ana.says('in tea');
});

browserTest('going back to a room that the user left asks before joining', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana', 'lobby');
  const ben = await house.raw(server, 'ben', 'tea');
  await ana.joinAnother('tea');
  await ana.joinAnother('code');
  await ana.page.locator('#rooms-list a[data-room="tea"]').click();
  await ana.isIn('tea');
  await ana.page.locator('#leave-room').click();
  await ana.isIn('code');
  await until('ana has left tea', () => !ben.room.members.has('ana'));
  const heard = [];
  ben.room.on('presence', ({ joined }) => heard.push(...joined.map(({ username }) => username)));
  await ana.page.goBack();
  await until('the toast offers to join', async () => await ana.text('#toast-text') === 'You’re not in #tea.');
  assert.equal(await ana.text('#room-title'), 'code');
  assert.equal(new URL(ana.page.url()).pathname, '/r/code');
  await house.raw(server, 'cid', 'tea');
  await until('cid was seen', () => heard.includes('cid'));
  assert.deepEqual(heard, ['cid']);
  await ana.page.locator('#toast-action', { hasText: 'Join #tea' }).click();
  await ana.isIn('tea');
});

browserTest('undoing restores unsent messages', async (house) => {
  const server = await house.server();
  const line = await house.line(server);
  const ana = await house.person(line, 'ana', 'lobby');
  await ana.joinAnother('tea');
  ana.mayLoseTheLine = true;
  line.cut();
  await ana.bannerSays('down');
  await ana.say('not sent');
  await ana.page.locator('.message[data-state="pending"]').waitFor();
  await ana.page.locator('#leave-room').click();
  await ana.isIn('lobby');
  assert.equal(await ana.text('#toast-text'), 'You left #tea. 1 message was not sent.');
  line.mend();
  await ana.triesNow();
  await ana.page.locator('#toast-action').click();
  await ana.isIn('tea');
  const failed = ana.page.locator('.message[data-state="failed"]');
  await failed.locator('[data-action="retry"]').click();
  await ana.sees('not sent');
  assert.deepEqual(await ana.texts(), ['not sent']);
});
