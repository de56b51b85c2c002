// Suggestions, toasts and other temporary elements: even with long names they stay within their
// column.

import { assertInPlace } from './support/layout.js';
import { browserTest } from './support/fixture.js';
import { until } from './support/until.js';

const HEIGHTS = { 320: 568, 390: 844, 1280: 800, 2560: 1440 };
const NAME = `Wolfgang-${'W'.repeat(41)}`;
const ROOM = `announcements-and-releases-${'M'.repeat(37)}`;

for (const [key, height] of Object.entries(HEIGHTS)) {
  const width = Number(key);
  const options = { viewport: { width, height } };

  browserTest(`suggestions and formatting stay within their column at ${width} px`, async (house) => {
    const server = await house.server();
    const person = await house.person(server, NAME, ROOM, options);
    for (let number = 1; number <= 12; number += 1) await house.raw(server, `${'W'.repeat(47)}-${number}`, ROOM);
    await until('all users are listed', async () => await person.page.locator('#people-count').textContent() === '13');
    if (await person.page.locator('#toggle-formatting').getAttribute('aria-pressed') !== 'true') await person.page.locator('#toggle-formatting').click();
    await assertInPlace(person, 'the formatting toolbar and the welcome card');
    const box = person.page.locator('#compose-text');
    for (const text of ['@W', '#ann', ':smi']) {
      // The emoji list is loaded on first use, and names are known a moment after their users have
      // joined.
      await until(`suggestions for ${text}`, async () => {
        await box.fill('');
        await box.pressSequentially(text);
        return person.page.locator('#compose [role="option"]').first().isVisible();
      });
      await assertInPlace(person, `suggestions for ${text}`);
    }
    await box.fill('');
    await box.pressSequentially(`/${'x'.repeat(200)}`);
    await person.page.keyboard.press('Enter');
    await assertInPlace(person, 'an unknown command');
    await box.fill('');
    await person.page.keyboard.press('Control+k');
    await person.page.locator('#switcher-room').fill('M'.repeat(64));
    await assertInPlace(person, 'a new room in the switcher');
  });

  browserTest(`leaving rooms with long names stays on the screen at ${width} px`, async (house) => {
    const server = await house.server();
    const person = await house.person(server, NAME, ROOM, options);
    await person.joinAnother('M'.repeat(64));
    await person.page.locator('#leave-room').click();
    await person.page.locator('#toast').waitFor();
    await assertInPlace(person, 'after leaving a room');
    await person.page.locator('#leave-room').click();
    await person.page.locator('#no-room').waitFor();
    await assertInPlace(person, 'after leaving the last room');
  });

  browserTest(`the notice about another tab stays within the form at ${width} px`, async (house) => {
    const server = await house.server();
    const context = await house.context(options);
    await house.person(server, NAME, ROOM, { context });
    const other = await house.visitor(server, `/r/${ROOM}`, { context });
    await other.page.locator('#entry-name').fill(NAME);
    await other.page.locator('#entry-other-tab').waitFor();
    await assertInPlace(other, 'the name is in use in another tab');
  });
}
