// The formatting toolbar, its keyboard shortcuts, and lists that continue.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { untilEqual } from './support/until.js';

const box = (user) => user.page.locator('#compose-text');
const value = (user) => box(user).inputValue();

/** Puts a text into the box. The part between two bars is selected. */
async function write(user, text) {
  const start = text.indexOf('|');
  const plain = text.replaceAll('|', '');
  const end = text.lastIndexOf('|') - (start === text.lastIndexOf('|') ? 0 : 1);
  await box(user).fill(plain);
  await box(user).evaluate((element, range) => element.setSelectionRange(...range), start < 0 ? [plain.length, plain.length] : [start, end]);
}

/** The text of the box, with bars around the selection. */
function written(user) {
  return box(user).evaluate(({ value: text, selectionStart: start, selectionEnd: end }) => (
    start === end ? `${text.slice(0, start)}|${text.slice(end)}` : `${text.slice(0, start)}|${text.slice(start, end)}|${text.slice(end)}`));
}

browserTest('each button formats the selection', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  const cases = [
    ['bold', 'a |word| b', 'a **|word|** b'],
    ['bold', 'a **|word|** b', 'a |word| b'],
    ['bold', '|', '**|**'],
    ['bold', 'a| word |b', 'a **|word|** b'],
    ['italic', '|word|', '*|word|*'],
    ['italic', '**|word|**', '***|word|***'],
    ['strike', '|word|', '~~|word|~~'],
    ['code', '|word|', '`|word|`'],
    ['code', '|one\ntwo|', '```\n|one\ntwo|\n```'],
    ['link', '|words|', '[words](|https://|)'],
    ['link', '|https://example.org/|', '[|](https://example.org/)'],
    ['list', '|one\ntwo|', '|- one\n- two|'],
    ['list', '|- one\n- two|', '|one\ntwo|'],
    ['quote', 'one\ntw|o', 'one\n> tw|o'],
    ['bold', '|- one\n- two|', '|- **one**\n- **two**|'],
  ];
  for (const [button, before, after] of cases) {
    await write(ana, before);
    await ana.page.locator(`#format-${button}`).click();
    assert.equal(await written(ana), after, `${button} of ${before}`);
    assert.equal(await ana.focused(), 'compose-text');
  }
});

browserTest('formatting has keyboard shortcuts, and Ctrl+Z undoes it', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  const { keyboard } = ana.page;
  for (const [key, after] of [
    ['Control+b', '**|word|**'], ['Control+i', '*|word|*'], ['Control+e', '`|word|`'], ['Control+Shift+KeyX', '~~|word|~~'],
    ['Control+Shift+KeyL', '[word](|https://|)'], ['Control+Shift+Digit8', '|- word|'], ['Control+Shift+Digit9', '|> word|'],
  ]) {
    await write(ana, '|word|');
    await keyboard.press(key);
    assert.equal(await written(ana), after, key);
  }
  await box(ana).fill('');
  await keyboard.type('typed');
  await keyboard.press('Control+a');
  await keyboard.press('Control+b');
  assert.equal(await value(ana), '**typed**');
  await keyboard.press('Control+z');
  assert.equal(await value(ana), 'typed');
});

browserTest('lists and quotes continue on a new line, and end at an empty item', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  const { keyboard } = ana.page;
  for (const [before, after] of [
    ['- one', '- one\n- |'], ['9. one', '9. one\n10. |'], ['- [x] one', '- [x] one\n- [ ] |'], ['> one', '> one\n> |'],
    ['  * one', '  * one\n  * |'], ['- one\n- ', '- one\n|'], ['plain', 'plain\n|'], ['```\n- one', '```\n- one\n|'], ['-', '-\n|'],
  ]) {
    await write(ana, before);
    await keyboard.press('Shift+Enter');
    assert.equal(await written(ana), after, JSON.stringify(before));
  }
  await box(ana).fill('');
  await keyboard.type('- one');
  await keyboard.press('Shift+Enter');
  await keyboard.type('two');
  await keyboard.press('Enter');
  const message = await ana.waitForMessage('two');
  assert.deepEqual(await message.locator('li').allInnerTexts(), ['one', 'two']);
});

browserTest('the toolbar is one tab stop, and can be hidden', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  const { keyboard } = ana.page;
  await keyboard.press('Shift+Tab');
  assert.equal(await ana.focused(), 'format-bold');
  await keyboard.press('ArrowRight');
  assert.equal(await ana.focused(), 'format-italic');
  await keyboard.press('End');
  assert.equal(await ana.focused(), 'format-quote');
  await keyboard.press('Tab');
  assert.equal(await ana.focused(), 'compose-text');
  await ana.page.locator('#toggle-formatting').click();
  await ana.waitUntilHidden('#formatting');
  assert.equal(await ana.page.locator('#toggle-formatting').getAttribute('aria-pressed'), 'false');
  await ana.page.reload();
  await ana.waitForRoom('lobby');
  assert.equal(await ana.isVisible('#formatting'), false, 'the choice is kept');
});

browserTest('the box follows the direction of its text', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  for (const [text, direction] of [['مرحبا بالعالم!', 'rtl'], ['hello', 'ltr'], ['שלום', 'rtl']]) {
    await box(ana).fill(text);
    await untilEqual(() => box(ana).evaluate((element) => (element.matches(':dir(rtl)') ? 'rtl' : 'ltr')), direction);
  }
});

browserTest('there is no preview that could differ from the message', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  assert.equal(await ana.page.locator('#preview, #toggle-preview').count(), 0);
});
