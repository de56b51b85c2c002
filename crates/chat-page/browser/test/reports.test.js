// Reporting messages, and what moderators read.

import assert from 'node:assert/strict';
import { accountUser, deleteAccount, register } from './support/accounts.js';
import { violations } from './support/axe.js';
import { browserTest } from './support/fixture.js';
import { assertLayout } from './support/layout.js';
import { until, untilEqual } from './support/until.js';

const reports = (user) => user.page.locator('#moderation-log-reports .entry');
const log = (user) => user.page.locator('#moderation-log-records .entry-text').allInnerTexts();

browserTest('a message is reported, and a moderator looks at it and closes the report', async (fixture) => {
  const server = await fixture.server();
  const mia = await accountUser(fixture, server, 'mia');
  await mia.page.locator('#open-room-settings').click();
  await mia.page.locator('#room-settings-submit').click();
  await mia.page.locator('#open-moderation-log').waitFor();
  const bot = await fixture.bot(server, 'bob');
  await bot.send('buy *this* <b>now</b>');
  const gus = await fixture.user(server, 'gus');
  assert.equal(await gus.isVisible('#open-moderation-log'), false);
  await gus.sendAndWait('mine');
  await gus.openMenu('mine');
  assert.equal(await gus.page.locator('#message-menu [data-action="report"]').count(), 0);
  await gus.page.keyboard.press('Escape');
  await gus.act('buy', 'report');
  await gus.page.locator('#report').waitFor();
  assert.equal(await gus.text('#report-lead'), 'The moderators of this room read your report and a copy of the message. bob does not learn of it.');
  assert.equal(await gus.text('.reported'), 'buy *this* <b>now</b>');
  assert.deepEqual(await violations(gus, 'reporting'), []);
  await gus.page.locator('#report-reason').fill('<i>spam</i>');
  await gus.page.locator('#report-submit').click();
  await untilEqual(() => gus.text('#toast-text').catch(() => ''), 'Reported. The moderators of this room will look at it.');

  await bot.sendMany(100, (number) => `line ${number}`);
  await mia.waitForMessage('line 100');
  await mia.page.locator('#open-moderation-log').click();
  await reports(mia).first().waitFor();
  const text = await reports(mia).innerText();
  assert.match(text, /^gus reported a message of bob, /);
  assert.match(text, /buy \*this\* <b>now<\/b>/);
  assert.match(text, /Reason: <i>spam<\/i>/);
  assert.deepEqual(await log(mia), ['mia registered the room.']);
  assert.deepEqual(await violations(mia, 'reports'), []);
  for (const width of [1280, 320]) {
    await mia.page.setViewportSize({ width, height: 667 });
    await assertLayout(mia, 'reports');
  }
  await mia.page.setViewportSize({ width: 1280, height: 800 });
  await reports(mia).getByRole('button', { name: 'Go to message' }).click();
  await mia.waitUntilHidden('#moderation-log');
  await until('the message is on the screen', async () => (await mia.waitForMessage('buy')).isVisible());
  await mia.page.locator('#open-moderation-log').click();
  await mia.page.getByRole('button', { name: 'Close the report by gus' }).click();
  await reports(mia).waitFor({ state: 'detached' });
  await untilEqual(() => log(mia), ['mia closed a report about a message of bob.', 'mia registered the room.']);
  assert.equal(await mia.isVisible('text=There are no open reports.'), true);
});

browserTest('a report stays when its text is erased with the account of the author', async (fixture) => {
  const server = await fixture.server();
  const mia = await accountUser(fixture, server, 'mia');
  await mia.page.locator('#open-room-settings').click();
  await mia.page.locator('#room-settings-submit').click();
  await mia.page.locator('#open-moderation-log').waitFor();
  const token = await register(server, 'eve');
  const eve = await fixture.bot(server, 'eve', 'lobby', { token });
  const { seq } = await eve.send('buy *this*');
  const gus = await fixture.bot(server, 'gus');
  await gus.room.report(seq, 'spam');
  await deleteAccount(server, token);
  await mia.page.locator('#open-moderation-log').click();
  await reports(mia).first().waitFor();
  const text = await reports(mia).innerText();
  assert.match(text, /^gus reported a message of eve, /);
  assert.match(text, /The text was erased\.\s+Reason: spam/);
  assert.doesNotMatch(text, /buy/);
  assert.equal((await log(mia))[0], 'eve erased the text of a report about a message of their own.');
  assert.deepEqual(await violations(mia, 'an erased text'), []);
});

browserTest('the log says what was done, in pages', async (fixture) => {
  const server = await fixture.server();
  const mia = await accountUser(fixture, server, 'mia');
  await mia.page.locator('#open-room-settings').click();
  await mia.page.locator('#room-settings-submit').click();
  await mia.page.locator('#open-moderation-log').waitFor();
  const bob = await fixture.bot(server, 'bob');
  const { seq } = await bob.send('spam');
  await mia.act('spam', 'mute');
  await mia.page.locator('#moderate-reason').fill('be quiet');
  await mia.page.locator('#moderate-submit').click();
  await mia.waitUntilHidden('#moderate');
  assert.ok(seq > 0);
  for (let number = 1; number <= 50; number += 1) {
    await mia.page.locator('#open-room-settings').click();
    await mia.page.locator('#room-settings-slow').fill(String(number));
    await mia.page.locator('#room-settings-submit').click();
    await mia.waitUntilHidden('#room-settings');
  }
  await mia.page.locator('#open-moderation-log').click();
  await untilEqual(async () => (await log(mia)).length, 50);
  assert.equal((await log(mia))[0], 'mia changed the settings.');
  await mia.page.locator('#moderation-log').getByRole('button', { name: 'Show older' }).click();
  await untilEqual(async () => (await log(mia)).length, 52);
  const [muted, registered] = (await log(mia)).slice(-2);
  assert.match(muted, /^mia muted bob until .+: be quiet$/);
  assert.equal(registered, 'mia registered the room.');
});
