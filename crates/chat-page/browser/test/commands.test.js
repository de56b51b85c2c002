// Slash commands.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { untilEqual } from './support/until.js';

browserTest('/me is shown as an action in italics, in other clients too', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  const ben = await fixture.bot(server, 'ben');
  const received = [];
  ben.room.on('message', ({ message }) => received.push(message.body));
  await ana.send('/me waves');
  const message = await ana.waitForMessage('waves');
  assert.equal(await message.locator('.body em').innerText(), 'waves');
  await ana.send('/me says *hi*');
  await ana.send('/me 手を振る');
  await ana.waitForMessage('手を振る');
  await untilEqual(() => received, ['*waves*', '_says *hi*_', '*手を振る*']);
  assert.deepEqual(await ana.page.locator('.body > p > em').allInnerTexts(), ['waves', 'says hi', '手を振る']);
});

browserTest('/help opens the help and sends nothing', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  await ana.send('/help');
  await ana.page.locator('#help').waitFor();
  await ana.page.keyboard.press('Escape');
  assert.equal(await ana.page.locator('#compose-text').inputValue(), '');
  await ana.sendAndWait('done');
  assert.deepEqual(await ana.texts(), ['done']);
});

browserTest('an unknown command is not sent, and the hint says how to send it', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  await ana.send('/nick anna');
  await ana.page.locator('#compose-error').waitFor();
  assert.equal(await ana.text('#compose-error'), 'There is no command “/nick”. To send this as a message, begin it with two slashes: //nick');
  assert.equal(await ana.page.locator('#compose-text').inputValue(), '/nick anna');
  await ana.page.locator('#compose-text').fill('//nick anna');
  await ana.waitUntilHidden('#compose-error');
  await ana.page.keyboard.press('Enter');
  await ana.waitForMessage('/nick anna');
  await ana.send('/me');
  await ana.page.locator('#compose-error', { hasText: '/me waves' }).waitFor();
  assert.deepEqual(await ana.texts(), ['/nick anna']);
});

browserTest('paths and comments are not commands', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  const texts = ['/usr/bin/env is a path', '/ alone', '// a comment', '1/2', '/'];
  for (const text of texts) await ana.send(text);
  await untilEqual(() => ana.texts(), texts);
});

browserTest('the completion suggests commands', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  await ana.page.keyboard.type('/');
  await untilEqual(() => ana.page.locator('#completion .completion-label').allInnerTexts(), ['me', 'help']);
  await ana.page.keyboard.type('m');
  await ana.page.keyboard.press('Tab');
  assert.equal(await ana.page.locator('#compose-text').inputValue(), '/me ');
});
