// Private rooms: invitations, invite links, and leaving.

import assert from 'node:assert/strict';
import { accountBot, accountUser, register, signIn } from './support/accounts.js';
import { violations } from './support/axe.js';
import { browserTest } from './support/fixture.js';
import { assertLayout } from './support/layout.js';
import { until, untilEqual } from './support/until.js';

/** A private room of a user without a page. */
async function privateRoom(owner, settings = { title: 'The club' }) {
  const { room } = await owner.client.join(await owner.client.createPrivate(settings));
  return room;
}

const roomLabels = (user) => user.page.locator('#rooms-list .room-name').allInnerTexts();
const notice = (user) => user.page.locator('.invitation');
const toast = (user) => user.text('#toast-text').catch(() => '');
const answer = (user, which) => notice(user).locator(`[data-invitation="${which}"]`).click();

/** No address is shown to people. The address bar has it, and so has what scripts read. */
async function assertNoAddress(user) {
  const shown = await user.page.evaluate(() => document.body.innerText + document.title
    + [...document.querySelectorAll('[title], [aria-label], [placeholder], input, textarea')].filter((element) => element.checkVisibility())
      .map((element) => [element.title, element.ariaLabel, element.placeholder, element.id === 'invite-link' ? '' : element.value].join()).join());
  assert.doesNotMatch(shown, /~[a-z2-7]{10}/);
}

browserTest('an invitation is shown, and the user joins only by accepting it', async (fixture) => {
  const server = await fixture.server();
  const olga = await accountBot(fixture, server, 'olga');
  const club = await privateRoom(olga);
  const mia = await accountUser(fixture, server, 'mia');
  await club.invite('mia');
  await notice(mia).waitFor();
  assert.match(await notice(mia).innerText(), /^olga invites you to The club\./);
  assert.deepEqual(await violations(mia, 'an invitation'), []);
  await mia.page.reload();
  await notice(mia).waitFor();
  await mia.joinRoom('tea');
  await untilEqual(() => roomLabels(mia), ['lobby', 'tea']);
  assert.equal(club.members.has('mia'), false, 'the list was read, and the room was not joined');
  await assertNoAddress(mia);
  for (const width of [1280, 320]) {
    await mia.page.setViewportSize({ width, height: 667 });
    await assertLayout(mia, 'an invitation');
  }
  await mia.page.setViewportSize({ width: 1280, height: 800 });
  await answer(mia, 'join');
  await mia.waitForRoom('The club');
  assert.equal(await notice(mia).count(), 0);
  await until('mia is in the club', () => club.members.has('mia'));
  await club.send('welcome');
  await mia.waitForMessage('welcome');
  await mia.page.reload();
  await mia.waitForRoom('The club');
  await untilEqual(async () => (await roomLabels(mia)).sort(), ['The club', 'lobby', 'tea']);
  await assertNoAddress(mia);
});

browserTest('an invitation can be declined', async (fixture) => {
  const server = await fixture.server();
  const olga = await accountBot(fixture, server, 'olga');
  const club = await privateRoom(olga);
  const mia = await accountUser(fixture, server, 'mia');
  await club.invite('mia');
  await answer(mia, 'decline');
  await notice(mia).waitFor({ state: 'detached' });
  assert.deepEqual(await roomLabels(mia), ['lobby']);
  const { records } = await club.audit({ limit: 1 });
  assert.deepEqual(records.map(({ act, by }) => [act, by]), [['end_invitation', 'mia']]);
  await club.invite('mia');
  await notice(mia).waitFor();
});

