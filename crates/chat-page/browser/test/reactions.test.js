// Reactions to messages.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { assertLayout } from './support/layout.js';
import { until, untilEqual } from './support/until.js';

const PHONE = { viewport: { width: 375, height: 667 }, hasTouch: true, isMobile: true };

async function place(fixture, options) {
  const server = await fixture.server();
  const ben = await fixture.user(server, 'ben');
  const ana = await fixture.user(server, 'ana', 'lobby', options);
  await ben.sendAndWait('hello');
  await ana.waitForMessage('hello');
  return { server, ana, ben };
}

const chip = (user, emoji) => user.page.locator(`.reaction[data-emoji="${emoji}"]`);

browserTest('two users react, and each sees both, also after a reload', async (fixture) => {
  const { ana, ben } = await place(fixture);
  await ana.openMenu('hello');
  await ana.page.locator('#message-menu [data-emoji="👍"]').click();
  await untilEqual(() => ana.reactions('hello'), ['👍 1*']);
  await untilEqual(() => ben.reactions('hello'), ['👍 1']);
  await chip(ben, '👍').click();
  await untilEqual(() => ana.reactions('hello'), ['👍 2*']);
  assert.equal(await chip(ana, '👍').getAttribute('aria-label'), '👍 2: You and ben');
  await untilEqual(() => chip(ben, '👍').getAttribute('title'), 'You and ana');
  await ben.openMenu('hello');
  await ben.page.locator('#message-menu [data-emoji="🎉"]').click();
  await untilEqual(() => ana.reactions('hello'), ['👍 2*', '🎉 1']);

  await ana.page.reload();
  await untilEqual(() => ana.reactions('hello'), ['👍 2*', '🎉 1']);
  await chip(ana, '👍').click();
  for (const [user, mine] of [[ana, ''], [ben, '*']]) await untilEqual(async () => (await user.reactions('hello'))[0], `👍 1${mine}`);
  await chip(ben, '👍').click();
  await untilEqual(() => ana.reactions('hello'), ['🎉 1']);
  await untilEqual(() => ben.reactions('hello'), ['🎉 1*']);
  await chip(ben, '🎉').click();
  for (const user of [ana, ben]) await user.waitUntilHidden('.reactions');
});

browserTest('reactions stay when their message is edited, and go when it is deleted', async (fixture) => {
  const { ana, ben } = await place(fixture);
  await ana.openMenu('hello');
  await ana.page.locator('#message-menu [data-emoji="😮"]').click();
  await untilEqual(() => ben.reactions('hello'), ['😮 1']);
  await ben.act('hello', 'edit');
  await ben.send('hello again');
  await ana.waitForMessage('hello again');
  await untilEqual(() => ana.reactions('hello again'), ['😮 1*']);
  await ben.act('hello again', 'delete');
  await ben.page.locator('#message-menu [data-action="delete"]').click();
  await untilEqual(() => ana.texts(), ['This message was deleted.']);
  assert.equal(await ana.page.locator('.reaction').count(), 0);
});

browserTest('any emoji can be found by its name', async (fixture) => {
  const { ana, ben } = await place(fixture);
  assert.ok(!ana.requests.some((url) => url.includes('picker') || url.includes('emoji.json')), 'nothing of it is loaded before');
  await (await ana.waitForMessage('hello')).hover();
  await ana.page.locator('.message-actions [data-action="pick"]').click();
  await ana.page.locator('#picker').waitFor();
  assert.equal(await ana.focused(), 'picker-search');
  await until('all groups are loaded', async () => await ana.page.locator('#picker h2').count() === 10);
  await ana.page.keyboard.type('fire');
  const shown = () => ana.page.locator('#picker section:not([hidden]) button:not([hidden])').allInnerTexts();
  await until('the emoji are filtered', async () => (await shown()).includes('🔥') && (await shown()).length < 12);
  assert.match(await ana.text('#picker [role="status"]'), /^\d+ emoji$/);
  await ana.page.locator('#picker button[title="fire"]').click();
  await ana.waitUntilHidden('#picker');
  await untilEqual(() => ben.reactions('hello'), ['🔥 1']);

  // By keyboard.
  await ana.page.locator('.add-reaction').click();
  await ana.page.locator('#picker').waitFor();
  await ana.page.keyboard.type(':tada');
  await until('it is found', async () => (await shown())[0] === '🎉');
  await ana.page.keyboard.press('ArrowDown');
  await ana.page.keyboard.press('Enter');
  await untilEqual(() => ana.reactions('hello'), ['🔥 1*', '🎉 1*']);
  await ana.page.locator('.add-reaction').click();
  await ana.page.keyboard.type('no such emoji');
  await until('the status says so', async () => await ana.text('#picker [role="status"]') === 'No emoji found');
  await ana.page.keyboard.press('Escape');
  await ana.waitUntilHidden('#picker');
});

