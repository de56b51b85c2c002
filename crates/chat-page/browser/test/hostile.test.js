// Hostile messages. The page has two lines of defence: the server's rendering, and the
// Content-Security-Policy.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';

const RUN = 'window.ran=1';
const AWAY = 'https://elsewhere.example';
const VECTORS = [
  `<script>${RUN}</script>`,
  `<script src="${AWAY}/x.js"></script>`,
  `<img src=x onerror="${RUN}">`,
  `<img src="${AWAY}/pixel.gif">`,
  `![pixel](${AWAY}/pixel.gif)`,
  `![x](x" onerror="${RUN})`,
  `[click](javascript:${RUN})`,
  `[click](JaVaScRiPt:${RUN})`,
  `[click](java&#10;script:${RUN})`,
  `[click](&#106;avascript:${RUN})`,
  `[click](data:text/html,<script>opener.ran=1</script>)`,
  `[click](vbscript:msgbox(1))`,
  `<javascript:${RUN}>`,
  `[click](https://a.example" onmouseover="${RUN}")`,
  `[click](https://a.example 'x" onmouseover="${RUN}')`,
  `<a href="javascript:${RUN}">click</a>`,
  `<svg onload="${RUN}"><animate onbegin="${RUN}" attributeName=x></svg>`,
  `<math><mi xlink:href="javascript:${RUN}">click</mi></math>`,
  `<iframe srcdoc="<script>parent.ran=1</script>"></iframe>`,
  `<iframe src="${AWAY}"></iframe>`,
  `<style>body{background:url(${AWAY}/s.png);display:none}</style>`,
  `<p style="background:url(${AWAY}/s.png);position:fixed;inset:0">over all</p>`,
  `<link rel=stylesheet href="${AWAY}/s.css">`,
  `<base href="${AWAY}/">`,
  `<meta http-equiv=refresh content="0;url=${AWAY}">`,
  `<form action="${AWAY}"><input name=q autofocus onfocus="${RUN}"><button>go</button></form>`,
  `<details open ontoggle="${RUN}">x</details>`,
  `<video src=x onerror="${RUN}"></video>`,
  '```"><img src=x onerror=' + RUN + '>\ncode\n```',
  '```html\n</code></pre><script>' + RUN + '</script>\n```',
  `| a |\n|---|\n| <img src=x onerror="${RUN}"> |`,
  `&lt;script&gt;${RUN}&lt;/script&gt; &amp;lt;img src=x onerror=${RUN}&amp;gt;`,
  `<noscript><p title="</noscript><img src=x onerror=${RUN}>">`,
  `@<img src=x onerror="${RUN}">`,
  `<div id="compose-text">not the box</div><a name="chat">`,
];

const ALLOWED = new Set([
  ...'a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre span strong table tbody td th thead tr ul'.split(' '),
]);

browserTest('hostile messages run nothing, load nothing and do not reach the rest of the page', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  const ben = await fixture.user(server, 'ben');
  for (const [index, vector] of VECTORS.entries()) {
    await ana.page.locator('#compose-text').fill(`no. ${index + 1}\n\n${vector}`);
    await ana.page.locator('#send').click();
  }
  await ben.waitForMessage(`no. ${VECTORS.length}`);
  await ben.page.reload();
  await ben.waitForRoom('lobby');
  await ben.waitForMessage(`no. ${VECTORS.length}`);

  for (const user of [ana, ben]) {
    assert.equal(await user.page.locator('.message').count(), VECTORS.length);
    await touchAll(user.page);
    const elements = await user.page.locator('.message .body *:not(.code-block, .code-block > :not(pre), .copy *)').evaluateAll((all) => all.map((element) => ({
      name: element.localName, attributes: element.getAttributeNames(), href: element.getAttribute('href'),
    })));
    for (const { name, attributes, href } of elements) {
      assert.ok(ALLOWED.has(name), `<${name}> in a message`);
      const bad = attributes.filter((attribute) => /^on|^(style|id|name|src|srcdoc)$/.test(attribute));
      assert.deepEqual(bad, [], `of <${name}>`);
      if (href !== null) assert.match(href, /^(https?|mailto):/);
    }
    assert.equal(await user.page.evaluate(() => window.ran), undefined);
    assert.deepEqual(user.dialogs, []);
    assert.equal(await user.page.locator('#compose-text').count(), 1);
    assert.equal(user.page.context().pages().length, 1, 'no window was opened');
  }
});

/** Moves the pointer over every element. */
async function touchAll(page) {
  await page.locator('.message .body').evaluateAll((bodies) => {
    for (const element of bodies.flatMap((body) => [body, ...body.querySelectorAll('*')])) {
      for (const type of ['mouseover', 'mouseenter', 'focus', 'toggle']) element.dispatchEvent(new Event(type, { bubbles: true }));
    }
  });
}

browserTest('names and rooms are never parsed as HTML', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.visitor(server, `/r/${encodeURIComponent('<img src=x onerror=window.ran=1>')}`);
  assert.equal(await ana.text('#entry-title'), 'Join #<img src=x onerror=window.ran=1>');
  await ana.page.locator('#entry-name').fill('<b>ana</b>');
  await ana.page.keyboard.press('Enter');
  await ana.page.locator('#entry-name[aria-invalid], #entry-room[aria-invalid]').first().waitFor();
  assert.equal(await ana.page.evaluate(() => window.ran), undefined);
});

browserTest('the Content-Security-Policy blocks all other code', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.visitor(server, '/');
  const answer = await ana.page.request.get(`${server.address}/r/lobby`);
  const policy = answer.headers()['content-security-policy'];
  for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'", "require-trusted-types-for 'script'"]) {
    assert.ok(policy.includes(part), part);
  }
  assert.doesNotMatch(policy, /unsafe-/);
  // The second defence stops what gets past the first.
  const page = await unwatched(fixture, server);
  const outcome = await page.evaluate(async () => {
    const violations = [];
    document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => violations.push(effectiveDirective));
    let thrown = null;
    try {
      document.body.insertAdjacentHTML('beforeend', '<p>x</p>');
    } catch (error) {
      thrown = error.name;
    }
    const { insertServerHtml } = await import('/page/text/html.js');
    const message = document.createElement('div');
    document.body.append(message);
    insertServerHtml(message, '<img src="/page/none.png" onerror="window.ran = 1"><p style="position: fixed">over all</p>');
    await new Promise((resolve) => message.firstChild.addEventListener('error', resolve));
    // the violation of the handler is reported after the event
    while (!violations.includes('script-src-attr')) {
      await new Promise((resolve) => document.addEventListener('securitypolicyviolation', resolve, { once: true }));
    }
    return { violations, thrown, ran: window.ran, position: getComputedStyle(message.lastChild).position };
  });
  assert.equal(outcome.thrown, 'TypeError');
  assert.equal(outcome.ran, undefined);
  assert.equal(outcome.position, 'static');
  for (const directive of ['require-trusted-types-for', 'script-src-attr', 'style-src-attr']) {
    assert.ok(outcome.violations.includes(directive), directive);
  }
});

/** A page in which errors are expected. */
async function unwatched(fixture, server) {
  const page = await (await fixture.context()).newPage();
  await page.goto(server.address);
  return page;
}
