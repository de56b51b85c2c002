// Users block others: what the page does not show, announce and count any more.

import assert from 'node:assert/strict';
import { accountBot, accountUser, signIn, tokenOf } from './support/accounts.js';
import { violations } from './support/axe.js';
import { browserTest } from './support/fixture.js';
import { assertLayout } from './support/layout.js';
import { notifiedContext, notificationsOf } from './support/notifications.js';
import { until, untilEqual } from './support/until.js';

const BLOCKED = 'Message of a blocked user.';

const toast = (user) => user.text('#toast-text').catch(() => '');
const announced = (user) => user.page.locator('#announcer').textContent();
const badges = (user) => user.page.locator('#rooms-list .badge:visible').allInnerTexts();
const roomLabels = (user) => user.page.locator('#rooms-list .room-name').allInnerTexts();
const hidden = (user) => user.page.locator('.message[data-state="blocked"]');
const actions = (user) => user.page.locator('#profile .profile-actions').getByRole('button');

async function openCard(user, name) {
  await user.page.locator(`#people-list [data-name="${name}"]`).click();
  await user.page.locator('#profile').waitFor();
}

async function choose(user, name, label) {
  await openCard(user, name);
  await actions(user).getByText(label, { exact: true }).click();
}

async function block(user, name) {
  await choose(user, name, 'Block');
  await untilEqual(() => toast(user), `You blocked ${name}.`);
}

/** Opens the card of a person, asserts what it offers, and closes it. */
async function assertCard(user, name, offered) {
  await openCard(user, name);
  assert.deepEqual(await actions(user).allInnerTexts(), offered);
  await user.page.keyboard.press('Escape');
}

/** Ana at a page, and bob and cid without pages. All have accounts. */
async function place(fixture, options) {
  const server = await fixture.server();
  const [bob, cid] = [await accountBot(fixture, server, 'bob'), await accountBot(fixture, server, 'cid')];
  const ana = await accountUser(fixture, server, 'ana', 'lobby', options);
  return { server, ana, bob, cid };
}

browserTest('messages of a blocked user are hidden, on every device and after a reload', async (fixture) => {
  const { server, ana, bob, cid } = await place(fixture);
  const phone = await fixture.visitor(server, '/r/lobby');
  await signIn(phone, 'ana');
  await bob.send('first');
  await cid.send('second');
  for (const device of [ana, phone]) await device.waitForMessage('second');

  await openCard(ana, 'bob');
  assert.deepEqual(await actions(ana).allInnerTexts(), ['Send a message', 'Block']);
  assert.deepEqual(await violations(ana, 'a card'), []);
  await actions(ana).getByText('Block', { exact: true }).click();
  await untilEqual(() => toast(ana), 'You blocked bob.');
  for (const device of [ana, phone]) await untilEqual(() => device.texts(), [BLOCKED, 'second']);
  assert.doesNotMatch(await announced(ana), /first/, 'what was announced is gone');
  assert.match(await announced(ana), /second/);
  assert.deepEqual(await violations(ana, 'hidden messages'), []);
  for (const width of [1280, 320]) {
    await ana.page.setViewportSize({ width, height: 667 });
    await assertLayout(ana, 'hidden messages');
  }
  await ana.page.setViewportSize({ width: 1280, height: 800 });

  await bob.send('third');
  await cid.send('fourth');
  for (const device of [ana, phone]) {
    await untilEqual(() => device.texts(), [BLOCKED, 'second', BLOCKED, 'fourth']);
    await until('cid is announced', async () => (await announced(device)).includes('fourth'));
    assert.doesNotMatch(await announced(device), /third/);
  }

  await ana.page.reload();
  await ana.waitForRoom('lobby');
  await untilEqual(() => ana.texts(), [BLOCKED, 'second', BLOCKED, 'fourth']);
  await openCard(ana, 'bob');
  assert.deepEqual(await actions(ana).allInnerTexts(), ['Unblock'], 'nobody writes to those whom they have blocked');
  await actions(ana).click();
  await untilEqual(() => toast(ana), 'You unblocked bob.');
  for (const device of [ana, phone]) await untilEqual(() => device.texts(), ['first', 'second', 'third', 'fourth']);
});

