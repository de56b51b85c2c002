// Moderators, owners, and those whom they act on.

import assert from 'node:assert/strict';
import { violations } from './support/axe.js';
import { browserTest } from './support/fixture.js';
import { assertLayout } from './support/layout.js';
import { until, untilEqual } from './support/until.js';

const PASSWORD = 'correct horse';
const PHONE = { viewport: { width: 375, height: 667 }, hasTouch: true, isMobile: true };
const REASON = '<img src=x onerror="document.title=1"> & <b>spam</b>';

async function token(server, username) {
  const response = await fetch(`${server.address}/api/v1/accounts`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ username, password: PASSWORD }),
  });
  assert.ok(response.ok);
  return (await response.json()).token;
}

/** A user with an account and no page, who owns the lobby. */
async function owner(fixture, server) {
  const bot = await fixture.bot(server, 'olga', 'lobby', { token: await token(server, 'olga') });
  await bot.client.createRoom('lobby');
  return bot;
}

/** Signs in on a page. The account exists. */
async function signIn(fixture, server, name, options = {}) {
  const user = await fixture.visitor(server, '/r/lobby', options);
  await user.page.locator('#entry-sign-in').click();
  await user.page.locator('#entry-name').fill(name);
  await user.page.locator('#entry-password').fill(PASSWORD);
  await user.page.keyboard.press('Enter');
  await user.waitForRoom('lobby');
  return user;
}

/** A moderator of the lobby at a page, and the room's owner. */
async function moderator(fixture, server, options = {}) {
  const olga = await owner(fixture, server);
  await token(server, 'mia');
  const mia = await signIn(fixture, server, 'mia', options);
  await olga.room.setRole(await userId(olga, 'mia'), 'moderator');
  return { olga, mia };
}

async function userId(bot, name) {
  await until(`${name} is in the room`, () => bot.room.members.has(name));
  return bot.room.members.get(name).user;
}

/** What the box says: the line above it, the placeholder, and whether it is disabled. */
async function box(user) {
  const muted = user.page.locator('#compose-muted');
  const text = user.page.locator('#compose-text');
  return [await muted.isVisible() ? await muted.innerText() : '', await text.getAttribute('placeholder'), await text.isDisabled()];
}

const FREE = ['', 'Message #lobby', false];
const toast = (user) => user.text('#toast-text').catch(() => '');
const person = (user, name) => user.page.locator(`#people-list [data-name="${name}"]`);

/** The badges in the member list, by name. */
function badges(user) {
  return user.page.locator('#people-list li').evaluateAll((items) => Object.fromEntries(items
    .map((item) => [item.dataset.name, item.querySelector('.role').textContent]).filter(([, role]) => role !== '')));
}

/** Chooses an action from the card of a person in the list. */
async function choose(user, name, label) {
  await person(user, name).click();
  await user.page.locator('#profile .profile-actions').getByRole('button', { name: label }).click();
  await user.page.locator('#moderate').waitFor();
}

