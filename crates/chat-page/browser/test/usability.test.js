// Details: suggested names, the theme outside the page, remembered settings, forced colours.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { untilEqual } from './support/until.js';

const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };

browserTest('a name with spaces gets a valid suggestion', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.visitor(server, '/r/lobby');
  await ana.page.locator('#entry-name').fill(' Anna  Müller! ');
  await ana.page.keyboard.press('Enter');
  const offer = ana.page.locator('#entry-suggestion');
  await offer.waitFor();
  assert.equal(await offer.innerText(), 'Use Anna-Müller');
  await offer.click();
  await ana.waitForRoom('lobby');
  assert.equal(await ana.text('#me-name'), 'Anna-Müller');
});

browserTest('a taken name gets a suggestion, and the next one if that is taken too', async (fixture) => {
  const server = await fixture.server();
  for (const name of ['ana', 'ana-2']) await fixture.bot(server, name);
  const ana = await fixture.visitor(server, '/r/lobby');
  const offer = ana.page.locator('#entry-suggestion');
  await ana.page.locator('#entry-name').fill('ana');
  await ana.page.keyboard.press('Enter');
  await offer.waitFor();
  assert.equal(await offer.innerText(), 'Use ana-2');
  await offer.click();
  await untilEqual(() => offer.innerText(), 'Use ana-3');
  await offer.click();
  await ana.waitForRoom('lobby');
  assert.equal(await ana.text('#me-name'), 'ana-3');
});

browserTest('a name without any valid character gets no suggestion', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.visitor(server, '/r/lobby');
  await ana.page.locator('#entry-name').fill('!!!');
  await ana.page.keyboard.press('Enter');
  await ana.page.locator('#entry-name-error').waitFor();
  assert.equal(await ana.isVisible('#entry-suggestion'), false);
});

browserTest('the form limits the length of names and accepts a room with #', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.visitor(server, '/');
  await ana.page.locator('#entry-name').pressSequentially('a'.repeat(55));
  assert.equal((await ana.page.locator('#entry-name').inputValue()).length, 50);
  await ana.page.locator('#entry-room').fill('#tea');
  await ana.page.keyboard.press('Enter');
  await ana.waitForRoom('tea');
});

browserTest('the browser’s address bar takes the colour of the chosen theme', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby', { colorScheme: 'light' });
  /** The colour of the first tag that applies, as a browser chooses it. */
  const bar = () => ana.page.evaluate(() => [...document.querySelectorAll('meta[name="theme-color"]')].find(({ media }) => matchMedia(media).matches).content);
  const ground = () => ana.page.evaluate(() => {
    const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
    return `#${[red, green, blue].map((part) => part.toString(16).padStart(2, '0')).join('')}`;
  });
  assert.equal(await bar(), '#ffffff');
  await ana.page.locator('#open-settings').click();
  for (const [theme, colour] of [['dark', '#15171c'], ['light', '#ffffff'], ['dark', '#15171c']]) {
    await ana.page.locator(`input[name="theme"][value="${theme}"]`).check();
    assert.deepEqual([await bar(), await ground()], [colour, colour]);
  }
  await ana.page.reload();
  await ana.waitForRoom('lobby');
  assert.equal(await bar(), '#15171c', 'after a reload too');
  await ana.page.locator('#open-settings').click();
  await ana.page.locator('input[name="theme"][value="system"]').check();
  assert.equal(await bar(), '#ffffff');
  await ana.page.emulateMedia({ colorScheme: 'dark' });
  assert.equal(await bar(), '#15171c');
});

browserTest('a hidden people list stays hidden after a reload', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  const opener = ana.page.locator('#open-people');
  assert.equal(await opener.getAttribute('aria-expanded'), 'true');
  await opener.click();
  await ana.waitUntilHidden('#people-list');
  await ana.page.reload();
  await ana.waitForRoom('lobby');
  assert.equal(await ana.isVisible('#people-list'), false);
  assert.equal(await opener.getAttribute('aria-expanded'), 'false');
  await ana.page.setViewportSize({ width: 900, height: 700 });
  await untilEqual(() => opener.getAttribute('aria-haspopup'), 'dialog');
  await opener.click();
  await ana.page.locator('#drawer #people-list').waitFor();
});

browserTest('the button of the people list has a count with the right plural', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  await ana.page.getByRole('button', { name: '1 person here' }).waitFor();
  await fixture.bot(server, 'ben');
  await ana.page.getByRole('button', { name: '2 people here' }).waitFor();
});

browserTest('on a phone setting labels are next to their boxes, and no keyboard keys are mentioned', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby', PHONE);
  await ana.page.locator('#open-rooms').tap();
  await ana.page.locator('#open-settings').tap();
  const boxes = await ana.page.locator('#settings label').evaluateAll((labels) => labels.map((label) => {
    const [input, words] = [label.querySelector('input'), label.querySelector('span')].map((element) => element.getBoundingClientRect());
    return { isBeside: words.left >= input.right, isLevel: input.top < words.bottom && input.bottom > words.top };
  }));
  assert.ok(boxes.length >= 6 && boxes.every(({ isBeside, isLevel }) => isBeside && isLevel), JSON.stringify(boxes));
  assert.doesNotMatch(await ana.text('#settings'), /Ctrl|Shift/);
  await ana.page.keyboard.press('Escape');
  await ana.page.locator('#open-help').tap();
  assert.doesNotMatch(await ana.text('#help'), /Ctrl/);
});

browserTest('the focus, the current room and Send are distinct with forced colours', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby', { forcedColors: 'active' });
  await ana.joinRoom('tea');
  await ana.page.locator('#compose-text').focus();
  assert.equal(await ana.style('.compose-row', 'outlineStyle'), 'solid');
  const background = (selector) => ana.style(selector, 'backgroundColor');
  assert.notEqual(await background('.room-link[aria-current]'), await background('.room-link:not([aria-current])'));
  for (const name of ['borderTopStyle', 'borderTopWidth']) assert.doesNotMatch(await ana.style('#send', name), /^(none|0px)$/);
  await ana.sendAndWait('mine');
  const bar = await ana.page.locator('.message.mine').evaluate((element) => getComputedStyle(element, '::before').backgroundColor);
  assert.notEqual(bar, await background('body'), 'the bar of the user’s own messages is visible');
});
