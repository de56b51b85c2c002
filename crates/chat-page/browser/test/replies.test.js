// Replies: the quoted line, and the way to what it quotes.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { assertLayout } from './support/layout.js';
import { until, untilEqual } from './support/until.js';

const box = (user) => user.page.locator('#compose-text');
const quotes = (user) => user.page.locator('#messages .quote').evaluateAll((all) => all.map((quote) => (
  [quote.querySelector('.from')?.textContent ?? '', quote.querySelector('.excerpt').textContent])));
const focusedSeq = (user) => user.page.evaluate(() => document.activeElement.dataset.seq);

async function place(fixture, options) {
  const server = await fixture.server();
  const ben = await fixture.user(server, 'ben');
  const ana = await fixture.user(server, 'ana', 'lobby', options);
  await ben.send('is there *any* tea?\nand milk');
  await ana.waitForMessage('is there any tea?');
  return { server, ana, ben };
}

browserTest('a reply quotes its message, and follows its changes', async (fixture) => {
  const { ana, ben } = await place(fixture);
  await ana.act('any tea', 'reply');
  assert.equal(await ana.focused(), 'compose-text');
  assert.equal(await ana.text('#compose-reply > span'), 'Replying to ben is there any tea?');
  await assertLayout(ana, 'replying');
  await ana.sendAndWait('green tea');
  assert.equal(await ana.isVisible('#compose-reply'), false);
  for (const user of [ana, ben]) await untilEqual(() => quotes(user), [['ben', 'is there any tea?']]);
  await ben.act('any tea', 'edit');
  await ben.send('is there coffee?');
  for (const user of [ana, ben]) await untilEqual(() => quotes(user), [['ben', 'is there coffee?']]);
  await ana.page.reload();
  await untilEqual(() => quotes(ana), [['ben', 'is there coffee?']]);
  await ben.act('is there coffee', 'delete');
  await ben.page.locator('#message-menu [data-action="delete"]').click();
  for (const user of [ana, ben]) await untilEqual(() => quotes(user), [['ben', 'Deleted message']]);
});

browserTest('a reply can be given up, waits in its room, and gives way to an edit', async (fixture) => {
  const { ana, ben } = await place(fixture);
  await ana.sendAndWait('mine');
  await ana.act('any tea', 'reply');
  await box(ana).press('Escape');
  assert.equal(await ana.isVisible('#compose-reply'), false);
  await ana.act('any tea', 'reply');
  await ana.page.locator('#compose-reply-cancel').click();
  assert.deepEqual([await ana.isVisible('#compose-reply'), await ana.focused()], [false, 'compose-text']);

  await ana.act('any tea', 'reply');
  await ana.joinRoom('tea');
  assert.equal(await ana.isVisible('#compose-reply'), false);
  await ana.page.keyboard.press('Alt+ArrowUp');
  await ana.waitForRoom('lobby');
  assert.equal(await ana.text('#compose-reply-to'), 'ben');
  // The Up key edits the last own message, and then the reply goes on.
  await box(ana).press('ArrowUp');
  assert.deepEqual([await box(ana).inputValue(), await ana.isVisible('#compose-reply'), await ana.isVisible('#compose-editing')], ['mine', false, true]);
  await box(ana).press('Escape');
  assert.equal(await ana.isVisible('#compose-reply'), true);
  await ben.act('any tea', 'delete');
  await ben.page.locator('#message-menu [data-action="delete"]').click();
  await until('the reply is given up', async () => await ana.text('#compose-error') === 'The message that you reply to was deleted.');
  assert.equal(await ana.isVisible('#compose-reply'), false);
  await ana.sendAndWait('no reply');
  assert.deepEqual(await quotes(ana), []);
});

browserTest('a reply to a message that is gone says so, and is sent as a message', async (fixture) => {
  const server = await fixture.server();
  const proxy = await fixture.proxy(server);
  const ben = await fixture.bot(server, 'ben');
  const ana = await fixture.user(proxy, 'ana');
  ana.expectsOutage = true;
  await ben.send('soon gone');
  await ana.waitForMessage('soon gone');
  await ana.act('soon gone', 'reply');
  proxy.cut();
  await ana.waitForBanner('down');
  await ana.send('too late');
  await ana.page.locator('.message[data-state="pending"] .quote').waitFor();
  await ben.room.delete(1);
  proxy.restore();
  await ana.clickBannerAction();
  await ana.page.locator('.failure').waitFor();
  assert.match(await ana.text('.failure'), /^Not sent\. The message that you reply to does not exist any more\./);
  await ana.page.locator('.failure [data-action="retry"]').click();
  await ana.waitForMessage('too late');
  assert.deepEqual(await quotes(ana), []);
});

browserTest('the quoted line leads to its message, also to one that is not loaded', async (fixture) => {
  const server = await fixture.server();
  const ben = await fixture.bot(server, 'ben');
  await ben.sendMany(400);
  await ben.room.send('near', { replyTo: 395 });
  await ben.room.send('far', { replyTo: 20 });
  const ana = await fixture.user(server, 'ana');
  await ana.waitForMessage('far');
  assert.deepEqual(await quotes(ana), [['ben', 'Message 395'], ['ben', 'Earlier message']]);
  await ana.page.locator('.quote[data-target="395"]').click();
  await untilEqual(() => focusedSeq(ana), '395');
  await ana.page.locator('.quote[data-target="20"]').click();
  await untilEqual(() => focusedSeq(ana), '20');
  await ana.waitForMessage('Message 20');
  assert.equal(await ana.page.locator('.message[data-seq="20"]').evaluate((message) => message.classList.contains('target')), true);
  assert.equal(new URL(ana.page.url()).pathname, '/r/lobby', 'the address does not change');
  await ana.page.locator('#jump-newest').click();
  await ana.waitForMessage('far');
  await ana.waitUntilHidden('#jump-newest');
});

browserTest('on a phone a reply is quoted in the box and in the log', async (fixture) => {
  const { ana } = await place(fixture, { viewport: { width: 375, height: 667 }, hasTouch: true, isMobile: true });
  await ana.longPress('any tea');
  await ana.page.locator('#message-menu [data-action="reply"]').tap();
  await box(ana).fill('green tea');
  for (const width of [375, 320]) {
    await ana.page.setViewportSize({ width, height: 667 });
    await assertLayout(ana, 'replying');
  }
  await ana.page.locator('#send').tap();
  await ana.waitForMessage('green tea');
  await assertLayout(ana, 'a reply');
});
