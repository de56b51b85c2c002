// Direct messages between two users.

import assert from 'node:assert/strict';
import { accountBot, accountUser, register } from './support/accounts.js';
import { Admin } from './support/admin.js';
import { violations } from './support/axe.js';
import { browserTest } from './support/fixture.js';
import { assertLayout } from './support/layout.js';
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
  assert.deepEqual(offered, ['pick', 'reply', 'copy', 'link', 'profile', 'report'], 'nobody moderates here');
  await ben.page.locator('[data-action="report"]').last().click();
  await ben.page.locator('#report').waitFor();
  assert.equal(await ben.text('#report-lead'), 'The people who run and moderate this site read your report and a copy of the message. ana does not learn of it.');
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

browserTest('the author of a message gets a direct message, although it has left', async (fixture) => {
  const server = await fixture.server();
  const token = await register(server, 'ben');
  const [ben, gus] = [await fixture.bot(server, 'ben', 'lobby', { token }), await fixture.bot(server, 'gus')];
  const ana = await accountUser(fixture, server, 'ana');
  await ben.send('from ben');
  await gus.send('from gus');
  await ana.sendAndWait('from ana');
  for (const bot of [ben, gus]) bot.leave();
  await untilEqual(() => ana.people(), ['ana']);
  const head = (text) => ana.message(text).locator('.message-head .from');
  const focused = () => ana.page.evaluate(() => document.activeElement.closest('.message')?.querySelector('.body').innerText);

  // By mouse: a click on the name or the avatar.
  await head('from gus').click();
  await ana.page.locator('#profile').waitFor();
  assert.deepEqual([await ana.text('#profile-title'), await actions(ana)], ['gus', ['Block']], 'a guest has no direct messages');
  await ana.page.keyboard.press('Escape');
  await head('from ana').click();
  assert.deepEqual([await ana.text('#profile-title'), await actions(ana)], ['ana', []]);
  await ana.page.keyboard.press('Escape');
  await ana.message('from ben').locator('.avatar').click();
  assert.deepEqual(await actions(ana), ['Send a message', 'Block']);
  await ana.page.keyboard.press('Escape');

  // By keyboard: the menu of the message.
  await ana.message('from ben').focus();
  await ana.page.keyboard.press('Enter');
  await ana.page.locator('#message-menu [data-action="profile"]').press('Enter');
  await ana.page.locator('#profile').waitFor();
  assert.deepEqual(await violations(ana, 'a card'), []);
  await ana.page.keyboard.press('Escape');
  await ana.waitUntilHidden('#profile');
  await untilEqual(focused, 'from ben');
  await ana.act('from ben', 'profile');
  await ana.page.locator('#profile').getByRole('button', { name: 'Send a message' }).click();
  await ana.waitForRoom('ben');
  await ana.sendAndWait('are you there?');
});

browserTest('nobody gets a direct message that is for an earlier user of the name', async (fixture) => {
  const { server, admin } = await Admin.start(fixture);
  const ben = await accountBot(fixture, server, 'ben');
  const ana = await accountUser(fixture, server, 'ana');
  ana.expectsRefusals = true;
  await ben.send('from ben');
  await ana.waitForMessage('from ben');
  await admin.deleteAccount('ben');
  await untilEqual(() => ana.people(), ['ana']);
  const write = async () => {
    await ana.act('from ben', 'profile');
    await ana.page.locator('#profile').getByRole('button', { name: 'Send a message' }).click();
    await untilEqual(() => ana.text('#toast-text').catch(() => ''), 'There is no account with this name any more.');
  };
  await write();
  await admin.createAccount('ben');
  await ana.page.reload();
  await ana.waitForRoom('lobby');
  await write();
  assert.deepEqual(await roomLabels(ana), ['lobby']);
});

browserTest('the room switcher writes to people by @name', async (fixture) => {
  const server = await fixture.server();
  for (const [name, room] of [['ben', 'lobby'], ['Benno', 'tea'], ['ruben', 'lobby']]) await accountBot(fixture, server, name, room);
  await register(server, 'zoe');
  await fixture.bot(server, 'bengt');
  const ana = await accountUser(fixture, server, 'ana');
  await ana.joinRoom('tea');
  await ana.page.keyboard.press('Control+k');
  const options = () => ana.page.locator('#switcher-list [role="option"]').evaluateAll((items) => items.map((item) => item.innerText.replace(/\s+/g, ' ').trim()));
  const input = ana.page.locator('#switcher-room');
  assert.equal(await ana.text('#switcher-hint'), 'Type @ and a name to write to a person.');
  await input.fill('@');
  await untilEqual(options, ['@ ben', '@ Benno', '@ ruben']);
  await input.fill('@BEN');
  assert.deepEqual(await options(), ['@ ben', '@ Benno', '@ ruben']);
  assert.deepEqual(await violations(ana, 'people in the switcher'), []);
  for (const width of [1280, 320]) {
    await ana.page.setViewportSize({ width, height: 667 });
    await assertLayout(ana, 'people in the switcher');
  }
  await ana.page.setViewportSize({ width: 1280, height: 800 });
  await input.fill('@enn');
  assert.deepEqual(await options(), ['@ Benno', 'Write to enn']);
  assert.equal(await ana.text('#switcher-go'), 'Write to Benno');
  await ana.page.keyboard.press('Enter');
  await ana.waitForRoom('Benno');
  assert.deepEqual(await roomLabels(ana), ['lobby', 'tea', 'Benno']);

  // Someone who is in no room with the user.
  await ana.page.keyboard.press('Control+k');
  await input.fill('@zoé');
  await ana.page.keyboard.press('Enter');
  await untilEqual(() => ana.text('#switcher-error').catch(() => ''), 'There is no account with this name.');
  assert.equal(await ana.focused(), 'switcher-room');
  await input.fill(' @zoe ');
  assert.equal(await ana.text('#switcher-go'), 'Write to zoe');
  await ana.page.keyboard.press('Enter');
  await ana.waitForRoom('zoe');

  await ana.page.keyboard.press('Control+k');
  await input.fill('@ana');
  await ana.page.keyboard.press('Enter');
  await untilEqual(() => ana.text('#switcher-error').catch(() => ''), 'You can’t write to yourself.');
  await ana.page.keyboard.press('Escape');

  // Those with a direct room are suggested, too, and those whom the user has blocked are not.
  await ana.page.locator('#rooms-list .room-link', { hasText: 'lobby' }).click();
  await card(ana, 'ruben');
  await ana.page.locator('#profile').getByRole('button', { name: 'Block' }).click();
  await untilEqual(() => ana.text('#toast-text').catch(() => ''), 'You blocked ruben.');
  await ana.page.keyboard.press('Control+k');
  await input.fill('@');
  await untilEqual(options, ['@ ben', '@ Benno', '@ zoe']);
});

browserTest('guests write to nobody, and the switcher says why', async (fixture) => {
  const server = await fixture.server();
  await accountBot(fixture, server, 'ben');
  const gus = await fixture.user(server, 'gus');
  await gus.page.keyboard.press('Control+k');
  assert.equal(await gus.isVisible('#switcher-hint'), false);
  await gus.page.locator('#switcher-room').fill('@ben');
  await untilEqual(() => gus.text('#switcher-error').catch(() => ''), 'Direct messages are between people with an account.');
  assert.equal(await gus.page.locator('#switcher-list [role="option"]').count(), 0);
  assert.deepEqual(await violations(gus, 'no people'), []);
  await gus.page.keyboard.press('Enter');
  await gus.page.locator('#switcher-room').fill('lob');
  await gus.waitUntilHidden('#switcher-error');
});
