// Files that are dropped or pasted.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until } from './support/until.js';

const WORDS = 'Files can’t be sent here.';

/** Drags files or a text over an element and drops them; the result says which events the page has prevented. */
function drop(person, selector, { file, text }) {
  return person.page.locator(selector).evaluate((element, what) => {
    const dataTransfer = new DataTransfer();
    if (what.file) dataTransfer.items.add(new File(['content'], what.file, { type: 'image/png' }));
    if (what.text) dataTransfer.setData('text/plain', what.text);
    return ['dragenter', 'dragover', 'drop'].map((type) => {
      const event = new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer });
      element.dispatchEvent(event);
      return event.defaultPrevented;
    });
  }, { file, text });
}

function paste(person, { file, text }) {
  return person.page.locator('#compose-text').evaluate((box, what) => {
    const clipboardData = new DataTransfer();
    if (what.file) clipboardData.items.add(new File(['content'], what.file, { type: 'image/png' }));
    if (what.text) clipboardData.setData('text/plain', what.text);
    const event = new ClipboardEvent('paste', { bubbles: true, cancelable: true, clipboardData });
    box.dispatchEvent(event);
    return event.defaultPrevented;
  }, { file, text });
}

browserTest('a dropped file does not replace the page, and the page says why nothing happens', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana');
  for (const place of ['#messages', '#compose-text', '#people']) {
    assert.deepEqual(await drop(ana, place, { file: 'cat.png' }), [true, true, true], place);
    await until('it is said', async () => await ana.text('#toast-text') === WORDS);
    await ana.page.locator('#toast [aria-label="Dismiss"]').click();
  }
  await ana.says('still here');
});

browserTest('a file that is dropped on the form does not replace it', async (house) => {
  const server = await house.server();
  const ana = await house.visitor(server, '/');
  await ana.page.evaluate(() => import('/page/views/chat.js'));
  assert.deepEqual(await drop(ana, '#entry', { file: 'cat.png' }), [true, true, true]);
});

browserTest('a pasted picture is answered in words, a pasted text is pasted', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana', 'lobby', { permissions: ['clipboard-read', 'clipboard-write'] });
  assert.equal(await paste(ana, { file: 'cat.png' }), true);
  await until('it is said', async () => await ana.text('#toast-text') === WORDS);
  // an office program puts a picture of the text beside the text
  assert.equal(await paste(ana, { file: 'cat.png', text: 'a table' }), false);
  assert.deepEqual(await drop(ana, '#compose-text', { text: 'a text' }), [false, false, false]);
  await ana.page.evaluate(() => navigator.clipboard.writeText('from the clipboard'));
  await ana.page.locator('#compose-text').focus();
  await ana.page.keyboard.press('Control+v');
  assert.equal(await ana.page.locator('#compose-text').inputValue(), 'from the clipboard');
});
