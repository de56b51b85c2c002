// An empty room.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

browserTest('an empty room shows a welcome card with an invite link', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana', 'tea', { permissions: ['clipboard-read', 'clipboard-write'] });
  assert.match(await ana.text('#log-start'), /^No messages yet\. Say hello!/);
  await ana.page.locator('#copy-invite').click();
  await ana.page.locator('#copy-invite[data-done="Copied"]').waitFor();
  const link = await ana.page.evaluate(() => navigator.clipboard.readText());
  assert.equal(link, `${server.address}/r/tea`);
  const ben = await house.visitor(server, new URL(link).pathname);
  await ben.enter('ben');
  await ben.says('hello');
  await ana.sees('hello');
  await until('the card is removed', async () => await ana.page.locator('#copy-invite').count() === 0);
});

browserTest('on a phone the invitation opens the share sheet', async (house) => {
  const server = await house.server();
  const context = await house.context({ viewport: { width: 390, height: 700 }, hasTouch: true, isMobile: true });
  await context.addInitScript(() => {
    window.shared = [];
    navigator.share = async (data) => { window.shared.push(data); };
  });
  const ana = await house.person(server, 'ana', 'tea', { context });
  await ana.page.locator('#share-invite').tap();
  await untilEqual(() => ana.page.evaluate(() => window.shared), [{ title: '#tea', url: `${server.address}/r/tea` }]);
});
