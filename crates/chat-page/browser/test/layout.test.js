// Whatever users write and whatever their names are, every box stays within its column and every
// control on the screen.

import assert from 'node:assert/strict';
import { assertLayout, brokenWords } from './support/layout.js';
import { browserTest } from './support/fixture.js';
import { until } from './support/until.js';

const WIDTHS = [320, 390, 1280, 2560];
const HEIGHTS = { 320: 568, 390: 844, 1280: 800, 2560: 1440 };
const NAME = `Wolfgang-${'W'.repeat(41)}`;
const OTHER = `${'M'.repeat(48)}-2`;
const ROOM = `announcements-and-releases-${'M'.repeat(37)}`;
const URL_120 = `https://www.example.com/articles/2026/11/28/${'why-chat-is-good-'.repeat(5).slice(0, 76)}`;
const WORD = 'Donaudampfschifffahrt'.repeat(12);
const FENCE = '```';
const TABLE = '| Option | Default | Unit | What it does |\n|---|---|--:|---|\n| message-rate | 0.1 | seconds | Sets something useful |\n| history | on | | Keeps messages |';

const MESSAGES = [
  URL_120,
  WORD,
  `> ${WORD}\n> > ${URL_120}`,
  `# ${WORD}\n\n- ${WORD}\n  1. ${URL_120}\n     - \`${WORD}\``,
  `${FENCE}rust\n${'x'.repeat(400)}\n${FENCE}\n\n${FENCE}\nno language ${'y'.repeat(300)}\n${FENCE}\n\n- ${FENCE}\n  ${'z'.repeat(300)}\n  ${FENCE}`,
  TABLE,
  `|${'a column|'.repeat(40)}\n|${'-|'.repeat(40)}\n|${'words|'.repeat(40)}`,
  `| file | where |\n|---|---|\n| ${WORD} | ${URL_120} |`,
  `> ${TABLE.replaceAll('\n', '\n> ')}`,
  `@${NAME} and @${OTHER}: **${WORD}** *${WORD}* ~~${WORD}~~ [${WORD}](https://example.com/) \`${WORD}\``,
  'مرحبا بالعالم! '.repeat(20) + WORD,
  '你好世界'.repeat(60),
  `https://example.com/?q=${'a'.repeat(1_500)}`,
  `${'> '.repeat(70)}${WORD}`,
  'line\n'.repeat(100) + WORD,
];

async function fullRoom(fixture, width) {
  const server = await fixture.server();
  const other = await fixture.bot(server, OTHER, ROOM);
  const options = { viewport: { width, height: HEIGHTS[width] }, ...(width < 500 && { isMobile: true, hasTouch: true, deviceScaleFactor: 2 }) };
  const user = await fixture.user(server, NAME, ROOM, options);
  for (const body of MESSAGES) await other.send(body);
  await until('all users are listed', async () => (await user.log()).length === MESSAGES.length);
  return { server, other, user };
}

const box = (user, selector) => user.page.locator(selector).first().boundingBox();

