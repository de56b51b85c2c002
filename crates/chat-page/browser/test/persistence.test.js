// What the browser stores: rooms, drafts, unsent messages.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

const rooms = (user) => user.page.locator('#rooms-list li').evaluateAll((items) => items.map((item) => item.dataset.room));
const pending = (user) => user.page.locator('.message[data-state="pending"]');

browserTest('the room list is restored after the tab was closed', async (fixture) => {
  const server = await fixture.server();
  const context = await fixture.context();
  const ana = await fixture.user(server, 'ana', 'lobby', { context });
  for (const room of ['tea', 'code', 'music']) await ana.joinRoom(room);
  await ana.page.locator('#rooms-list a[data-room="code"]').click();
  await ana.waitForRoom('code');
  await ana.page.locator('#leave-room').click();
  await ana.waitForRoom('music');
  await ana.page.close();

  const reopened = await fixture.visitor(server, '/', { context });
  await reopened.page.keyboard.press('Enter');
  await reopened.waitForRoom('music');
  await untilEqual(() => rooms(reopened), ['lobby', 'tea', 'music']);
  await reopened.page.keyboard.press('Alt+ArrowUp');
  await reopened.waitForRoom('tea');
  await reopened.sendAndWait('still here');
});

browserTest('each name has its own room list, and tabs do not interfere', async (fixture) => {
  const server = await fixture.server();
  const context = await fixture.context();
  const ana = await fixture.user(server, 'ana', 'lobby', { context });
  const ben = await fixture.visitor(server, '/r/lobby', { context });
  await ben.enter('ben');
  await ana.joinRoom('tea');
  await ben.joinRoom('code');
  await ana.joinRoom('music');
  for (const user of [ana, ben]) await user.page.close();

  const reopened = await fixture.visitor(server, '/r/lobby', { context });
  await reopened.enter('ana');
  await untilEqual(() => rooms(reopened), ['lobby', 'tea', 'music']);
  const other = await fixture.visitor(server, '/r/lobby', { context });
  await other.enter('ben');
  await untilEqual(() => rooms(other), ['lobby', 'code']);
});

browserTest('signing out removes everything stored for the name', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby');
  await ana.joinRoom('tea');
  await ana.page.locator('#compose-text').fill('half a thought');
  await ana.page.locator('#open-settings').click();
  await ana.page.locator('#sign-out').click();
  await ana.page.locator('#entry-form').waitFor();
  await ana.page.locator('#entry-room').fill('lobby');
  await ana.enter('ana');
  await ana.sendAndWait('back');
  assert.deepEqual(await rooms(ana), ['lobby']);
  await ana.joinRoom('tea');
  assert.equal(await ana.page.locator('#compose-text').inputValue(), '');
});

