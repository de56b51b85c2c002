// Light and dark, large and small.

import assert from 'node:assert/strict';
import { accountUser } from './support/accounts.js';
import { browserTest } from './support/fixture.js';
import { until } from './support/until.js';

/** The lightness of a colour, from 0 to 1. */
function lightness(colour) {
  const [red, green, blue] = /\d+, \d+, \d+/.exec(colour)[0].split(', ').map(Number);
  return (red + green + blue) / 765;
}

async function isDark(user) {
  const background = lightness(await user.style('body', 'backgroundColor'));
  const text = lightness(await user.style('body', 'color'));
  assert.ok(Math.abs(background - text) > 0.6, 'text and background differ');
  return background < text;
}

browserTest('the theme follows the system or the setting, after a reload too', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby', { colorScheme: 'dark' });
  assert.equal(await isDark(ana), true);
  await ana.page.emulateMedia({ colorScheme: 'light' });
  assert.equal(await isDark(ana), false);

  await ana.page.locator('#open-settings').click();
  await ana.page.locator('input[name="theme"][value="dark"]').check();
  assert.equal(await isDark(ana), true);
  await ana.page.reload();
  await ana.waitForRoom('lobby');
  assert.equal(await isDark(ana), true);
  await ana.page.emulateMedia({ colorScheme: 'dark' });
  await ana.page.locator('#open-settings').click();
  await ana.page.locator('input[name="theme"][value="light"]').check();
  assert.equal(await isDark(ana), false);
  await ana.page.locator('input[name="theme"][value="system"]').check();
  assert.equal(await isDark(ana), true);
});

/** How each visible field of the open dialogs looks, by its id. */
function fieldLooks(user) {
  return user.page.locator('dialog[open]').locator('input:not([type="radio"], [type="checkbox"]), select, textarea').evaluateAll((fields) => {
    const seen = fields.filter((field) => field.checkVisibility() && !field.matches('.visually-hidden'));
    return Object.fromEntries(seen.map((field) => {
      const { color, backgroundColor, borderTopColor, borderTopWidth, borderTopLeftRadius, fontFamily, fontSize } = getComputedStyle(field);
      return [field.id, [color, backgroundColor, borderTopColor, borderTopWidth, borderTopLeftRadius, fontFamily, fontSize].join(' ')];
    }));
  });
}

for (const colorScheme of ['light', 'dark']) {
  browserTest(`the fields of all dialogs look the same, ${colorScheme}`, async (fixture) => {
    const server = await fixture.server();
    const ana = await accountUser(fixture, server, 'ana', 'lobby', { colorScheme });
    await ana.page.locator('#open-room-settings').click();
    await ana.page.locator('#room-settings-submit').click();
    await ana.page.locator('#open-invite').waitFor();
    const ben = await fixture.bot(server, 'ben');
    await ben.send('hello');
    const click = (selector) => ana.page.locator(selector).click();
    const dialogs = {
      account: () => click('#open-settings').then(() => click('#open-account')),
      'room-settings': () => click('#open-room-settings'),
      invite: () => click('#open-invite'),
      moderate: () => ana.act('hello', 'mute'),
      report: () => ana.act('hello', 'report'),
      search: () => click('#open-search'),
      switcher: () => click('#add-room'),
      directory: () => click('#add-room').then(() => click('#browse-rooms')),
      'create-room': () => click('#add-room').then(() => click('#create-private')),
    };
    const looks = {};
    for (const [id, open] of Object.entries(dialogs)) {
      await open();
      await ana.page.locator(`#${id}`).waitFor();
      Object.assign(looks, await fieldLooks(ana));
      await ana.page.keyboard.press('Escape');
      await ana.waitUntilHidden(`#${id}`);
    }
    for (const id of ['profile-about', 'room-settings-topic', 'moderate-reason', 'report-reason', 'create-room-topic', 'search-where', 'invite-uses', 'directory-query']) {
      assert.ok(looks[id], `${id} was looked at`);
    }
    const different = Object.entries(looks).filter(([, look]) => look !== looks['profile-name']);
    assert.deepEqual(different, [], `different from ${looks['profile-name']}`);
  });
}

