// Older messages: they are loaded as the user scrolls up, and visible messages keep their position.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

/** Messages of different heights. */
const text = (number) => `Message ${number}${number % 7 === 0 ? `\n\n\`\`\`js\nlet a = ${number};\nlet b;\n\`\`\`` : ''}${number % 3 === 0 ? ' and more words'.repeat(20) : ''}`;

async function filled(fixture, count) {
  const server = await fixture.server();
  const ben = await fixture.bot(server, 'ben');
  await ben.sendMany(count, text);
  return { server, ben };
}

const seqs = async (user) => (await user.log()).map(({ seq }) => seq);

function scrollTo(user, where) {
  return user.page.locator('#messages').evaluate((log, top) => { log.scrollTop = top ?? log.scrollHeight; }, where);
}

/**
 * Scrolls up in wheel steps, frame by frame, until the beginning is reached. In each frame visible
 * messages must be where they were in the frame before, apart from the scrolled distance. Returns
 * the largest deviation in pixels, and the largest number of entries.
 */
function scrollUpWatching(user) {
  return user.page.evaluate(async () => {
    const log = document.querySelector('#messages');
    const frame = () => new Promise((resolve) => requestAnimationFrame(() => resolve()));
    const topOf = (entry) => entry.getBoundingClientRect().top;
    const middle = () => {
      const { left, top, height, width } = log.getBoundingClientRect();
      return document.elementFromPoint(left + width / 2, top + height / 2)?.closest('.entry');
    };
    let [deviation, maxEntries] = [0, 0];
    const start = document.querySelector('#log-start');
    for (;;) {
      const done = log.scrollTop === 0 && start.dataset.state === 'beginning';
      if (done) return { deviation, maxEntries };
      log.scrollTop -= 400;
      const entry = middle();
      const before = entry && topOf(entry);
      // The page works in the first frame. Its changes are drawn before the second.
      await frame();
      await frame();
      if (entry?.isConnected) deviation = Math.max(deviation, Math.abs(topOf(entry) - before));
      maxEntries = Math.max(maxEntries, log.querySelectorAll('.entry').length);
    }
  });
}

browserTest('older messages are loaded while scrolling up, without jumps or gaps', async (fixture) => {
  const { server } = await filled(fixture, 300);
  const ana = await fixture.user(server, 'ana');
  await ana.waitForMessage('Message 300');
  const { deviation, maxEntries } = await scrollUpWatching(ana);
  assert.ok(deviation < 3, `visible messages moved by ${deviation} pixels`);
  assert.ok(maxEntries <= 400, `${maxEntries} entries in the page`);
  const seen = await seqs(ana);
  assert.equal(seen[0], 1);
  assert.deepEqual(seen, seen.map((_, index) => index + 1));
  assert.equal(await ana.text('#log-start'), 'This is the beginning of #lobby.');
});

browserTest('only a part of thousands of messages is in the page at any time', async (fixture) => {
  const { server } = await filled(fixture, 2_000);
  const ana = await fixture.user(server, 'ana');
  await ana.waitForMessage('Message 2000');
  const { deviation, maxEntries } = await scrollUpWatching(ana);
  assert.ok(deviation < 3, `visible messages moved by ${deviation} pixels`);
  assert.ok(maxEntries <= 400, `${maxEntries} entries in the page`);
  await ana.page.locator('#messages').focus();
  await ana.page.keyboard.press('End');
  await ana.waitForMessage('Message 2000');
  const seen = await seqs(ana);
  assert.ok(seen.length <= 400);
  assert.deepEqual(seen, seen.map((_, index) => seen[0] + index));
});

browserTest('new messages do not move a user who reads back, and a button jumps to them', async (fixture) => {
  const { server, ben } = await filled(fixture, 100);
  const ana = await fixture.user(server, 'ana');
  await ana.waitForMessage('Message 100');
  await scrollTo(ana, 900);
  await ana.page.locator('#jump-newest').waitFor();
  const anchor = ana.page.locator('.entry').filter({ has: ana.page.locator('[data-seq="80"]') });
  const before = await anchor.evaluate((entry) => entry.getBoundingClientRect().top);
  await ben.send('news one');
  await ben.send('news two');
  await until('the button shows the count', async () => await ana.text('#jump-newest') === '2 new messages');
  assert.ok(Math.abs(await anchor.evaluate((entry) => entry.getBoundingClientRect().top) - before) < 3);
  await untilEqual(() => ana.page.title(), '(2) lobby – chatd');
  await ana.page.locator('#jump-newest').click();
  await ana.waitUntilHidden('#jump-newest');
  const last = (await ana.waitForMessage('news two')).boundingBox();
  const { y, height } = await ana.page.locator('#messages').boundingBox();
  assert.ok((await last).y < y + height, 'the newest message is visible');
  await untilEqual(() => ana.page.title(), 'lobby – chatd');
});

browserTest('at the end the log follows new messages', async (fixture) => {
  const { server, ben } = await filled(fixture, 60);
  const ana = await fixture.user(server, 'ana');
  await ana.waitForMessage('Message 60');
  await ben.sendMany(40, (number) => `more ${number}`);
  await ana.waitForMessage('more 40');
  const distance = () => ana.page.locator('#messages').evaluate((log) => Math.round(log.scrollHeight - log.scrollTop - log.clientHeight));
  await untilEqual(distance, 0);
  await ana.page.locator('#compose-text').fill('a\nb\nc\nd\ne\nf');
  await untilEqual(distance, 0);
  await ana.page.setViewportSize({ width: 900, height: 500 });
  await untilEqual(distance, 0);
});

browserTest('a line marks where the user left off, and a button jumps to it', async (fixture) => {
  const { server, ben } = await filled(fixture, 30);
  const context = await fixture.context();
  const ana = await fixture.user(server, 'ana', 'lobby', { context });
  await ana.waitForMessage('Message 30');
  await ana.page.close();
  await ben.sendMany(80, (number) => `while away ${number}`);

  await context.addInitScript(() => {
    window.linesSeen = new Set();
    new MutationObserver(() => {
      const line = document.getElementById('new-line');
      if (line) window.linesSeen.add(line.closest('.entry').dataset.seq);
    }).observe(document, { childList: true, subtree: true });
  });
  const back = await fixture.user(server, 'ana', 'lobby', { context });
  await back.page.locator('#jump-unread').click();
  const entry = back.page.locator('.entry', { has: back.page.locator('#new-line') });
  await entry.waitFor();
  assert.equal(await entry.getAttribute('data-seq'), '31');
  assert.deepEqual(await back.page.evaluate(() => [...window.linesSeen]), ['31'], 'the line was never anywhere else');
  const box = await entry.boundingBox();
  const log = await back.page.locator('#messages').boundingBox();
  assert.ok(box.y >= log.y && box.y < log.y + log.height, 'the line is visible');
  assert.equal(await back.page.locator('#new-line').count(), 1);

  await back.page.keyboard.press('Escape');
  await back.page.keyboard.press('Escape');
  await until('the line is removed', async () => await back.page.locator('#new-line').count() === 0);
  await back.waitForMessage('while away 80');
});

browserTest('an empty room shows a welcome text', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  assert.match(await ana.text('#log-start'), /^No messages yet\. Say hello!/);
  await ana.sendAndWait('first');
  assert.equal(await ana.text('#log-start'), 'This is the beginning of #lobby.');
});
