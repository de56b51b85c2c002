// The announcement of the operator.

import assert from 'node:assert/strict';
import { Admin } from './support/admin.js';
import { violations } from './support/axe.js';
import { browserTest } from './support/fixture.js';
import { assertLayout } from './support/layout.js';
import { untilEqual } from './support/until.js';

const shown = (user) => user.page.locator('#announcement').waitFor();

browserTest('an announcement is shown to all users until it is withdrawn', async (fixture) => {
  const { server, admin } = await Admin.start(fixture);
  const ana = await fixture.user(server, 'ana');
  assert.equal(await ana.page.locator('#announcement').count(), 0);
  await admin.announce(`We move *on Friday*. <b>See</b> [the tea room](${server.address}/r/tea).`, 'warning');
  await shown(ana);
  assert.equal(await ana.text('#announcement-text'), 'We move on Friday. <b>See</b> the tea room.');
  assert.equal(await ana.text('#announcement-text em'), 'on Friday');
  assert.match(await ana.page.locator('#announcement').getAttribute('class'), /\bwarning\b/);
  assert.match(await ana.page.locator('#announcer').innerText(), /Announcement: We move on Friday/);

  await ana.page.locator('#announcement-text a').click();
  await ana.waitForRoom('tea');
  assert.ok(await ana.isVisible('#announcement'), 'in each room');

  const ben = await fixture.user(server, 'ben');
  await shown(ben);
  await admin.announce('We have moved.');
  await untilEqual(() => ben.text('#announcement-text'), 'We have moved.');
  assert.doesNotMatch(await ben.page.locator('#announcement').getAttribute('class'), /\bwarning\b/);

  await server.kill();
  for (const user of [ana, ben]) user.expectsOutage = true;
  await server.start();
  await ana.waitForBanner('none');
  assert.equal(await ana.text('#announcement-text'), 'We have moved.');
  await admin.withdraw();
  for (const user of [ana, ben]) await user.waitUntilHidden('#announcement');
});

browserTest('a dismissed announcement stays away, and the next one is shown', async (fixture) => {
  const { server, admin } = await Admin.start(fixture);
  await admin.announce('first');
  const [ana, tab] = await fixture.twoTabs(server, 'ana');
  await shown(ana);
  await shown(tab);
  await ana.page.locator('#announcement-dismiss').click();
  await ana.waitUntilHidden('#announcement');
  assert.equal(await ana.focused(), 'room-title');
  await tab.waitUntilHidden('#announcement');

  await ana.page.reload();
  await ana.waitForRoom('lobby');
  await untilEqual(() => ana.page.locator('#announcement-text').textContent(), 'first\n');
  assert.equal(await ana.isVisible('#announcement'), false);
  await admin.announce('second');
  await shown(ana);
  await shown(tab);
  assert.equal(await ana.text('#announcement-text'), 'second');
});

for (const width of [320, 1280]) {
  browserTest(`a long announcement leaves room for the messages at ${width} px, and is accessible`, async (fixture) => {
    const { server, admin } = await Admin.start(fixture);
    const ana = await fixture.user(server, 'ana', 'lobby', { viewport: { width, height: 700 } });
    await admin.announce(`${'x'.repeat(300)} https://www.example.com/${'long-path-'.repeat(30)}\n\n${'- an item\n'.repeat(60)}\n\`\`\`\n${'wide '.repeat(80)}\n\`\`\``, 'warning');
    await shown(ana);
    await assertLayout(ana, 'a long announcement');
    const { height } = await ana.page.locator('#announcement').boundingBox();
    assert.ok(height < 350, `${height} px`);
    assert.deepEqual(await violations(ana, 'an announcement'), []);
    await ana.sendAndWait('hello');
    assert.ok(await ana.isVisible('#messages .message'));
  });
}
