// Reloads, the identity of a guest, and signing out.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

// A browser closes the connection when its page is reloaded: the user leaves the rooms until the
// new page has joined. Others are not notified if that takes less than the quarter of a second over
// which the server batches presence events, which depends on the machine. If it takes longer, they
// see one leave and then one join.
browserTest('others see at most one leave and one join during a reload', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby');
  await ana.joinRoom('tea');
  await ana.page.keyboard.press('Alt+ArrowUp');
  await ana.waitForRoom('lobby');
  const ben = await fixture.bot(server, 'ben', 'lobby');
  await until('ben sees ana', () => ben.room.members.has('ana'));
  let seen = [];
  ben.room.on('presence', ({ joined, left }) => seen.push(...joined.map(({ username }) => `${username} came`), ...left.map((name) => `${name} went`)));
  await ben.send('before');
  await ana.waitForMessage('before');

  const tries = [];
  while (tries.length < 3) {
    seen = [];
    await ana.page.reload();
    await ana.waitForRoom('lobby');
    await ana.waitForMessage('before');
    await untilEqual(() => ana.page.locator('#rooms-list li').evaluateAll((items) => items.map((item) => item.dataset.room)), ['lobby', 'tea']);
    await ana.sendAndWait(`after ${tries.length}`);
    // Presence events are batched: once this one has been received, so have all earlier ones.
    const name = `cid${tries.length}`;
    await fixture.bot(server, name, 'lobby');
    await until(`${name} was seen`, () => seen.includes(`${name} came`));
    tries.push(seen.filter((event) => event.startsWith('ana')));
  }
  for (const events of tries) {
    assert.deepEqual(events, events.length === 0 ? [] : ['ana went', 'ana came']);
  }
});

const guestToken = (user) => user.page.evaluate(() => JSON.parse(localStorage.getItem('chatd.guest')));
const isMine = async (user, text) => /\bmine\b/.test(await (await user.waitForMessage(text)).getAttribute('class'));

browserTest('a reload keeps the user and their own messages', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  await ana.sendAndWait('before');
  const token = await guestToken(ana);
  assert.match(token, /^[\w-]{43}$/);
  await ana.page.reload();
  await ana.waitForRoom('lobby');
  assert.equal(await isMine(ana, 'before'), true);
  await ana.sendAndWait('after');
  assert.equal(await isMine(ana, 'after'), true);
  assert.deepEqual(await ana.people(), ['ana']);
  assert.equal(await guestToken(ana), token);
  assert.ok(ana.requests.every((url) => !url.includes(token)), 'the token is in no address');
});

browserTest('another browser cannot take the name, and a later user of the name is someone else', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  await ana.sendAndWait('from the first ana');
  const other = await fixture.visitor(server, '/r/lobby');
  await other.page.locator('#entry-name').fill('ana');
  await other.page.keyboard.press('Enter');
  await other.page.locator('#entry-name[aria-invalid="true"]').waitFor();
  assert.equal(await other.text('#entry-name-error'), 'The name ana is already in use in #lobby by someone else. Pick another one.');
  assert.notEqual(await guestToken(other), await guestToken(ana));
  const first = await ana.page.locator('#people-list li').getAttribute('data-user');

  const ben = await fixture.bot(server, 'ben');
  await ana.page.locator('#leave-room').click();
  await until('ana has left', () => !ben.room.members.has('ana'));
  ben.leave();
  await other.page.locator('#entry-join').click();
  await other.waitForRoom('lobby');
  assert.equal(await isMine(other, 'from the first ana'), false);
  await other.sendAndWait('from the second ana');
  const message = await other.waitForMessage('from the second ana');
  assert.equal(await isMine(other, 'from the second ana'), true);
  assert.doesNotMatch(await message.getAttribute('class'), /\bgoes-on\b/, 'it is not grouped with the message of the first ana');
  const second = await other.page.locator('#people-list li[data-name="ana"]').getAttribute('data-user');
  assert.notEqual(second, first);
  const hues = await other.page.evaluate(async (users) => {
    const { hueOf } = await import('/page/dom.js');
    const seen = [...document.querySelectorAll('.message .from')].map((element) => Number(element.style.getPropertyValue('--hue')));
    return { seen, expected: users.map(hueOf) };
  }, [first, second]);
  assert.deepEqual(hues.seen, hues.expected, 'the colour belongs to the user, not to the name');
});

