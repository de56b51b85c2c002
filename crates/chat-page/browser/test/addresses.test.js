// Addresses that do not exist, and a server that does not answer.

import assert from 'node:assert/strict';
import { assertLayout } from './support/layout.js';
import { browserTest } from './support/fixture.js';
import { until } from './support/until.js';

browserTest('an unknown address shows a 404 page with a link to the chat', async (fixture) => {
  const server = await fixture.server();
  const page = await (await fixture.context({ viewport: { width: 320, height: 568 } })).newPage();
  const answer = await page.goto(`${server.address}/login`);
  assert.equal(answer.status(), 404);
  const lost = { page };
  await assertLayout(lost, 'the 404 page');
  assert.equal(await page.locator('h1').innerText(), 'Page not found');
  await page.getByRole('link', { name: 'Open the chat' }).click();
  await page.locator('#entry-form').waitFor();
});

browserTest('a trailing slash redirects to the room, and a missing room to the form', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.visitor(server, '/r/tea/');
  assert.equal(new URL(ana.page.url()).pathname, '/r/tea');
  assert.equal(await ana.text('#entry-title'), 'Join #tea');
  await ana.page.goto(`${server.address}/r/`);
  assert.equal(await ana.text('#entry-title'), 'Join the chat');
});

browserTest('the page loads while the server is down, and joins when it is back', async (fixture) => {
  const server = await fixture.server();
  const context = await fixture.context({ serviceWorkers: 'allow' });
  const ana = await fixture.user(server, 'ana', 'lobby', { context });
  ana.expectsOutage = true;
  const cachedPaths = () => ana.page.evaluate(async () => {
    if (!(await caches.has('chatd-page'))) return [];
    return (await (await caches.open('chatd-page')).keys()).map(({ url }) => new URL(url).pathname);
  });
  await until('the page is cached', async () => {
    const files = await cachedPaths();
    return ['/', '/client.js', '/page/style.css', '/page/views/log.js', '/page/text/words.js'].every((file) => files.includes(file));
  });
  await server.kill();
  const other = await fixture.visitor(server, '/r/tea', { context });
  other.expectsOutage = true;
  assert.equal(await other.text('#entry-title'), 'Join #tea');
  await other.page.locator('#entry-name').fill('ben');
  await other.page.keyboard.press('Enter');
  await until('the form shows why it is waiting', async () => await other.text('#entry-status') === 'Can’t reach the server. Still trying…');
  await server.start();
  await other.waitForRoom('tea');
  await other.sendAndWait('here');
});

browserTest('a new server brings a new page, whatever is cached', async (fixture) => {
  const server = await fixture.server();
  const context = await fixture.context({ serviceWorkers: 'allow' });
  const ana = await fixture.user(server, 'ana', 'lobby', { context });
  await until('the service worker is active', () => ana.page.evaluate(() => navigator.serviceWorker.controller !== null));
  await until('the page is cached', () => ana.page.evaluate(async () => (await caches.match('/')) !== undefined));
  await ana.page.evaluate(async () => {
    const cache = await caches.open('chatd-page');
    await cache.put('/', new Response('<!doctype html><title>old</title>', { headers: { 'content-type': 'text/html' } }));
  });
  await ana.page.reload();
  await ana.waitForRoom('lobby');
  assert.equal(await ana.page.title(), 'lobby – chatd');
});
