// What the first view shows of the site.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { violations } from './support/axe.js';
import { browserTest } from './support/fixture.js';
import { assertLayout } from './support/layout.js';
import { untilEqual } from './support/until.js';

const IMAGE = '<svg xmlns="http://www.w3.org/2000/svg" width="240" height="80"><rect width="240" height="80" fill="teal"/></svg>';

/** Another server with an image, and the paths that it was asked for. */
async function imageServer(fixture) {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    response.writeHead(200, { 'content-type': 'image/svg+xml' }).end(IMAGE);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  fixture.atEnd(() => server.close());
  return { address: `http://127.0.0.1:${server.address().port}`, asked };
}

/** The width of the logo as it was loaded. */
const loadedWidth = (user) => user.page.locator('#entry-logo').evaluate((image) => (image.complete ? image.naturalWidth : 0));

browserTest('the first view shows name, logo and welcome of the site, and proposes its room', async (fixture) => {
  const images = await imageServer(fixture);
  const welcome = 'Be **kind**. <img src=x onerror=alert(1)>\n\n[Rules](https://example.org/rules)';
  const server = await fixture.server('--site-name', 'The tea house', '--site-logo', `${images.address}/logo.svg?v=1`,
    '--site-welcome', welcome, '--default-room', 'tea');
  const ana = await fixture.visitor(server, '/');
  ana.foreign.add(new URL(images.address).host);
  await ana.page.locator('#entry-welcome').waitFor();
  assert.equal(await ana.text('#entry-site'), 'The tea house');
  assert.equal(await ana.page.title(), 'The tea house');
  assert.equal(await ana.text('#entry-welcome strong'), 'kind');
  assert.match(await ana.text('#entry-welcome'), /<img src=x onerror=alert\(1\)>/);
  await untilEqual(() => loadedWidth(ana), 240);
  assert.equal(await ana.page.locator('#entry-room').inputValue(), 'tea');
  assert.equal(await ana.focused(), 'entry-name');
  assert.deepEqual(await violations(ana, 'the first view'), []);

  // The policy allows this image of the server, and no other.
  ana.expectedProblem = /policy violation: img-src|violates the following Content Security Policy/;
  const blocked = await ana.page.evaluate((address) => new Promise((resolve) => {
    const image = new Image();
    document.addEventListener('securitypolicyviolation', ({ blockedURI }) => resolve(blockedURI), { once: true });
    image.onload = () => resolve('loaded');
    image.src = address;
  }), `${images.address}/other.svg`);
  assert.match(blocked, /\/other\.svg$|^http:\/\/127/);
  assert.deepEqual(images.asked, ['/logo.svg?v=1']);

  await ana.page.keyboard.type('ana');
  await ana.page.keyboard.press('Enter');
  await ana.waitForRoom('tea');
  assert.equal(await ana.page.title(), 'tea – The tea house');
  const link = await fixture.visitor(server, '/r/garden');
  link.foreign.add(new URL(images.address).host);
  await link.page.locator('#entry-welcome').waitFor();
  assert.equal(await link.page.locator('#entry-room').inputValue(), 'garden', 'the address comes first');
});

browserTest('a form that is submitted at once gets the proposed room', async (fixture) => {
  const server = await fixture.server('--default-room', 'tea');
  const ana = await fixture.watch(await (await fixture.context()).newPage(), server.address);
  let answer;
  const held = new Promise((resolve) => (answer = resolve));
  await ana.page.route('**/api/v1/site', async (route) => {
    await held;
    await route.continue();
  });
  await ana.page.goto(`${server.address}/`);
  await ana.page.locator('#entry-name').fill('ana');
  await ana.page.keyboard.press('Enter');
  answer();
  await ana.waitForRoom('tea');
});

browserTest('without its logo the page keeps its own', async (fixture) => {
  const server = await fixture.server('--site-logo', '/missing.svg');
  const ana = await fixture.watch(await (await fixture.context()).newPage(), server.address);
  ana.expectsRefusals = true;
  const failed = ana.page.waitForResponse('**/missing.svg');
  await ana.page.goto(`${server.address}/`);
  assert.equal((await failed).status(), 404);
  await untilEqual(() => ana.page.locator('#entry-logo').evaluate((image) => new URL(image.src).pathname), '/page/icon.svg');
  await ana.page.locator('#entry-logo').waitFor();
});

for (const width of [320, 1280]) {
  browserTest(`a long welcome and a long name stay within the form at ${width} px`, async (fixture) => {
    const welcome = `# Welcome\n\n${'word '.repeat(150)}\n\n${'x'.repeat(200)}\n\n\`\`\`\n${'wide '.repeat(60)}\n\`\`\``;
    const server = await fixture.server('--site-name', 'W'.repeat(50), '--site-welcome', welcome);
    const ana = await fixture.visitor(server, '/', { viewport: { width, height: 700 } });
    await ana.page.locator('#entry-welcome').waitFor();
    await assertLayout(ana, 'the first view');
    assert.deepEqual(await violations(ana, 'the first view'), []);
  });
}
