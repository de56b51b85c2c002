// Several tabs of the same browser.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

const name = (user) => user.page.locator('#entry-name').inputValue();
const rooms = (user) => user.page.locator('#rooms-list li').evaluateAll((items) => items.map((item) => item.dataset.room));
const isMine = async (user, text) => /\bmine\b/.test(await (await user.waitForMessage(text)).getAttribute('class'));

browserTest('two tabs with the same name are one user', async (fixture) => {
  const server = await fixture.server();
  const context = await fixture.context();
  const ben = await fixture.bot(server, 'ben');
  const ana = await fixture.user(server, 'ana', 'lobby', { context });
  await until('ben sees ana', () => ben.room.members.has('ana'));
  let seen = [];
  ben.room.on('presence', ({ joined, left }) => {
    // A newcomer may be sent its own arrival.
    seen = [...seen, ...joined.map(({ username }) => username), ...left].filter((name) => name !== 'ben');
  });

  const second = await fixture.visitor(server, '/', { context });
  assert.equal(await name(second), 'ana');
  assert.equal(await second.focused(), 'entry-join');
  await second.page.keyboard.press('Enter');
  await second.waitForRoom('lobby');
  for (const tab of [ana, second]) await untilEqual(() => tab.people(), ['ana', 'ben']);
  assert.equal(await second.text('#people-count'), '2');
  await ana.sendAndWait('from the first tab');
  await second.sendAndWait('from the second tab');
  for (const tab of [ana, second]) {
    for (const text of ['from the first tab', 'from the second tab']) assert.equal(await isMine(tab, text), true, text);
    assert.deepEqual((await tab.log()).map(({ state }) => state), ['stored', 'stored']);
    assert.equal(await tab.banner(), 'none');
  }

  await second.page.close();
  // Presence events are batched: once this one has been received, so have all earlier ones.
  await fixture.bot(server, 'cid');
  await until('cid was seen', () => seen.includes('cid'));
  assert.deepEqual(seen, ['cid']);
  await ana.sendAndWait('still here');
  await ana.page.close();
  await untilEqual(() => seen, ['cid', 'ana']);
});

browserTest('a second tab has the same rooms, and leaves them for itself', async (fixture) => {
  const server = await fixture.server();
  const [ana, second] = await fixture.twoTabs(server, 'ana');
  await ana.joinRoom('tea');
  const ben = await fixture.bot(server, 'ben', 'tea');
  await second.page.reload();
  await untilEqual(() => rooms(second), ['lobby', 'tea']);
  await second.page.locator('#rooms-list a[data-room="tea"]').click();
  await second.waitForRoom('tea');
  await second.page.locator('#leave-room').click();
  await second.waitForRoom('lobby');
  await ana.sendAndWait('still in tea');
  assert.ok(ben.room.members.has('ana'));
});

browserTest('a message that was sent in another tab is not unread', async (fixture) => {
  const [ana, second] = await fixture.twoTabs(await fixture.server(), 'ana');
  await ana.joinRoom('tea');
  await second.joinRoom('tea');
  await second.page.keyboard.press('Alt+ArrowUp');
  await second.waitForRoom('lobby');
  await ana.sendAndWait('one');
  await ana.page.keyboard.press('Alt+ArrowUp');
  await ana.waitForRoom('lobby');
  // The message in the lobby arrives after the one in tea.
  await ana.sendAndWait('two');
  await second.waitForMessage('two');
  assert.equal(await second.isVisible('#rooms-list li[data-room="tea"] .badge.unread'), false);
  assert.equal(await second.page.title(), 'lobby – chatd');
});

browserTest('another name in a second tab is another user', async (fixture) => {
  const server = await fixture.server();
  const context = await fixture.context();
  const ana = await fixture.user(server, 'ana', 'lobby', { context });
  const second = await fixture.user(server, 'ana-2', 'lobby', { context });
  await untilEqual(() => ana.people(), ['ana', 'ana-2']);
  assert.equal(await ana.banner(), 'none');
  await ana.sendAndWait('from ana');
  assert.equal(await isMine(second, 'from ana'), false);
});

browserTest('a duplicated tab is the same user, and the first one keeps its session', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  const opened = ana.page.context().waitForEvent('page');
  await ana.page.evaluate(() => { window.open(location.href); });
  const copy = await fixture.watch(await opened, server.address);
  await copy.waitForRoom('lobby');
  await ana.sendAndWait('still here');
  assert.equal(await ana.banner(), 'none');
  assert.equal(await isMine(copy, 'still here'), true);
  for (const tab of [ana, copy]) await untilEqual(() => tab.people(), ['ana']);
});

browserTest('the second tab sends the first tab’s unsent messages once', async (fixture) => {
  const server = await fixture.server();
  const proxy = await fixture.proxy(server);
  const context = await fixture.context();
  const ana = await fixture.user(proxy, 'ana', 'lobby', { context });
  ana.expectsOutage = true;
  proxy.freeze();
  await ana.send('not sent yet');
  await ana.page.locator('.message[data-state="pending"]').waitFor();
  const second = await fixture.visitor(proxy, '/', { context });
  await second.page.keyboard.press('Enter');
  await second.waitForRoom('lobby');
  await second.waitForMessage('not sent yet');
  await second.page.reload();
  await second.waitForRoom('lobby');
  await second.sendAndWait('after');
  assert.deepEqual((await second.log()).map(({ text, state }) => [text, state]), [['not sent yet', 'stored'], ['after', 'stored']]);
});
