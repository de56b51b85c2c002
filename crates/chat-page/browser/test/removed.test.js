// What the page shows and offers after a moderator removed the user from a room.

import assert from 'node:assert/strict';
import { assertLayout } from './support/layout.js';
import { browserTest } from './support/fixture.js';
import { Admin } from './support/admin.js';
import { until, untilEqual } from './support/until.js';

browserTest('after a kick the page shows it, and the user can rejoin', async (fixture) => {
  const { server, admin } = await Admin.start(fixture);
  await fixture.bot(server, 'ben');
  const ana = await fixture.user(server, 'ana');
  await ana.sendAndWait('before');
  await admin.kick('lobby', 'ana');
  assert.equal(await ana.waitForBanner('left'), 'A moderator removed you from #lobby.');
  assert.deepEqual([await ana.text('#banner-action'), await ana.text('#banner-second')], ['Rejoin', 'Remove from list']);
  await untilEqual(() => ana.people(), ['ben']);
  assert.equal(await ana.page.locator('#people-count').textContent(), '1');
  const box = ana.page.locator('#compose-text');
  assert.equal(await box.isDisabled(), true);
  assert.equal(await box.getAttribute('placeholder'), 'You’re not in #lobby');

  await ana.page.locator('#banner-action').click();
  await ana.waitForBanner('none');
  await untilEqual(() => ana.people(), ['ana', 'ben']);
  assert.equal(await box.getAttribute('placeholder'), 'Message #lobby');
  await ana.waitForMessage('before');
  await ana.sendAndWait('after');
});

browserTest('a failed rejoin shows the reason', async (fixture) => {
  const { server, admin } = await Admin.start(fixture);
  const ana = await fixture.user(server, 'ana');
  await admin.kick('lobby', 'ana');
  await ana.waitForBanner('left');
  await fixture.bot(server, 'ana');
  await ana.page.locator('#banner-action').click();
  await until('the banner shows the reason', async () => /The name ana is already in use in #lobby/.test(await ana.text('#banner-text')));
  assert.equal(await ana.text('#banner-action'), 'Rejoin', 'and the user can try again');
});

browserTest('a room that a moderator closed can be removed from the list', async (fixture) => {
  const { server, admin } = await Admin.start(fixture);
  const ana = await fixture.user(server, 'ana');
  await ana.joinRoom('tea');
  await admin.close('tea');
  assert.equal(await ana.waitForBanner('left'), 'A moderator closed #tea.');
  await ana.page.locator('#banner-second').click();
  await ana.waitForRoom('lobby');
  await untilEqual(() => ana.page.locator('#rooms-list li').evaluateAll((items) => items.map((item) => item.dataset.room)), ['lobby']);
});

for (const width of [320, 390, 1280]) {
  browserTest(`removals and announcements stay within their column at ${width} px`, async (fixture) => {
    const { server, admin } = await Admin.start(fixture);
    const room = `announcements-${'M'.repeat(50)}`;
    const ana = await fixture.user(server, 'W'.repeat(50), room, { viewport: { width, height: 700 } });
    await admin.notice(room, `See https://www.example.com/${'long-path-'.repeat(30)} ${'x'.repeat(300)}`);
    await ana.page.locator('.notice').waitFor();
    await assertLayout(ana, 'an announcement');
    await admin.kick(room, 'W'.repeat(50));
    await ana.waitForBanner('left');
    await assertLayout(ana, 'a removal');
  });
}
