// An empty room.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

browserTest('an empty room shows a welcome card with an invite link', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'tea', { permissions: ['clipboard-read', 'clipboard-write'] });
  assert.match(await ana.text('#log-start'), /^No messages yet\. Say hello!/);
  await ana.page.locator('#copy-invite').click();
  await ana.page.locator('#copy-invite[data-done="Copied"]').waitFor();
  const link = await ana.page.evaluate(() => navigator.clipboard.readText());
  assert.equal(link, `${server.address}/r/tea`);
  const ben = await fixture.visitor(server, new URL(link).pathname);
  await ben.enter('ben');
  await ben.sendAndWait('hello');
  await ana.waitForMessage('hello');
  await until('the card is removed', async () => await ana.page.locator('#copy-invite').count() === 0);
});

browserTest('on a phone the invitation opens the share sheet', async (fixture) => {
  const server = await fixture.server();
  const context = await fixture.context({ viewport: { width: 390, height: 700 }, hasTouch: true, isMobile: true });
  await context.addInitScript(() => {
    window.shared = [];
    navigator.share = async (data) => { window.shared.push(data); };
  });
  const ana = await fixture.user(server, 'ana', 'tea', { context });
  await ana.page.locator('#share-invite').tap();
  await untilEqual(() => ana.page.evaluate(() => window.shared), [{ title: '#tea', url: `${server.address}/r/tea` }]);
});
