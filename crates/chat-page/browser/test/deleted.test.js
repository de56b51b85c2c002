// Messages that the operator deletes: nothing of them stays in a page.

import assert from 'node:assert/strict';
import { Admin } from './support/admin.js';
import { browserTest } from './support/fixture.js';
import { assertLayout } from './support/layout.js';
import { notifiedContext, notificationsOf } from './support/notifications.js';
import { until, untilEqual } from './support/until.js';

const DELETED = 'This message was deleted by the operator.';
/** In every text that is going to be deleted, and nowhere else. */
const SECRET = 'xyzzy';

/** Everything in which a page could keep a text. */
function contents(user) {
  return user.page.evaluate(async () => JSON.stringify([
    document.title, document.documentElement.outerHTML, [...document.querySelectorAll('input, textarea')].map(({ value }) => value),
    { ...localStorage }, { ...sessionStorage }, await indexedDB.databases(), await caches.keys(),
  ]));
}

async function assertNoTrace(...users) {
  for (const user of users) assert.ok(!(await contents(user)).includes(SECRET), 'the text is still in the page');
}

/** A server, and ben and cid, who are in the room without pages. */
async function place(fixture) {
  const { server, admin } = await Admin.start(fixture);
  const proxy = await fixture.proxy(server);
  const [ben, cid] = [await fixture.bot(server, 'ben'), await fixture.bot(server, 'cid')];
  const eraseBen = () => admin.erase(ben.client.user.id);
  return { server, proxy, admin, ben, cid, eraseBen };
}

async function disconnect(user, proxy) {
  user.expectsOutage = true;
  proxy.cut();
  await user.waitForBanner('down');
}

async function reconnect(user, proxy) {
  proxy.restore();
  await user.clickBannerAction();
  await user.waitForBanner('none');
}

browserTest('a deletion shows at once in every open tab', async (fixture) => {
  const { server, ben, cid, eraseBen } = await place(fixture);
  const [ana, second] = await fixture.twoTabs(server, 'ana');
  await cid.send('hello');
  // Of more than three new messages at once only the number is announced.
  for (const tab of [ana, second]) await tab.waitForMessage('hello');
  await ben.send(`one ${SECRET}`);
  await ben.send(`two ${SECRET}`);
  await cid.send('goodbye');
  for (const tab of [ana, second]) await tab.waitForMessage('goodbye');
  assert.ok((await contents(ana)).includes(SECRET), 'the text is found where it is');

  await eraseBen();
  for (const tab of [ana, second]) await untilEqual(() => tab.texts(), ['hello', DELETED, DELETED, 'goodbye']);
  await assertNoTrace(ana, second);
  const announced = await ana.page.locator('#announcer').textContent();
  assert.ok(announced.includes('goodbye') && !announced.includes('deleted'), announced);
  await assertLayout(ana, 'deleted messages');

  await ben.send('after the deletion');
  for (const tab of [ana, second]) await tab.waitForMessage('after the deletion');
});

browserTest('a deleted message shows no author, and others keep theirs', async (fixture) => {
  const { server, admin, ben, cid } = await place(fixture);
  const dan = await fixture.bot(server, 'dan');
  const ana = await fixture.user(server, 'ana');
  await ben.send('first');
  await cid.send('second');
  await cid.send('third');
  await dan.send('fourth');
  await ana.waitForMessage('fourth');
  const names = () => ana.page.locator('#log-list .message').evaluateAll((all) => all.map((message) => message.querySelector('.from')?.textContent ?? null));
  assert.deepEqual(await names(), ['ben', 'cid', null, 'dan']);
  await admin.erase(cid.client.user.id);
  await untilEqual(() => ana.texts(), ['first', DELETED, DELETED, 'fourth']);
  assert.deepEqual(await names(), ['ben', null, null, 'dan']);
  await dan.send('fifth');
  await ana.waitForMessage('fifth');
  assert.deepEqual((await names()).slice(3), ['dan', null]);
});