browserTest('an invitation that was accepted on one device disappears on the others', async (fixture) => {
  const server = await fixture.server();
  const olga = await accountBot(fixture, server, 'olga');
  const club = await privateRoom(olga);
  const mia = await accountUser(fixture, server, 'mia');
  const phone = await fixture.visitor(server, '/r/lobby');
  await signIn(phone, 'mia');
  await club.invite('mia');
  await Promise.all([notice(mia).waitFor(), notice(phone).waitFor()]);
  await answer(phone, 'join');
  await phone.waitForRoom('The club');
  await notice(mia).waitFor({ state: 'detached' });
  await untilEqual(() => roomLabels(mia), ['lobby', 'The club']);
  assert.equal(await mia.text('#room-title'), 'lobby', 'the other device still shows what it showed');
});

browserTest('an invitation into a room with a name does not come back after it was accepted', async (fixture) => {
  const server = await fixture.server();
  const olga = await accountBot(fixture, server, 'olga', 'tea');
  await olga.client.createRoom('tea');
  const mia = await accountUser(fixture, server, 'mia');
  await olga.room.invite('mia');
  assert.match(await notice(mia).innerText(), /^olga invites you to #tea\./);
  await answer(mia, 'join');
  await mia.waitForRoom('tea');
  await notice(mia).waitFor({ state: 'detached' });
  await mia.page.reload();
  await mia.waitForRoom('tea');
  await untilEqual(() => roomLabels(mia), ['lobby', 'tea']);
  assert.equal(await notice(mia).count(), 0);
});

browserTest('a moderator invites by name and with a link, which works before signing in', async (fixture) => {
  const server = await fixture.server();
  const olga = await accountUser(fixture, server, 'olga', 'lobby', { permissions: ['clipboard-read', 'clipboard-write'] });
  await register(server, 'ben');
  await olga.page.locator('#add-room').click();
  assert.deepEqual(await violations(olga, 'the switcher'), []);
  await olga.page.locator('#create-private').click();
  await olga.page.locator('#create-room').waitFor();
  await olga.page.keyboard.press('Enter');
  assert.equal(await olga.text('#create-room-error'), 'Enter a title.');
  await olga.page.locator('#create-room-name').fill('The club');
  await olga.page.locator('#create-room-topic').fill('All about *us*');
  assert.deepEqual(await violations(olga, 'creating a room'), []);
  await olga.page.locator('#create-room-submit').click();
  await olga.waitForRoom('The club');
  await untilEqual(() => olga.text('#room-topic'), 'All about us');
  assert.equal(await olga.page.title(), 'The club – chatd');
  await assertNoAddress(olga);

  // The button of the link opens the dialog, because the address alone lets nobody in.
  await olga.page.locator('#copy-link').click();
  await olga.page.locator('#invite').waitFor();
  await olga.page.locator('#invite-name').fill('nobody');
  await olga.page.keyboard.press('Enter');
  await untilEqual(() => olga.text('#invite-error'), 'There is no account with this name.');
  await olga.page.locator('#invite-name').fill('ben');
  await olga.page.keyboard.press('Enter');
  await untilEqual(() => olga.text('#invite-status'), 'ben is invited.');
  await olga.page.locator('#invite-uses').selectOption('5');
  await olga.page.locator('#invite-days').selectOption('30');
  await olga.page.locator('#invite-make').click();
  await olga.page.locator('#invite-copy').click();
  await untilEqual(() => olga.text('#invite-status'), 'Link copied.');
  assert.match(await olga.text('#invite-link-hint'), /^For 5 people, until .+\. It is shown only now\.$/);
  assert.deepEqual(await violations(olga, 'inviting'), []);
  for (const width of [1280, 320]) {
    await olga.page.setViewportSize({ width, height: 667 });
    await assertLayout(olga, 'inviting');
  }
  const link = await olga.page.evaluate(() => navigator.clipboard.readText());
  assert.match(link, /\/r\/(~|%7E)[a-z2-7]+#invite=[\w-]+$/);
  assert.ok(link.startsWith(server.address));

  const opened = link.slice(server.address.length);
  const visitor = await fixture.visitor(server, opened);
  await visitor.page.locator('#entry-password').waitFor();
  assert.equal(new URL(visitor.page.url()).hash, '', 'the code is not in the address bar');
  assert.equal(await visitor.text('#entry-lead'), 'This invitation is for people with an account. Sign in or create one.');
  assert.equal(await visitor.isVisible('#entry-guest'), false);
  assert.equal(await visitor.isVisible('#entry-room'), false);
  await assertNoAddress(visitor);
  await register(server, 'cid');
  await signIn(visitor, 'cid');
  await visitor.waitForRoom('The club');
  assert.ok(visitor.requests.every((url) => !url.includes('invite=')), 'the code is in no request');

  await olga.page.locator('#invite-end').click();
  await untilEqual(() => olga.text('#invite-status'), 'All links of this room have ended.');
  const late = await accountUser(fixture, server, 'dan');
  await late.page.goto(server.address + opened);
  await late.page.reload();
  await untilEqual(() => late.text('#entry-status').catch(() => ''), 'You can’t join this room: it does not exist, you are not invited, or the invitation has ended.');
  assert.equal(await late.isVisible('#entry-room'), true, 'another room can be chosen');
  await late.page.locator('#entry-join').click();
  await late.waitForRoom('lobby');
});

browserTest('a guest who opens an invite link reads that it needs an account', async (fixture) => {
  const server = await fixture.server();
  const olga = await accountBot(fixture, server, 'olga');
  const club = await privateRoom(olga);
  const { invite } = await club.inviteLink();
  const gus = await fixture.user(server, 'gus');
  await olga.room.send(`come in: ${server.address}/r/${club.name}#invite=${invite}`);
  await (await gus.waitForMessage('come in')).locator('.body a').click();
  const words = 'This invitation is for people with an account. Sign in or create one';
  await untilEqual(() => toast(gus), `${words} to use it.`);
  await gus.page.locator('#toast-action').click();
  await gus.page.locator('#entry').waitFor();
  await register(server, 'mia');
  await signIn(gus, 'mia');
  await gus.waitForRoom('The club');
});

browserTest('leaving a private room is asked first, and a last owner stays', async (fixture) => {
  const server = await fixture.server();
  const olga = await accountBot(fixture, server, 'olga');
  const club = await privateRoom(olga);
  const mia = await accountUser(fixture, server, 'mia');
  await club.invite('mia');
  await answer(mia, 'join');
  await mia.waitForRoom('The club');
  await mia.page.locator('#copy-link').click();
  await untilEqual(() => toast(mia), 'This room is private: a link does not let anyone in. Its moderators and owners can invite people.');
  await mia.page.locator('#leave-room').click();
  await mia.page.locator('#leave-private').waitFor();
  assert.equal(await mia.focused(), 'leave-private-stay');
  assert.deepEqual(await violations(mia, 'leaving'), []);
  await mia.page.keyboard.press('Enter');
  await mia.waitUntilHidden('#leave-private');
  assert.equal(await mia.text('#room-title'), 'The club');
  await mia.page.locator('#leave-room').click();
  await mia.page.locator('#leave-private-submit').click();
  await mia.waitForRoom('lobby');
  await untilEqual(() => toast(mia), 'You left The club.');
  await untilEqual(async () => (await club.roles()).roles.map(({ username }) => username), ['olga']);
  await mia.page.reload();
  await mia.waitForRoom('lobby');
  await untilEqual(() => roomLabels(mia), ['lobby']);

  const own = await accountUser(fixture, server, 'owen');
  await own.page.locator('#add-room').click();
  await own.page.locator('#create-private').click();
  await own.page.locator('#create-room-name').fill('Mine');
  await own.page.locator('#create-room-submit').click();
  await own.waitForRoom('Mine');
  await own.page.locator('#leave-room').click();
  await own.page.locator('#leave-private-submit').click();
  await untilEqual(() => own.text('#leave-private-error'), 'The room would have no owner; make another user its owner first.');
});
