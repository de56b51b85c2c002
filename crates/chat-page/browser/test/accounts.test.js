// Accounts: registering, signing in and out, devices, profiles.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until } from './support/until.js';

const PASSWORD = 'correct horse';

/** Fills in the form in one of its modes, and submits it. */
async function submit(user, mode, { name, password = PASSWORD, invite }) {
  await user.page.locator(`#entry-${mode}`).click();
  await user.page.locator('#entry-name').fill(name);
  await user.page.locator('#entry-password').fill(password);
  if (invite) await user.page.locator('#entry-invite').fill(invite);
  await user.page.keyboard.press('Enter');
}

async function registered(fixture, server, name, options = {}) {
  const user = await fixture.visitor(server, '/r/lobby', options);
  user.expectsRefusals = true;
  await submit(user, 'register', { name });
  await user.waitForRoom('lobby');
  return user;
}

const isRegistered = (user, name) => user.page.locator(`#people-list [data-name="${name}"] .registered`).waitFor();

browserTest('a guest creates an account and stays the author of what it wrote', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  const ben = await fixture.user(server, 'ben');
  await ana.sendAndWait('as a guest');
  await ana.page.locator('#open-settings').click();
  await ana.page.locator('#become-user').click();
  await ana.page.locator('#entry').waitFor();
  await submit(ana, 'register', { name: 'ana' });
  await ana.waitForRoom('lobby');
  const own = await ana.waitForMessage('as a guest');
  assert.match(await own.getAttribute('class'), /\bmine\b/);
  await ana.sendAndWait('as a user');
  await ben.waitForMessage('as a user');
  await isRegistered(ben, 'ana');
  assert.equal(await ben.page.locator('#people-list [data-name="ben"] .registered').count(), 0);
});

browserTest('a reload and a second tab stay signed in, and signing out ends both', async (fixture) => {
  const server = await fixture.server();
  const context = await fixture.context();
  const ana = await registered(fixture, server, 'ana', { context });
  await ana.page.reload();
  await ana.waitForRoom('lobby');
  const second = await fixture.visitor(server, '/r/lobby', { context });
  second.expectsRefusals = true;
  assert.match(await second.text('#entry-lead'), /Signed in as .*ana/);
  assert.equal(await second.isVisible('#entry-name'), false);
  await second.page.locator('#entry-join').click();
  await second.waitForRoom('lobby');
  await ana.sendAndWait('in both');
  const seen = await second.waitForMessage('in both');
  assert.match(await seen.getAttribute('class'), /\bmine\b/);
  assert.deepEqual(await ana.people(), ['ana']);

  await second.page.locator('#open-settings').click();
  await second.page.locator('#open-account').click();
  await second.page.locator('#account-sign-out').click();
  await second.page.locator('#entry').waitFor();
  assert.match(await ana.waitForBanner('ended'), /signed out/);
});

browserTest('a registered name needs its password', async (fixture) => {
  const server = await fixture.server();
  await registered(fixture, server, 'ana');
  const other = await fixture.visitor(server, '/r/lobby');
  other.expectsRefusals = true;
  await other.page.locator('#entry-name').fill('Ana');
  await other.page.keyboard.press('Enter');
  await other.page.locator('#entry-password').waitFor();
  assert.match(await other.text('#entry-name-error'), /registered/);
  await other.page.locator('#entry-name').fill('ana');
  await other.page.locator('#entry-password').fill('wrong horse');
  await other.page.keyboard.press('Enter');
  await until('the password is wrong', async () => /Wrong name or password/.test(await other.text('#entry-password-error').catch(() => '')));
  await other.page.locator('#entry-password').fill(PASSWORD);
  await other.page.keyboard.press('Enter');
  await other.waitForRoom('lobby');
  assert.deepEqual(await other.people(), ['ana'], 'another device of the same user');
});

