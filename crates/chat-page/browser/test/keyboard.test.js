// Using the page without a pointer.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

/** The ids of the elements that Tab reaches, up to `last`. */
async function tabTo(user, last) {
  const passed = [];
  for (let step = 0; step < 40; step += 1) {
    await user.page.keyboard.press('Tab');
    passed.push(await user.focused());
    if (passed.at(-1) === last) return passed;
  }
  throw new Error(`${last} is not reached: ${passed.join(' ')}`);
}

browserTest('a message can be sent with the keyboard alone', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.visitor(server, '/');
  const { keyboard } = ana.page;
  assert.equal(await ana.focused(), 'entry-name');
  await keyboard.type('ana');
  await keyboard.press('Tab');
  assert.equal(await ana.focused(), 'entry-room');
  await keyboard.press('Control+a');
  await keyboard.type('tea');
  await keyboard.press('Tab');
  assert.equal(await ana.focused(), 'entry-join');
  await keyboard.press('Space');
  await ana.waitForRoom('tea');
  assert.equal(await ana.focused(), 'compose-text');
  await keyboard.type('by keys');
  await keyboard.press('Tab');
  assert.equal(await ana.focused(), 'toggle-formatting');
  await keyboard.press('Tab');
  assert.equal(await ana.focused(), 'send');
  await keyboard.press('Enter');
  await ana.waitForMessage('by keys');
});

browserTest('the tab order follows the page, and each stop has a visible focus', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  await ana.page.evaluate(() => document.activeElement.blur());
  await ana.page.locator('#chat').evaluate((chat) => chat.querySelector('.skip').focus());
  assert.equal(await ana.isVisible('.skip'), true, 'the skip link is visible when it has the focus');
  const passed = await tabTo(ana, 'send');
  assert.deepEqual(passed, [
    'add-room', 'a', 'open-help', 'open-settings', 'open-search', 'copy-link', 'leave-room', 'open-people', 'messages', 'copy-invite',
    'format-bold', 'compose-text', 'toggle-formatting', 'send',
  ]);
  for (const id of passed.filter((name) => name !== 'a' && name !== 'compose-text')) {
    await ana.page.locator(`#${id}`).focus();
    await ana.page.keyboard.press('Shift+Tab');
    await ana.page.keyboard.press('Tab');
    assert.equal(await ana.focused(), id);
    assert.notEqual(await ana.style(`#${id}`, 'outlineStyle'), 'none', id);
  }
});

browserTest('the skip link moves the focus to the box', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  await ana.page.locator('.skip').focus();
  await ana.page.keyboard.press('Enter');
  assert.equal(await ana.focused(), 'compose-text');
});

browserTest('Escape closes dialogs and returns the focus', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  for (const [opener, dialog] of [['open-settings', 'settings'], ['open-help', 'help'], ['add-room', 'switcher']]) {
    await ana.page.locator(`#${opener}`).focus();
    await ana.page.keyboard.press('Enter');
    await ana.page.locator(`#${dialog}`).waitFor();
    assert.equal(await ana.page.evaluate((id) => document.activeElement.closest('dialog')?.id === id, dialog), true, 'the focus is in the dialog');
    await ana.page.keyboard.press('Escape');
    await ana.waitUntilHidden(`#${dialog}`);
    assert.equal(await ana.focused(), opener);
  }
  await ana.page.locator('#compose-text').focus();
  await ana.page.keyboard.press('Control+k');
  await ana.page.locator('#switcher').waitFor();
  assert.equal(await ana.focused(), 'switcher-room');
  await ana.page.keyboard.press('Escape');
  await ana.waitUntilHidden('#switcher');
  assert.equal(await ana.focused(), 'compose-text');
  await ana.page.keyboard.press('Control+/');
  await ana.page.locator('#help').waitFor();
  await ana.page.keyboard.press('Escape');
  await ana.waitUntilHidden('#help');
});

browserTest('keys switch between rooms', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby');
  await ana.joinRoom('tea');
  await ana.joinRoom('code');
  const { keyboard } = ana.page;
  for (const [key, room] of [['Alt+ArrowUp', 'tea'], ['Alt+ArrowUp', 'lobby'], ['Alt+ArrowUp', 'code'], ['Alt+ArrowDown', 'lobby']]) {
    await keyboard.press(key);
    await ana.waitForRoom(room);
    assert.equal(await ana.focused(), 'compose-text');
  }
  await keyboard.press('Control+k');
  await keyboard.type('te');
  await until('the list of rooms is filtered', async () => await ana.page.locator('#switcher-list [role="option"]').count() === 2);
  await keyboard.press('Enter');
  await ana.waitForRoom('tea');
});

