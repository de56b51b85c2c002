// The reports and the log of the whole server, which its moderators read.

import assert from 'node:assert/strict';
import { accountBot, accountUser, register, signIn } from './support/accounts.js';
import { Admin, serverModerator } from './support/admin.js';
import { violations } from './support/axe.js';
import { browserTest } from './support/fixture.js';
import { assertLayout } from './support/layout.js';
import { until, untilEqual } from './support/until.js';

const reports = (user) => user.page.locator('#moderation-log-reports .entry');
const error = (user) => user.text('#moderation-log-error').catch(() => '');
/** Each record with where it happened. */
const log = (user) => user.page.locator('#moderation-log-records .entry').evaluateAll((entries) => entries.map((entry) => {
  const [done, where] = [...entry.querySelectorAll('p')].map(({ textContent }) => textContent.trim());
  return `${done} ${where.replace(/, [^,]+$/, '')}`;
}));

async function openLog(user) {
  await user.page.locator('#open-settings').click();
  await user.page.locator('#open-server-log').click();
  await user.page.locator('#moderation-log').waitFor();
  await until('the log is loaded', async () => await user.page.locator('#moderation-log-records .entry').count() > 0);
}

/** A report in a room with a name, one in a private room, and one in a direct room. */
async function report(fixture, server) {
  const olga = await accountBot(fixture, server, 'olga', 'tea');
  const ben = await accountBot(fixture, server, 'ben', 'tea');
  const gus = await fixture.bot(server, 'gus', 'tea');
  const inTea = await olga.send('in the tea room');
  await gus.room.report(inTea.seq, 'rude');
  const club = await olga.client.createPrivate({ title: 'The club' });
  const { room } = await olga.client.join(club);
  await olga.client.invite(club, 'ben');
  const inClub = await room.send('in the club');
  await (await ben.client.join(club)).room.report(inClub.seq);
  const { room: direct } = await olga.client.direct('ben');
  const inDirect = await (await olga.client.join(direct)).room.send('between us');
  await (await ben.client.join(direct)).room.report(inDirect.seq);
  return { olga, ben, club, direct };
}