browserTest('a page that was offline learns whom the user has blocked', async (fixture) => {
  const server = await fixture.server();
  const proxy = await fixture.proxy(server);
  const bob = await accountBot(fixture, server, 'bob');
  const ana = await accountUser(fixture, proxy, 'ana');
  await bob.send('first');
  await ana.waitForMessage('first');
  const device = await fixture.bot(server, 'ana', 'lobby', { token: await tokenOf(ana) });
  ana.expectsOutage = true;
  proxy.cut();
  await ana.waitForBanner('down');
  await device.client.block(bob.client.user.id);
  proxy.restore();
  await ana.clickBannerAction();
  await ana.waitForBanner('none');
  await untilEqual(() => ana.texts(), [BLOCKED]);
});

browserTest('one hidden message can be shown, by mouse and keyboard', async (fixture) => {
  const { ana, bob, cid } = await place(fixture);
  await bob.send('first');
  await bob.send('second');
  const { seq } = await bob.send('third');
  await cid.room.send('so what?', { replyTo: seq });
  await ana.waitForMessage('so what?');
  const quote = () => ana.text('.quote .excerpt');
  assert.equal(await quote(), 'third');
  await block(ana, 'bob');
  await untilEqual(() => ana.texts(), [BLOCKED, BLOCKED, BLOCKED, 'so what?']);
  assert.equal(await quote(), 'Message of a blocked user');

  await hidden(ana).nth(1).getByRole('button', { name: 'Show' }).click();
  await untilEqual(() => ana.texts(), [BLOCKED, 'second', BLOCKED, 'so what?']);
  const shown = ana.message('second');
  assert.equal(await shown.locator('.from').innerText(), 'bob', 'the message has its own head');
  assert.equal(await shown.evaluate((article) => article === document.activeElement), true, 'the focus stays');
  await ana.openMenu('second');
  await ana.page.keyboard.press('Escape');
  await shown.focus();
  await ana.page.keyboard.press('ArrowDown');
  await ana.page.keyboard.press('Tab');
  await ana.page.keyboard.press('Enter');
  await untilEqual(() => ana.texts(), [BLOCKED, 'second', 'third', 'so what?']);
  assert.equal(await quote(), 'third');

  // Blocked again, nothing is shown of it.
  await choose(ana, 'bob', 'Unblock');
  await untilEqual(() => ana.texts(), ['first', 'second', 'third', 'so what?']);
  await block(ana, 'bob');
  await untilEqual(() => ana.texts(), [BLOCKED, BLOCKED, BLOCKED, 'so what?']);
  await ana.page.locator('#toast-action').click();
  await untilEqual(() => ana.texts(), ['first', 'second', 'third', 'so what?']);
});

browserTest('nothing of a blocked user is counted, notified or shown as typing', async (fixture) => {
  const context = await notifiedContext(fixture);
  const { server, ana, bob, cid } = await place(fixture, { context });
  const notifications = () => notificationsOf(ana);
  const device = await fixture.bot(server, 'ana', 'lobby', { token: await tokenOf(ana) });
  await ana.joinRoom('tea');
  await bob.send('@ana, hello');
  await cid.send('good morning');
  await untilEqual(() => badges(ana), ['@1', '2']);
  await untilEqual(notifications, [['@ana, hello', false]]);
  await device.client.block(bob.client.user.id);
  await untilEqual(() => badges(ana), ['1']);
  await untilEqual(() => ana.page.title(), '(1) tea – chatd');
  await untilEqual(notifications, [['@ana, hello', true]]);

  await bob.send('@ana, are you there?');
  await cid.send('@ana, look here');
  await untilEqual(() => badges(ana), ['@1', '2']);
  await untilEqual(() => ana.page.title(), '(2) tea – chatd');
  await untilEqual(notifications, [['@ana, hello', true], ['@ana, look here', false]]);
  await ana.page.locator('#rooms-list .room-link', { hasText: 'lobby' }).click();
  await ana.waitForRoom('lobby');
  await ana.waitForMessage('look here');
  await untilEqual(() => badges(ana), []);

  // The server has sent it to ana before cid types.
  const isTyping = new Promise((resolve) => cid.client.once('typing', resolve));
  bob.room.typing();
  await isTyping;
  cid.room.typing();
  await untilEqual(() => ana.text('#typing').catch(() => ''), 'cid is typing…');
});

