// Moderators of the whole server, and those whom they act on.

import assert from 'node:assert/strict';
import { accountBot, accountUser, register, signIn } from './support/accounts.js';
import { Admin, serverModerator } from './support/admin.js';
import { violations } from './support/axe.js';
import { browserTest } from './support/fixture.js';
import { assertLayout } from './support/layout.js';
import { until, untilEqual } from './support/until.js';

const toast = (user) => user.text('#toast-text').catch(() => '');
const person = (user, name) => user.page.locator(`#people-list [data-name="${name}"]`);
const isMuted = (user) => user.page.locator('#compose-text').isDisabled();
const refusal = (user) => user.text('#entry-status').catch(() => '');
const scopes = (user) => user.page.locator('#moderate-scope option').allInnerTexts();

async function openDialog(moderator, name, label) {
  await person(moderator, name).click();
  await moderator.page.locator('#profile .profile-actions').getByRole('button', { name: label }).click();
  await moderator.page.locator('#moderate').waitFor();
}

/** Chooses an action from the card of a person, and where it holds. */
async function moderate(moderator, name, label, { scope = 'server', action, time, reason = '' } = {}) {
  await openDialog(moderator, name, label);
  if (action) await moderator.page.locator('#moderate-action').selectOption(action);
  await moderator.page.locator('#moderate-scope').selectOption(scope);
  if (time) await moderator.page.locator('#moderate-time').selectOption({ label: time });
  await moderator.page.locator('#moderate-reason').fill(reason);
  await moderator.page.locator('#moderate-submit').click();
}

browserTest('a user who is banned from the server reads so, and stays out', async (fixture) => {
  const { server, sam } = await serverModerator(fixture);
  const gus = await fixture.user(server, 'gus');
  await gus.joinRoom('tea');
  await openDialog(sam, 'gus', 'Ban…');
  assert.deepEqual(await scopes(sam), ['In this room', 'On the whole server']);
  assert.equal(await sam.text('#moderate-submit'), 'Ban', 'at first, an act is in the room only');
  const hint = sam.page.locator('#moderate-reason-hint');
  assert.match(await hint.innerText(), /^Moderators read it in the log of the room\./);
  // By keyboard.
  const { keyboard } = sam.page;
  assert.equal(await sam.focused(), 'moderate-action');
  await keyboard.press('Tab');
  assert.equal(await sam.focused(), 'moderate-scope');
  await sam.page.locator('#moderate-scope').selectOption({ label: 'On the whole server' });
  assert.equal(await sam.text('#moderate-submit'), 'Ban from the server');
  assert.match(await sam.text('#moderate-hint'), /^Disconnects them and keeps them off this server\./);
  assert.match(await hint.innerText(), /^Moderators of this server read it in its log\./);
  assert.deepEqual(await violations(sam, 'ban from the server'), []);
  await keyboard.press('Tab');
  assert.equal(await sam.focused(), 'moderate-time');
  await keyboard.press('Tab');
  await keyboard.type('spam everywhere');
  await keyboard.press('Tab');
  await keyboard.press('Enter');
  await sam.waitUntilHidden('#moderate');
  await until('it is said', async () => /^gus is banned from this server until .+\.$/.test(await toast(sam)));

  assert.equal(await gus.waitForBanner('ended'), 'A moderator or an admin has disconnected you from this server.');
  assert.deepEqual([await gus.text('#banner-action'), await gus.isVisible('#banner-second')], ['Try again', false]);
  assert.deepEqual(await violations(gus, 'disconnected'), []);
  await gus.page.setViewportSize({ width: 320, height: 667 });
  await assertLayout(gus, 'disconnected');
  await gus.page.locator('#banner-action').click();
  await until('it reads until when', async () => /^You are banned from this server until .+\.$/.test(await refusal(gus)));
  assert.equal(await gus.page.locator('[aria-invalid]').count(), 0, 'another room or name does not help');
  assert.deepEqual(await violations(gus, 'banned from the server'), []);
  await assertLayout(gus, 'banned from the server');
});

