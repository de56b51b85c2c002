// Lost connections, and the messages that are written while the page is offline.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

browserTest('messages written offline are sent once and in order after reconnecting', async (house) => {
  const server = await house.server();
  const line = await house.line(server);
  const ana = await house.person(line, 'ana');
  const ben = await house.person(server, 'ben');
  ana.mayLoseTheLine = true;
  await ana.says('before');
  await ana.page.context().setOffline(true);
  line.cut();
  assert.match(await ana.bannerSays('offline'), /^You’re offline\. Your messages will be sent when you’re back online\./);
  await ana.say('one');
  await ana.say('two');
  assert.deepEqual((await ana.log()).map(({ text, state }) => [text, state]), [['before', 'stored'], ['one', 'pending'], ['two', 'pending']]);
  await ben.says('from outside');
  line.mend();
  await ana.page.context().setOffline(false);
  await ana.bannerSays('none');
  for (const person of [ana, ben]) await untilEqual(() => person.stored(), ['before', 'from outside', 'one', 'two']);
  assert.deepEqual(await ana.log(), await ben.log());
});

browserTest('a short outage shows no banner', async (house) => {
  const server = await house.server();
  const line = await house.line(server);
  const ana = await house.person(line, 'ana');
  ana.mayLoseTheLine = true;
  await ana.page.evaluate(() => {
    window.kinds = [];
    const banner = document.querySelector('#banner');
    new MutationObserver(() => window.kinds.push(banner.dataset.kind)).observe(banner, { attributes: true, attributeFilter: ['data-kind'] });
    // The reconnect delays are random: here they are short.
    Math.random = () => 0.01;
  });
  line.cut();
  line.mend();
  await ana.says('still here');
  assert.deepEqual((await ana.page.evaluate(() => window.kinds)).filter((kind) => kind !== 'none'), []);
});

browserTest('a message is pending until it is stored', async (house) => {
  const server = await house.server();
  const line = await house.line(server);
  const ana = await house.person(line, 'ana');
  line.freeze();
  await ana.say('on its way');
  const pending = ana.page.locator('.message[data-state="pending"]');
  await pending.waitFor();
  assert.match(await pending.innerText(), /Sending…/);
  assert.equal(await pending.getAttribute('aria-label'), 'Your message, being sent');
  assert.equal(await ana.page.locator('#compose-text').inputValue(), '');
  const id = await pending.getAttribute('data-id');
  line.thaw();
  const stored = await ana.sees('on its way');
  assert.equal(await stored.getAttribute('data-id'), id);
  await until('the message is shown once', async () => await ana.page.locator('.message').count() === 1);
});

browserTest('a message that is too long stays in the box, with an error', async (house) => {
  const server = await house.server('--message-bytes', '2000');
  const ana = await house.person(server, 'ana');
  const long = 'word '.repeat(500).trim();
  await ana.say(long);
  await ana.page.locator('#compose-error').waitFor();
  assert.match(await ana.text('#compose-error'), /too long for this server/);
  assert.equal(await ana.page.locator('#compose-text').inputValue(), long);
  assert.equal(await ana.page.locator('#compose-text').getAttribute('aria-invalid'), 'true');
  await ana.page.locator('#compose-text').fill('shorter');
  await ana.hides('#compose-error');
  assert.equal(await ana.page.locator('#compose-text').getAttribute('aria-invalid'), null);
  await ana.page.keyboard.press('Enter');
  await ana.sees('shorter');
});

/**
 * Messages that were accepted while the server was down, and are too long for the server that comes
 * back.
 */
async function failed(house, ...texts) {
  const server = await house.server();
  const ana = await house.person(server, 'ana');
  ana.mayLoseTheLine = true;
  await server.kill();
  await ana.bannerSays('down');
  for (const text of texts) await ana.say(text);
  await server.up('--message-bytes', '1000');
  await ana.page.locator('.message[data-state="failed"]').nth(texts.length - 1).waitFor();
  return { server, ana };
}

const LONG = 'A long story. '.repeat(100).trim();

browserTest('a failed message is marked, and can be edited or discarded', async (house) => {
  const { ana } = await failed(house, `first ${LONG}`, `second ${LONG}`);
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
  await ana.says('short');
  await untilEqual(() => ana.texts(), ['short']);
});

browserTest('a failed message can be retried, and is stored once', async (house) => {
  const { server, ana } = await failed(house, LONG);
  const message = ana.page.locator('.message[data-state="failed"]');
  await message.locator('[data-action="retry"]').click();
  await message.waitFor();
  assert.equal(await message.count(), 1, 'the message failed again, and is shown once');
  await server.kill();
  await ana.bannerSays('down');
  await server.up('--message-bytes', '131072');
  await ana.triesNow();
  await ana.bannerSays('none');
  await message.locator('[data-action="retry"]').click();
  await ana.sees('A long story');
  await untilEqual(() => ana.texts(), [LONG]);
});

browserTest('the browser asks before it closes a page with unsent messages', async (house) => {
  const server = await house.server();
  const line = await house.line(server);
  const ana = await house.person(line, 'ana');
  line.freeze();
  await ana.say('not sent yet');
  await ana.page.locator('.message[data-state="pending"]').waitFor();
  const asked = ana.page.waitForEvent('dialog');
  await ana.page.close({ runBeforeUnload: true });
  assert.equal((await asked).type(), 'beforeunload');
});

browserTest('the page uses compression if the server offers it', async (house) => {
  const server = await house.server('--compression', 'on');
  const ana = await house.person(server, 'ana');
  const ben = await house.person(server, 'ben');
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
  await ana.says(long);
  await ben.says('short');
  for (const person of [ana, ben]) await untilEqual(() => person.stored(), [long, 'short']);
});
