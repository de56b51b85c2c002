// Two tabs of the same browser.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

const name = (person) => person.page.locator('#entry-name').inputValue();

async function twoTabs(house, path = '/') {
  const server = await house.server();
  const context = await house.context();
  const ana = await house.person(server, 'ana', 'lobby', { context });
  const second = await house.visitor(server, path, { context });
  await second.page.locator('#entry-other-tab').waitFor();
  return { server, context, ana, second };
}

browserTest('a second tab shows that the name is in use, and suggests one that works', async (house) => {
  const { server, context, ana, second } = await twoTabs(house);
  assert.match(await second.text('#entry-other-tab'), /^You’re already in the chat as ana in another tab\./);
  assert.equal(await name(second), 'ana-2');
  assert.equal(await second.page.locator('#entry-name').getAttribute('aria-invalid'), null);
  assert.equal(await second.focused(), 'entry-join');
  await second.page.keyboard.press('Enter');
  await second.isIn('lobby');
  await untilEqual(() => ana.people(), ['ana', 'ana-2']);
  assert.equal(await ana.banner(), 'none');
  const third = await house.visitor(server, '/', { context });
  await untilEqual(() => name(third), 'ana-3');
});

browserTest('a second tab can take over from the first one, and back', async (house) => {
  const { server, ana, second } = await twoTabs(house);
  const ben = await house.raw(server, 'ben');
  await ana.says('from the first tab');
  await ana.page.locator('#compose-text').fill('half a thought');
  await second.page.locator('#entry-use-this-tab').click();
  await second.isIn('lobby');
  await second.sees('from the first tab');
  assert.equal(await second.page.locator('#compose-text').inputValue(), 'half a thought');
  await ana.bannerSays('taken-over');
  await second.says('from the second tab');
  await until('ben has received the message', () => ben.room.seq >= 2);
  assert.deepEqual([...ben.room.members.keys()].sort(), ['ana', 'ben']);

  await ana.page.locator('#banner-action').click();
  await ana.isIn('lobby');
  await ana.says('from the first tab again');
  await second.bannerSays('taken-over');
});

browserTest('a tab that lost its session shows the form after a reload', async (house) => {
  const { ana, second } = await twoTabs(house);
  await second.page.locator('#entry-use-this-tab').click();
  await second.isIn('lobby');
  await ana.bannerSays('taken-over');
  await ana.page.reload();
  await ana.page.locator('#entry-other-tab').waitFor();
  assert.equal(await name(ana), 'ana-2');
  await second.says('undisturbed');
  assert.equal(await second.banner(), 'none');
});

browserTest('when the other tab is closed, the name is free again', async (house) => {
  const { ana, second } = await twoTabs(house);
  await ana.page.close();
  await second.hides('#entry-other-tab');
  assert.equal(await name(second), 'ana');
  await second.page.keyboard.press('Enter');
  await second.isIn('lobby');
});

browserTest('a name that the user types is not changed', async (house) => {
  const { second } = await twoTabs(house);
  await second.page.locator('#entry-name').fill('cid');
  await second.hides('#entry-other-tab');
  await second.page.locator('#entry-name').fill('ana');
  await second.page.locator('#entry-other-tab').waitFor();
  assert.equal(await name(second), 'ana');
});

browserTest('a duplicated tab gets the same offer, and the first one keeps its session', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana');
  const opened = ana.page.context().waitForEvent('page');
  await ana.page.evaluate(() => { window.open(location.href); });
  const copy = await house.watch(await opened, server.address);
  await copy.page.locator('#entry-other-tab').waitFor();
  await untilEqual(() => name(copy), 'ana-2');
  assert.equal(await copy.page.locator('#entry-name').getAttribute('aria-invalid'), null);
  await ana.says('still here');
  assert.equal(await ana.banner(), 'none');
  await copy.page.locator('#entry-join').click();
  await copy.isIn('lobby');
  await copy.sees('still here');
  await untilEqual(() => ana.people(), ['ana', 'ana-2']);
});

browserTest('the second tab sends the first tab’s unsent messages once', async (house) => {
  const server = await house.server();
  const line = await house.line(server);
  const context = await house.context();
  const ana = await house.person(line, 'ana', 'lobby', { context });
  ana.mayLoseTheLine = true;
  line.freeze();
  await ana.say('not sent yet');
  await ana.page.locator('.message[data-state="pending"]').waitFor();
  const second = await house.visitor(line, '/', { context });
  await second.page.locator('#entry-use-this-tab').click();
  await second.isIn('lobby');
  await second.sees('not sent yet');
  await second.page.reload();
  await second.isIn('lobby');
  await second.says('after');
  assert.deepEqual((await second.log()).map(({ text, state }) => [text, state]), [['not sent yet', 'stored'], ['after', 'stored']]);
});

browserTest('a tab that was discarded without notice does not keep its name', async (house) => {
  const { server, second, ana } = await twoTabs(house);
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
  await second.isIn('lobby');
  const ben = await house.raw(server, 'ben');
  await until('cid has joined', () => ben.room.members.has('cid'));
});
