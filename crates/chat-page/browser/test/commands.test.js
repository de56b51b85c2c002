// Slash commands.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { untilEqual } from './support/until.js';

browserTest('/me is shown as an action in italics, in other clients too', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana');
  const ben = await house.raw(server, 'ben');
  const heard = [];
  ben.room.on('message', ({ message }) => heard.push(message.body));
  await ana.say('/me waves');
  const message = await ana.sees('waves');
  assert.equal(await message.locator('.body em').innerText(), 'waves');
  await ana.say('/me says *hi*');
  await ana.say('/me 手を振る');
  await ana.sees('手を振る');
  await untilEqual(() => heard, ['*waves*', '_says *hi*_', '*手を振る*']);
  assert.deepEqual(await ana.page.locator('.body > p > em').allInnerTexts(), ['waves', 'says hi', '手を振る']);
});

browserTest('/help opens the help and sends nothing', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana');
  await ana.say('/help');
  await ana.page.locator('#help').waitFor();
  await ana.page.keyboard.press('Escape');
  assert.equal(await ana.page.locator('#compose-text').inputValue(), '');
  await ana.says('done');
  assert.deepEqual(await ana.texts(), ['done']);
});

browserTest('an unknown command is not sent, and the hint says how to send it', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana');
  await ana.say('/nick anna');
  await ana.page.locator('#compose-error').waitFor();
  assert.equal(await ana.text('#compose-error'), 'There is no command “/nick”. To send this as a message, begin it with two slashes: //nick');
  assert.equal(await ana.page.locator('#compose-text').inputValue(), '/nick anna');
  await ana.page.locator('#compose-text').fill('//nick anna');
  await ana.hides('#compose-error');
  await ana.page.keyboard.press('Enter');
  await ana.sees('/nick anna');
  await ana.say('/me');
  await ana.page.locator('#compose-error', { hasText: '/me waves' }).waitFor();
  assert.deepEqual(await ana.texts(), ['/nick anna']);
});

browserTest('paths and comments are not commands', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana');
  const texts = ['/usr/bin/env is a path', '/ alone', '// a comment', '1/2', '/'];
  for (const text of texts) await ana.say(text);
  await untilEqual(() => ana.texts(), texts);
});

browserTest('the completion suggests commands', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana');
  await ana.page.keyboard.type('/');
  await untilEqual(() => ana.page.locator('#completion .completion-label').allInnerTexts(), ['me', 'help']);
  await ana.page.keyboard.type('m');
  await ana.page.keyboard.press('Tab');
  assert.equal(await ana.page.locator('#compose-text').inputValue(), '/me ');
});
