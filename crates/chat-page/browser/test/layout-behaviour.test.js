// Suggestions, toasts and other temporary elements: even with long names they stay within their
// column.

import { assertLayout } from './support/layout.js';
import { browserTest } from './support/fixture.js';
import { until } from './support/until.js';

const HEIGHTS = { 320: 568, 390: 844, 1280: 800, 2560: 1440 };
const NAME = `Wolfgang-${'W'.repeat(41)}`;
const ROOM = `announcements-and-releases-${'M'.repeat(37)}`;

for (const [key, height] of Object.entries(HEIGHTS)) {
  const width = Number(key);
  const options = { viewport: { width, height } };

  browserTest(`suggestions and formatting stay within their column at ${width} px`, async (fixture) => {
    const server = await fixture.server();
    const user = await fixture.user(server, NAME, ROOM, options);
    for (let number = 1; number <= 12; number += 1) await fixture.bot(server, `${'W'.repeat(47)}-${number}`, ROOM);
    await until('all users are listed', async () => await user.page.locator('#people-count').textContent() === '13');
    if (await user.page.locator('#toggle-formatting').getAttribute('aria-pressed') !== 'true') await user.page.locator('#toggle-formatting').click();
    await assertLayout(user, 'the formatting toolbar and the welcome card');
    const box = user.page.locator('#compose-text');
    for (const text of ['@W', '#ann', ':smi']) {
      // The emoji list is loaded on first use, and names are known a moment after their users have
      // joined.
      await until(`suggestions for ${text}`, async () => {
        await box.fill('');
        await box.pressSequentially(text);
        return user.page.locator('#compose [role="option"]').first().isVisible();
      });
      await assertLayout(user, `suggestions for ${text}`);
    }
    // In one step: on a busy machine, 200 keys in a box of many lines take longer than the timeout.
    await box.fill(`/${'x'.repeat(200)}`);
    await box.press('Enter');
    await user.page.locator('#compose-error').waitFor();
    await assertLayout(user, 'an unknown command');
    await box.fill('');
    await user.page.keyboard.press('Control+k');
    await user.page.locator('#switcher-room').fill('M'.repeat(64));
    await assertLayout(user, 'a new room in the switcher');
  });

  browserTest(`leaving rooms with long names stays on the screen at ${width} px`, async (fixture) => {
    const server = await fixture.server();
    const user = await fixture.user(server, NAME, ROOM, options);
    await user.joinRoom('M'.repeat(64));
    await user.page.locator('#leave-room').click();
    await user.page.locator('#toast').waitFor();
    await assertLayout(user, 'after leaving a room');
    await user.page.locator('#leave-room').click();
    await user.page.locator('#no-room').waitFor();
    await assertLayout(user, 'after leaving the last room');
  });
}
