// Whatever users write and whatever their names are, every box stays within its column and every
// control on the screen.

import assert from 'node:assert/strict';
import { assertInPlace, brokenWords } from './support/layout.js';
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

async function fullRoom(house, width) {
  const server = await house.server();
  const other = await house.raw(server, OTHER, ROOM);
  const options = { viewport: { width, height: HEIGHTS[width] }, ...(width < 500 && { isMobile: true, hasTouch: true, deviceScaleFactor: 2 }) };
  const person = await house.person(server, NAME, ROOM, options);
  for (const body of MESSAGES) await other.say(body);
  await until('all users are listed', async () => (await person.log()).length === MESSAGES.length);
  return { server, other, person };
}

const box = (person, selector) => person.page.locator(selector).first().boundingBox();

for (const width of WIDTHS) {
  const isWide = width >= 1_120;

  browserTest(`the form stays on the screen at ${width} px`, async (house) => {
    const server = await house.server();
    await house.raw(server, NAME, ROOM);
    const options = { viewport: { width, height: HEIGHTS[width] } };
    const ana = await house.visitor(server, `/r/${ROOM}`, options);
    await assertInPlace(ana, 'the form');
    await ana.page.locator('#entry-name').fill(NAME);
    await ana.page.keyboard.press('Enter');
    await ana.page.locator('#entry-suggestion').waitFor();
    await assertInPlace(ana, 'a name that is taken');
    await ana.page.locator('#entry-name').fill(`a name ${'W'.repeat(60)}`);
    await ana.page.keyboard.press('Enter');
    await ana.page.locator('#entry-name-error', { hasText: 'won’t work' }).waitFor();
    await assertInPlace(ana, 'a name that is not valid');
    const lost = await house.visitor(server, '/', options);
    await assertInPlace(lost, 'the form without a room');
  });

  browserTest(`messages of every kind stay within their column at ${width} px`, async (house) => {
    const { person } = await fullRoom(house, width);
    for (const seq of MESSAGES.keys()) {
      await person.page.locator(`.entry[data-seq="${seq + 1}"]`).scrollIntoViewIfNeeded();
      await assertInPlace(person, `message ${seq + 1}`);
    }
    assert.deepEqual(await brokenWords(person.page.locator('.entry[data-seq="6"] :is(th, td)')), [], 'words in the table are not broken');
    const cells = await person.page.locator('.entry[data-seq="8"] td').evaluateAll((all) => all.map((cell) => cell.offsetWidth));
    for (const cell of cells) assert.ok(cell > 120, `a cell with a long word is ${cell} px wide`);
    const text = await box(person, '.entry[data-seq="12"] .body p');
    assert.ok(text.width <= 760, `lines are ${text.width} px long`);
  });

  browserTest(`a long text in the box moves nothing else at ${width} px`, async (house) => {
    const server = await house.server();
    const person = await house.person(server, NAME, ROOM, { viewport: { width, height: HEIGHTS[width] } });
    await assertInPlace(person, 'an empty box with a long room name');
    const before = await box(person, '#send');
    for (const text of [URL_120, 'x'.repeat(140_000), `${WORD}\n${WORD}`, '你'.repeat(500)]) {
      await person.page.locator('#compose-text').fill(text);
      await assertInPlace(person, `the box with ${text.slice(0, 20)}`);
      const { x, width: ofSend } = await box(person, '#send');
      assert.deepEqual([x, ofSend], [before.x, before.width], 'Send has not moved');
    }
    await person.page.locator('#send').click();
    await person.page.locator('.show-more, .message').first().waitFor();
    await assertInPlace(person, 'the sent message');
  });

  browserTest(`long names of users and rooms end in an ellipsis at ${width} px`, async (house) => {
    const { server, other, person } = await fullRoom(house, width);
    for (const name of [`${'W'.repeat(64)}`, 'general']) await person.joinAnother(name);
    for (let number = 1; number <= 15; number += 1) await house.raw(server, `${'G'.repeat(45)}-${number}`, 'general');
    await other.say(`@${NAME} look`);
    const badge = person.page.locator(`#rooms-list li[data-room="${ROOM}"] .badge`);
    await badge.waitFor({ state: 'attached' });
    await until('all users are listed', async () => await person.page.locator('#people-count').textContent() === '16');
    await assertInPlace(person, 'the room');
    for (const [opener, column, cutOff, kept] of [
      ['#open-rooms', '#rooms', `li[data-room="${ROOM}"] .room-name`, `li[data-room="${ROOM}"] .badge`],
      ['#open-people', '#people', `li[data-name="${NAME}"] .person-name`, `li[data-name="${NAME}"] .you`],
    ]) {
      if (!isWide) await person.page.locator(opener).click();
      await person.page.locator(column).waitFor();
      await assertInPlace(person, column);
      const outer = await box(person, column);
      const inner = await box(person, `${column} ${kept}`);
      assert.ok(inner.x + inner.width <= outer.x + outer.width, `${kept} is visible`);
      const name = person.page.locator(`${column} ${cutOff}`);
      assert.equal(await name.evaluate((element) => element.scrollWidth > element.clientWidth), true, 'the name is cut off');
      assert.equal(await name.getAttribute('title'), await name.textContent(), 'the tooltip has the full name');
      if (!isWide) await person.page.keyboard.press('Escape');
    }
    await person.page.keyboard.press('Control+k');
    await person.page.locator('#switcher-list .badge').waitFor();
    await assertInPlace(person, 'the switcher');
    await person.page.locator('#switcher-room').fill('x'.repeat(64));
    await assertInPlace(person, 'the switcher with a new name');
    await person.page.keyboard.press('Escape');
    await other.room.typing();
    await person.page.keyboard.press('Alt+ArrowDown');
    await person.isIn(ROOM);
    await assertInPlace(person, 'a user with a long name is typing');
  });

  browserTest(`dialogs stay on the screen at ${width} px`, async (house) => {
    const server = await house.server();
    const person = await house.person(server, NAME, ROOM, { viewport: { width, height: HEIGHTS[width] } });
    for (const dialog of ['settings', 'help']) {
      if (width < 768) await person.page.locator('#open-rooms').click();
      await person.page.locator(`#open-${dialog}`).click();
      await person.page.locator(`#${dialog}`).waitFor();
      await assertInPlace(person, dialog);
      await person.page.keyboard.press('Escape');
      await person.hides(`#${dialog}`);
      if (width < 768) await person.page.keyboard.press('Escape');
    }
  });

  browserTest(`the connection banner stays within its column at ${width} px`, async (house) => {
    const server = await house.server();
    const line = await house.line(server);
    const person = await house.person(line, NAME, ROOM, { viewport: { width, height: HEIGHTS[width] } });
    person.mayLoseTheLine = true;
    line.cut();
    await person.bannerSays('down');
    await person.say(`${WORD} ${URL_120}`);
    await person.page.locator('.message[data-state="pending"]').waitFor();
    await assertInPlace(person, 'the connection is lost');
  });
}
