// Several rooms, and unread messages in those that are not shown.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

const badge = (user, room) => user.page.locator(`#rooms-list li[data-room="${room}"] .badge.unread`);
const current = (user) => user.page.locator('#rooms-list a[aria-current="page"]').getAttribute('data-room');

browserTest('unread messages are counted in the list and in the title until they are read', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby');
  await ana.joinRoom('tea');
  assert.equal(await current(ana), 'tea');
  assert.equal(new URL(ana.page.url()).pathname, '/r/tea');
  const ben = await fixture.bot(server, 'ben', 'lobby');
  await ben.send('one');
  await ben.send('two');
  await untilEqual(() => badge(ana, 'lobby').innerText(), '2');
  await untilEqual(() => ana.page.title(), '(2) tea – chatd');
  assert.match(await ana.page.locator('#rooms-list li[data-room="lobby"]').textContent(), /, 2 new messages/);
  assert.deepEqual(await ana.texts(), []);

  await ana.page.locator('#rooms-list li[data-room="lobby"] a').click();
  await ana.waitForRoom('lobby');
  await ana.waitForMessage('two');
  await badge(ana, 'lobby').waitFor({ state: 'hidden' });
  await untilEqual(() => ana.page.title(), 'lobby – chatd');
});

browserTest('a mention is marked in the text and in the room list', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby');
  await ana.joinRoom('tea');
  const ben = await fixture.bot(server, 'ben', 'lobby');
  await ben.send('hello @ana and @cid, not `@ana` and not me@ana');
  await untilEqual(() => ana.text('#rooms-list li[data-room="lobby"] .badge.mentioned'), '@1');
  assert.match(await ana.page.locator('#rooms-list li[data-room="lobby"]').textContent(), /1 new message, 1 mention$/);
  await ana.page.locator('#rooms-list li[data-room="lobby"] a').click();
  const message = await ana.waitForMessage('hello @ana');
  assert.match(await message.getAttribute('class'), /\bfor-me\b/);
  assert.deepEqual(await message.locator('.mention').allInnerTexts(), ['@ana']);
  assert.deepEqual(await message.locator('.mention-me').allInnerTexts(), ['@ana']);
});

browserTest('rooms can be left one by one', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby');
  await ana.joinRoom('tea');
  await ana.joinRoom('code');
  await untilEqual(() => ana.page.locator('#rooms-list li').evaluateAll((items) => items.map((item) => item.dataset.room)), ['lobby', 'tea', 'code']);
  await ana.page.locator('#leave-room').click();
  await ana.waitForRoom('tea');
  await ana.page.locator('#leave-room').click();
  await ana.waitForRoom('lobby');
  await ana.page.locator('#leave-room').click();
  await ana.page.locator('#no-room').waitFor();
  assert.equal(new URL(ana.page.url()).pathname, '/');
  assert.equal(await ana.isVisible('#compose-text'), false);
});

browserTest('the back and forward buttons switch rooms', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby');
  await ana.joinRoom('tea');
  await ana.page.goBack();
  await ana.waitForRoom('lobby');
  await ana.page.goForward();
  await ana.waitForRoom('tea');
});

browserTest('each room keeps its own draft and scroll position', async (fixture) => {
  const server = await fixture.server();
  const ben = await fixture.bot(server, 'ben', 'lobby');
  await ben.sendMany(100);
  const ana = await fixture.user(server, 'ana', 'lobby');
  await ana.waitForMessage('Message 100');
  await ana.page.locator('#compose-text').fill('half a thought');
  await ana.page.locator('#messages').evaluate((log) => { log.scrollTop = 800; });
  await ana.page.locator('#jump-newest').waitFor();
  const firstInSight = () => ana.page.locator('#messages').evaluate((log) => {
    const { top } = log.getBoundingClientRect();
    return [...log.querySelectorAll('.entry')].find((entry) => entry.getBoundingClientRect().bottom > top)?.dataset.seq;
  });
  const position = await firstInSight();
  await ana.joinRoom('tea');
  assert.equal(await ana.page.locator('#compose-text').inputValue(), '');
  await ana.page.keyboard.press('Alt+ArrowUp');
  await ana.waitForRoom('lobby');
  assert.equal(await ana.page.locator('#compose-text').inputValue(), 'half a thought');
  await until('the scroll position is restored', async () => await firstInSight() === position);
  await ana.page.reload();
  await ana.waitForRoom('lobby');
  assert.equal(await ana.page.locator('#compose-text').inputValue(), 'half a thought', 'after a reload too');
});

browserTest('a refused room is reported in the dialog, which stays open', async (fixture) => {
  const server = await fixture.server();
  await fixture.bot(server, 'ana', 'tea');
  const ana = await fixture.user(server, 'ana', 'lobby');
  await ana.page.keyboard.press('Control+k');
  await ana.page.locator('#switcher-room').fill('tea');
  await untilEqual(() => ana.text('#switcher-go'), 'Create #tea');
  await ana.page.keyboard.press('Enter');
  await until('the reason is shown', async () => /The name ana is already in use in #tea/.test(await ana.text('#switcher-error')));
  assert.equal(await ana.page.locator('#switcher-room').getAttribute('aria-invalid'), 'true');
  await ana.page.locator('#switcher-room').fill('not a room');
  await ana.page.keyboard.press('Enter');
  await until('the reason is shown', async () => /That room name won’t work/.test(await ana.text('#switcher-error')));
  await ana.page.locator('#switcher-room').fill('code');
  await ana.page.keyboard.press('Enter');
  await ana.waitForRoom('code');
  await ana.waitUntilHidden('#switcher');
});
