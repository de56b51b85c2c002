// Reading messages: days, long messages, code, text directions, and the scroll position.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

const FENCE = '```';
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
const days = (user) => user.page.locator('.day').allInnerTexts();

browserTest('the names of days change at midnight', async (fixture) => {
  const server = await fixture.server();
  const ben = await fixture.bot(server, 'ben');
  await ben.send('on the first day');
  const ana = await fixture.visitor(server, '/r/lobby');
  ana.expectsOutage = true;
  await ana.page.clock.install();
  await ana.page.reload();
  await ana.enter('ana');
  await ana.waitForMessage('on the first day');
  assert.deepEqual(await days(ana), ['Today']);
  await ana.page.clock.fastForward('24:00:00');
  await untilEqual(() => days(ana), ['Yesterday']);
  await ana.page.clock.fastForward('24:00:00');
  await until('the day is shown as a date', async () => /^\p{L}+day/u.test((await days(ana))[0]) && (await days(ana))[0] !== 'Yesterday');
});

browserTest('the names of days are in the language of the dates', async (fixture) => {
  const server = await fixture.server();
  const ben = await fixture.bot(server, 'ben');
  await ben.send('hello');
  const ana = await fixture.user(server, 'ana', 'lobby', { locale: 'de-DE' });
  await ana.waitForMessage('hello');
  assert.deepEqual(await days(ana), ['Heute']);
});

browserTest('a very long message is collapsed and can be expanded', async (fixture) => {
  const server = await fixture.server();
  const ben = await fixture.bot(server, 'ben');
  const ana = await fixture.user(server, 'ana');
  await ben.sendMany(40);
  await ben.send('a short one');
  await ben.send(`the beginning\n${'and another line\n'.repeat(300)}the end`);
  const message = await ana.waitForMessage('the beginning');
  const height = async () => (await message.boundingBox()).height;
  assert.ok(await height() < 500, `${await height()} px high`);
  const button = message.locator('.show-more');
  assert.deepEqual([await button.innerText(), await button.getAttribute('aria-expanded')], ['Show more', 'false']);
  const top = async () => (await message.boundingBox()).y;
  const before = await top();
  await button.click();
  await until('the message is expanded', async () => await height() > 5_000);
  assert.ok(Math.abs(await top() - before) < 2, 'the text keeps its position');
  assert.deepEqual([await button.innerText(), await button.getAttribute('aria-expanded')], ['Show less', 'true']);
  // It stays expanded when it is rendered again.
  await ana.joinRoom('tea');
  await ana.page.keyboard.press('Alt+ArrowUp');
  await ana.waitForRoom('lobby');
  await until('the message is still expanded', async () => await height() > 5_000);
  await button.click();
  await until('the message is collapsed again', async () => await height() < 500);
  assert.ok(await top() >= (await ana.page.locator('#messages').boundingBox()).y - 1, 'its beginning is visible');
  assert.equal(await (await ana.waitForMessage('a short one')).locator('.show-more').count(), 0);
});

browserTest('focusing a link in the hidden part expands the message', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  await ana.send(`top\n${'line\n'.repeat(100)}https://example.org/last`);
  const message = await ana.waitForMessage('top');
  await message.locator('.show-more').waitFor();
  await message.locator('a').focus();
  await until('the message is expanded', async () => await message.locator('.body.cut').count() === 0);
  const { y, height } = await message.locator('a').boundingBox();
  const log = await ana.page.locator('#messages').boundingBox();
  assert.ok(y >= log.y && y + height <= log.y + log.height, 'the link is visible');
});

browserTest('code blocks show their language and have a copy button', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby', { permissions: ['clipboard-read', 'clipboard-write'] });
  await ana.send(`code\n\n${FENCE}rust\nfn main() {\n    run(); // <b>\n}\n${FENCE}\n\n${FENCE}\nplain\n${FENCE}`);
  const message = await ana.waitForMessage('code');
  const blocks = message.locator('.code-block');
  assert.deepEqual(await blocks.locator('.language').allInnerTexts(), ['Rust']);
  const button = blocks.first().getByRole('button', { name: 'Copy code' });
  await button.click();
  await blocks.first().locator('[data-done="Copied"]').waitFor();
  assert.equal(await ana.page.evaluate(() => navigator.clipboard.readText()), 'fn main() {\n    run(); // <b>\n}');
  await blocks.nth(1).getByRole('button', { name: 'Copy code' }).click();
  await blocks.nth(1).locator('[data-done="Copied"]').waitFor();
  assert.equal(await ana.page.evaluate(() => navigator.clipboard.readText()), 'plain');
});

browserTest('code can be copied without the clipboard API', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  await ana.page.evaluate(() => {
    Object.defineProperty(navigator, 'clipboard', { value: undefined });
    document.addEventListener('copy', () => { window.copied = document.activeElement.value; });
  });
  await ana.send(`code\n\n${FENCE}\nplain\n${FENCE}`);
  const button = (await ana.waitForMessage('code')).locator('.copy');
  await button.click();
  await untilEqual(() => ana.page.evaluate(() => window.copied), 'plain');
  assert.equal(await button.getAttribute('data-done'), 'Copied');
});

