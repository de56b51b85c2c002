// The server stops and comes back while pages are open.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

/**
 * Each user sends this many messages, one after the other, regardless of the state of the
 * connection.
 */
async function talk(people, count) {
  for (let number = 1; number <= count; number += 1) {
    for (const { person, name } of people) await person.say(`${name} ${number}`);
  }
}

browserTest('killing the server loses no message and shows none twice', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana');
  const ben = await house.person(server, 'ben');
  ana.mayLoseTheLine = ben.mayLoseTheLine = true;
  const people = [{ person: ana, name: 'ana' }, { person: ben, name: 'ben' }];
  const each = 25;

  const talking = talk(people, each);
  await ana.sees('ben 4');
  await server.kill();
  await ana.page.locator('.message[data-state="pending"]').first().waitFor();
  await server.up();
  await ben.sees('ana 12');
  await server.kill();
  await server.up();
  await talking;

  const all = people.flatMap(({ name }) => Array.from({ length: each }, (_, index) => `${name} ${index + 1}`)).sort();
  for (const person of [ana, ben]) await untilEqual(async () => (await person.stored()).sort(), all);
  const [one, other] = [await ana.log(), await ben.log()];
  assert.deepEqual(one, other, 'both users see the same order');
  assert.deepEqual(one.map(({ seq }) => seq), all.map((_, index) => index + 1));
  assert.ok(one.every(({ state }) => state === 'stored'));
  for (const { name } of people) {
    const own = one.filter(({ from }) => from === name).map(({ text }) => text);
    assert.deepEqual(own, Array.from({ length: each }, (_, index) => `${name} ${index + 1}`), 'in the order in which they were sent');
  }
  await ana.bannerSays('none');

  await ana.page.reload();
  await ana.isIn('lobby');
  await untilEqual(() => ana.log(), one);
});

browserTest('messages missed while disconnected are shown after reconnecting', async (house) => {
  const server = await house.server();
  const line = await house.line(server);
  const ana = await house.person(line, 'ana');
  ana.mayLoseTheLine = true;
  const ben = await house.raw(server, 'ben');
  await ben.say('before');
  await ana.sees('before');
  line.cut();
  await ana.bannerSays('down');
  await ben.fill(300, (number) => `missed ${number}`);
  line.mend();
  await ana.triesNow();
  await ana.bannerSays('none');
  await ben.say('after');
  await ana.sees('after');
  const seqs = (await ana.log()).map(({ seq }) => seq);
  assert.equal(seqs.at(-1), 302);
  assert.deepEqual(seqs, seqs.map((_, index) => seqs[0] + index), 'no gaps and no duplicates');
});

browserTest('the page shows a restart and reconnects by itself', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana');
  const ben = await house.person(server, 'ben');
  ana.mayLoseTheLine = ben.mayLoseTheLine = true;
  await ana.says('before');
  await server.stop();
  assert.match(await ana.bannerSays('down'), /^The server is restarting\. Your messages will be sent when you’re back online\./);
  await until('the countdown is shown', async () => /Reconnecting in \d+ s|Connecting…/.test(await ana.text('#banner-countdown')));
  await ana.say('meanwhile');
  await ana.page.locator('.message[data-state="pending"]', { hasText: 'meanwhile' }).waitFor();
  await server.up();
  await ana.bannerSays('none');
  await ben.bannerSays('none');
  await untilEqual(() => ana.texts(), ['before', 'meanwhile']);
  await untilEqual(() => ben.texts(), ['before', 'meanwhile']);
  await untilEqual(() => ben.people(), ['ben', 'ana']);
});

browserTest('if the server lost its history, the page starts with an empty log', async (house) => {
  const server = await house.server('--database', ':memory:');
  const ana = await house.person(server, 'ana');
  ana.mayLoseTheLine = true;
  await ana.says('gone with the server');
  await server.kill();
  await server.up();
  await ana.bannerSays('none');
  await untilEqual(() => ana.texts(), []);
  await ana.says('a new beginning');
  await untilEqual(() => ana.texts(), ['a new beginning']);
});

browserTest('joining while the server is down shows why, and succeeds when it is back', async (house) => {
  const server = await house.server();
  const line = await house.line(server);
  const ana = await house.visitor(line, '/r/lobby');
  ana.mayLoseTheLine = true;
  await ana.page.evaluate(async () => { await import('/page/views/chat.js'); });
  line.cut();
  await ana.page.locator('#entry-name').fill('ana');
  await ana.page.keyboard.press('Enter');
  await until('the form shows why', async () => /^Can’t reach the server\. Still trying…/.test(await ana.text('#entry-status')));
  await ana.page.locator('#entry-cancel').click();
  await until('the attempt can be cancelled', async () => await ana.page.locator('#entry-join').isEnabled());
  await ana.page.locator('#entry-join').click();
  line.mend();
  await ana.isIn('lobby');
});

browserTest('a part of the page that failed to load is loaded on entering', async (house) => {
  const server = await house.server();
  const context = await house.context();
  await context.route('**/page/views/log.js', (route) => route.abort(), { times: 1 });
  const ana = await house.visitor(server, '/r/lobby', { context });
  ana.mayLoseTheLine = true;
  await ana.enter('ana');
  await ana.says('all there');
});

browserTest('if a part of the page never loads, the form says so and the name stays free', async (house) => {
  const server = await house.server();
  const context = await house.context();
  await context.route('**/page/views/log.js', (route) => route.abort());
  const ana = await house.visitor(server, '/r/lobby', { context });
  ana.mayLoseTheLine = true;
  await ana.page.locator('#entry-name').fill('ana');
  await ana.page.keyboard.press('Enter');
  await until('the message is shown', async () => /part of the page could not be loaded/.test(await ana.text('#entry-status')));
  await house.person(server, 'ana');
});