browserTest('a message that was deleted while the page was disconnected is deleted after the reconnect', async (fixture) => {
  const { proxy, ben, cid, eraseBen } = await place(fixture);
  const ana = await fixture.user(proxy, 'ana');
  await ben.send(`before ${SECRET}`);
  await cid.send('kept');
  await ana.waitForMessage('kept');
  await disconnect(ana, proxy);
  // This one is sent and deleted while the page is away.
  await ben.send(`meanwhile ${SECRET}`);
  await eraseBen();
  await cid.send('at last');
  await reconnect(ana, proxy);
  await untilEqual(() => ana.texts(), [DELETED, 'kept', DELETED, 'at last']);
  await assertNoTrace(ana);
});

browserTest('after a reload a deleted message is still deleted', async (fixture) => {
  const { server, ben, cid, eraseBen } = await place(fixture);
  const ana = await fixture.user(server, 'ana');
  await ben.send(`one ${SECRET}`);
  await cid.send('two');
  await ana.waitForMessage('two');
  await eraseBen();
  await untilEqual(() => ana.texts(), [DELETED, 'two']);
  await ana.page.reload();
  await ana.waitForRoom('lobby');
  await untilEqual(() => ana.texts(), [DELETED, 'two']);
  await assertNoTrace(ana);
});

browserTest('deletions in older messages do not move what the user reads', async (fixture) => {
  const { server, ben, cid, eraseBen } = await place(fixture);
  for (let number = 1; number <= 150; number += 1) await (number % 3 === 0 ? ben.send(`${SECRET} ${number} `.repeat(30)) : cid.send(`Message ${number}`));
  const ana = await fixture.user(server, 'ana');
  await ana.waitForMessage('Message 149');
  const log = ana.page.locator('#messages');
  await until('message 50 is loaded', async () => {
    await log.evaluate((element) => { element.scrollTop = 0; });
    return await ana.page.locator('.message[data-seq="50"]').count() === 1;
  });
  await ana.page.locator('.message[data-seq="50"]').evaluate((message) => message.scrollIntoView({ block: 'center' }));
  const frames = () => ana.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  await frames();
  // The topmost visible message of cid keeps its position.
  const anchor = await log.evaluate((element) => {
    const { top } = element.getBoundingClientRect();
    const first = [...element.querySelectorAll('.entry')].find((entry) => entry.getBoundingClientRect().bottom > top);
    return { seq: first.dataset.seq, bottom: first.getBoundingClientRect().bottom };
  });
  await eraseBen();
  await until('no text is left', async () => !(await contents(ana)).includes(SECRET));
  await frames();
  const bottom = await ana.page.locator(`.entry[data-seq="${anchor.seq}"]`).evaluate((entry) => entry.getBoundingClientRect().bottom);
  assert.ok(Math.abs(bottom - anchor.bottom) < 3, `the first visible message moved by ${bottom - anchor.bottom} pixels`);
  // Older messages are deleted in the page of history, too.
  await until('the beginning is reached', async () => {
    await log.evaluate((element) => { element.scrollTop = 0; });
    return await ana.page.locator('#log-start').getAttribute('data-state') === 'beginning';
  });
  await untilEqual(async () => (await ana.log()).slice(0, 6).map(({ text }) => text), ['Message 1', 'Message 2', DELETED, 'Message 4', 'Message 5', DELETED]);
  await assertNoTrace(ana);
});

browserTest('a page that missed too much starts again at the newest message', async (fixture) => {
  const { proxy, ben, cid, eraseBen } = await place(fixture);
  const ana = await fixture.user(proxy, 'ana');
  await ben.send(`old ${SECRET}`);
  await cid.send('old, too');
  await ana.waitForMessage('old, too');
  await disconnect(ana, proxy);
  await ana.send('written offline');
  await cid.sendMany(1_100);
  await eraseBen();
  await reconnect(ana, proxy);
  await ana.waitForMessage('written offline');
  const distance = () => ana.page.locator('#messages').evaluate((log) => Math.round(log.scrollHeight - log.scrollTop - log.clientHeight));
  await untilEqual(distance, 0);
  const texts = await ana.texts();
  assert.deepEqual(texts.slice(-3), ['Message 1099', 'Message 1100', 'written offline']);
  assert.ok(!texts.includes('old, too'), 'the log began again');
  // Message 2 is the last one that ana has read.
  await ana.page.locator('#jump-unread').click();
  const entry = ana.page.locator('.entry', { has: ana.page.locator('#new-line') });
  await untilEqual(() => entry.getAttribute('data-seq'), '3');
  await untilEqual(async () => (await ana.texts()).includes('old, too'), true);
  await assertNoTrace(ana);
  assert.equal(await ana.banner(), 'none');
});

