// The server stops and comes back while pages are open.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

/**
 * Each user sends this many messages, one after the other, regardless of the state of the
 * connection.
 */
async function exchange(people, count) {
  for (let number = 1; number <= count; number += 1) {
    for (const { user, name } of people) await user.send(`${name} ${number}`);
  }
}

browserTest('killing the server loses no message and shows none twice', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  const ben = await fixture.user(server, 'ben');
  ana.expectsOutage = ben.expectsOutage = true;
  const people = [{ user: ana, name: 'ana' }, { user: ben, name: 'ben' }];
  const each = 25;

  const exchanging = exchange(people, each);
  await ana.waitForMessage('ben 4');
  await server.kill();
  await ana.page.locator('.message[data-state="pending"]').first().waitFor();
  await server.start();
  await ben.waitForMessage('ana 12');
  await server.kill();
  await server.start();
  await exchanging;

  const all = people.flatMap(({ name }) => Array.from({ length: each }, (_, index) => `${name} ${index + 1}`)).sort();
  for (const user of [ana, ben]) await untilEqual(async () => (await user.stored()).sort(), all);
  const [one, other] = [await ana.log(), await ben.log()];
  assert.deepEqual(one, other, 'both users see the same order');
  assert.deepEqual(one.map(({ seq }) => seq), all.map((_, index) => index + 1));
  assert.ok(one.every(({ state }) => state === 'stored'));
  for (const { name } of people) {
    const own = one.filter(({ from }) => from === name).map(({ text }) => text);
    assert.deepEqual(own, Array.from({ length: each }, (_, index) => `${name} ${index + 1}`), 'in the order in which they were sent');
  }
  await ana.waitForBanner('none');

  await ana.page.reload();
  await ana.waitForRoom('lobby');
  await untilEqual(() => ana.log(), one);
});

browserTest('messages missed while disconnected are shown after reconnecting', async (fixture) => {
  const server = await fixture.server();
  const proxy = await fixture.proxy(server);
  const ana = await fixture.user(proxy, 'ana');
  ana.expectsOutage = true;
  const ben = await fixture.bot(server, 'ben');
  await ben.send('before');
  await ana.waitForMessage('before');
  proxy.cut();
  await ana.waitForBanner('down');
  await ben.sendMany(300, (number) => `missed ${number}`);
  proxy.restore();
  await ana.clickBannerAction();
  await ana.waitForBanner('none');
  await ben.send('after');
  await ana.waitForMessage('after');
  const seqs = (await ana.log()).map(({ seq }) => seq);
  assert.equal(seqs.at(-1), 302);
  assert.deepEqual(seqs, seqs.map((_, index) => seqs[0] + index), 'no gaps and no duplicates');
});

browserTest('the page shows a restart and reconnects by itself', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  const ben = await fixture.user(server, 'ben');
  ana.expectsOutage = ben.expectsOutage = true;
  await ana.sendAndWait('before');
  await server.stop();
  assert.match(await ana.waitForBanner('down'), /^The server is restarting\. Your messages will be sent when you’re back online\./);
  await until('the countdown is shown', async () => /Reconnecting in \d+ s|Connecting…/.test(await ana.text('#banner-countdown')));
  await ana.send('meanwhile');
  await ana.page.locator('.message[data-state="pending"]', { hasText: 'meanwhile' }).waitFor();
  await server.start();
  await ana.waitForBanner('none');
  await ben.waitForBanner('none');
  await untilEqual(() => ana.texts(), ['before', 'meanwhile']);
  await untilEqual(() => ben.texts(), ['before', 'meanwhile']);
  await untilEqual(() => ben.people(), ['ben', 'ana']);
});

browserTest('if the server lost its history, the page starts with an empty log', async (fixture) => {
  const server = await fixture.server('--database', ':memory:');
  const ana = await fixture.user(server, 'ana');
  ana.expectsOutage = true;
  await ana.sendAndWait('gone with the server');
  await server.kill();
  await server.start();
  await ana.waitForBanner('none');
  await untilEqual(() => ana.texts(), []);
  await ana.sendAndWait('a new beginning');
  await untilEqual(() => ana.texts(), ['a new beginning']);
});

browserTest('joining while the server is down shows why, and succeeds when it is back', async (fixture) => {
  const server = await fixture.server();
  const proxy = await fixture.proxy(server);
  const ana = await fixture.visitor(proxy, '/r/lobby');
  ana.expectsOutage = true;
  await ana.page.evaluate(async () => { await import('/page/views/chat.js'); });
  proxy.cut();
  await ana.page.locator('#entry-name').fill('ana');
  await ana.page.keyboard.press('Enter');
  await until('the form shows why', async () => /^Can’t reach the server\. Still trying…/.test(await ana.text('#entry-status')));
  await ana.page.locator('#entry-cancel').click();
  await until('the attempt can be cancelled', async () => await ana.page.locator('#entry-join').isEnabled());
  await ana.page.locator('#entry-join').click();
  proxy.restore();
  await ana.waitForRoom('lobby');
});

browserTest('a part of the page that failed to load is loaded on entering', async (fixture) => {
  const server = await fixture.server();
  const context = await fixture.context();
  await context.route('**/page/views/log.js', (route) => route.abort(), { times: 1 });
  const ana = await fixture.visitor(server, '/r/lobby', { context });
  ana.expectsOutage = true;
  await ana.enter('ana');
  await ana.sendAndWait('all there');
});

browserTest('if a part of the page never loads, the form says so and the name stays free', async (fixture) => {
  const server = await fixture.server();
  const context = await fixture.context();
  await context.route('**/page/views/log.js', (route) => route.abort());
  const ana = await fixture.visitor(server, '/r/lobby', { context });
  ana.expectsOutage = true;
  await ana.page.locator('#entry-name').fill('ana');
  await ana.page.keyboard.press('Enter');
  await until('the message is shown', async () => /part of the page could not be loaded/.test(await ana.text('#entry-status')));
  await fixture.user(server, 'ana');
});
