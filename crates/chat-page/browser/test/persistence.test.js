// What the browser stores: rooms, drafts, unsent messages.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

const rooms = (person) => person.page.locator('#rooms-list li').evaluateAll((items) => items.map((item) => item.dataset.room));
const pending = (person) => person.page.locator('.message[data-state="pending"]');

browserTest('the room list is restored after the tab was closed', async (house) => {
  const server = await house.server();
  const context = await house.context();
  const ana = await house.person(server, 'ana', 'lobby', { context });
  for (const room of ['tea', 'code', 'music']) await ana.joinAnother(room);
  await ana.page.locator('#rooms-list a[data-room="code"]').click();
  await ana.isIn('code');
  await ana.page.locator('#leave-room').click();
  await ana.isIn('music');
  await ana.page.close();

  const again = await house.visitor(server, '/', { context });
  await again.page.keyboard.press('Enter');
  await again.isIn('music');
  await untilEqual(() => rooms(again), ['lobby', 'tea', 'music']);
  await again.page.keyboard.press('Alt+ArrowUp');
  await again.isIn('tea');
  await again.says('still here');
});

browserTest('each name has its own room list, and tabs do not interfere', async (house) => {
  const server = await house.server();
  const context = await house.context();
  const ana = await house.person(server, 'ana', 'lobby', { context });
  const ben = await house.visitor(server, '/r/lobby', { context });
  await ben.enter('ben');
  await ana.joinAnother('tea');
  await ben.joinAnother('code');
  await ana.joinAnother('music');
  for (const person of [ana, ben]) await person.page.close();

  const again = await house.visitor(server, '/r/lobby', { context });
  await again.enter('ana');
  await untilEqual(() => rooms(again), ['lobby', 'tea', 'music']);
  const other = await house.visitor(server, '/r/lobby', { context });
  await other.enter('ben');
  await untilEqual(() => rooms(other), ['lobby', 'code']);
});

browserTest('signing out removes everything stored for the name', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana', 'lobby');
  await ana.joinAnother('tea');
  await ana.page.locator('#compose-text').fill('half a thought');
  await ana.page.locator('#open-settings').click();
  await ana.page.locator('#sign-out').click();
  await ana.page.locator('#entry-form').waitFor();
  await ana.page.locator('#entry-room').fill('lobby');
  await ana.enter('ana');
  await ana.says('back');
  assert.deepEqual(await rooms(ana), ['lobby']);
  await ana.joinAnother('tea');
  assert.equal(await ana.page.locator('#compose-text').inputValue(), '');
});