browserTest('what is wrong with a new account is shown at its field', async (fixture) => {
  const server = await fixture.server();
  await registered(fixture, server, 'ana');
  const other = await fixture.visitor(server, '/r/lobby');
  other.expectsRefusals = true;
  await submit(other, 'register', { name: 'not a name', password: 'short' });
  await other.page.locator('#entry-name-error').waitFor();
  await other.page.locator('#entry-password-error').waitFor();
  await other.page.locator('#entry-name').fill('ANA');
  await other.page.locator('#entry-password').fill(PASSWORD);
  await other.page.keyboard.press('Enter');
  await until('the name is taken', async () => /registered/.test(await other.text('#entry-name-error').catch(() => '')));
  assert.equal(await other.page.locator('#entry-password').getAttribute('autocomplete'), 'new-password');
  await other.page.locator('#entry-sign-in').click();
  assert.equal(await other.page.locator('#entry-password').getAttribute('autocomplete'), 'current-password');
  assert.equal(await other.page.locator('#entry-name').getAttribute('autocomplete'), 'username');
});

browserTest('the password is changed, and other devices are signed out', async (fixture) => {
  const server = await fixture.server();
  const desktop = await registered(fixture, server, 'ana');
  const phone = await fixture.visitor(server, '/r/lobby', { viewport: { width: 390, height: 800 } });
  phone.expectsRefusals = true;
  await submit(phone, 'sign-in', { name: 'ana' });
  await phone.waitForRoom('lobby');
  await desktop.page.locator('#open-settings').click();
  await desktop.page.locator('#open-account').click();
  await until('two devices', async () => await desktop.page.locator('#devices li').count() === 2);
  await desktop.page.locator('#password-old').fill('wrong horse');
  await desktop.page.locator('#password-new').fill('battery staple');
  await desktop.page.locator('#password-form button').click();
  await until('the password is wrong', async () => await desktop.text('#password-old-error').catch(() => '') === 'Wrong password.');
  await desktop.page.locator('#password-old').fill(PASSWORD);
  await desktop.page.locator('#password-form button').click();
  await until('it is changed', async () => /Password changed/.test(await desktop.text('#account-status').catch(() => '')));
  await until('one device', async () => await desktop.page.locator('#devices li').count() === 1);
  assert.match(await phone.waitForBanner('ended'), /signed out/);
  await phone.page.reload();
  await phone.page.locator('#entry').waitFor();
});

browserTest('what is typed while the profile is read stays', async (fixture) => {
  const server = await fixture.server();
  const ana = await registered(fixture, server, 'ana');
  let answer;
  const isTyped = new Promise((resolve) => (answer = resolve));
  await ana.page.route('**/api/v1/me', async (route) => {
    await isTyped;
    await route.continue();
  });
  await ana.page.locator('#open-settings').click();
  await ana.page.locator('#open-account').click();
  await ana.page.locator('#profile-name').fill('Ana María');
  answer();
  // They are read after the profile.
  await ana.page.locator('#devices li').first().waitFor();
  assert.equal(await ana.page.locator('#profile-name').inputValue(), 'Ana María');
});

browserTest('a click on a person shows the card', async (fixture) => {
  const server = await fixture.server();
  const ana = await registered(fixture, server, 'ana');
  await ana.page.locator('#open-settings').click();
  await ana.page.locator('#open-account').click();
  await ana.page.locator('#profile-name').fill('Ana María');
  await ana.page.locator('#profile-about').fill('I like <b>tea</b>.');
  await ana.page.locator('#profile-form button').click();
  await until('it is saved', async () => /Profile saved/.test(await ana.text('#account-status').catch(() => '')));
  const ben = await fixture.user(server, 'ben');
  await ben.page.locator('#people-list [data-name="ana"]').click();
  await until('the card has the name', async () => await ben.text('#profile-display').catch(() => '') === 'Ana María');
  assert.equal(await ben.text('#profile-text'), 'I like <b>tea</b>.');
  assert.equal(await ben.text('#profile-kind'), 'Registered user');
  await ben.page.keyboard.press('Escape');
  await ben.page.locator('#people-list [data-name="ben"]').click();
  assert.match(await ben.text('#profile-kind'), /Guest/);
});

browserTest('a server without guests asks for the password at once', async (fixture) => {
  const server = await fixture.server('--guests', 'off', '--registration', 'closed');
  const user = await fixture.visitor(server, '/r/lobby');
  await user.page.locator('#entry-password').waitFor();
  assert.equal(await user.isVisible('#entry-guest'), false);
  assert.equal(await user.isVisible('#entry-register'), false);
});

