// Completion in the message box.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

const options = (user) => user.page.locator('#completion .completion-label').allInnerTexts();
const value = (user) => user.page.locator('#compose-text').inputValue();

async function room(fixture, ...names) {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby');
  for (const name of names) await fixture.bot(server, name, 'lobby');
  await until('all users are listed', async () => (await ana.people()).length === names.length + 1);
  return ana;
}

browserTest('@ and the first letters of a name complete a user by keyboard', async (fixture) => {
  const ana = await room(fixture, 'ben', 'Benno', 'cid');
  const { keyboard } = ana.page;
  const box = ana.page.locator('#compose-text');
  await keyboard.type('hi @');
  await untilEqual(() => options(ana), ['ben', 'Benno', 'cid']);
  await keyboard.type('b');
  await untilEqual(() => options(ana), ['ben', 'Benno']);
  assert.equal(await box.getAttribute('aria-controls'), 'completion');
  assert.equal(await ana.page.locator('#completion').getAttribute('role'), 'listbox');
  const activeId = await box.getAttribute('aria-activedescendant');
  assert.equal(await ana.page.locator(`#${activeId}`).getAttribute('aria-selected'), 'true');
  await keyboard.press('ArrowDown');
  await keyboard.press('Enter');
  assert.equal(await value(ana), 'hi @Benno ');
  assert.equal(await ana.isVisible('#completion'), false);
  assert.equal(await box.getAttribute('aria-activedescendant'), null);
  await keyboard.type('and @c');
  await untilEqual(() => options(ana), ['cid']);
  await keyboard.press('Tab');
  assert.equal(await value(ana), 'hi @Benno and @cid ');
  await keyboard.press('Enter');
  const message = await ana.waitForMessage('hi @Benno and @cid');
  assert.deepEqual(await message.locator('.mention').allInnerTexts(), ['@Benno', '@cid']);
});

browserTest('Escape closes the list, and Tab then moves the focus', async (fixture) => {
  const ana = await room(fixture, 'ben');
  const { keyboard } = ana.page;
  await keyboard.type('hi @b');
  await untilEqual(() => options(ana), ['ben']);
  await keyboard.press('Escape');
  await ana.waitUntilHidden('#completion');
  await keyboard.type('e');
  assert.equal(await ana.isVisible('#completion'), false, 'the list stays closed for this word');
  await keyboard.press('Tab');
  assert.equal(await ana.focused(), 'toggle-formatting');
  assert.equal(await value(ana), 'hi @be');
  await ana.page.locator('#compose-text').focus();
  await keyboard.press('End');
  await keyboard.type(' @b');
  await untilEqual(() => options(ana), ['ben']);
});

browserTest('the beginning of any part of a name completes it, but not its middle', async (fixture) => {
  const ana = await room(fixture, 'small', 'mary-ann', 'tom_ann');
  await ana.page.keyboard.type('@ann');
  await untilEqual(() => options(ana), ['mary-ann', 'tom_ann']);
  await ana.page.keyboard.press('Escape');
  await ana.page.keyboard.type('a, look, @all');
  assert.equal(await ana.isVisible('#completion'), false);
  await ana.page.keyboard.press('Enter');
  await ana.waitForMessage('@anna, look, @all');
});

browserTest('Enter sends a message that ends with a full name', async (fixture) => {
  const ana = await room(fixture, 'ben', 'benno');
  await ana.page.keyboard.type('hi @ben');
  await untilEqual(() => options(ana), ['ben', 'benno']);
  await ana.page.keyboard.press('Enter');
  await ana.waitForMessage('hi @ben');
  assert.equal(await ana.isVisible('#completion'), false);
});

browserTest('emoji are completed from a list that is loaded on demand', async (fixture) => {
  const ana = await room(fixture);
  const asked = () => ana.requests.filter((url) => url.endsWith('/emoji.json')).length;
  assert.equal(asked(), 0);
  await ana.page.keyboard.type('at 10:30, :D or :s');
  assert.equal(asked(), 0);
  await ana.page.keyboard.type('mil');
  await until('the suggestions are shown', async () => (await options(ana)).includes(':smile:'));
  await ana.page.keyboard.type('e');
  await until('the exact match comes first', async () => (await options(ana))[0] === ':smile:');
  await ana.page.keyboard.press('Enter');
  assert.equal(await value(ana), 'at 10:30, :D or 😄 ');
  await ana.page.keyboard.type(':tada');
  await until('the suggestions are shown', async () => (await options(ana))[0] === ':tada:');
  await ana.page.keyboard.press('Tab');
  await ana.page.keyboard.press('Enter');
  await ana.waitForMessage('at 10:30, :D or 😄 🎉');
  assert.equal(asked(), 1);
});

browserTest('# completes a room, by pointer too', async (fixture) => {
  const ana = await room(fixture);
  await ana.joinRoom('tea');
  await ana.joinRoom('team');
  await ana.page.keyboard.type('come to #te');
  await untilEqual(() => options(ana), ['tea', 'team']);
  await ana.page.locator('#completion [role="option"]', { hasText: 'team' }).click();
  assert.equal(await value(ana), 'come to #team ');
  assert.equal(await ana.focused(), 'compose-text');
  await ana.page.keyboard.press('Enter');
  await ana.page.locator('.room-reference', { hasText: '#team' }).waitFor();
});

browserTest('on a phone a suggestion is accepted by touch, and the list is on the screen', async (fixture) => {
  const server = await fixture.server();
  const viewport = { width: 390, height: 700 };
  const ana = await fixture.user(server, 'ana', 'lobby', { viewport, hasTouch: true, isMobile: true });
  for (let number = 1; number <= 9; number += 1) await fixture.bot(server, `${'long-name-'.repeat(4)}${number}`, 'lobby');
  await until('all users are listed', async () => await ana.text('#people-count') === '10');
  await ana.page.locator('#compose-text').tap();
  await ana.page.keyboard.type('@long');
  await untilEqual(async () => (await options(ana)).length, 8);
  const { x, y, width, height } = await ana.page.locator('#completion').boundingBox();
  assert.ok(x >= 0 && y >= 0 && x + width <= viewport.width && y + height <= viewport.height);
  const option = ana.page.locator('#completion [role="option"]').last();
  assert.ok((await option.boundingBox()).height >= 44);
  await option.tap();
  assert.equal(await value(ana), `@${'long-name-'.repeat(4)}8 `);
});

browserTest('nothing is completed in code, in addresses or inside words', async (fixture) => {
  const ana = await room(fixture, 'ben');
  for (const text of ['`@b', '```\n@b', 'me@b', 'see http://x/#b', 'a:sm', '# ', '@ben-', 'x @nobody']) {
    await ana.page.locator('#compose-text').fill(text);
    await ana.page.locator('#compose-text').press('End');
    assert.equal(await ana.isVisible('#completion'), false, text);
  }
});

browserTest('in a script without spaces a user is completed inside a sentence', async (fixture) => {
  const ana = await room(fixture, '田中', '田村');
  await ana.page.locator('#compose-text').pressSequentially('これは@田');
  await untilEqual(() => options(ana), ['田中', '田村']);
  await ana.page.keyboard.press('ArrowDown');
  await ana.page.keyboard.press('Tab');
  assert.equal(await value(ana), 'これは@田村 ');
});
