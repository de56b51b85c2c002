// Links to messages.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

const path = (user) => new URL(user.page.url()).pathname;
const focusedSeq = (user) => user.page.evaluate(() => document.activeElement.dataset.seq);
const seqs = async (user) => (await user.log()).map(({ seq }) => seq);
const scroll = (user, by) => user.page.locator('#messages').evaluate((log, pixels) => { log.scrollTop += pixels; }, by);

async function filled(fixture, count = 600) {
  const server = await fixture.server();
  const ben = await fixture.bot(server, 'ben');
  await ben.sendMany(count);
  return { server, ben };
}

browserTest('a link to a message shows it with what is around it, and leads back to the newest', async (fixture) => {
  const { server, ben } = await filled(fixture);
  const ana = await fixture.user(server, 'ana', 'lobby');
  await ana.page.goto(`${server.address}/r/lobby/100`);
  await ana.waitForRoom('lobby');
  await ana.waitForMessage('Message 100');
  await untilEqual(() => focusedSeq(ana), '100');
  assert.equal(path(ana), '/r/lobby/100');
  const { y, height } = await ana.page.locator('.message[data-seq="100"]').boundingBox();
  const log = await ana.page.locator('#messages').boundingBox();
  assert.ok(y > log.y && y + height < log.y + log.height, 'it is on the screen');
  // Both directions are read on without a gap.
  await until('earlier ones are loaded', async () => {
    await scroll(ana, -2_000);
    return (await seqs(ana))[0] === 1;
  });
  await until('later ones are loaded', async () => {
    await scroll(ana, 2_000);
    return (await seqs(ana)).at(-1) > 300;
  });
  const shown = await seqs(ana);
  assert.deepEqual(shown, shown.map((_, index) => shown[0] + index));
  // What happens meanwhile is shown where it is, and counted at the end.
  await ben.room.edit(shown.at(-1) - 3, 'edited meanwhile');
  await ana.waitForMessage('edited meanwhile');
  await ben.send('news');
  await until('the button counts it', async () => await ana.text('#jump-newest') === '1 new message');
  await ana.page.locator('#jump-newest').click();
  await ana.waitForMessage('news');
  assert.equal(path(ana), '/r/lobby');
  await ana.waitUntilHidden('#jump-newest');
});

browserTest('scrolling from an old message to the end leads to the newest one', async (fixture) => {
  const { server, ben } = await filled(fixture, 300);
  const ana = await fixture.user(server, 'ana');
  await ana.page.goto(`${server.address}/r/lobby/120`);
  await untilEqual(() => focusedSeq(ana), '120');
  await until('the end is reached', async () => {
    await scroll(ana, 3_000);
    return !await ana.isVisible('#jump-newest');
  });
  await ana.waitForMessage('Message 300');
  assert.equal(path(ana), '/r/lobby');
  await ben.send('live');
  await ana.waitForMessage('live');
  const shown = await seqs(ana);
  assert.deepEqual(shown, shown.map((_, index) => shown[0] + index));
});

browserTest('the link of a message is copied, opens in place, and the browser goes back', async (fixture) => {
  const { server, ben } = await filled(fixture, 200);
  const ana = await fixture.user(server, 'ana', 'lobby', { permissions: ['clipboard-read', 'clipboard-write'] });
  await ana.waitForMessage('Message 200');
  await ana.act('Message 195', 'link');
  const link = await ana.page.evaluate(() => navigator.clipboard.readText());
  assert.equal(link, `${server.address}/r/lobby/195`);
  await ben.send(`see ${server.address}/r/lobby/30 and ${server.address}/r/tea/9`);
  const message = await ana.waitForMessage('see');
  await message.locator('a[href$="/r/lobby/30"]').click();
  await untilEqual(() => focusedSeq(ana), '30');
  assert.equal(path(ana), '/r/lobby/30');
  await ana.page.goBack();
  await ana.waitForMessage('see');
  await untilEqual(() => path(ana), '/r/lobby');
  await ana.page.goForward();
  await untilEqual(() => focusedSeq(ana), '30');
  await ana.page.keyboard.press('Escape');
  await ana.page.keyboard.press('Escape');
  await ana.waitForMessage('see');
  // A message of another room, which does not exist.
  await (await ana.waitForMessage('see')).locator('a[href$="/r/tea/9"]').click();
  await ana.waitForRoom('tea');
  await untilEqual(() => ana.text('#toast-text'), 'This message does not exist any more.');
});

browserTest('a link to a message that is deleted or never was says so', async (fixture) => {
  const { server, ben } = await filled(fixture, 100);
  await ben.room.delete(5);
  const ana = await fixture.user(server, 'ana');
  await ana.page.goto(`${server.address}/r/lobby/5`);
  await untilEqual(() => focusedSeq(ana), '5');
  assert.equal(await ana.page.locator('.message[data-seq="5"] .body').innerText(), 'This message was deleted.');
  for (const seq of ['101', '5000']) {
    await ana.page.goto(`${server.address}/r/lobby/${seq}`);
    await untilEqual(() => ana.text('#toast-text'), 'This message does not exist any more.');
    await ana.waitForMessage('Message 100');
  }
});

browserTest('a visitor without a name gets to the message after the form', async (fixture) => {
  const { server } = await filled(fixture, 100);
  const ana = await fixture.visitor(server, '/r/lobby/7');
  assert.equal(await ana.page.locator('#entry-room').inputValue(), 'lobby');
  await ana.enter('ana');
  await untilEqual(() => focusedSeq(ana), '7');
});