/** Waits until the line says until when, in the time zone of the browser. */
async function untilMutedUntil(user, time) {
  const clock = await user.page.evaluate((value) => new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' }).format(new Date(value)), time);
  await until('the line has the end', async () => (await box(user))[0].includes(clock));
}

browserTest('a muted user reads why it cannot write, and then it can again', async (fixture) => {
  const server = await fixture.server();
  const olga = await owner(fixture, server);
  const gus = await fixture.user(server, 'gus');
  await olga.send('hello');
  await gus.sendAndWait('spam');
  const user = await userId(olga, 'gus');
  await olga.room.moderate('mute', { user });
  await untilEqual(() => box(gus), ['You are muted in this room until a moderator ends it. You can read along.', 'You are muted in #lobby', true]);
  assert.deepEqual(await violations(gus, 'muted'), []);
  await olga.send('you can read this');
  await gus.openMenu('you can read this');
  const actions = () => gus.page.locator('#message-menu button').evaluateAll((buttons) => buttons.map((button) => button.dataset.action));
  assert.deepEqual(await actions(), ['copy', 'link', 'profile', 'report'], 'nothing that the server would refuse');
  await gus.page.keyboard.press('Escape');
  await gus.openMenu('spam');
  assert.deepEqual(await actions(), ['copy', 'link'], 'not even for its own messages');
  await gus.page.keyboard.press('Escape');
  await gus.page.reload();
  await gus.waitForRoom('lobby');
  await until('it is still muted', async () => (await box(gus))[2]);
  await olga.room.moderate('unmute', { user });
  await untilEqual(() => box(gus), FREE);
  await gus.sendAndWait('thanks');

  await olga.room.moderate('mute', { user, seconds: 3_600 });
  await until('it is muted again', async () => (await box(gus))[2]);
  await untilMutedUntil(gus, Date.now() + 3_600_000);
  for (const width of [1280, 320]) {
    await gus.page.setViewportSize({ width, height: 667 });
    await assertLayout(gus, 'muted');
  }
  // The mute ends by itself.
  await olga.room.moderate('unmute', { user });
  await olga.room.moderate('mute', { user, seconds: 1 });
  await untilEqual(() => box(gus), FREE);
  await gus.sendAndWait('at last');
});

browserTest('in slow mode a refused message keeps its text, and says how long to wait', async (fixture) => {
  const server = await fixture.server();
  const olga = await owner(fixture, server);
  const gus = await fixture.user(server, 'gus');
  await olga.room.configure({ slowModeS: 3_600 });
  await gus.sendAndWait('first');
  await gus.send('second');
  const failed = gus.page.locator('.message[data-state="failed"]');
  await failed.waitFor();
  assert.match(await failed.locator('.failure').innerText(), /Not sent\. This room is in slow mode\. Wait 3,\d\d\d seconds, then try again\./);
  await olga.room.configure({ slowModeS: 0 });
  await failed.locator('[data-action="retry"]').click();
  await gus.waitForMessage('second');
});

browserTest('a banned user sees why it is out, and a kicked one the way back', async (fixture) => {
  const server = await fixture.server();
  const olga = await owner(fixture, server);
  const gus = await fixture.user(server, 'gus');
  const user = await userId(olga, 'gus');
  await olga.room.moderate('kick', { user });
  assert.equal(await gus.waitForBanner('left'), 'A moderator removed you from #lobby.');
  await gus.page.locator('#banner-action').click();
  await gus.waitForBanner('none');
  await gus.sendAndWait('back');
  await olga.room.moderate('ban', { user, seconds: 3_600 });
  assert.match(await gus.waitForBanner('left'), /^A moderator banned you from #lobby until .+\.$/);
  assert.deepEqual([await gus.text('#banner-action'), await gus.isVisible('#banner-second')], ['Remove from list', false]);
  assert.deepEqual(await violations(gus, 'banned'), []);
  await gus.page.reload();
  await gus.page.locator('#entry-join').click();
  await gus.page.locator('#entry-room[aria-invalid]').waitFor();
  assert.match(await gus.text('#entry-room-error'), /^You are banned from #lobby until /);
  await olga.room.moderate('ban', { user });
  await gus.page.locator('#entry-join').click();
  await untilEqual(() => gus.text('#entry-room-error').catch(() => ''), 'You are banned from #lobby.');
  await olga.room.moderate('unban', { user });
  await gus.page.locator('#entry-join').click();
  await gus.waitForRoom('lobby');
});

browserTest('a warning waits for its reader, and each one for itself', async (fixture) => {
  const server = await fixture.server();
  const olga = await owner(fixture, server);
  const context = await fixture.context();
  const gus = await fixture.user(server, 'gus', 'lobby', { context });
  await gus.sendAndWait('spam');
  const spam = Number(await gus.message('spam').getAttribute('data-seq'));
  const user = await userId(olga, 'gus');
  await gus.page.locator('#compose-text').fill('not sent yet');
  assert.ok(!gus.requests.some((url) => url.includes('warning')), 'nothing of it is loaded before');
  await olga.room.moderate('warn', { user, reason: REASON });
  await gus.page.locator('#warning').waitFor();
  assert.equal(await gus.text('#warning-title'), 'A moderator has warned you');
  assert.match(await gus.text('#warning-text'), /^olga in #lobby, /);
  assert.equal(await gus.text('#warning-reason'), REASON);
  assert.equal(await gus.focused(), 'warning-title');
  assert.deepEqual(await violations(gus, 'warning'), []);
  await assertLayout(gus, 'warning');
  // What the user types, and a click outside, do not close it.
  await gus.page.keyboard.press('Enter');
  await gus.page.mouse.click(5, 5);
  await olga.room.moderate('warn', { user, reason: 'again' });
  await olga.room.moderate('warn', { user });
  await olga.send('after the warnings');
  await gus.waitForMessage('after the warnings');
  assert.equal(await gus.text('#warning-reason'), REASON, 'it is still open');
  await gus.page.keyboard.press('Tab');
  await gus.page.keyboard.press('Enter');
  await untilEqual(() => gus.text('#warning-reason'), 'again');
  await gus.page.reload();
  await untilEqual(() => gus.text('#warning-reason').catch(() => ''), 'again');
  await gus.page.locator('#warning-close').click();
  await gus.waitUntilHidden('#warning-reason');
  await gus.page.locator('#warning-close').click();
  await gus.waitUntilHidden('#warning');
  await untilEqual(async () => [await gus.focused(), await gus.page.locator('#compose-text').inputValue()], ['compose-text', 'not sent yet']);

  // One that comes while the user is away.
  await gus.page.close();
  await until('gus is gone', () => !olga.room.members.has('gus'));
  await olga.room.moderate('warn', { target: spam, reason: 'while you were away' });
  const back = await fixture.visitor(server, '/r/lobby', { context });
  await back.page.locator('#entry-join').click();
  await untilEqual(() => back.text('#warning-reason').catch(() => ''), 'while you were away');
});

browserTest('a moderator acts from the menu of a message', async (fixture) => {
  const server = await fixture.server();
  const { olga, mia } = await moderator(fixture, server);
  const gus = await fixture.user(server, 'gus');
  await gus.sendAndWait('spam');
  await olga.send('from the owner');
  await until('mia is a moderator', async () => (await badges(mia)).mia === 'moderator');
  await mia.act('spam', 'mute');
  await mia.page.locator('#moderate').waitFor();
  assert.equal(await mia.text('#moderate-title'), 'Moderate gus');
  assert.equal(await mia.focused(), 'moderate-action');
  assert.equal(await mia.page.locator('#moderate-action').inputValue(), 'mute');
  assert.deepEqual(await violations(mia, 'mute'), []);
  await assertLayout(mia, 'mute');
  assert.equal(await mia.page.locator('#moderate-role').isVisible(), false);
  // By keyboard.
  const { keyboard } = mia.page;
  await keyboard.press('Tab');
  assert.equal(await mia.focused(), 'moderate-time');
  await mia.page.locator('#moderate-time').selectOption({ label: '1 week' });
  await keyboard.press('Tab');
  await keyboard.type(REASON);
  await keyboard.press('Tab');
  await keyboard.press('Enter');
  await mia.waitUntilHidden('#moderate');
  await until('it is said', async () => /^gus is muted until .+\.$/.test(await toast(mia)));
  await until('gus is muted', async () => (await box(gus))[2]);
  await untilMutedUntil(gus, Date.now() + 7 * 86_400_000);
  assert.equal(await mia.page.evaluate(() => document.activeElement.closest('.message')?.dataset.seq), await mia.message('spam').getAttribute('data-seq'), 'the focus is back');

  await mia.act('spam', 'warn');
  assert.equal(await mia.isVisible('#moderate-time'), false);
  await mia.page.locator('#moderate-reason').fill(REASON);
  await mia.page.locator('#moderate-submit').click();
  await untilEqual(() => gus.text('#warning-reason').catch(() => ''), REASON);
  await gus.page.locator('#warning-close').click();

  await mia.act('spam', 'warn');
  await mia.page.locator('#moderate-action').selectOption('unmute');
  await mia.page.locator('#moderate-submit').click();
  await untilEqual(() => box(gus), FREE);

  // What the server refuses is said in the dialog, which stays open.
  await mia.act('from the owner', 'ban');
  await mia.page.locator('#moderate-submit').click();
  await untilEqual(() => mia.text('#moderate-error').catch(() => ''), 'You can’t do this to olga. That needs a higher role in this room than theirs.');
  assert.deepEqual(await violations(mia, 'refused'), []);
  await keyboard.press('Escape');
  await mia.waitUntilHidden('#moderate');
  assert.equal(await mia.style('.log .entry', 'paddingTop'), '0px', 'the styles of the dialogs are for these alone');

  await mia.act('spam', 'kick');
  await mia.page.locator('#moderate-submit').click();
  await gus.waitForBanner('left');
  await gus.page.locator('#banner-action').click();
  await gus.waitForBanner('none');
  await mia.act('spam', 'ban');
  await mia.page.locator('#moderate-time').selectOption({ label: 'No end' });
  await mia.page.locator('#moderate-submit').click();
  assert.equal(await gus.waitForBanner('left'), 'A moderator banned you from #lobby.');
  // The author of a message can be a user who is gone.
  await gus.page.close();
  await until('gus is gone', () => !olga.room.members.has('gus'));
  await mia.act('spam', 'warn');
  await mia.page.locator('#moderate-submit').click();
  await untilEqual(() => toast(mia), 'gus was warned.');
  await mia.openMenu('spam');
  await mia.page.locator('#message-menu [data-action="delete"]').dblclick();
  await mia.page.locator('.message[data-state="deleted"]').waitFor();
});

browserTest('who is no moderator is offered nothing', async (fixture) => {
  const server = await fixture.server();
  const olga = await owner(fixture, server);
  const gus = await fixture.user(server, 'gus');
  await olga.send('hello');
  await until('the roles are shown', async () => (await badges(gus)).olga === 'owner');
  await gus.openMenu('hello');
  assert.equal(await gus.page.locator('#message-menu [data-action="ban"], #message-menu [data-action="delete"]').count(), 0);
  await gus.page.keyboard.press('Escape');
  await person(gus, 'olga').click();
  await gus.page.locator('#profile').waitFor();
  assert.deepEqual([await gus.isVisible('.profile-actions'), await gus.isVisible('#open-room-settings')], [false, false]);
});

browserTest('a moderator mutes from the member list, by keyboard and on a phone', async (fixture) => {
  const server = await fixture.server();
  const { mia } = await moderator(fixture, server);
  const gus = await fixture.user(server, 'gus');
  await until('mia is a moderator', async () => (await badges(mia)).mia === 'moderator');
  assert.deepEqual(await badges(mia), { mia: 'moderator', olga: 'owner' });
  await person(mia, 'gus').waitFor();
  const { keyboard } = mia.page;
  // Tab reaches the list, and the arrow keys each person.
  await mia.page.locator('#send').focus();
  await keyboard.press('Tab');
  const focused = () => mia.page.evaluate(() => document.activeElement.closest('.person')?.dataset.name);
  assert.equal(await focused(), 'mia');
  await keyboard.press('ArrowDown');
  assert.equal(await focused(), 'gus');
  await keyboard.press('Enter');
  await mia.page.locator('#profile').waitFor();
  assert.deepEqual(await violations(mia, 'card'), []);
  assert.deepEqual(await mia.page.locator('.profile-actions button').allInnerTexts(), ['Block', 'Warn…', 'Mute…', 'Kick…', 'Ban…']);
  await mia.page.locator('.profile-actions').getByRole('button', { name: 'Mute…' }).press('Enter');
  await mia.page.locator('#moderate').waitFor();
  await mia.page.locator('#moderate-time').selectOption({ label: 'No end' });
  await mia.page.locator('#moderate-submit').press('Enter');
  await until('gus is muted', async () => (await box(gus))[2]);
  await mia.waitUntilHidden('#moderate');
  assert.equal(await focused(), 'gus', 'the focus is back');
  // A higher role is not for a moderator to act on.
  await person(mia, 'olga').click();
  assert.deepEqual(await mia.page.locator('.profile-actions button').allInnerTexts(), ['Send a message', 'Block']);
  await keyboard.press('Escape');

  const phone = await signIn(fixture, server, 'mia', PHONE);
  await phone.page.locator('#open-people').tap();
  await until('the roles are shown', async () => (await badges(phone)).mia === 'moderator');
  await assertLayout(phone, 'people');
  await person(phone, 'gus').tap();
  await phone.page.locator('#profile').waitFor();
  await assertLayout(phone, 'card');
  await phone.page.locator('.profile-actions').getByRole('button', { name: 'Mute…' }).tap();
  await phone.page.locator('#moderate').waitFor();
  for (const width of [375, 320]) {
    await phone.page.setViewportSize({ width, height: 667 });
    await assertLayout(phone, 'moderate');
  }
  await phone.page.locator('#moderate-action').selectOption('unmute');
  await phone.page.locator('#moderate-submit').tap();
  await untilEqual(() => box(gus), FREE);
});

for (const colorScheme of ['light', 'dark']) {
  browserTest(`an owner registers a room, changes its settings and gives a role, ${colorScheme}`, async (fixture) => {
    const server = await fixture.server();
    await token(server, 'ana');
    const ana = await signIn(fixture, server, 'ana', { colorScheme });
    const opener = ana.page.locator('#open-room-settings');
    await untilEqual(() => opener.textContent(), 'Register this room');
    await opener.click();
    await ana.page.locator('#room-settings').waitFor();
    assert.equal(await ana.text('#room-settings-title'), 'Register #lobby');
    assert.deepEqual(await violations(ana, 'register'), []);
    await ana.page.locator('#room-settings-slow').fill('90000');
    await ana.page.locator('#room-settings-submit').click();
    await untilEqual(() => ana.text('#room-settings-error').catch(() => ''), 'Enter a whole number of seconds from 0 to 86,400.');
    assert.equal(await ana.focused(), 'room-settings-slow');
    assert.deepEqual(await violations(ana, 'wrong number'), []);
    await ana.page.locator('#room-settings-slow').fill('0');
    await ana.page.locator('#room-settings-submit').click();
    await ana.waitUntilHidden('#room-settings');
    await untilEqual(() => badges(ana), { ana: 'owner' });
    await untilEqual(() => opener.textContent(), 'Room settings');
    assert.equal(await toast(ana), 'You own #lobby now.');

    const gus = await fixture.user(server, 'gus');
    const ben = await fixture.bot(server, 'ben', 'lobby', { token: await token(server, 'ben') });
    await opener.click();
    await ana.page.locator('#room-settings-post').selectOption('members');
    await ana.page.locator('#room-settings-mention').selectOption('everyone');
    await ana.page.locator('#room-settings-slow').fill('30');
    assert.deepEqual(await violations(ana, 'settings'), []);
    await ana.page.setViewportSize({ width: 320, height: 667 });
    await assertLayout(ana, 'settings');
    await ana.page.setViewportSize({ width: 1280, height: 800 });
    await ana.page.locator('#room-settings-submit').press('Enter');
    await untilEqual(() => box(gus), ['', 'Only members post in #lobby', true]);
    await until('the bot has the settings', () => ben.room.info.slowModeS === 30);
    assert.deepEqual(ben.room.info, { title: null, topic: null, visibility: 'unlisted', join: 'everyone', post: 'members', slowModeS: 30, mentionRoom: 'everyone' });

    await choose(ana, 'ben', 'Change role…');
    assert.deepEqual(await violations(ana, 'role'), []);
    await ana.page.locator('#moderate-role').selectOption('moderator');
    await ana.page.locator('#moderate-submit').click();
    await untilEqual(() => badges(ana), { ana: 'owner', ben: 'moderator' });
    await until('ben has the role', () => ben.room.standing.role === 'moderator');
    await untilEqual(() => toast(ana), 'ben is a moderator now.');
    await choose(ana, 'ben', 'Change role…');
    assert.equal(await ana.page.locator('#moderate-role').inputValue(), 'moderator');
    await ana.page.locator('#moderate-role').selectOption({ label: 'None' });
    await ana.page.locator('#moderate-submit').click();
    await untilEqual(() => badges(ana), { ana: 'owner' });
    // A guest has no role.
    await person(ana, 'gus').click();
    await ana.page.locator('#profile').waitFor();
    assert.deepEqual(await ana.page.locator('.profile-actions button').allInnerTexts(), ['Block', 'Warn…', 'Mute…', 'Kick…', 'Ban…']);
  });
}

browserTest('a room that is in use cannot be registered, and the dialog says why', async (fixture) => {
  const server = await fixture.server();
  await fixture.bot(server, 'gus');
  await token(server, 'ana');
  const ana = await signIn(fixture, server, 'ana');
  await ana.page.locator('#open-room-settings').click();
  await ana.page.locator('#room-settings-submit').click();
  await until('it says why', async () => /only if it has no owner and no messages/.test(await ana.text('#room-settings-error').catch(() => '')));
  assert.deepEqual(await violations(ana, 'refused'), []);
});

browserTest('a room for members says so to those who come and those who have to leave', async (fixture) => {
  const server = await fixture.server();
  const olga = await owner(fixture, server);
  await token(server, 'ana');
  const ana = await signIn(fixture, server, 'ana');
  await olga.room.configure({ join: 'members' });
  assert.equal(await ana.waitForBanner('left'), '#lobby is only for its members now.');
  await ana.page.locator('#banner-action').click();
  await untilEqual(() => ana.text('#banner-text'), '#lobby is only for its members. Ask an owner or a moderator of the room to add you.');
});