browserTest('an unread message that is deleted is not unread any more', async (fixture) => {
  const { server, ben, cid, eraseBen } = await place(fixture);
  const ana = await fixture.user(server, 'ana');
  await ana.joinRoom('tea');
  await ben.send(`@ana ${SECRET}`);
  const badges = () => ana.page.locator('#rooms-list li[data-room="lobby"] .badge:not([hidden])').allTextContents();
  await untilEqual(badges, ['@1', '1']);
  await cid.send('unread');
  await untilEqual(badges, ['@1', '2']);
  await eraseBen();
  await untilEqual(badges, ['1']);
  await untilEqual(() => ana.page.title(), '(1) tea – chatd');
  await assertNoTrace(ana);
});

browserTest('the notification of a deleted message is closed', async (fixture) => {
  const { server, ben, eraseBen } = await place(fixture);
  const context = await notifiedContext(fixture);
  const ana = await fixture.user(server, 'ana', 'lobby', { context });
  await ana.joinRoom('tea');
  await ben.send(`@ana ${SECRET}`);
  const shown = () => notificationsOf(ana);
  await untilEqual(shown, [[`@ana ${SECRET}`, false]]);
  await eraseBen();
  await untilEqual(shown, [[`@ana ${SECRET}`, true]]);
});

browserTest('the focus stays at its message if that is deleted', async (fixture) => {
  const { server, ben, eraseBen } = await place(fixture);
  const ana = await fixture.user(server, 'ana');
  await ben.send(`${SECRET}\n\n`.repeat(60));
  const more = ana.page.locator('.show-more');
  await more.focus();
  await eraseBen();
  await untilEqual(() => ana.texts(), [DELETED]);
  assert.equal(await ana.page.evaluate(() => document.activeElement.dataset.seq), '1');
  await assertNoTrace(ana);
});

browserTest('an own message that is deleted before its ack arrives does not stay in the outbox', async (fixture) => {
  const { proxy, admin, ben } = await place(fixture);
  const ana = await fixture.user(proxy, 'ana');
  const stored = new Promise((resolve) => { ben.room.on('message', ({ message }) => resolve(message)); });
  proxy.freezeAnswers();
  await ana.send(`own ${SECRET}`);
  const { user } = await stored;
  await admin.erase(user);
  await disconnect(ana, proxy);
  await reconnect(ana, proxy);
  await untilEqual(() => ana.texts(), [DELETED]);
  await assertNoTrace(ana);
});

browserTest('events that are lost on the way are recovered, also for an own message', async (fixture) => {
  const { server, admin, ben } = await place(fixture);
  const context = await fixture.context();
  let isLossy = false;
  const acks = [];
  await context.routeWebSocket('**/ws', (socket) => {
    socket.connectToServer().onMessage((text) => {
      const { type } = JSON.parse(text);
      if (type === 'ack') acks.push(type);
      if (!isLossy || type !== 'message') socket.send(text);
    });
  });
  const ana = await fixture.user(server, 'ana', 'lobby', { context });
  await ben.send('before');
  await ana.waitForMessage('before');
  isLossy = true;
  const stored = new Promise((resolve) => { ben.room.on('message', ({ message }) => resolve(message)); });
  await ana.send(`own ${SECRET}`);
  const { user } = await stored;
  await until('the message is acknowledged', () => acks.length === 1);
  await ana.page.locator('.message[data-state="pending"]').waitFor();
  await admin.erase(user);
  await untilEqual(() => ana.texts(), ['before', DELETED]);
  await assertNoTrace(ana);
  assert.equal(await ana.banner(), 'none');
});
