// The message box.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

browserTest('Enter sends and Shift+Enter adds a line, or Ctrl+Enter sends if set', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
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
  await ana.waitForRoom('lobby');
  assert.match(await ana.text('#compose-hint'), /^Ctrl\+Enter/, 'the choice is kept');
});

browserTest('an empty message is not sent', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  await ana.send('  \n ');
  await ana.page.locator('#send').click();
  await ana.sendAndWait('something');
  assert.deepEqual(await ana.texts(), ['something']);
});

browserTest('the box grows with the text up to a limit, and shrinks after sending', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
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

browserTest('notifications are shown only if enabled, and only for mentions', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  await ana.page.locator('#open-settings').click();
  assert.equal(await ana.page.locator('#set-notify').isChecked(), false);
  await ana.page.context().grantPermissions(['notifications']);
  await ana.page.evaluate(() => {
    window.notifications = [];
    window.Notification = class extends EventTarget {
      static permission = 'granted';
      static requestPermission = async () => 'granted';
      constructor(title, { body }) {
        super();
        window.notifications.push(`${title}: ${body}`);
      }
    };
  });
  await ana.page.locator('#set-notify').check();
  await until('notifications are on', () => ana.page.locator('#set-notify').isChecked());
  await ana.page.keyboard.press('Escape');
  await ana.joinRoom('tea');
  const ben = await fixture.bot(server, 'ben', 'lobby');
  await ben.send('not for anybody');
  await ben.send('look here, @ana');
  await untilEqual(() => ana.page.evaluate(() => window.notifications), ['ben in #lobby: look here, @ana']);
});
