// Rendered Markdown.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';

const FENCE = '```';
const TEXT = [
  '# A heading',
  'Some **bold**, *slanted* and ~~gone~~ words with `code` :tada:',
  '',
  `${FENCE}rust`,
  'fn main() { let answer: u32 = 42; println!("{answer}"); } // done',
  FENCE,
  '',
  '| left | right |',
  '|:-----|------:|',
  '| tea  | 3     |',
  '',
  '- [x] bought',
  '- [ ] drunk',
  '',
  '1. first',
  '2. second',
  '',
  '> quoted',
  '',
  'See [the page](https://example.org/a?b=c&d) and https://example.org/bare',
].join('\n');

/** What a message looks like, independent of who sees it. */
function look(message) {
  return message.evaluate((article) => {
    const body = article.querySelector('.body');
    const text = (selector) => body.querySelector(selector)?.innerText.trim();
    const style = (selector) => getComputedStyle(body.querySelector(selector));
    return {
      heading: text('h1'), bold: text('strong'), slanted: text('em'), gone: text('del'), code: text('p code'), quoted: text('blockquote'),
      isBold: Number(style('strong').fontWeight) >= 600,
      isMonospace: style('pre code').fontFamily.includes('monospace'),
      language: body.querySelector('pre code').className,
      keyword: text('.hl-keyword'), isKeywordColoured: style('.hl-keyword').color !== style('pre code').color,
      pieces: [...new Set([...body.querySelectorAll('pre span')].map((span) => span.className))].sort(),
      head: [...body.querySelectorAll('th')].map((cell) => cell.innerText),
      cells: [...body.querySelectorAll('td')].map((cell) => [cell.innerText, getComputedStyle(cell).textAlign.replace('-webkit-', '')]),
      tasks: [...body.querySelectorAll('ul li')].map((item) => item.innerText.trim()),
      numbered: [...body.querySelectorAll('ol li')].map((item) => item.innerText.trim()),
      party: body.innerText.includes('🎉'),
      links: [...body.querySelectorAll('a')].map(({ href, target, rel }) => ({ href, target, rel })),
    };
  });
}

browserTest('all Markdown looks the same to both users, and after a reload', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  const ben = await fixture.user(server, 'ben');
  await ana.send(TEXT);
  const seen = await look(await ben.waitForMessage('A heading'));
  const rel = 'noopener noreferrer nofollow';
  assert.deepEqual({ ...seen, pieces: undefined }, {
    heading: 'A heading', bold: 'bold', slanted: 'slanted', gone: 'gone', code: 'code', quoted: 'quoted',
    isBold: true, isMonospace: true, language: 'language-rust', keyword: 'fn', isKeywordColoured: true, pieces: undefined,
    head: ['left', 'right'], cells: [['tea', 'left'], ['3', 'right']],
    tasks: ['☑ bought', '☐ drunk'], numbered: ['first', 'second'], party: true,
    links: [
      { href: 'https://example.org/a?b=c&d', target: '_blank', rel }, { href: 'https://example.org/bare', target: '_blank', rel },
    ],
  });
  for (const piece of ['hl-comment', 'hl-keyword', 'hl-number', 'hl-string']) assert.ok(seen.pieces.includes(piece), piece);
  assert.deepEqual(await look(await ana.waitForMessage('A heading')), seen);
  await ben.page.reload();
  await ben.waitForRoom('lobby');
  assert.deepEqual(await look(await ben.waitForMessage('A heading')), seen);
});

browserTest('line breaks and HTML-like text stay as they were typed', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  await ana.send('first line\nsecond line\n<b>not bold</b> & fine');
  const body = (await ana.waitForMessage('first line')).locator('.body');
  assert.equal(await body.innerText(), 'first line\nsecond line\n<b>not bold</b> & fine');
  assert.equal(await body.locator('b').count(), 0);
});

browserTest('text that is too complex for Markdown is shown as typed, in the font of prose', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  const deep = `${'> '.repeat(70)}deep\nand a second line`;
  await ana.send(deep);
  const plain = (await ana.waitForMessage('deep')).locator('pre.md-plain');
  assert.equal(await plain.innerText(), deep);
  const style = await plain.evaluate((element) => {
    const { whiteSpace, fontFamily, backgroundColor, borderTopWidth } = getComputedStyle(element);
    return { whiteSpace, isProse: fontFamily === getComputedStyle(document.body).fontFamily, backgroundColor, borderTopWidth };
  });
  assert.deepEqual(style, { whiteSpace: 'pre-wrap', isProse: true, backgroundColor: 'rgba(0, 0, 0, 0)', borderTopWidth: '0px' });
  assert.equal(await plain.evaluate((element) => element.scrollWidth > element.clientWidth), false, 'long lines wrap');
});

browserTest('an image is a link, so that no other server learns who reads the message', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  await ana.send('![a cat](https://example.org/cat.png)');
  const link = (await ana.waitForMessage('a cat')).locator('a.md-image');
  assert.equal(await link.getAttribute('href'), 'https://example.org/cat.png');
  assert.equal(await ana.page.locator('.body img').count(), 0);
});

browserTest('wide code and wide tables scroll, and the log does not', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  await ana.send(`wide\n\n${FENCE}\n${'x'.repeat(400)}\n${FENCE}\n\n|${'a column|'.repeat(40)}\n|${'-|'.repeat(40)}\n|${'words|'.repeat(40)}`);
  const message = await ana.waitForMessage('wide');
  for (const selector of ['pre', 'table']) {
    assert.equal(await message.locator(selector).evaluate((element) => element.scrollWidth > element.clientWidth), true, selector);
  }
  assert.equal(await ana.page.locator('#messages').evaluate((element) => element.scrollWidth > element.clientWidth), false);
});