browserTest('a ban of an account is made longer and ended, and the user reads each', async (fixture) => {
  const { server, sam } = await serverModerator(fixture);
  const ben = await accountUser(fixture, server, 'ben');
  await ben.sendAndWait('spam');
  await sam.waitForMessage('spam');
  await sam.act('spam', 'ban');
  await sam.page.locator('#moderate-scope').selectOption('server');
  await sam.page.locator('#moderate-time').selectOption({ label: 'No end' });
  await sam.page.locator('#moderate-submit').click();
  await untilEqual(() => toast(sam), 'ben is banned from this server.');
  await ben.waitForBanner('ended');
  await ben.page.locator('#banner-action').click();
  await untilEqual(() => refusal(ben), 'You are banned from this server.');

  await sam.act('spam', 'ban');
  await sam.page.locator('#moderate-action').selectOption('unban');
  await sam.page.locator('#moderate-scope').selectOption('server');
  await sam.page.locator('#moderate-submit').click();
  await untilEqual(() => toast(sam), 'ben can connect again.');
  await ben.page.locator('#entry-join').click();
  await ben.waitForRoom('lobby');
  await ben.sendAndWait('thanks');
});

browserTest('a user who left its rooms before the ban from the server ended its session reads why, and comes back', async (fixture) => {
  const { server, token } = await serverModerator(fixture);
  const bot = await fixture.bot(server, 'sam', 'tea', { token });
  const gus = await fixture.user(server, 'gus');
  await gus.joinRoom('tea');
  const { user } = await until('gus is in the room', () => bot.room.members.get('gus'));
  const lobby = await bot.client.join('lobby');
  // A ban from the server does the same to each room, sometimes before it ends the session.
  for (const room of [lobby.room, bot.room]) await room.moderate('ban', { user });
  assert.equal(await gus.waitForBanner('left'), 'A moderator banned you from #tea.');
  await bot.client.moderate(null, 'ban', { user, reason: 'spam' });
  await gus.waitForBanner('ended');
  await gus.page.locator('#banner-action').click();
  await untilEqual(() => refusal(gus), 'You are banned from this server.');
  assert.equal(await gus.page.locator('#entry-room').inputValue(), 'tea');

  for (const room of [lobby.room, bot.room]) await room.moderate('unban', { user });
  await bot.client.moderate(null, 'unban', { user });
  await gus.page.locator('#entry-join').click();
  await gus.waitForRoom('tea');
  await gus.sendAndWait('thanks');
});

browserTest('mutes, kicks and warnings on the whole server', async (fixture) => {
  const { server, sam } = await serverModerator(fixture);
  const gus = await fixture.user(server, 'gus');
  await gus.joinRoom('tea');
  await moderate(sam, 'gus', 'Mute…', { time: '1 week', reason: 'spam' });
  await until('it is said', async () => /^gus is muted on the whole server until .+\.$/.test(await toast(sam)));
  await until('gus is muted in the room that sam is not in', () => isMuted(gus));
  assert.match(await gus.text('#compose-muted'), /^You are muted in this room until .+ You can read along\.$/);
  await gus.joinRoom('lobby');
  await until('it is muted here, too', () => isMuted(gus));
  await gus.joinRoom('new');
  await until('and in a new room', () => isMuted(gus));
  await moderate(sam, 'gus', 'Mute…', { action: 'unmute' });
  await untilEqual(() => toast(sam), 'gus is not muted on the whole server any more.');
  await until('gus can write again', async () => !await isMuted(gus));

  await moderate(sam, 'gus', 'Warn…', { reason: 'be nice' });
  await untilEqual(() => gus.text('#warning-reason').catch(() => ''), 'be nice');
  assert.match(await gus.text('#warning-text'), /^sam on this server, /);
  await gus.page.locator('#warning-close').click();

  await moderate(sam, 'gus', 'Kick…');
  await untilEqual(() => toast(sam), 'gus was removed from all rooms.');
  assert.equal(await gus.waitForBanner('left'), 'A moderator removed you from #new.');
  await gus.page.locator('#rooms-list .room-link', { hasText: 'tea' }).click();
  await untilEqual(() => gus.text('#banner-text'), 'A moderator removed you from #tea.');
  await gus.page.locator('#banner-action').click();
  await gus.waitForBanner('none');
});