browserTest('text of each direction is aligned to its side, in quotes and lists too', async (fixture) => {
  const server = await fixture.server();
  const ben = await fixture.bot(server, 'فاطمة');
  const ana = await fixture.user(server, 'ana');
  await ben.send('> مرحبا بالعالم\n\n- واحد');
  const message = await ana.waitForMessage('مرحبا');
  const style = (selector, name) => message.locator(selector).evaluate((element, property) => getComputedStyle(element)[property], name);
  assert.equal(await style('blockquote', 'borderRightWidth'), '3px');
  assert.equal(await style('blockquote', 'borderLeftWidth'), '0px');
  assert.equal(await style('li', 'marginRight'), '24px');
  for (const name of [message.locator('.from'), ana.page.locator('li[data-name="فاطمة"] .person-name')]) {
    assert.equal(await name.evaluate((element) => getComputedStyle(element).direction), 'rtl');
    assert.equal(await name.evaluate((element) => getComputedStyle(element).textAlign), 'left', 'all names are aligned to the same side');
  }
  await ben.room.typing();
  await untilEqual(() => ana.page.locator('#typing').textContent(), '\u2068فاطمة\u2069 is typing…');
});

browserTest('stacked combining marks do not paint over other messages', async (fixture) => {
  const server = await fixture.server();
  const ben = await fixture.bot(server, 'ben');
  const ana = await fixture.user(server, 'ana');
  await ben.send('before');
  await ben.send(`a${'\u0301\u0316'.repeat(200)}`);
  await ben.send('after');
  await ana.waitForMessage('after');
  const entries = ana.page.locator('.entry');
  for (const contain of await entries.evaluateAll((all) => all.map((entry) => getComputedStyle(entry).contain))) assert.match(contain, /paint|content/);
  const overflow = await ana.page.locator('.message .body').evaluateAll((all) => all.map((body) => getComputedStyle(body).overflowY));
  assert.deepEqual([...new Set(overflow)], ['clip']);
});

browserTest('without a pointer the time of each message is visible', async (fixture) => {
  const server = await fixture.server();
  const ben = await fixture.bot(server, 'ben');
  await ben.send('one');
  await ben.send('two');
  const ana = await fixture.user(server, 'ana', 'lobby', PHONE);
  const time = (await ana.waitForMessage('two')).locator('time');
  assert.equal(await time.evaluate((element) => getComputedStyle(element).opacity), '1');
});

browserTest('a room slightly taller than the screen can be scrolled to its beginning', async (fixture) => {
  const server = await fixture.server();
  const ben = await fixture.bot(server, 'ben');
  await ben.sendMany(3);
  const ana = await fixture.user(server, 'ana');
  await ana.waitForMessage('Message 3');
  // The height at which 30 pixels are out of sight.
  const missing = await ana.page.locator('#messages').evaluate((log) => log.clientHeight - [...log.querySelectorAll('.log-start, .log-list')].reduce((sum, part) => sum + part.offsetHeight, 16));
  const { width, height } = ana.page.viewportSize();
  await ana.page.setViewportSize({ width, height: Math.round(height - missing - 30) });
  const log = ana.page.locator('#messages');
  await until('a part is out of view', () => log.evaluate(({ scrollTop }) => scrollTop > 20 && scrollTop < 40));
  await log.hover();
  await ana.page.mouse.wheel(0, -500);
  await ana.page.locator('#jump-newest').waitFor();
  await untilEqual(() => log.evaluate(({ scrollTop }) => scrollTop), 0);
  await ana.page.locator('#jump-newest').click();
  await ana.waitUntilHidden('#jump-newest');
});

browserTest('switching back to a room restores its exact scroll position', async (fixture) => {
  const server = await fixture.server();
  const ben = await fixture.bot(server, 'ben');
  await ben.sendMany(100, (number) => `Message ${number}${number % 3 === 0 ? '\n\n# A heading of another height' : ''}${number % 5 === 0 ? ' 你好 مرحبا' : ''}`);
  const ana = await fixture.user(server, 'ana');
  await ana.waitForMessage('Message 100');
  await ana.joinRoom('tea');
  await ana.page.keyboard.press('Alt+ArrowUp');
  await ana.waitForRoom('lobby');
  const first = () => ana.page.locator('#messages').evaluate((log) => {
    const { top } = log.getBoundingClientRect();
    const entry = [...log.querySelectorAll('.entry')].find((each) => each.getBoundingClientRect().bottom > top);
    return { seq: entry?.dataset.seq, offset: entry && entry.getBoundingClientRect().top - top };
  });
  // Whole and half pixels, so that the first visible message is cut off at different heights.
  for (const step of [0, 1, 7, 0.5, 13, 23, 31]) {
    await ana.page.locator('#messages').evaluate(async (log, by) => {
      log.scrollTop = 900 + by;
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    }, step);
    const before = await first();
    await ana.page.keyboard.press('Alt+ArrowDown');
    await ana.waitForRoom('tea');
    await ana.page.keyboard.press('Alt+ArrowUp');
    await ana.waitForRoom('lobby');
    const after = await first();
    assert.equal(after.seq, before.seq);
    assert.ok(Math.abs(after.offset - before.offset) <= 1, `${after.offset} px instead of ${before.offset} px`);
  }
});

browserTest('a task has no bullet, and a lone emoji is large', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  await ana.sendAndWait('a message');
  // The classes that chat-markdown sets, whatever the version of this server does.
  const look = await ana.page.locator('.message .body').evaluate((body) => {
    const made = ['li', 'li', 'p'].map((name) => document.createElement(name));
    const [task, item, emoji] = made;
    task.className = 'md-task';
    emoji.className = 'md-emoji';
    const list = document.createElement('ul');
    list.append(task, item);
    body.append(list, emoji);
    return made.map((element) => {
      const { listStyleType, marginLeft, fontSize } = getComputedStyle(element);
      return { listStyleType, marginLeft, fontSize };
    });
  });
  assert.deepEqual(look.map(({ listStyleType }) => listStyleType).slice(0, 2), ['none', 'disc']);
  assert.deepEqual(look.map(({ marginLeft }) => marginLeft), ['0px', '24px', '0px']);
  assert.equal(look[2].fontSize, '32px');
});
