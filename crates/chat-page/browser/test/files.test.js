// Files that are dropped or pasted.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until } from './support/until.js';

const WORDS = 'Files can’t be sent here.';

/**
 * Drags files or text over an element and drops them. Returns which of the events the page
 * prevented.
 */
function drop(user, selector, { file, text }) {
  return user.page.locator(selector).evaluate((element, what) => {
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

function paste(user, { file, text }) {
  return user.page.locator('#compose-text').evaluate((box, what) => {
    const clipboardData = new DataTransfer();
    if (what.file) clipboardData.items.add(new File(['content'], what.file, { type: 'image/png' }));
    if (what.text) clipboardData.setData('text/plain', what.text);
    const event = new ClipboardEvent('paste', { bubbles: true, cancelable: true, clipboardData });
    box.dispatchEvent(event);
    return event.defaultPrevented;
  }, { file, text });
}

browserTest('a dropped file does not replace the page, and a toast explains why', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  for (const selector of ['#messages', '#compose-text', '#people']) {
    assert.deepEqual(await drop(ana, selector, { file: 'cat.png' }), [true, true, true], selector);
    await until('the message is shown', async () => await ana.text('#toast-text') === WORDS);
    await ana.page.locator('#toast [aria-label="Dismiss"]').click();
  }
  await ana.sendAndWait('still here');
});

browserTest('a file dropped on the form does not replace the page', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.visitor(server, '/');
  await ana.page.evaluate(() => import('/page/views/chat.js'));
  assert.deepEqual(await drop(ana, '#entry', { file: 'cat.png' }), [true, true, true]);
});

browserTest('a pasted picture shows a toast, and pasted text is inserted', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby', { permissions: ['clipboard-read', 'clipboard-write'] });
  assert.equal(await paste(ana, { file: 'cat.png' }), true);
  await until('the message is shown', async () => await ana.text('#toast-text') === WORDS);
  // An office program adds a picture of the text to the text.
  assert.equal(await paste(ana, { file: 'cat.png', text: 'a table' }), false);
  assert.deepEqual(await drop(ana, '#compose-text', { text: 'a text' }), [false, false, false]);
  await ana.page.evaluate(() => navigator.clipboard.writeText('from the clipboard'));
  await ana.page.locator('#compose-text').focus();
  await ana.page.keyboard.press('Control+v');
  assert.equal(await ana.page.locator('#compose-text').inputValue(), 'from the clipboard');
});