browserTest('a listed room that cannot be joined is reported, and can be retried', async (house) => {
  const server = await house.server();
  const context = await house.context();
  const ana = await house.person(server, 'ana', 'lobby', { context });
  await ana.joinAnother('tea');
  await ana.page.keyboard.press('Alt+ArrowUp');
  await ana.isIn('lobby');
  await ana.page.close();
  const other = await until('the name is free', () => house.raw(server, 'ana', 'tea').catch((error) => {
    // The server may not have noticed yet that the page is closed.
    if (error.code !== 'username_taken') throw error;
  }));
  const again = await house.visitor(server, '/', { context });
  await again.page.keyboard.press('Enter');
  await again.page.locator('#toast').waitFor();
  assert.match(await again.text('#toast-text'), /^Couldn’t join #tea\./);
  other.leave();
  await until('the room is joined', async () => {
    if (await again.shows('#toast-action')) await again.page.locator('#toast-action').click();
    return (await rooms(again)).includes('tea');
  });
});

browserTest('unsent messages survive a reload, and are sent once', async (house) => {
  const server = await house.server();
  const line = await house.line(server);
  const ana = await house.person(line, 'ana');
  const ben = await house.raw(server, 'ben');
  const heard = [];
  ben.room.on('message', ({ message }) => heard.push(message.body));
  await ana.says('before');
  ana.mayLoseTheLine = true;
  line.freeze();
  await ana.say('one');
  await ana.say('two');
  const ids = await pending(ana).evaluateAll((messages) => messages.map((message) => message.dataset.id));
  assert.equal(ids.length, 2);
  await ana.page.reload();
  await ana.isIn('lobby');
  await ana.sees('two');
  assert.deepEqual(await ana.stored(), ['before', 'one', 'two']);
  const stored = await ana.page.locator('.message[data-state="stored"]').evaluateAll((messages) => messages.map((message) => message.dataset.id));
  assert.deepEqual(stored.slice(1), ids, 'with the same ids');
  await untilEqual(() => heard, ['before', 'one', 'two']);
});

browserTest('unsent messages survive closing the tab, in all rooms', async (house) => {
  const server = await house.server();
  const context = await house.context();
  const ana = await house.person(server, 'ana', 'lobby', { context });
  await ana.joinAnother('tea');
  ana.mayLoseTheLine = true;
  await server.kill();
  await ana.bannerSays('down');
  await ana.say('for tea');
  await ana.page.keyboard.press('Alt+ArrowUp');
  await ana.isIn('lobby');
  await ana.say('for the lobby');
  await pending(ana).waitFor();
  await ana.page.close();
  await server.up();
  const again = await house.visitor(server, '/', { context });
  await again.page.keyboard.press('Enter');
  await again.isIn('lobby');
  await again.sees('for the lobby');
  await again.page.keyboard.press('Alt+ArrowDown');
  await again.isIn('tea');
  await again.sees('for tea');
  assert.deepEqual(await again.stored(), ['for tea']);
});

browserTest('a failed message survives a reload, and can be edited or discarded', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana');
  ana.mayLoseTheLine = true;
  await server.kill();
  await ana.bannerSays('down');
  const long = 'A long story. '.repeat(100).trim();
  await ana.say(long);
  await server.up('--message-bytes', '1000');
  const failed = ana.page.locator('.message[data-state="failed"]');
  await failed.waitFor();
  await ana.page.reload();
  await ana.isIn('lobby');
  await failed.waitFor();
  assert.match(await failed.innerText(), /Not sent\. This message is too long for this server/);
  await failed.locator('[data-action="edit"]').click();
  assert.equal(await ana.page.locator('#compose-text').inputValue(), long);
  await ana.page.reload();
  await ana.isIn('lobby');
  assert.equal(await failed.count(), 0);
  assert.equal(await ana.page.locator('#compose-text').inputValue(), long);
});

browserTest('drafts survive closing the tab', async (house) => {
  const server = await house.server();
  const context = await house.context();
  const ana = await house.person(server, 'ana', 'lobby', { context });
  await ana.page.locator('#compose-text').fill('half a thought');
  await ana.page.close();
  const again = await house.visitor(server, '/', { context });
  await again.page.keyboard.press('Enter');
  await again.isIn('lobby');
  assert.equal(await again.page.locator('#compose-text').inputValue(), 'half a thought');
  await again.page.keyboard.press('Enter');
  await again.sees('half a thought');
  await again.page.reload();
  await again.isIn('lobby');
  assert.equal(await again.page.locator('#compose-text').inputValue(), '');
});

browserTest('a discarded tab waits until the server notices that its old connection is dead', async (house) => {
  const server = await house.server();
  const line = await house.line(server);
  const context = await house.context();
  const ana = await house.person(line, 'ana', 'lobby', { context });
  await ana.says('before');
  const kept = await ana.page.evaluate(() => ({ ...sessionStorage }));
  // Nothing gets through: the server does not notice that the page is gone.
  line.freeze();
  await ana.page.close();
  const page = await context.newPage();
  await page.addInitScript((items) => {
    for (const [key, value] of Object.entries(items)) if (sessionStorage.getItem(key) === null) sessionStorage.setItem(key, value);
  }, kept);
  const again = await house.watch(page, line.address);
  await page.goto(`${line.address}/r/lobby`);
  await until('the form shows what it is waiting for', async () => /last session has not ended yet/.test(await again.text('#entry-status')));
  await again.isIn('lobby');
  await again.says('after');
});