browserTest('what is read on one device is read on all, over a restart of the server, too', async (fixture) => {
  const server = await fixture.server();
  const context = await fixture.context();
  const desktop = await registered(fixture, server, 'ana', { context });
  await desktop.joinRoom('tea');
  await desktop.joinRoom('lobby');
  const second = await fixture.visitor(server, '/r/lobby', { context });
  await second.page.locator('#entry-join').click();
  await second.waitForRoom('lobby');
  const phone = await fixture.visitor(server, '/r/lobby', { viewport: { width: 390, height: 800 } });
  await submit(phone, 'sign-in', { name: 'ana' });
  await phone.waitForRoom('lobby');
  const all = [desktop, second, phone];
  const badge = (user) => user.page.locator('#rooms-list li[data-room="tea"] .badge.unread:not([hidden])').evaluateAll((badges) => badges.map(({ textContent }) => textContent).join());
  const hasRoom = (user, room) => user.page.locator(`#rooms-list li[data-room="${room}"]`).count();
  for (const user of all) await until('the list is the same on all devices', async () => await hasRoom(user, 'tea') === 1);

  const ben = await fixture.bot(server, 'ben', 'tea');
  await ben.sendMany(3);
  for (const user of all) await until('three messages are unread', async () => await badge(user) === '3');
  await desktop.joinRoom('tea');
  for (const user of all) await until('nothing is unread', async () => await badge(user) === '');

  await desktop.joinRoom('lobby');
  await ben.sendMany(2, (number) => `after ${number}`);
  for (const user of all) await until('two messages are unread', async () => await badge(user) === '2');
  for (const user of all) user.expectsOutage = true;
  await server.kill();
  await server.start();
  await until('the desktop is back', async () => await desktop.banner() === 'none');
  await second.joinRoom('tea');
  for (const user of all) await until('nothing is unread', async () => await badge(user) === '');

  // what is read while there is no connection is read everywhere afterwards
  await desktop.joinRoom('lobby');
  await second.joinRoom('lobby');
  await ben.sendMany(1, () => 'before the outage');
  for (const user of all) await until('a message is unread', async () => await badge(user) === '1');
  await server.kill();
  await until('the second tab is offline', async () => await second.banner() !== 'none');
  await second.page.locator('#rooms-list a[data-room="tea"]').click();
  await until('the second tab has read it', async () => await badge(second) === '');
  await server.start();
  for (const user of all) await until('nothing is unread', async () => await badge(user) === '');

  // a room that is left is left on all devices
  await phone.page.locator('#open-rooms').click();
  await phone.page.locator('#rooms-list a[data-room="tea"]').click();
  await phone.waitForRoom('tea');
  await phone.page.locator('#leave-room').click();
  for (const user of all) await until('the room is gone', async () => await hasRoom(user, 'tea') === 0);
});

browserTest('mentions in messages that are not loaded are counted, and found', async (fixture) => {
  const server = await fixture.server();
  const context = await fixture.context();
  const ana = await registered(fixture, server, 'ana', { context });
  await ana.joinRoom('tea');
  await ana.page.close();
  const ben = await fixture.bot(server, 'ben');
  await ben.send('@ana: one');
  await ben.sendMany(50);
  await ben.send('@ana: two');
  await ben.sendMany(70);
  const back = await fixture.visitor(server, '/r/tea', { context });
  await back.page.locator('#entry-join').click();
  await back.waitForRoom('tea');
  const mentions = back.page.locator('#rooms-list li[data-room="lobby"] .badge.mentioned');
  await until('both mentions are counted', async () => await mentions.textContent() === '@2');
  await back.page.locator('#rooms-list a[data-room="lobby"]').click();
  await back.waitForMessage('Message 70');
  const focused = () => back.page.evaluate(() => document.activeElement.dataset.seq);
  await back.page.getByRole('button', { name: 'Jump to mention, 2 unread mentions' }).click();
  await until('the first one has the focus', async () => await focused() === '1');
  await back.page.getByRole('button', { name: 'Jump to mention, 1 unread mention' }).click();
  await until('the second one has the focus', async () => await focused() === '52');
  await back.waitUntilHidden('#jump-mention');
});