browserTest('keys scroll through older messages', async (fixture) => {
  const server = await fixture.server();
  const ben = await fixture.bot(server, 'ben');
  await ben.sendMany(150);
  const ana = await fixture.user(server, 'ana');
  await ana.waitForMessage('Message 150');
  await ana.page.keyboard.press('Shift+Tab');
  assert.equal(await ana.focused(), 'format-bold');
  await ana.page.keyboard.press('Shift+Tab');
  assert.equal(await ana.focused(), 'messages');
  await until('the beginning is reached', async () => {
    await ana.page.keyboard.press('PageUp');
    return await ana.page.locator('#log-start').getAttribute('data-state') === 'beginning';
  });
  await ana.waitForMessage('Message 1');
  await ana.page.keyboard.press('End');
  await ana.waitUntilHidden('#jump-newest');
  await ana.waitForMessage('Message 150');
});

browserTest('new messages are announced to screen readers', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  assert.equal(await ana.page.locator('#announcer').getAttribute('aria-live'), 'polite');
  const ben = await fixture.bot(server, 'ben');
  await ben.send('hello out there');
  await until('the message is shown', async () => (await ana.page.locator('#announcer').textContent()).includes('ben: hello out there'));
});

browserTest('the arrow keys move between messages, and their menu opens and closes', async (fixture) => {
  const server = await fixture.server();
  const ben = await fixture.bot(server, 'ben');
  const ana = await fixture.user(server, 'ana');
  await ana.sendAndWait('first');
  await ben.send('second');
  await ana.waitForMessage('second');
  const { keyboard } = ana.page;
  const focused = () => ana.page.evaluate(() => document.activeElement.dataset.seq ?? document.activeElement.id);
  await ana.page.locator('#messages').focus();
  await keyboard.press('ArrowUp');
  assert.equal(await focused(), '2');
  await keyboard.press('ArrowUp');
  assert.equal(await focused(), '1');
  assert.notEqual(await ana.style('.message[data-seq="1"]', 'outlineStyle'), 'none');
  await keyboard.press('ArrowUp');
  assert.equal(await focused(), '1', 'it is the first one');

  for (const key of ['Enter', 'Shift+F10', 'ContextMenu']) {
    await keyboard.press(key);
    await ana.page.locator('#message-menu').waitFor();
    assert.equal(await ana.page.evaluate(() => document.activeElement.getAttribute('role')), 'menuitemcheckbox');
    await keyboard.press('Escape');
    await ana.waitUntilHidden('#message-menu');
    assert.equal(await focused(), '1', `after ${key}`);
  }

  // Tab reaches the bar of the message.
  await keyboard.press('Tab');
  assert.equal(await ana.page.evaluate(() => document.activeElement.dataset.action), 'pick');
  await keyboard.press('Shift+Tab');
  assert.equal(await focused(), '1');
  await keyboard.press('Escape');
  assert.equal(await ana.focused(), 'compose-text');
});

browserTest('everything in the menu can be done with the keyboard alone', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby', { permissions: ['clipboard-read', 'clipboard-write'] });
  await ana.sendAndWait('first');
  const { keyboard } = ana.page;
  const choose = async (steps) => {
    await ana.page.locator('#messages').focus();
    for (const key of ['ArrowUp', 'Enter', ...steps, 'Enter']) await keyboard.press(key);
  };
  await choose(['ArrowRight']);
  await untilEqual(() => ana.reactions('first'), ['❤️ 1*']);
  assert.equal(await ana.page.evaluate(() => document.activeElement.dataset.seq), '1', 'the focus is back');
  await choose(['ArrowDown', 'ArrowDown', 'ArrowDown']);
  await untilEqual(() => ana.page.evaluate(() => navigator.clipboard.readText()), 'first');
  await choose(['End', 'ArrowUp']);
  await untilEqual(() => ana.page.evaluate(() => navigator.clipboard.readText()), `${server.address}/r/lobby/1`);
  await choose(['ArrowDown']);
  assert.equal(await ana.focused(), 'compose-text');
  assert.equal(await ana.text('#compose-reply-to'), 'ana');
  await keyboard.type('second');
  await keyboard.press('Enter');
  await ana.waitForMessage('second');
  await choose(['ArrowDown', 'ArrowDown']);
  assert.equal(await ana.page.locator('#compose-text').inputValue(), 'second');
  await keyboard.type(', edited');
  await keyboard.press('Enter');
  await ana.waitForMessage('second, edited');
  // Delete asks again.
  await choose(['End', 'Enter']);
  await untilEqual(() => ana.texts(), ['first', 'This message was deleted.']);
  await untilEqual(() => ana.page.evaluate(() => document.activeElement.dataset.seq), '3');
});
