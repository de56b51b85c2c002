// Several rooms, and unread messages in those that are not shown.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

const badge = (person, room) => person.page.locator(`#rooms-list li[data-room="${room}"] .badge`);
const current = (person) => person.page.locator('#rooms-list a[aria-current="page"]').getAttribute('data-room');

browserTest('unread messages are counted in the list and in the title until they are read', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana', 'lobby');
  await ana.joinAnother('tea');
  assert.equal(await current(ana), 'tea');
  assert.equal(new URL(ana.page.url()).pathname, '/r/tea');
  const ben = await house.raw(server, 'ben', 'lobby');
  await ben.say('one');
  await ben.say('two');
  await untilEqual(() => badge(ana, 'lobby').innerText(), '2');
  await untilEqual(() => ana.page.title(), '(2) tea – chatd');
  assert.match(await ana.page.locator('#rooms-list li[data-room="lobby"]').textContent(), /, 2 new messages/);
  assert.deepEqual(await ana.texts(), []);

  await ana.page.locator('#rooms-list li[data-room="lobby"] a').click();
  await ana.isIn('lobby');
  await ana.sees('two');
  await badge(ana, 'lobby').waitFor({ state: 'hidden' });
  await untilEqual(() => ana.page.title(), 'lobby – chatd');
});

browserTest('a mention is marked in the text and in the room list', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana', 'lobby');
  await ana.joinAnother('tea');
  const ben = await house.raw(server, 'ben', 'lobby');
  await ben.say('hello @ana and @cid, not `@ana` and not me@ana');
  await untilEqual(() => badge(ana, 'lobby').innerText(), '@1');
  assert.match(await badge(ana, 'lobby').getAttribute('class'), /\bmentioned\b/);
  assert.match(await ana.page.locator('#rooms-list li[data-room="lobby"]').textContent(), /you are mentioned/);
  await ana.page.locator('#rooms-list li[data-room="lobby"] a').click();
  const message = await ana.sees('hello @ana');
  assert.match(await message.getAttribute('class'), /\bfor-me\b/);
  assert.deepEqual(await message.locator('.mention').allInnerTexts(), ['@ana']);
  assert.deepEqual(await message.locator('.mention-me').allInnerTexts(), ['@ana']);
});

browserTest('rooms can be left one by one', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana', 'lobby');
  await ana.joinAnother('tea');
  await ana.joinAnother('code');
  await untilEqual(() => ana.page.locator('#rooms-list li').evaluateAll((items) => items.map((item) => item.dataset.room)), ['lobby', 'tea', 'code']);
  await ana.page.locator('#leave-room').click();
  await ana.isIn('tea');
  await ana.page.locator('#leave-room').click();
  await ana.isIn('lobby');
  await ana.page.locator('#leave-room').click();
  await ana.page.locator('#no-room').waitFor();
  assert.equal(new URL(ana.page.url()).pathname, '/');
  assert.equal(await ana.shows('#compose-text'), false);
});

browserTest('the back and forward buttons switch rooms', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana', 'lobby');
  await ana.joinAnother('tea');
  await ana.page.goBack();
  await ana.isIn('lobby');
  await ana.page.goForward();
  await ana.isIn('tea');
});

browserTest('each room keeps its own draft and scroll position', async (house) => {
  const server = await house.server();
  const ben = await house.raw(server, 'ben', 'lobby');
  await ben.fill(100);
  const ana = await house.person(server, 'ana', 'lobby');
  await ana.sees('Message 100');
  await ana.page.locator('#compose-text').fill('half a thought');
  await ana.page.locator('#messages').evaluate((log) => { log.scrollTop = 800; });
  await ana.page.locator('#jump-newest').waitFor();
  const firstInSight = () => ana.page.locator('#messages').evaluate((log) => {
    const { top } = log.getBoundingClientRect();
    return [...log.querySelectorAll('.entry')].find((entry) => entry.getBoundingClientRect().bottom > top)?.dataset.seq;
  });
  const place = await firstInSight();
  await ana.joinAnother('tea');
  assert.equal(await ana.page.locator('#compose-text').inputValue(), '');
  await ana.page.keyboard.press('Alt+ArrowUp');
  await ana.isIn('lobby');
  assert.equal(await ana.page.locator('#compose-text').inputValue(), 'half a thought');
  await until('the scroll position is restored', async () => await firstInSight() === place);
  await ana.page.reload();
  await ana.isIn('lobby');
  assert.equal(await ana.page.locator('#compose-text').inputValue(), 'half a thought', 'after a reload too');
});

browserTest('a refused room is reported in the dialog, which stays open', async (house) => {
  const server = await house.server();
  await house.raw(server, 'ana', 'tea');
  const ana = await house.person(server, 'ana', 'lobby');
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
  await ana.isIn('code');
  await ana.hides('#switcher');
});
