// The message box.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

browserTest('Enter sends and Shift+Enter adds a line, or Ctrl+Enter sends if set', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana');
  const { keyboard } = ana.page;
  await keyboard.type('one');
  await keyboard.press('Shift+Enter');
  await keyboard.type('two');
  await keyboard.press('Enter');
  await untilEqual(() => ana.texts(), ['one\ntwo']);

  await ana.page.locator('#open-settings').click();
  await ana.page.locator('input[name="send"][value="ctrl-enter"]').check();
  await keyboard.press('Escape');
  assert.match(await ana.text('#compose-hint'), /^Ctrl\+Enter/);
  await ana.page.locator('#compose-text').focus();
  await keyboard.type('three');
  await keyboard.press('Enter');
  await keyboard.type('four');
  await keyboard.press('Control+Enter');
  await untilEqual(() => ana.texts(), ['one\ntwo', 'three\nfour']);

  await ana.page.reload();
  await ana.isIn('lobby');
  assert.match(await ana.text('#compose-hint'), /^Ctrl\+Enter/, 'the choice is kept');
});

browserTest('an empty message is not sent', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana');
  await ana.say('  \n ');
  await ana.page.locator('#send').click();
  await ana.says('something');
  assert.deepEqual(await ana.texts(), ['something']);
});

browserTest('the box grows with the text up to a limit, and shrinks after sending', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana');
  const box = ana.page.locator('#compose-text');
  const height = async () => (await box.boundingBox()).height;
  const one = await height();
  await box.fill('1\n2\n3');
  assert.ok(await height() > one + 30);
  await box.fill('line\n'.repeat(200));
  assert.ok(await height() <= 800 * 0.4 + 1);
  await box.press('Enter');
  await until('the box has its initial height', async () => await height() === one);
});

browserTest('notifications are shown only if enabled, and only for mentions', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana');
  await ana.page.locator('#open-settings').click();
  assert.equal(await ana.page.locator('#set-notify').isChecked(), false);
  await ana.page.context().grantPermissions(['notifications']);
  await ana.page.evaluate(() => {
    window.told = [];
    window.Notification = class extends EventTarget {
      static permission = 'granted';
      static requestPermission = async () => 'granted';
      constructor(title, { body }) {
        super();
        window.told.push(`${title}: ${body}`);
      }
    };
  });
  await ana.page.locator('#set-notify').check();
  await until('notifications are on', () => ana.page.locator('#set-notify').isChecked());
  await ana.page.keyboard.press('Escape');
  await ana.joinAnother('tea');
  const ben = await house.raw(server, 'ben', 'lobby');
  await ben.say('not for anybody');
  await ben.say('look here, @ana');
  await untilEqual(() => ana.page.evaluate(() => window.told), ['ben in #lobby: look here, @ana']);
});
