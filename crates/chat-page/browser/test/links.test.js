// Links to rooms of the same server, and `#room` in a message.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { untilEqual } from './support/until.js';

const references = (message) => message.locator('.room-reference').allInnerTexts();

browserTest('a link to a room of this server opens in place', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby');
  await ana.page.evaluate(() => { window.sameDocument = true; });
  await ana.send(`come to ${server.address}/r/linka or to [the other one](${server.address}/r/b%C3%BCro)`);
  await ana.waitForMessage('the other one');
  await ana.page.locator('.body a', { hasText: '/r/linka' }).click();
  await ana.waitForRoom('linka');
  await ana.page.goBack();
  await ana.waitForRoom('lobby');
  await ana.page.locator('.body a', { hasText: 'the other one' }).focus();
  await ana.page.keyboard.press('Enter');
  await ana.waitForRoom('büro');
  assert.equal(await ana.page.evaluate(() => window.sameDocument), true);
  assert.equal(ana.page.context().pages().length, 1);
});

browserTest('links to other servers, and Ctrl+click, are left to the browser', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby');
  await ana.sendAndWait(`see ${server.address}/r/linka`);
  const link = ana.page.locator('.body a').first();
  const opened = ana.page.context().waitForEvent('page');
  await link.click({ modifiers: ['Control'] });
  const second = await fixture.watch(await opened, server.address);
  await second.page.waitForURL('**/r/linka');
  assert.equal(await ana.text('#room-title'), 'lobby');

  await ana.sendAndWait('and http://other.invalid/r/linka');
  const prevented = await ana.page.evaluate(() => {
    const foreign = document.querySelector('.body a[href^="http://other.invalid/"]');
    const event = new MouseEvent('click', { bubbles: true, cancelable: true });
    document.body.addEventListener('click', (last) => { window.wasPrevented = last.defaultPrevented; last.preventDefault(); }, { once: true });
    foreign.dispatchEvent(event);
    return window.wasPrevented;
  });
  assert.equal(prevented, false);
});

browserTest('#room in a text is a link, but numbers, colours and code are not', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby');
  await ana.joinRoom('雑談');
  await ana.page.keyboard.press('Alt+ArrowUp');
  await ana.waitForRoom('lobby');
  const texts = [
    ['try #tea, (#code-1) and #büro!', ['#tea', '#code-1', '#büro']],
    ['issue #12 and #1-2, colours #ff8800 and #1a2', []],
    ['not `#tea`, [not #tea](https://example.org/), a#tea, C# or ##tea', []],
    ['続きは#雑談で話そう', ['#雑談']],
    ['at the end #tea-', ['#tea']],
  ];
  for (const [text] of texts) await ana.send(text);
  await ana.waitForMessage('at the end');
  const seen = await ana.page.locator('#messages .body').evaluateAll((bodies) => bodies.map((body) => [...body.querySelectorAll('.room-reference')].map((link) => link.innerText)));
  assert.deepEqual(seen, texts.map(([, expected]) => expected));
  await ana.page.locator('.room-reference', { hasText: '#büro' }).click();
  await ana.waitForRoom('büro');
  assert.equal(new URL(ana.page.url()).pathname, '/r/b%C3%BCro');
});

browserTest('a room link that cannot be joined shows why', async (fixture) => {
  const server = await fixture.server();
  await fixture.bot(server, 'ana', 'tea');
  const ana = await fixture.user(server, 'ana', 'lobby');
  await ana.sendAndWait('see #tea');
  await ana.page.locator('.room-reference').click();
  await ana.page.locator('#switcher-error').waitFor();
  assert.equal(await ana.page.locator('#switcher-room').inputValue(), 'tea');
  await untilEqual(async () => (await references(ana.message('see'))).length, 1);
});