browserTest('a 21st emoji is refused with the reason', async (fixture) => {
  const { server, ana } = await place(fixture);
  const cid = await fixture.bot(server, 'cid');
  for (const emoji of ['😀', '😃', '😄', '😁', '😆', '😅', '🤣', '🙂', '🙃', '😉', '😊', '😇', '🥰', '😍', '🤩', '😘', '😗', '😚', '😙', '🥲']) await cid.room.react(1, emoji);
  await untilEqual(async () => (await ana.reactions('hello')).length, 20);
  await assertLayout(ana, 'twenty reactions');
  await ana.openMenu('hello');
  await ana.page.locator('#message-menu [data-emoji="👍"]').click();
  await untilEqual(() => ana.text('#toast-text'), 'Reaction not saved. This message has as many different emoji as it can have.');
});

browserTest('a storm of reactions changes only what has changed', async (fixture) => {
  const { server, ana } = await place(fixture);
  await ana.page.evaluate(() => {
    window.bodies = [...document.querySelectorAll('.body')];
    window.changes = 0;
    new MutationObserver((records) => { window.changes += records.length; }).observe(document.querySelector('#log-list'), { childList: true, subtree: true, attributes: true });
  });
  const bots = await Promise.all(['b1', 'b2', 'b3', 'b4'].map((name) => fixture.bot(server, name)));
  for (let round = 0; round < 40; round += 1) await Promise.all(bots.map((bot) => bot.room.react(1, '👍', round % 2 === 0)));
  await Promise.all(bots.map((bot) => bot.room.react(1, '👍')));
  await untilEqual(() => ana.reactions('hello'), ['👍 4']);
  const { isSame, changes } = await ana.page.evaluate(() => ({ isSame: window.bodies.every((body) => body.isConnected), changes: window.changes }));
  assert.ok(isSame, 'the message was not created again');
  assert.ok(changes < 800, `${changes} changes of elements for 164 reactions`);
});

browserTest('on a phone chips are as large as a finger, and fit on the screen', async (fixture) => {
  const { ana, ben } = await place(fixture, PHONE);
  for (const [index, emoji] of ['👍', '❤️', '😂', '🎉', '😮', '🙏'].entries()) {
    await ben.openMenu('hello');
    await ben.page.locator(`#message-menu [data-emoji="${emoji}"]`).click();
    await untilEqual(async () => (await ben.reactions('hello')).length, index + 1);
  }
  await untilEqual(async () => (await ana.reactions('hello')).length, 6);
  for (const width of [375, 320]) {
    await ana.page.setViewportSize({ width, height: 667 });
    await assertLayout(ana, 'reactions');
    const sizes = await ana.page.locator('.reactions button').evaluateAll((buttons) => buttons.map((button) => ({ width: button.offsetWidth, height: button.offsetHeight })));
    assert.ok(sizes.every((box) => box.width >= 44 && box.height >= 44), JSON.stringify(sizes));
  }
  await chip(ana, '🎉').tap();
  await untilEqual(async () => (await ben.reactions('hello'))[3], '🎉 2*');
  await ana.longPress('hello');
  await ana.page.locator('#message-menu [data-action="pick"]').tap();
  await ana.page.locator('#picker').waitFor();
  await assertLayout(ana, 'emoji picker');
});