browserTest('a listed room that cannot be joined is reported, and can be retried', async (fixture) => {
  const server = await fixture.server();
  const context = await fixture.context();
  const ana = await fixture.user(server, 'ana', 'lobby', { context });
  await ana.joinRoom('tea');
  await ana.page.keyboard.press('Alt+ArrowUp');
  await ana.waitForRoom('lobby');
  await ana.page.close();
  const other = await until('the name is free', () => fixture.bot(server, 'ana', 'tea').catch((error) => {
    // The server may not have noticed yet that the page is closed.
    if (error.code !== 'username_taken') throw error;
  }));
  const reopened = await fixture.visitor(server, '/', { context });
  await reopened.page.keyboard.press('Enter');
  await reopened.page.locator('#toast').waitFor();
  assert.match(await reopened.text('#toast-text'), /^Couldn’t join #tea\./);
  other.leave();
  await until('the room is joined', async () => {
    if (await reopened.isVisible('#toast-action')) await reopened.page.locator('#toast-action').click();
    return (await rooms(reopened)).includes('tea');
  });
});

browserTest('unsent messages survive a reload, and are sent once', async (fixture) => {
  const server = await fixture.server();
  const proxy = await fixture.proxy(server);
  const ana = await fixture.user(proxy, 'ana');
  const ben = await fixture.bot(server, 'ben');
  const received = [];
  ben.room.on('message', ({ message }) => received.push(message.body));
  await ana.sendAndWait('before');
  ana.expectsOutage = true;
  proxy.freeze();
  await ana.send('one');
  await ana.send('two');
  // The page draws in its next frame.
  await untilEqual(() => pending(ana).count(), 2);
  const ids = await pending(ana).evaluateAll((messages) => messages.map((message) => message.dataset.id));
  await ana.page.reload();
  await ana.waitForRoom('lobby');
  await ana.waitForMessage('two');
  assert.deepEqual(await ana.stored(), ['before', 'one', 'two']);
  const stored = await ana.page.locator('.message[data-state="stored"]').evaluateAll((messages) => messages.map((message) => message.dataset.id));
  assert.deepEqual(stored.slice(1), ids, 'with the same ids');
  await untilEqual(() => received, ['before', 'one', 'two']);
});

browserTest('unsent messages survive closing the tab, in all rooms', async (fixture) => {
  const server = await fixture.server();
  const context = await fixture.context();
  const ana = await fixture.user(server, 'ana', 'lobby', { context });
  await ana.joinRoom('tea');
  ana.expectsOutage = true;
  await server.kill();
  await ana.waitForBanner('down');
  await ana.send('for tea');
  await ana.page.keyboard.press('Alt+ArrowUp');
  await ana.waitForRoom('lobby');
  await ana.send('for the lobby');
  await pending(ana).waitFor();
  await ana.page.close();
  await server.start();
  const reopened = await fixture.visitor(server, '/', { context });
  await reopened.page.keyboard.press('Enter');
  await reopened.waitForRoom('lobby');
  await reopened.waitForMessage('for the lobby');
  await reopened.page.locator('#rooms-list li[data-room="tea"]').waitFor();
  await reopened.page.keyboard.press('Alt+ArrowDown');
  await reopened.waitForRoom('tea');
  await reopened.waitForMessage('for tea');
  assert.deepEqual(await reopened.stored(), ['for tea']);
});

browserTest('a failed message survives a reload, and can be edited or discarded', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  ana.expectsOutage = true;
  await server.kill();
  await ana.waitForBanner('down');
  const long = 'A long story. '.repeat(100).trim();
  await ana.send(long);
  await server.start('--message-bytes', '1000');
  const failed = ana.page.locator('.message[data-state="failed"]');
  await failed.waitFor();
  await ana.page.reload();
  await ana.waitForRoom('lobby');
  await failed.waitFor();
  assert.match(await failed.innerText(), /Not sent\. This message is too long for this server/);
  await failed.locator('[data-action="edit"]').click();
  assert.equal(await ana.page.locator('#compose-text').inputValue(), long);
  await ana.page.reload();
  await ana.waitForRoom('lobby');
  assert.equal(await failed.count(), 0);
  assert.equal(await ana.page.locator('#compose-text').inputValue(), long);
});

browserTest('drafts survive closing the tab', async (fixture) => {
  const server = await fixture.server();
  const context = await fixture.context();
  const ana = await fixture.user(server, 'ana', 'lobby', { context });
  await ana.page.locator('#compose-text').fill('half a thought');
  await ana.page.close();
  const reopened = await fixture.visitor(server, '/', { context });
  await reopened.page.keyboard.press('Enter');
  await reopened.waitForRoom('lobby');
  assert.equal(await reopened.page.locator('#compose-text').inputValue(), 'half a thought');
  await reopened.page.keyboard.press('Enter');
  await reopened.waitForMessage('half a thought');
  await reopened.page.reload();
  await reopened.waitForRoom('lobby');
  assert.equal(await reopened.page.locator('#compose-text').inputValue(), '');
});

/**
 * A new tab with the session storage of a tab that was discarded. The server does not notice that
 * the discarded one is gone. `before(page)` is called before the new tab is opened.
 */
async function discarded(fixture, before = async () => {}) {
  const server = await fixture.server();
  const proxy = await fixture.proxy(server);
  const context = await fixture.context();
  const ana = await fixture.user(proxy, 'ana', 'lobby', { context });
  await ana.sendAndWait('before');
  const sessionItems = await ana.page.evaluate(() => ({ ...sessionStorage }));
  await before(ana.page);
  // Nothing gets through: the server does not notice that the page is gone.
  proxy.freeze();
  await ana.page.close();
  const page = await context.newPage();
  await page.addInitScript((items) => {
    for (const [key, value] of Object.entries(items)) if (sessionStorage.getItem(key) === null) sessionStorage.setItem(key, value);
  }, sessionItems);
  const reopened = await fixture.watch(page, proxy.address);
  await page.goto(`${proxy.address}/r/lobby`);
  return reopened;
}

browserTest('a discarded tab is back at once, although the server does not know that its old connection is dead', async (fixture) => {
  const reopened = await discarded(fixture);
  await reopened.waitForRoom('lobby');
  assert.equal(await reopened.text('#entry-status'), '', 'it did not have to wait');
  await reopened.sendAndWait('after');
  assert.deepEqual(await reopened.people(), ['ana']);
});

browserTest('a discarded tab without its guest token waits until the server notices that its old connection is dead', async (fixture) => {
  const reopened = await discarded(fixture, (page) => page.evaluate(() => localStorage.removeItem('chatd.guest')));
  await until('the form shows what it is waiting for', async () => /last session has not ended yet/.test(await reopened.text('#entry-status')));
  await reopened.waitForRoom('lobby');
  await reopened.sendAndWait('after');
});