browserTest('a moderator of the server reads the reports of all rooms, goes to messages and closes reports', async (fixture) => {
  const { server, sam } = await serverModerator(fixture);
  const { olga, club, direct } = await report(fixture, server);
  await openLog(sam);
  assert.equal(await sam.text('#moderation-log-title'), 'Reports and log of this server');
  await untilEqual(() => reports(sam).count(), 3);
  const short = (address) => `the private room ${address.slice(0, 7)}…`;
  const [ofDirect, ofClub, ofTea] = await reports(sam).allInnerTexts();
  assert.ok(ofDirect.startsWith(`ben reported a message of olga in ${short(direct)}, `), ofDirect);
  assert.ok(ofClub.startsWith(`ben reported a message of olga in ${short(club)}, `), ofClub);
  assert.ok(ofTea.startsWith('gus reported a message of olga in #tea, '), ofTea);
  assert.match(ofTea, /in the tea room\s+Reason: rude/);
  assert.match(ofClub, /You would enter this room, and its log would say so/);
  assert.doesNotMatch(ofTea, /You would enter/);
  assert.deepEqual(await violations(sam, 'reports of the server'), []);

  // Nobody else enters a direct room.
  await reports(sam).nth(0).getByRole('button', { name: 'Go to message' }).click();
  await untilEqual(() => error(sam), 'This message is in a direct room, which only its two users can enter, or its room does not exist any more.');
  assert.equal(await reports(sam).nth(0).getByRole('button', { name: 'Go to message' }).count(), 0);
  assert.equal(await sam.page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Close the report by ben');
  await sam.page.keyboard.press('Enter');
  await untilEqual(() => reports(sam).count(), 2);
  await untilEqual(async () => (await log(sam))[0], `sam closed a report about a message of olga. in ${short(direct)}`);
  assert.equal(await error(sam), '');

  await reports(sam).nth(0).getByRole('button', { name: 'Go to message' }).click();
  await sam.waitUntilHidden('#moderation-log');
  await sam.waitForRoom('The club');
  await until('the message is on the screen', async () => (await sam.waitForMessage('in the club')).isVisible());
  await openLog(sam);
  assert.ok((await reports(sam).nth(0).innerText()).startsWith('ben reported a message of olga in The club, '));
  assert.equal((await log(sam))[0], 'sam entered the room as a moderator of this server. in The club');
  await reports(sam).nth(1).getByRole('button', { name: 'Go to message' }).click();
  await sam.waitForRoom('tea');
  await until('the message is on the screen', async () => (await sam.waitForMessage('in the tea room')).isVisible());

  // The dialog of a room has only what concerns the room.
  await sam.page.locator('#open-moderation-log').click();
  await untilEqual(() => reports(sam).count(), 1);
  assert.equal(await sam.text('#moderation-log-title'), 'Reports and log of #tea');
  assert.ok((await reports(sam).innerText()).startsWith('gus reported a message of olga, '));
  await reports(sam).getByRole('button', { name: 'Close the report by gus' }).click();
  await untilEqual(() => reports(sam).count(), 0);
  await sam.page.keyboard.press('Escape');
  await openLog(sam);
  await untilEqual(() => reports(sam).count(), 1);
  // Someone else has closed it in the meantime.
  await olga.client.room(club).closeReport(Number(await reports(sam).getAttribute('data-report')));
  await reports(sam).getByRole('button', { name: 'Close the report by ben' }).click();
  await sam.page.locator('#moderation-log', { hasText: 'There are no open reports.' }).waitFor();
  await untilEqual(async () => (await log(sam))[0], 'olga closed a report about a message of olga. in The club');
});

browserTest('the log has what was done on the whole server', async (fixture) => {
  const { server, admin, sam, token } = await serverModerator(fixture);
  const bot = await fixture.bot(server, 'sam', 'tea', { token });
  const gus = await fixture.bot(server, 'gus', 'tea');
  const { id: user } = gus.client.user;
  await bot.room.moderate('kick', { user });
  await until('gus is out', () => gus.client.room('tea') === undefined);
  await gus.client.join('tea');
  await bot.client.moderate(null, 'mute', { user, reason: 'spam' });
  await bot.client.moderate(null, 'unmute', { user });
  await bot.client.moderate(null, 'warn', { user });
  await bot.client.moderate(null, 'kick', { user });
  await admin.announce('Moving on Friday');
  await admin.withdraw();
  await openLog(sam);
  await untilEqual(() => log(sam), [
    'An admin of this server withdrew the announcement. on this server',
    'An admin of this server made an announcement. on this server',
    'sam removed gus from all rooms. on this server',
    'sam warned gus. on this server',
    'sam ended the mute of gus. on this server',
    'sam muted gus: spam on this server',
    'sam removed gus from the room. in #tea',
  ]);
  assert.equal(await sam.isVisible('text=There are no open reports.'), true);
});

browserTest('only moderators and admins of the server are offered its log', async (fixture) => {
  const { server, admin } = await Admin.start(fixture);
  const gus = await fixture.user(server, 'gus');
  const olga = await accountUser(fixture, server, 'olga', 'club');
  await olga.page.locator('#open-room-settings').click();
  await olga.page.locator('#room-settings-submit').click();
  await olga.page.locator('#open-moderation-log').waitFor();
  for (const user of [gus, olga]) {
    await user.page.locator('#open-settings').click();
    await user.page.locator('#settings').waitFor();
    assert.equal(await user.isVisible('#open-server-log'), false);
    await user.page.keyboard.press('Escape');
  }
  await register(server, 'ada');
  await admin.setServerRole('ada', 'admin');
  const ada = await fixture.visitor(server, '/r/lobby');
  await signIn(ada, 'ada');
  await ada.waitForRoom('lobby');
  await openLog(ada);
  assert.deepEqual(await log(ada), ['olga registered the room. in #club']);
});

for (const colorScheme of ['light', 'dark']) {
  browserTest(`the log of the server on a phone, ${colorScheme}`, async (fixture) => {
    const { server, sam } = await serverModerator(fixture, { viewport: { width: 375, height: 667 }, hasTouch: true, isMobile: true, colorScheme });
    await report(fixture, server);
    const long = await accountBot(fixture, server, 'W'.repeat(50), 'M'.repeat(64));
    await long.client.createRoom('M'.repeat(64));
    await sam.page.locator('#open-rooms').tap();
    await sam.page.locator('#open-settings').tap();
    assert.deepEqual(await violations(sam, 'settings'), []);
    await sam.page.locator('#open-server-log').tap();
    await untilEqual(() => reports(sam).count(), 3);
    await until('the log is loaded', async () => (await log(sam)).length > 0);
    assert.deepEqual(await violations(sam, 'log of the server'), []);
    for (const width of [375, 320]) {
      await sam.page.setViewportSize({ width, height: 667 });
      await assertLayout(sam, 'log of the server');
    }
    await reports(sam).nth(2).getByRole('button', { name: 'Go to message' }).tap();
    await sam.waitForRoom('tea');
    await until('the message is on the screen', async () => (await sam.waitForMessage('in the tea room')).isVisible());
    assert.equal(await sam.isVisible('#drawer'), false);
  });
}