browserTest('the search leaves out blocked users, and their direct room is not in the list', async (fixture) => {
  const { server, ana, bob, cid } = await place(fixture);
  await bob.send('creme for all');
  await cid.send('creme for me');
  const { room } = await bob.client.direct('ana');
  await (await bob.client.join(room)).room.send('just for you');
  await untilEqual(() => roomLabels(ana), ['lobby', 'bob']);
  const results = () => ana.page.locator('#search-results .result-text').allInnerTexts();
  const search = async () => {
    await ana.page.locator('#search-query').fill('creme');
    await ana.page.keyboard.press('Enter');
    await until('the search has ended', async () => await ana.text('#search-status') !== 'Searching…');
    return results();
  };
  await ana.page.keyboard.press('Control+Shift+f');
  await ana.page.locator('#search').waitFor();
  await until('both are found', async () => (await search()).length === 2);

  const phone = await fixture.visitor(server, '/r/lobby');
  await signIn(phone, 'ana');
  await phone.waitForRoom('lobby');
  await block(phone, 'bob');
  await untilEqual(results, ['creme for me']);
  assert.equal(await ana.text('#search-status'), '1 result');
  assert.deepEqual(await search(), ['creme for me']);
  await untilEqual(() => roomLabels(ana), ['lobby']);
  await phone.page.locator('#toast-action').click();
  await untilEqual(() => roomLabels(ana), ['lobby', 'bob']);
});

browserTest('guests are blocked, and block nobody', async (fixture) => {
  const { server, ana } = await place(fixture);
  const gus = await fixture.user(server, 'gus');
  await gus.sendAndWait('hello');
  await ana.waitForMessage('hello');
  await assertCard(gus, 'ana', []);
  await assertCard(ana, 'ana', []);
  await assertCard(ana, 'gus', ['Block']);
  await block(ana, 'gus');
  await untilEqual(() => ana.texts(), [BLOCKED]);
  assert.deepEqual(await gus.texts(), ['hello'], 'gus does not learn of it');

  // What was written in the meantime does not become unread.
  await gus.sendAndWait('again');
  await untilEqual(() => ana.texts(), [BLOCKED, BLOCKED]);
  await choose(ana, 'gus', 'Unblock');
  await untilEqual(() => ana.texts(), ['hello', 'again']);
  await ana.page.reload();
  await ana.waitForMessage('again');
  assert.equal(await ana.page.locator('.new-line').count(), 0);
});

browserTest('the invitation of a blocked user disappears at once, on every device', async (fixture) => {
  const { server, ana, bob, cid } = await place(fixture);
  const phone = await fixture.visitor(server, '/r/tea');
  await signIn(phone, 'ana');
  await phone.waitForRoom('tea');
  for (const { client } of [bob, cid]) {
    const { room } = await client.join(await client.createPrivate({ title: `The club of ${client.username}` }));
    await room.invite('ana');
  }
  const invitations = (device) => device.page.locator('.invitation > :first-child').allInnerTexts();
  const [ofBob, ofCid] = ['bob invites you to The club of bob.', 'cid invites you to The club of cid.'];
  for (const device of [ana, phone]) await untilEqual(() => invitations(device), [ofBob, ofCid]);
  await block(ana, 'bob');
  for (const device of [ana, phone]) await untilEqual(() => invitations(device), [ofCid]);
  // The next list says the same.
  await phone.page.reload();
  await phone.waitForRoom('tea');
  await untilEqual(() => invitations(phone), [ofCid]);
  await ana.page.locator('#toast-action').click();
  await untilEqual(() => toast(ana), 'You unblocked bob.');
  await untilEqual(async () => (await invitations(ana)).sort(), [ofBob, ofCid]);
});
