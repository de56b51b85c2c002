// The pane that searches messages.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { assertLayout } from './support/layout.js';
import { until, untilEqual } from './support/until.js';

const results = (user) => user.page.locator('#search-results a').evaluateAll((links) => links.map((link) => link.querySelector('.result-text').textContent));
const status = (user) => user.text('#search-status');
const focusedSeq = (user) => user.page.evaluate(() => document.activeElement.dataset.seq);

async function open(user) {
  await user.page.keyboard.press('Control+Shift+f');
  await user.page.locator('#search').waitFor();
}

async function search(user, text, { where = 'room', from = '' } = {}) {
  await user.page.locator('#search-where').selectOption(where);
  await user.page.locator('#search-from').fill(from);
  await user.page.locator('#search-query').fill(text);
  await user.page.keyboard.press('Enter');
}

/** Searches until the index has everything that was sent. */
async function searchUntil(user, text, options, count) {
  await until(`${count} messages are found`, async () => {
    await search(user, text, options);
    await until('the search has ended', async () => await status(user) !== 'Searching…');
    return (await results(user)).length === count;
  });
}

browserTest('messages are found by words, room and person, and each leads to its place', async (fixture) => {
  const server = await fixture.server();
  const ben = await fixture.bot(server, 'ben');
  const cid = await fixture.bot(server, 'cid', 'tea');
  await ben.send('**Crème** brûlée for everyone');
  await ben.sendMany(200);
  await cid.send('creme in the tea');
  const ana = await fixture.user(server, 'ana', 'tea');
  await ana.joinRoom('lobby');
  await ana.sendAndWait('who wants creme?');
  assert.ok(!ana.requests.some((url) => url.includes('search')), 'nothing of it is loaded before');

  await open(ana);
  assert.equal(await ana.focused(), 'search-query');
  await searchUntil(ana, 'CREME', {}, 2);
  assert.deepEqual(await results(ana), ['who wants creme?', 'Crème brûlée for everyone']);
  assert.equal(await status(ana), '2 results');
  assert.deepEqual(await ana.page.locator('#search-results mark').allInnerTexts(), ['creme', 'Crème']);
  await assertLayout(ana, 'search');
  await search(ana, 'creme', { from: 'ben' });
  await untilEqual(() => results(ana), ['Crème brûlée for everyone']);
  await searchUntil(ana, 'creme', { where: 'all' }, 3);
  await search(ana, 'nowhere');
  await untilEqual(() => status(ana), 'No messages found');
  await search(ana, '…');
  await untilEqual(() => status(ana), 'Enter a word to search for.');

  // By keyboard: to the oldest result, which is not loaded.
  await searchUntil(ana, 'creme', {}, 2);
  for (const key of ['ArrowDown', 'ArrowDown', 'ArrowUp', 'ArrowDown']) await ana.page.keyboard.press(key);
  await ana.page.keyboard.press('Enter');
  await ana.waitUntilHidden('#search');
  await untilEqual(() => focusedSeq(ana), '1');
  assert.equal(new URL(ana.page.url()).pathname, '/r/lobby/1');

  // The results are still there, and one of another room leads to it.
  await ana.page.locator('#open-search').click();
  assert.equal((await results(ana)).length, 2);
  await searchUntil(ana, 'creme', { where: 'all', from: 'cid' }, 1);
  await ana.page.locator('#search-results a').click();
  await ana.waitForRoom('tea');
  await untilEqual(() => focusedSeq(ana), '1');
  await open(ana);
  await ana.page.keyboard.press('Escape');
  await ana.waitUntilHidden('#search');
});

browserTest('more results are read page by page', async (fixture) => {
  const server = await fixture.server();
  const ben = await fixture.bot(server, 'ben');
  await ben.sendMany(75, (number) => `lemon ${number}`);
  const ana = await fixture.user(server, 'ana');
  await open(ana);
  await until('the newest message is indexed', async () => {
    await search(ana, '75');
    await until('the search has ended', async () => await status(ana) !== 'Searching…');
    return (await results(ana)).length === 1;
  });
  await search(ana, 'lemon');
  await untilEqual(async () => (await results(ana)).length, 30);
  assert.equal(await status(ana), 'The newest 30 results');
  await ana.page.locator('#search-more').click();
  await untilEqual(async () => (await results(ana)).length, 60);
  assert.equal(await ana.page.evaluate(() => document.activeElement.querySelector('.result-text')?.textContent), 'lemon 45', 'the focus is at the first new one');
  await ana.page.locator('#search-more').click();
  await untilEqual(() => results(ana), Array.from({ length: 75 }, (_, index) => `lemon ${75 - index}`));
  assert.deepEqual([await status(ana), await ana.isVisible('#search-more')], ['75 results', false]);
});

browserTest('a message that is deleted leaves the results', async (fixture) => {
  const server = await fixture.server();
  const ben = await fixture.bot(server, 'ben');
  for (const text of ['lemon one', 'lemon two', 'lemon three']) await ben.send(text);
  const ana = await fixture.user(server, 'ana');
  await open(ana);
  await searchUntil(ana, 'lemon', {}, 3);
  await ben.room.delete(2);
  await ben.room.edit(1, 'orange');
  await untilEqual(() => results(ana), ['lemon three', 'orange']);
});

browserTest('the pane fits on a phone', async (fixture) => {
  const server = await fixture.server();
  const ben = await fixture.bot(server, 'ben');
  await ben.send(`lemon ${'x'.repeat(300)} lemon`);
  const ana = await fixture.user(server, 'ana', 'lobby', { viewport: { width: 375, height: 667 }, hasTouch: true, isMobile: true });
  await ana.page.locator('#open-search').tap();
  await searchUntil(ana, 'lemon', { where: 'all' }, 1);
  for (const width of [375, 320]) {
    await ana.page.setViewportSize({ width, height: 667 });
    await assertLayout(ana, 'search');
  }
  await ana.page.locator('#search-results a').tap();
  await untilEqual(() => focusedSeq(ana), '1');
});

browserTest('a server without search says so', async (fixture) => {
  const server = await fixture.server('--history', 'off');
  const ana = await fixture.user(server, 'ana');
  await open(ana);
  await search(ana, 'lemon');
  await untilEqual(() => status(ana), 'This server has no search.');
});