for (const width of WIDTHS) {
  const isWide = width >= 1_120;

  browserTest(`the form stays on the screen at ${width} px`, async (fixture) => {
    const server = await fixture.server();
    await fixture.bot(server, NAME, ROOM);
    const options = { viewport: { width, height: HEIGHTS[width] } };
    const ana = await fixture.visitor(server, `/r/${ROOM}`, options);
    await assertLayout(ana, 'the form');
    await ana.page.locator('#entry-name').fill(NAME);
    await ana.page.keyboard.press('Enter');
    await ana.page.locator('#entry-suggestion').waitFor();
    await assertLayout(ana, 'a name that is taken');
    await ana.page.locator('#entry-name').fill(`a name ${'W'.repeat(60)}`);
    await ana.page.keyboard.press('Enter');
    await ana.page.locator('#entry-name-error', { hasText: 'won’t work' }).waitFor();
    await assertLayout(ana, 'a name that is not valid');
    const lost = await fixture.visitor(server, '/', options);
    await assertLayout(lost, 'the form without a room');
  });

  browserTest(`messages of every kind stay within their column at ${width} px`, async (fixture) => {
    const { user } = await fullRoom(fixture, width);
    for (const seq of MESSAGES.keys()) {
      await user.page.locator(`.entry[data-seq="${seq + 1}"]`).scrollIntoViewIfNeeded();
      await assertLayout(user, `message ${seq + 1}`);
    }
    assert.deepEqual(await brokenWords(user.page.locator('.entry[data-seq="6"] :is(th, td)')), [], 'words in the table are not broken');
    const cells = await user.page.locator('.entry[data-seq="8"] td').evaluateAll((all) => all.map((cell) => cell.offsetWidth));
    for (const cell of cells) assert.ok(cell > 120, `a cell with a long word is ${cell} px wide`);
    const text = await box(user, '.entry[data-seq="12"] .body p');
    assert.ok(text.width <= 760, `lines are ${text.width} px long`);
  });

  browserTest(`a long text in the box moves nothing else at ${width} px`, async (fixture) => {
    const server = await fixture.server();
    const user = await fixture.user(server, NAME, ROOM, { viewport: { width, height: HEIGHTS[width] } });
    await assertLayout(user, 'an empty box with a long room name');
    const before = await box(user, '#send');
    for (const text of [URL_120, 'x'.repeat(140_000), `${WORD}\n${WORD}`, '你'.repeat(500)]) {
      await user.page.locator('#compose-text').fill(text);
      await assertLayout(user, `the box with ${text.slice(0, 20)}`);
      const { x, width: ofSend } = await box(user, '#send');
      assert.deepEqual([x, ofSend], [before.x, before.width], 'Send has not moved');
    }
    await user.page.locator('#send').click();
    await user.page.locator('.show-more, .message').first().waitFor();
    await assertLayout(user, 'the sent message');
  });

  browserTest(`long names of users and rooms end in an ellipsis at ${width} px`, async (fixture) => {
    const { server, other, user } = await fullRoom(fixture, width);
    for (const name of [`${'W'.repeat(64)}`, 'general']) await user.joinRoom(name);
    for (let number = 1; number <= 15; number += 1) await fixture.bot(server, `${'G'.repeat(45)}-${number}`, 'general');
    await other.send(`@${NAME} look`);
    const badge = user.page.locator(`#rooms-list li[data-room="${ROOM}"] .badge.unread`);
    await badge.waitFor({ state: 'attached' });
    await until('all users are listed', async () => await user.page.locator('#people-count').textContent() === '16');
    await assertLayout(user, 'the room');
    for (const [opener, column, cutOff, visible] of [
      ['#open-rooms', '#rooms', `li[data-room="${ROOM}"] .room-name`, `li[data-room="${ROOM}"] .badge.unread`],
      ['#open-people', '#people', `li[data-name="${NAME}"] .person-name`, `li[data-name="${NAME}"] .you`],
    ]) {
      if (!isWide) await user.page.locator(opener).click();
      await user.page.locator(column).waitFor();
      await assertLayout(user, column);
      const outer = await box(user, column);
      const inner = await box(user, `${column} ${visible}`);
      assert.ok(inner.x + inner.width <= outer.x + outer.width, `${visible} stays in its column`);
      const name = user.page.locator(`${column} ${cutOff}`);
      assert.equal(await name.evaluate((element) => element.scrollWidth > element.clientWidth), true, 'the name is cut off');
      assert.equal(await name.getAttribute('title'), await name.textContent(), 'the tooltip has the full name');
      if (!isWide) await user.page.keyboard.press('Escape');
    }
    await user.page.keyboard.press('Control+k');
    await user.page.locator('#switcher-list .badge.unread').waitFor();
    await assertLayout(user, 'the switcher');
    await user.page.locator('#switcher-room').fill('x'.repeat(64));
    await assertLayout(user, 'the switcher with a new name');
    await user.page.keyboard.press('Escape');
    await other.room.typing();
    await user.page.keyboard.press('Alt+ArrowDown');
    await user.waitForRoom(ROOM);
    await assertLayout(user, 'a user with a long name is typing');
  });

  browserTest(`dialogs stay on the screen at ${width} px`, async (fixture) => {
    const server = await fixture.server();
    const user = await fixture.user(server, NAME, ROOM, { viewport: { width, height: HEIGHTS[width] } });
    for (const dialog of ['settings', 'help']) {
      if (width < 768) await user.page.locator('#open-rooms').click();
      await user.page.locator(`#open-${dialog}`).click();
      await user.page.locator(`#${dialog}`).waitFor();
      await assertLayout(user, dialog);
      await user.page.keyboard.press('Escape');
      await user.waitUntilHidden(`#${dialog}`);
      if (width < 768) await user.page.keyboard.press('Escape');
    }
  });

  browserTest(`the connection banner stays within its column at ${width} px`, async (fixture) => {
    const server = await fixture.server();
    const proxy = await fixture.proxy(server);
    const user = await fixture.user(proxy, NAME, ROOM, { viewport: { width, height: HEIGHTS[width] } });
    user.expectsOutage = true;
    proxy.cut();
    await user.waitForBanner('down');
    await user.send(`${WORD} ${URL_120}`);
    await user.page.locator('.message[data-state="pending"]').waitFor();
    await assertLayout(user, 'the connection is lost');
  });
}