const PHONE = { viewport: { width: 375, height: 667 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
const NARROW = { ...PHONE, viewport: { width: 320, height: 568 } };
const LOAD = 'word '.repeat(40) + 'x'.repeat(200) + '\n\n```\n' + 'y'.repeat(200) + '\n```\n\n|a|b|c|d|e|f|\n|-|-|-|-|-|-|\n|' + 'a longer cell|'.repeat(6);

/** The elements that extend beyond the sides of the screen. */
function sidewise(user) {
  return user.page.evaluate(() => {
    const { clientWidth, scrollWidth } = document.documentElement;
    const out = [...document.querySelectorAll('#chat *, #entry *')].filter((element) => {
      const { left, right, width } = element.getBoundingClientRect();
      const inScroller = element.closest('pre, table, .visually-hidden, .skip');
      return width > 0 && !inScroller && (left < -1 || right > clientWidth + 1);
    });
    return { scrolls: scrollWidth > clientWidth, out: out.map(({ localName, id, className }) => `${localName}#${id}.${className}`) };
  });
}

/**
 * The touch targets smaller than 44 pixels in either dimension. Links in messages are exempt, as
 * part of a text.
 */
function tooSmall(user) {
  return user.page.evaluate(() => {
    const all = document.querySelectorAll('button, input, textarea, select, a[href], label:has(input)');
    const seen = [...all].filter((element) => element.checkVisibility() && !element.closest('.body, .visually-hidden, .skip'));
    const bare = seen.filter((element) => !element.matches('label input'));
    return bare.filter((element) => {
      const { width, height } = element.getBoundingClientRect();
      return width < 44 || height < 44;
    }).map((element) => `${element.localName}#${element.id} ${JSON.stringify(element.getBoundingClientRect())}`);
  });
}

for (const [name, options] of [['375', PHONE], ['320', NARROW]]) {
  browserTest(`on a phone ${name} pixels wide everything is reachable and nothing overflows`, async (fixture) => {
    const server = await fixture.server();
    const ana = await fixture.visitor(server, '/', options);
    assert.deepEqual(await sidewise(ana), { scrolls: false, out: [] });
    assert.deepEqual(await tooSmall(ana), []);
    await ana.page.locator('#entry-name').fill('ana');
    await ana.page.locator('#entry-join').tap();
    await ana.waitForRoom('lobby');
    assert.equal(await ana.focused(), 'room-title', 'the on-screen keyboard does not open by itself');

    const ben = await fixture.bot(server, 'ben');
    await ben.send(LOAD);
    await ana.page.locator('#compose-text').fill('from a phone');
    await ana.page.locator('#send').tap();
    await ana.waitForMessage('from a phone');
    await ana.waitForMessage('word');
    assert.deepEqual(await sidewise(ana), { scrolls: false, out: [] });
    assert.deepEqual(await tooSmall(ana), []);
    const { y, height } = await ana.page.locator('#compose').boundingBox();
    assert.ok(y + height <= options.viewport.height, 'the box is on the screen');

    await ana.page.locator('#open-rooms').tap();
    await ana.page.locator('#drawer #rooms-list').waitFor();
    await until('the animation has ended', () => ana.page.locator('#drawer').evaluate((drawer) => drawer.getAnimations().length === 0));
    assert.deepEqual(await tooSmall(ana), []);
    for (const id of ['open-settings', 'open-help']) {
      await ana.page.locator(`#${id}`).tap();
      const dialog = ana.page.locator(id === 'open-help' ? '#help' : '#settings');
      await dialog.waitFor();
      await until('the animation has ended', () => dialog.evaluate((element) => element.getAnimations().length === 0));
      const box = await dialog.boundingBox();
      assert.ok(box.x >= 0 && box.x + box.width <= options.viewport.width, `${id} is on the screen`);
      assert.deepEqual(await tooSmall(ana), []);
      await dialog.locator('[data-close]').tap();
      await dialog.waitFor({ state: 'hidden' });
    }
    await ana.page.locator('#add-room').tap();
    await ana.page.locator('#switcher-room').fill('tea');
    await ana.page.locator('#switcher-go').tap();
    await ana.waitForRoom('tea');

    await ana.page.locator('#open-people').tap();
    await ana.page.locator('#drawer #people-list li[data-name="ana"]').waitFor();
    await ana.page.locator('#drawer .drawer-close').tap();
    await ana.waitUntilHidden('#drawer');
    await until('the list is back in its column', async () => await ana.page.locator('#chat > #people').count() === 1);
  });
}

for (const [name, options] of [['375', PHONE], ['320', NARROW]]) {
  browserTest(`on a phone ${name} pixels wide an account can be created and changed`, async (fixture) => {
    const server = await fixture.server();
    const ana = await fixture.visitor(server, '/', options);
    ana.expectsRefusals = true;
    const fits = async () => {
      assert.deepEqual(await sidewise(ana), { scrolls: false, out: [] });
      assert.deepEqual(await tooSmall(ana), []);
    };
    await ana.page.locator('#entry-sign-in').tap();
    await fits();
    await ana.page.locator('#entry-register').tap();
    await fits();
    await ana.page.locator('#entry-name').fill('ana');
    await ana.page.locator('#entry-password').fill('correct horse');
    await ana.page.locator('#entry-join').tap();
    await ana.waitForRoom('lobby');

    await ana.page.locator('#open-rooms').tap();
    await ana.page.locator('#open-settings').tap();
    await ana.page.locator('#open-account').tap();
    await ana.page.locator('#devices li').first().waitFor();
    const dialog = ana.page.locator('#account');
    await until('the animation has ended', () => dialog.evaluate((element) => element.getAnimations().length === 0));
    await fits();
    await ana.page.locator('#account-sign-out').tap();
    await ana.page.locator('#entry').waitFor();
  });
}

browserTest('on a phone the rooms button shows unread messages in other rooms', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby', PHONE);
  await ana.page.locator('#open-rooms').tap();
  await ana.page.locator('#add-room').tap();
  await ana.page.locator('#switcher-room').fill('tea');
  await ana.page.locator('#switcher-go').tap();
  await ana.waitForRoom('tea');
  assert.equal(await ana.isVisible('#elsewhere'), false);
  const ben = await fixture.bot(server, 'ben', 'lobby');
  await ben.send('news');
  await ana.page.locator('#elsewhere').waitFor();
  assert.equal(await ana.page.locator('#open-rooms').getAttribute('aria-label'), 'Rooms, 1 room has new messages');
  await ana.page.locator('#open-rooms').tap();
  await ana.page.locator('#rooms-list li[data-room="lobby"] a').tap();
  await ana.waitForRoom('lobby');
  await ana.waitForMessage('news');
  await ana.waitUntilHidden('#drawer');
});

browserTest('reduced motion disables all animations', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby', { reducedMotion: 'reduce' });
  await ana.page.locator('#open-settings').click();
  assert.equal(await ana.page.evaluate(() => document.getAnimations().length), 0);
});