browserTest('only the server’s moderators are offered the server, and what it refuses is said', async (fixture) => {
  const { server, admin, sam } = await serverModerator(fixture);
  const olga = await accountUser(fixture, server, 'olga', 'club');
  await olga.page.locator('#open-room-settings').click();
  await olga.page.locator('#room-settings-submit').click();
  await olga.page.locator('#open-moderation-log').waitFor();
  const gus = await fixture.bot(server, 'gus', 'club');
  await gus.send('hello');
  await olga.act('hello', 'ban');
  assert.equal(await olga.isVisible('#moderate-scope'), false);
  await olga.page.keyboard.press('Escape');

  await sam.joinRoom('club');
  await openDialog(sam, 'olga', 'Change role…');
  assert.equal(await sam.isVisible('#moderate-scope'), false, 'roles are those of a room');
  await sam.page.keyboard.press('Escape');
  // A guest who has left without a trace.
  await sam.openMenu('hello');
  gus.leave();
  await untilEqual(() => sam.people(), ['sam', 'olga']);
  await sam.page.locator('#message-menu [data-action="ban"]').click();
  await sam.page.locator('#moderate-scope').selectOption('server');
  await sam.page.locator('#moderate-submit').click();
  await untilEqual(() => sam.text('#moderate-error').catch(() => ''), 'The server does not know gus any more. Choose “In this room” for a guest who has left.');
  await sam.page.locator('#moderate-scope').selectOption('room');
  await sam.waitUntilHidden('#moderate-error');
  await sam.page.locator('#moderate-submit').click();
  await until('it is banned from the room', async () => /^gus is banned until /.test(await toast(sam)));

  await register(server, 'ada');
  await admin.setServerRole('ada', 'admin');
  const ada = await fixture.visitor(server, '/r/club');
  await signIn(ada, 'ada');
  await ada.waitForRoom('club');
  await ada.sendAndWait('from the admin');
  await sam.act('from the admin', 'mute');
  await sam.page.locator('#moderate-scope').selectOption('server');
  await sam.page.locator('#moderate-submit').click();
  await untilEqual(() => sam.text('#moderate-error').catch(() => ''), 'You can’t do this to ada. That needs a higher role on this server than theirs.');
});

browserTest('in a direct room, a moderator of the server acts on the whole server only', async (fixture) => {
  const { server, sam } = await serverModerator(fixture);
  const ben = await accountBot(fixture, server, 'ben');
  const { room } = await ben.client.direct('sam');
  await (await ben.client.join(room)).room.send('buy this');
  await sam.page.locator('#rooms-list .room-link', { hasText: 'ben' }).click();
  await sam.waitForRoom('ben');
  await sam.openMenu('buy this');
  assert.equal(await sam.page.locator('#message-menu [data-action="delete"]').count(), 0);
  await sam.page.locator('#message-menu [data-action="mute"]').click();
  await sam.page.locator('#moderate').waitFor();
  assert.deepEqual(await scopes(sam), ['On the whole server']);
  assert.equal(await sam.page.locator('#moderate-action option[value="role"]').count(), 0);
  await sam.page.locator('#moderate-submit').click();
  await until('it is said', async () => /^ben is muted on the whole server until /.test(await toast(sam)));
  await until('ben is muted', () => ben.client.room('lobby').standing.muted);
});

for (const colorScheme of ['light', 'dark']) {
  browserTest(`the choice of the whole server on a phone, ${colorScheme}`, async (fixture) => {
    const { server, sam } = await serverModerator(fixture, { viewport: { width: 375, height: 667 }, hasTouch: true, isMobile: true, colorScheme });
    await fixture.bot(server, 'gus');
    await sam.page.locator('#open-people').tap();
    await person(sam, 'gus').tap();
    await sam.page.locator('.profile-actions').getByRole('button', { name: 'Ban…' }).tap();
    await sam.page.locator('#moderate').waitFor();
    await sam.page.locator('#moderate-scope').selectOption('server');
    assert.deepEqual(await violations(sam, 'ban from the server'), []);
    for (const width of [375, 320]) {
      await sam.page.setViewportSize({ width, height: 667 });
      await assertLayout(sam, 'ban from the server');
    }
  });
}

browserTest('a session that an admin has ended says so, and begins again', async (fixture) => {
  const { server, admin } = await Admin.start(fixture);
  const gus = await fixture.user(server, 'gus');
  await admin.endSessions('gus');
  assert.equal(await gus.waitForBanner('ended'), 'A moderator or an admin has disconnected you from this server.');
  await gus.page.locator('#banner-action').click();
  await gus.waitForRoom('lobby');
  await gus.waitForBanner('none');
  await gus.sendAndWait('back');
});