browserTest('with erased storage the user is a new guest', async (fixture) => {
  const server = await fixture.server();
  const context = await fixture.context();
  const ana = await fixture.user(server, 'ana', 'lobby', { context });
  await ana.sendAndWait('before');
  const token = await guestToken(ana);
  const user = await ana.page.locator('#people-list li').getAttribute('data-user');
  const ben = await fixture.bot(server, 'ben');
  await ana.page.locator('#leave-room').click();
  await until('ana has left', () => !ben.room.members.has('ana'));
  ben.leave();
  await ana.page.evaluate(() => {
    localStorage.clear();
    sessionStorage.clear();
  });
  await ana.page.close();
  const reopened = await fixture.user(server, 'ana', 'lobby', { context });
  assert.equal(await isMine(reopened, 'before'), false);
  assert.match(await guestToken(reopened), /^[\w-]{43}$/);
  assert.notEqual(await guestToken(reopened), token);
  assert.notEqual(await reopened.page.locator('#people-list li[data-name="ana"]').getAttribute('data-user'), user);
});

browserTest('without storage the user stays the same until the page is reloaded', async (fixture) => {
  const server = await fixture.server();
  const proxy = await fixture.proxy(server);
  const context = await fixture.context();
  await context.addInitScript(() => {
    const deny = () => { throw new DOMException('denied', 'SecurityError'); };
    for (const storage of ['localStorage', 'sessionStorage']) Object.defineProperty(window, storage, { get: deny });
  });
  const ana = await fixture.user(proxy, 'ana', 'lobby', { context });
  ana.expectsOutage = true;
  await ana.sendAndWait('before');
  proxy.cut();
  await ana.waitForBanner('down');
  proxy.restore();
  await ana.clickBannerAction();
  await ana.waitForBanner('none');
  await ana.sendAndWait('after');
  for (const text of ['before', 'after']) assert.equal(await isMine(ana, text), true, text);
});

browserTest('a damaged guest token is replaced', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.visitor(server, '/r/lobby');
  await ana.page.evaluate(() => localStorage.setItem('chatd.guest', JSON.stringify('damaged')));
  await ana.enter('ana');
  await ana.sendAndWait('here');
  assert.match(await guestToken(ana), /^[\w-]{43}$/);
});

browserTest('a tab that was disconnected because of too many tabs says so, and can reconnect', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.visitor(server, '/r/lobby');
  const limit = new Promise((resolve) => {
    ana.page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => {
      const frame = JSON.parse(payload);
      if (frame.type === 'welcome') resolve(frame.limits.sessions);
    }));
  });
  await ana.enter('ana');
  await ana.sendAndWait('before');
  const token = await guestToken(ana);
  for (let count = await limit; count > 0; count -= 1) await fixture.bot(server, 'ana', 'lobby', { guestToken: token });
  assert.equal(await ana.waitForBanner('ended'), 'You have this chat open in too many tabs, so this one was disconnected.');
  assert.equal(await ana.text('#banner-action'), 'Reconnect');
  await ana.page.locator('#banner-action').click();
  await ana.waitForBanner('none');
  await ana.waitForRoom('lobby');
  await ana.sendAndWait('here again');
  assert.equal(await isMine(ana, 'before'), true);
});

browserTest('signing out leaves the room and shows the form', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  const ben = await fixture.user(server, 'ben');
  await ana.page.locator('#open-settings').click();
  await ana.page.locator('#sign-out').click();
  await ana.page.locator('#entry-form').waitFor();
  await untilEqual(() => ben.people(), ['ben']);
  await ana.enter('anna');
  await untilEqual(() => ben.people(), ['ben', 'anna']);
});
