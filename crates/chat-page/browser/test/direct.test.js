// Direct messages between two users.

import assert from 'node:assert/strict';
import { accountUser } from './support/accounts.js';
import { violations } from './support/axe.js';
import { browserTest } from './support/fixture.js';
import { untilEqual } from './support/until.js';

const roomLabels = (user) => user.page.locator('#rooms-list .room-name').allInnerTexts();
const person = (user, name) => user.page.locator(`#people-list [data-name="${name}"]`);
const actions = (user) => user.page.locator('#profile .profile-actions').getByRole('button').allInnerTexts();

/** Opens the card of a person, and returns what it offers. */
async function card(user, name) {
  await person(user, name).click();
  await user.page.locator('#profile').waitFor();
  return actions(user);
}

browserTest('two users write each other', async (fixture) => {
  const server = await fixture.server();
  const ana = await accountUser(fixture, server, 'ana');
  const ben = await accountUser(fixture, server, 'ben');
  const gus = await fixture.user(server, 'gus');
  assert.deepEqual(await card(ana, 'gus'), ['Block'], 'a guest has no direct messages');
  await ana.page.keyboard.press('Escape');
  assert.deepEqual(await card(ana, 'ana'), [], 'nor has the user itself');
  await ana.page.keyboard.press('Escape');
  assert.deepEqual(await card(gus, 'ana'), []);
  assert.deepEqual(await card(ana, 'ben'), ['Send a message', 'Block']);
  await ana.page.locator('#profile .profile-actions button').first().click();
  await ana.waitForRoom('ben');
  assert.equal(await ana.page.locator('#room-title').getAttribute('data-sign'), '@');
  assert.equal(await ana.isVisible('#copy-link'), false);
  assert.equal(await ana.isVisible('.people-actions'), false);
  assert.match(await ana.text('#log-start'), /Only the two of you can read this room\.$/);
  assert.deepEqual(await violations(ana, 'a direct room'), []);
  await ana.sendAndWait('just for you');

  await untilEqual(() => roomLabels(ben), ['lobby', 'ana']);
  await untilEqual(() => ben.page.locator('#rooms-list .badge.unread:visible').allInnerTexts(), ['1']);
  assert.equal(await ben.page.title(), '(1) lobby – chatd');
  await ben.page.locator('#rooms-list .room-link', { hasText: 'ana' }).click();
  await ben.waitForRoom('ana');
  await ben.waitForMessage('just for you');
  await untilEqual(() => ana.text('#typing'), 'Seen');
  assert.equal(await ben.text('#typing'), '', 'his own messages only');
  await ben.openMenu('just for you');
  const offered = await ben.page.locator('#message-menu [role="menuitem"][data-action]').evaluateAll((items) => items.map((item) => item.dataset.action));
  assert.deepEqual(offered, ['pick', 'reply', 'copy', 'link', 'report'], 'nobody moderates here');
  await ben.page.locator('[data-action="report"]').last().click();
  await ben.page.locator('#report').waitFor();
  assert.equal(await ben.text('#report-lead'), 'The people who run this site read your report and a copy of the message. ana does not learn of it.');
  await ben.page.keyboard.press('Escape');
  await ana.sendAndWait('and this');
  await ben.page.reload();
  await ben.waitForRoom('ana');
  await untilEqual(() => ana.text('#typing'), 'Seen');
  await ana.page.reload();
  await ana.waitForMessage('and this');
  await untilEqual(() => ana.text('#typing'), 'Seen');
  await untilEqual(async () => (await roomLabels(ben)).sort(), ['ana', 'lobby']);

  // A conversation that is hidden comes back with the next message.
  await ana.page.locator('#leave-room').click();
  await ana.waitForRoom('lobby');
  await untilEqual(() => ana.text('#toast-text'), 'The conversation with ben is hidden until one of you writes.');
  assert.deepEqual(await roomLabels(ana), ['lobby']);
  await ben.sendAndWait('are you there?');
  await untilEqual(() => roomLabels(ana), ['lobby', 'ben']);
  await ana.page.locator('#rooms-list .room-link', { hasText: 'ben' }).click();
  await ana.waitForMessage('are you there?');
});
