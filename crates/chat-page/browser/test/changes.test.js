// Editing and deleting messages.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { assertLayout } from './support/layout.js';
import { until, untilEqual } from './support/until.js';

const box = (user) => user.page.locator('#compose-text');
const actions = (user) => user.page.locator('#message-menu > [role="menu"] > button').allInnerTexts();
const act = (user, text, action) => user.act(text, action);

/** ana and ben, each with a page, in a room with a message of each. */
async function place(fixture) {
  const server = await fixture.server();
  const [ana, ben] = [await fixture.user(server, 'ana'), await fixture.user(server, 'ben')];
  await ana.sendAndWait('from ana');
  await ben.waitForMessage('from ana');
  await ben.sendAndWait('from ben');
  await ana.waitForMessage('from ben');
  return { server, ana, ben };
}

browserTest('an own message is edited, and everyone sees the new text', async (fixture) => {
  const { server, ana, ben } = await place(fixture);
  await ben.openMenu('from ana');
  assert.deepEqual(await actions(ben), ['Reply', 'Copy text', 'Copy link', 'View profile', 'Report…'], 'not of others');
  await ben.page.keyboard.press('Escape');
  await box(ana).fill('a draft');
  await act(ana, 'from ana', 'edit');
  assert.equal(await box(ana).inputValue(), 'from ana');
  assert.equal(await ana.page.locator('#compose-editing').isVisible(), true);
  await assertLayout(ana, 'editing');
  await ana.send('from *ana*, better');
  for (const user of [ana, ben]) {
    await untilEqual(() => user.texts(), ['from ana, better', 'from ben']);
    assert.match(await user.page.locator('.edited').getAttribute('title'), /^Edited /);
    assert.match(await user.text('.edited'), /^edited \d/);
    assert.equal(await user.page.locator('.message[data-seq="1"] em').innerText(), 'ana');
  }
  assert.deepEqual([await box(ana).inputValue(), await ana.isVisible('#compose-editing')], ['a draft', false], 'the draft is back');
  // a newcomer, and after a reload
  const cid = await fixture.user(server, 'cid');
  await untilEqual(() => cid.texts(), ['from ana, better', 'from ben']);
  await ana.page.reload();
  await untilEqual(() => ana.texts(), ['from ana, better', 'from ben']);
  await act(ana, 'from ana', 'edit');
  assert.equal(await box(ana).inputValue(), 'from *ana*, better', 'it is still the author’s');
});

browserTest('by keyboard: Up edits the last own message and those before it, Escape gives up', async (fixture) => {
  const { ana, ben } = await place(fixture);
  await ana.sendAndWait('second');
  await box(ana).press('ArrowUp');
  assert.equal(await box(ana).inputValue(), 'second');
  await box(ana).press('ArrowUp');
  assert.equal(await box(ana).inputValue(), 'from ana');
  await box(ana).press('Escape');
  assert.deepEqual([await box(ana).inputValue(), await ana.isVisible('#compose-editing')], ['', false]);
  await box(ana).press('ArrowUp');
  await ana.send('second thoughts');
  await untilEqual(() => ben.texts(), ['from ana', 'from ben', 'second thoughts']);
  // a changed text is not lost to the arrow key
  await box(ana).fill('typing');
  await box(ana).press('ArrowUp');
  assert.equal(await box(ana).inputValue(), 'typing');
});

browserTest('an own message is deleted after a second click', async (fixture) => {
  const { ana, ben } = await place(fixture);
  await act(ana, 'from ana', 'delete');
  const button = ana.page.locator('#message-menu [data-action="delete"]');
  assert.equal(await button.innerText(), 'Really delete?');
  assert.deepEqual(await ben.texts(), ['from ana', 'from ben']);
  await button.click();
  for (const user of [ana, ben]) await untilEqual(() => user.texts(), ['This message was deleted.', 'from ben']);
});

browserTest('an edit that the server refuses stays in the box, with the reason', async (fixture) => {
  const server = await fixture.server();
  const [ana, second] = await fixture.twoTabs(server, 'ana');
  await ana.sendAndWait('mine');
  await act(ana, 'mine', 'edit');
  await act(second, 'mine', 'delete');
  await second.page.locator('#message-menu [data-action="delete"]').click();
  await untilEqual(() => ana.texts(), ['This message was deleted.']);
  await ana.send('too late');
  await until('the reason is shown', async () => (await ana.text('#compose-error')) === 'Not saved. This message does not exist any more.');
  assert.equal(await box(ana).inputValue(), 'too late');
});

browserTest('on a phone a long press opens the menu', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby', { viewport: { width: 390, height: 700 }, hasTouch: true, isMobile: true });
  await box(ana).fill('from the phone');
  await ana.page.locator('#send').tap();
  await ana.longPress('from the phone');
  assert.deepEqual(await actions(ana), ['Reply', 'Edit', 'Copy text', 'Copy link', 'Delete']);
  await assertLayout(ana, 'menu on a phone');
  for (const { height, width } of await ana.page.locator('#message-menu button').evaluateAll((buttons) => buttons.map((button) => ({ width: button.offsetWidth, height: button.offsetHeight })))) {
    assert.ok(height >= 44 && width >= 44, `${width} × ${height}`);
  }
  await ana.page.locator('#message-menu [data-action="edit"]').tap();
  assert.equal(await box(ana).inputValue(), 'from the phone');
});
