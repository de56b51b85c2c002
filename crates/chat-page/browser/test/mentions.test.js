// Which names in a message are mentions.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

const marked = (user) => user.page.locator('#messages .body').evaluateAll((bodies) => bodies.map((body) => [...body.querySelectorAll('.mention')].map((mention) => mention.innerText)));

async function room(fixture, ...names) {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby');
  const bots = [];
  for (const name of names) bots.push(await fixture.bot(server, name, 'lobby'));
  await until('all users are listed', async () => (await ana.people()).length === names.length + 1);
  return { server, ana, bots };
}

browserTest('only names of known users look like mentions', async (fixture) => {
  const { ana } = await room(fixture, 'ben', 'ben-2', 'Zoë');
  const texts = [
    ['hello @ben and (@Zoë)!', ['@ben', '@Zoë']],
    ['@ben-2, not @ben-3, not @benno', ['@ben-2']],
    ['@all @everyone @here @nobody', []],
    ['@BEN and @zoë', ['@BEN', '@zoë']],
    ['write to me@ben, me@ben.example or first.last@ben', []],
    ['`@ben` and [@ben](https://example.org/)', []],
    ['**@ben**: done', ['@ben']],
  ];
  for (const [text] of texts) await ana.send(text);
  await ana.waitForMessage('done');
  assert.deepEqual(await marked(ana), texts.map(([, expected]) => expected));
});

browserTest('a name is found in a script without spaces, and the longest match wins', async (fixture) => {
  const { ana } = await room(fixture, '田中', '山田', '山田太郎', '민수', 'สมชาย');
  const texts = [
    ['@田中さん、こんにちは', ['@田中']],
    ['これは@田中に頼む', ['@田中']],
    ['@山田太郎さんと@山田さん', ['@山田太郎', '@山田']],
    ['@민수야 안녕', ['@민수']],
    ['ขอบคุณ@สมชายมาก', ['@สมชาย']],
    ['メールは田中@ana.example.jpへ', []],
    ['最後', []],
  ];
  for (const [text] of texts) await ana.send(text);
  await ana.waitForMessage('最後');
  assert.deepEqual(await marked(ana), texts.map(([, expected]) => expected));
});

browserTest('a mention that is marked counts as one, regardless of case', async (fixture) => {
  const { ana, bots: [ben] } = await room(fixture, 'ben', 'anabel');
  await ana.joinRoom('tea');
  const badges = () => ana.page.locator('#rooms-list li[data-room="lobby"] .badge:not([hidden])').allTextContents();
  for (const text of ['@anabel', '@all', '`@ana`', '[@ana](https://example.org/)', 'me@ana', '@ana-2']) await ben.send(text);
  await untilEqual(badges, ['6']);
  await ben.send('@Ana, look');
  await untilEqual(badges, ['@1', '7']);
  await ana.page.keyboard.press('Alt+ArrowUp');
  await ana.waitForRoom('lobby');
  const message = await ana.waitForMessage('@Ana, look');
  assert.match(await message.getAttribute('class'), /\bfor-me\b/);
  assert.deepEqual(await message.locator('.mention-me').allInnerTexts(), ['@Ana']);
});

browserTest('a mention of a user who joins later is marked when they join', async (fixture) => {
  const { server, ana } = await room(fixture);
  await ana.sendAndWait('is @ben here?');
  assert.deepEqual(await marked(ana), [[]]);
  await fixture.bot(server, 'ben', 'lobby');
  await untilEqual(() => marked(ana), [['@ben']]);
});

browserTest('a button jumps from mention to mention, and an edit changes who is mentioned', async (fixture) => {
  const { ana, bots: [ben] } = await room(fixture, 'ben');
  await ana.sendAndWait('before');
  await ana.joinRoom('tea');
  await ben.send('one for @ana');
  await ben.sendMany(40);
  await ben.send('two for @ana');
  await ben.sendMany(40);
  await ben.send('not for @ana');
  const badges = () => ana.page.locator('#rooms-list li[data-room="lobby"] .badge:not([hidden])').allTextContents();
  await untilEqual(badges, ['@3', '83']);
  await ben.room.edit(84, 'for nobody');
  await untilEqual(badges, ['@2', '83']);
  await ana.page.keyboard.press('Alt+ArrowUp');
  await ana.waitForRoom('lobby');
  // The room opens at its end. The messages are read, but the mentions were not seen.
  await ana.waitForMessage('for nobody');
  await untilEqual(badges, []);
  const focused = () => ana.page.evaluate(() => document.activeElement.dataset.seq);
  await ana.page.getByRole('button', { name: 'Jump to mention, 2 unread mentions' }).click();
  await untilEqual(focused, '2');
  await ana.page.getByRole('button', { name: 'Jump to mention, 1 unread mention' }).click();
  await untilEqual(focused, '43');
  await ana.waitUntilHidden('#jump-mention');
  assert.match(await (await ana.waitForMessage('two for')).getAttribute('class'), /\bfor-me\b/);
  assert.doesNotMatch(await (await ana.waitForMessage('for nobody')).getAttribute('class'), /\bfor-me\b/);
});

browserTest('a message to everyone is marked, and a name in another message is not', async (fixture) => {
  const { ana, bots: [ben] } = await room(fixture, 'ben');
  await ben.send('@room by a user who may not');
  const message = await ana.waitForMessage('@room by');
  assert.doesNotMatch(await message.getAttribute('class'), /\bfor-me\b/);
  assert.deepEqual(await marked(ana), [[]]);
});
