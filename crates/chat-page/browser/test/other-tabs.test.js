// Two tabs of the same browser.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

const name = (user) => user.page.locator('#entry-name').inputValue();

async function twoTabs(fixture, path = '/') {
  const server = await fixture.server();
  const context = await fixture.context();
  const ana = await fixture.user(server, 'ana', 'lobby', { context });
  const second = await fixture.visitor(server, path, { context });
  await second.page.locator('#entry-other-tab').waitFor();
  return { server, context, ana, second };
}

browserTest('a second tab shows that the name is in use, and suggests one that works', async (fixture) => {
  const { server, context, ana, second } = await twoTabs(fixture);
  assert.match(await second.text('#entry-other-tab'), /^You’re already in the chat as ana in another tab\./);
  assert.equal(await name(second), 'ana-2');
  assert.equal(await second.page.locator('#entry-name').getAttribute('aria-invalid'), null);
  assert.equal(await second.focused(), 'entry-join');
  await second.page.keyboard.press('Enter');
  await second.waitForRoom('lobby');
  await untilEqual(() => ana.people(), ['ana', 'ana-2']);
  assert.equal(await ana.banner(), 'none');
  const third = await fixture.visitor(server, '/', { context });
  await untilEqual(() => name(third), 'ana-3');
});

browserTest('a second tab can take over from the first one, and back', async (fixture) => {
  const { server, ana, second } = await twoTabs(fixture);
  const ben = await fixture.bot(server, 'ben');
  await ana.sendAndWait('from the first tab');
  await ana.page.locator('#compose-text').fill('half a thought');
  await second.page.locator('#entry-use-this-tab').click();
  await second.waitForRoom('lobby');
  await second.waitForMessage('from the first tab');
  assert.equal(await second.page.locator('#compose-text').inputValue(), 'half a thought');
  await ana.waitForBanner('taken-over');
  await second.sendAndWait('from the second tab');
  await until('ben has received the message', () => ben.room.seq >= 2);
  assert.deepEqual([...ben.room.members.keys()].sort(), ['ana', 'ben']);

  await ana.page.locator('#banner-action').click();
  await ana.waitForRoom('lobby');
  await ana.sendAndWait('from the first tab again');
  await second.waitForBanner('taken-over');
});

browserTest('a tab that lost its session shows the form after a reload', async (fixture) => {
  const { ana, second } = await twoTabs(fixture);
  await second.page.locator('#entry-use-this-tab').click();
  await second.waitForRoom('lobby');
  await ana.waitForBanner('taken-over');
  await ana.page.reload();
  await ana.page.locator('#entry-other-tab').waitFor();
  assert.equal(await name(ana), 'ana-2');
  await second.sendAndWait('undisturbed');
  assert.equal(await second.banner(), 'none');
});

browserTest('when the other tab is closed, the name is free again', async (fixture) => {
  const { ana, second } = await twoTabs(fixture);
  await ana.page.close();
  await second.waitUntilHidden('#entry-other-tab');
  assert.equal(await name(second), 'ana');
  await second.page.keyboard.press('Enter');
  await second.waitForRoom('lobby');
});

browserTest('a name that the user types is not changed', async (fixture) => {
  const { second } = await twoTabs(fixture);
  await second.page.locator('#entry-name').fill('cid');
  await second.waitUntilHidden('#entry-other-tab');
  await second.page.locator('#entry-name').fill('ana');
  await second.page.locator('#entry-other-tab').waitFor();
  assert.equal(await name(second), 'ana');
});

browserTest('a duplicated tab gets the same offer, and the first one keeps its session', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  const opened = ana.page.context().waitForEvent('page');
  await ana.page.evaluate(() => { window.open(location.href); });
  const copy = await fixture.watch(await opened, server.address);
  await copy.page.locator('#entry-other-tab').waitFor();
  await untilEqual(() => name(copy), 'ana-2');
  assert.equal(await copy.page.locator('#entry-name').getAttribute('aria-invalid'), null);
  await ana.sendAndWait('still here');
  assert.equal(await ana.banner(), 'none');
  await copy.page.locator('#entry-join').click();
  await copy.waitForRoom('lobby');
  await copy.waitForMessage('still here');
  await untilEqual(() => ana.people(), ['ana', 'ana-2']);
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
  await second.page.locator('#entry-use-this-tab').click();
  await second.waitForRoom('lobby');
  await second.waitForMessage('not sent yet');
  await second.page.reload();
  await second.waitForRoom('lobby');
  await second.sendAndWait('after');
  assert.deepEqual((await second.log()).map(({ text, state }) => [text, state]), [['not sent yet', 'stored'], ['after', 'stored']]);
});

browserTest('a tab that was discarded without notice does not keep its name', async (fixture) => {
  const { server, second, ana } = await twoTabs(fixture);
  // All that remains of such a tab is what the other tabs have received from it.
  await second.page.evaluate(() => {
    const channel = new BroadcastChannel('chatd');
    channel.postMessage({ type: 'here', id: 'discarded', name: 'cid' });
    channel.close();
  });
  await ana.page.close();
  await second.page.locator('#entry-name').fill('cid');
  await second.page.locator('#entry-other-tab').waitFor();
  await second.page.locator('#entry-use-this-tab').click();
  await second.waitForRoom('lobby');
  const ben = await fixture.bot(server, 'ben');
  await until('cid has joined', () => ben.room.members.has('cid'));
});
