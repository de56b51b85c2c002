// Lost connections, and the messages that are written while the page is offline.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

browserTest('messages written offline are sent once and in order after reconnecting', async (fixture) => {
  const server = await fixture.server();
  const proxy = await fixture.proxy(server);
  const ana = await fixture.user(proxy, 'ana');
  const ben = await fixture.user(server, 'ben');
  ana.expectsOutage = true;
  await ana.sendAndWait('before');
  await ana.page.context().setOffline(true);
  proxy.cut();
  assert.match(await ana.waitForBanner('offline'), /^You’re offline\. Your messages will be sent when you’re back online\./);
  await ana.send('one');
  await ana.send('two');
  const states = async () => (await ana.log()).map(({ text, state }) => [text, state]);
  await untilEqual(states, [['before', 'stored'], ['one', 'pending'], ['two', 'pending']]);
  await ben.sendAndWait('from outside');
  proxy.restore();
  await ana.page.context().setOffline(false);
  await ana.waitForBanner('none');
  for (const user of [ana, ben]) await untilEqual(() => user.stored(), ['before', 'from outside', 'one', 'two']);
  assert.deepEqual(await ana.log(), await ben.log());
});

browserTest('a short outage shows no banner', async (fixture) => {
  const server = await fixture.server();
  const proxy = await fixture.proxy(server);
  const ana = await fixture.user(proxy, 'ana');
  ana.expectsOutage = true;
  await ana.page.evaluate(() => {
    window.kinds = [];
    const banner = document.querySelector('#banner');
    new MutationObserver(() => window.kinds.push(banner.dataset.kind)).observe(banner, { attributes: true, attributeFilter: ['data-kind'] });
    // The reconnect delays are random: here they are short.
    Math.random = () => 0.01;
  });
  proxy.cut();
  proxy.restore();
  await ana.sendAndWait('still here');
  assert.deepEqual((await ana.page.evaluate(() => window.kinds)).filter((kind) => kind !== 'none'), []);
});

browserTest('a message is pending until it is stored', async (fixture) => {
  const server = await fixture.server();
  const proxy = await fixture.proxy(server);
  const ana = await fixture.user(proxy, 'ana');
  proxy.freeze();
  await ana.send('on its way');
  const pending = ana.page.locator('.message[data-state="pending"]');
  await pending.waitFor();
  assert.match(await pending.innerText(), /Sending…/);
  assert.equal(await pending.getAttribute('aria-label'), 'Your message, being sent');
  assert.equal(await ana.page.locator('#compose-text').inputValue(), '');
  const id = await pending.getAttribute('data-id');
  proxy.thaw();
  const stored = await ana.waitForMessage('on its way');
  assert.equal(await stored.getAttribute('data-id'), id);
  await until('the message is shown once', async () => await ana.page.locator('.message').count() === 1);
});

browserTest('a message that is too long stays in the box, with an error', async (fixture) => {
  const server = await fixture.server('--message-bytes', '2000');
  const ana = await fixture.user(server, 'ana');
  const long = 'word '.repeat(500).trim();
  await ana.send(long);
  await ana.page.locator('#compose-error').waitFor();
  assert.match(await ana.text('#compose-error'), /too long for this server/);
  assert.equal(await ana.page.locator('#compose-text').inputValue(), long);
  assert.equal(await ana.page.locator('#compose-text').getAttribute('aria-invalid'), 'true');
  await ana.page.locator('#compose-text').fill('shorter');
  await ana.waitUntilHidden('#compose-error');
  assert.equal(await ana.page.locator('#compose-text').getAttribute('aria-invalid'), null);
  await ana.page.keyboard.press('Enter');
  await ana.waitForMessage('shorter');
});

/**
 * Messages that were accepted while the server was down, and are too long for the server that comes
 * back.
 */
async function failed(fixture, ...texts) {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  ana.expectsOutage = true;
  await server.kill();
  await ana.waitForBanner('down');
  for (const text of texts) await ana.send(text);
  await server.start('--message-bytes', '1000');
  await ana.page.locator('.message[data-state="failed"]').nth(texts.length - 1).waitFor();
  return { server, ana };
}

const LONG = 'A long story. '.repeat(100).trim();

browserTest('a failed message is marked, and can be edited or discarded', async (fixture) => {
  const { ana } = await failed(fixture, `first ${LONG}`, `second ${LONG}`);
  const messages = ana.page.locator('.message[data-state="failed"]');
  assert.equal(await messages.first().getAttribute('aria-label'), 'Your message, not sent');
  assert.match(await messages.first().innerText(), /Not sent\. This message is too long for this server/);
  await messages.first().locator('[data-action="discard"]').click();
  await until('the message is gone', async () => await messages.count() === 1);
  await ana.page.locator('#compose-text').fill('and more');
  await messages.first().locator('[data-action="edit"]').click();
  await until('the message is back in the box', async () => await messages.count() === 0);
  assert.equal(await ana.page.locator('#compose-text').inputValue(), `second ${LONG}\nand more`);
  assert.equal(await ana.focused(), 'compose-text');
  await ana.sendAndWait('short');
  await untilEqual(() => ana.texts(), ['short']);
});

browserTest('a failed message can be retried, and is stored once', async (fixture) => {
  const { server, ana } = await failed(fixture, LONG);
  const message = ana.page.locator('.message[data-state="failed"]');
  await message.locator('[data-action="retry"]').click();
  await message.waitFor();
  assert.equal(await message.count(), 1, 'the message failed again, and is shown once');
  await server.kill();
  await ana.waitForBanner('down');
  await server.start('--message-bytes', '131072');
  await ana.clickBannerAction();
  await ana.waitForBanner('none');
  await message.locator('[data-action="retry"]').click();
  await ana.waitForMessage('A long story');
  await untilEqual(() => ana.texts(), [LONG]);
});

browserTest('the browser asks before it closes a page with unsent messages', async (fixture) => {
  const server = await fixture.server();
  const proxy = await fixture.proxy(server);
  const ana = await fixture.user(proxy, 'ana');
  proxy.freeze();
  await ana.send('not sent yet');
  await ana.page.locator('.message[data-state="pending"]').waitFor();
  const asked = ana.page.waitForEvent('dialog');
  await ana.page.close({ runBeforeUnload: true });
  assert.equal((await asked).type(), 'beforeunload');
});

browserTest('the page uses compression if the server offers it', async (fixture) => {
  const server = await fixture.server('--compression', 'on');
  const ana = await fixture.user(server, 'ana');
  const ben = await fixture.user(server, 'ben');
  const extensions = await ana.page.evaluate(() => new Promise((resolve, reject) => {
    const socket = new WebSocket(new URL('/ws', location.href.replace(/^http/, 'ws')), 'chat.v2');
    socket.onopen = () => {
      resolve(socket.extensions);
      socket.close();
    };
    socket.onerror = reject;
  }));
  assert.match(extensions, /^permessage-deflate/);
  const long = 'the same over and over '.repeat(100).trim();
  await ana.sendAndWait(long);
  await ben.sendAndWait('short');
  for (const user of [ana, ben]) await untilEqual(() => user.stored(), [long, 'short']);
});
