// The list of blocked users.

import assert from 'node:assert/strict';
import { accountBot, accountUser, register, signIn, tokenOf } from './support/accounts.js';
import { violations } from './support/axe.js';
import { browserTest } from './support/fixture.js';
import { assertLayout } from './support/layout.js';
import { untilEqual } from './support/until.js';

const names = (user) => user.page.locator('#blocked-users-list li > span:not(.avatar)').allInnerTexts();
const unblock = (user, name) => user.page.locator('#blocked-users').getByRole('button', { name: `Unblock ${name}` });

async function openList(user) {
  await user.page.locator('#open-settings').click();
  await user.page.locator('#open-blocked-users').click();
  await user.page.locator('#blocked-users').waitFor();
}

async function block(user, name) {
  await user.page.locator(`#people-list [data-name="${name}"]`).click();
  await user.page.locator('#profile').getByRole('button', { name: 'Block', exact: true }).click();
  await untilEqual(() => user.text('#toast-text').catch(() => ''), `You blocked ${name}.`);
}

browserTest('users who are in no room any more are unblocked', async (fixture) => {
  const server = await fixture.server();
  const token = await register(server, 'bob');
  const [bob, gus] = [await fixture.bot(server, 'bob', 'lobby', { token }), await fixture.bot(server, 'gus')];
  const ana = await accountUser(fixture, server, 'ana');
  await openList(ana);
  assert.equal(await ana.text('#blocked-users-status'), 'You have blocked no one.');
  assert.deepEqual(await violations(ana, 'an empty list'), []);
  await ana.page.keyboard.press('Escape');
  await block(ana, 'gus');
  await block(ana, 'bob');
  for (const bot of [bob, gus]) bot.leave();
  await untilEqual(() => ana.people(), ['ana']);
  await ana.page.reload();
  await ana.waitForRoom('lobby');

  await openList(ana);
  assert.deepEqual(await names(ana), ['bob', 'gus']);
  assert.equal(await ana.text('#blocked-users-status'), 'You do not see what they write. They do not learn of it.');
  assert.deepEqual(await violations(ana, 'the list'), []);
  // By keyboard.
  await unblock(ana, 'bob').press('Enter');
  await untilEqual(() => names(ana), ['gus']);
  await untilEqual(() => ana.text('#blocked-users-status'), 'You unblocked bob.');
  assert.equal(await unblock(ana, 'gus').evaluate((button) => button === document.activeElement), true, 'the focus goes on');
  await ana.page.keyboard.press('Enter');
  await untilEqual(() => names(ana), []);
  assert.equal(await ana.page.evaluate(() => document.activeElement.matches('#blocked-users [data-close]')), true);
  await ana.page.keyboard.press('Escape');

  // They are heard again.
  const again = await fixture.bot(server, 'bob', 'lobby', { token });
  await again.send('hello again');
  await ana.waitForMessage('hello again');
});

for (const colorScheme of ['light', 'dark']) {
  browserTest(`the list follows the other devices of the account, ${colorScheme}`, async (fixture) => {
    const server = await fixture.server();
    const long = 'W'.repeat(50);
    const bots = [await accountBot(fixture, server, 'bob'), await fixture.bot(server, 'gus'), await fixture.bot(server, long)];
    const ana = await accountUser(fixture, server, 'ana', 'lobby', { colorScheme });
    const device = await fixture.bot(server, 'ana', 'lobby', { token: await tokenOf(ana) });
    await openList(ana);
    for (const { client } of bots) await device.client.block(client.user.id);
    await untilEqual(() => names(ana), ['bob', 'gus', long]);
    assert.deepEqual(await violations(ana, 'the list'), []);
    for (const width of [1280, 320]) {
      await ana.page.setViewportSize({ width, height: 667 });
      await assertLayout(ana, 'the list');
    }
    await unblock(ana, 'gus').focus();
    await device.client.block(bots[0].client.user.id, false);
    await untilEqual(() => names(ana), ['gus', long]);
    assert.equal(await unblock(ana, 'gus').evaluate((button) => button === document.activeElement), true, 'the focus stays');
  });
}

browserTest('users whom this browser has never seen are listed, too', async (fixture) => {
  const server = await fixture.server();
  const bob = await accountBot(fixture, server, 'bob', 'elsewhere');
  const token = await register(server, 'ana');
  const device = await fixture.bot(server, 'ana', 'elsewhere', { token });
  await device.client.block(bob.client.user.id);
  const ana = await fixture.visitor(server, '/r/lobby');
  await signIn(ana, 'ana');
  await openList(ana);
  assert.deepEqual(await names(ana), ['bob']);
  // The server has no name for a guest who is not connected.
  await device.client.block('g_5OthID-2se9c45nby1W8mg');
  await untilEqual(() => names(ana), ['bob', 'Unknown guest 5OthID']);
  await unblock(ana, 'Unknown guest 5OthID').click();
  await unblock(ana, 'bob').click();
  await untilEqual(() => names(ana), []);
  assert.equal(device.client.blocked.size, 0);
});

browserTest('guests block nobody, and have no list', async (fixture) => {
  const server = await fixture.server();
  const gus = await fixture.user(server, 'gus');
  await gus.page.locator('#open-settings').click();
  await gus.page.locator('#become-user').waitFor();
  assert.equal(await gus.isVisible('#open-blocked-users'), false);
});
