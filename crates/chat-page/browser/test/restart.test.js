// The server goes away and comes back under open pages.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

/** Two people who say so many messages each, one after the other, without looking at how the line stands. */
async function talk(people, count) {
  for (let number = 1; number <= count; number += 1) {
    for (const { person, name } of people) await person.say(`${name} ${number}`);
  }
}

browserTest('a server that is killed amid messages loses none and shows none twice', async (house) => {
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
  assert.deepEqual(one, other, 'both see one order');
  assert.deepEqual(one.map(({ seq }) => seq), all.map((_, index) => index + 1));
  assert.ok(one.every(({ state }) => state === 'stored'));
  for (const { name } of people) {
    const own = one.filter(({ from }) => from === name).map(({ text }) => text);
    assert.deepEqual(own, Array.from({ length: each }, (_, index) => `${name} ${index + 1}`), 'in the order in which they were said');
  }
  await ana.bannerSays('none');

  await ana.page.reload();
  await ana.isIn('lobby');
  await untilEqual(() => ana.log(), one);
});

browserTest('what others said while one was cut off is there when one is back', async (house) => {
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
  assert.deepEqual(seqs, seqs.map((_, index) => seqs[0] + index), 'no hole, and none twice');
});

browserTest('a restart is announced, and one comes back by oneself', async (house) => {
  const server = await house.server();
  const ana = await house.person(server, 'ana');
  const ben = await house.person(server, 'ben');
  ana.mayLoseTheLine = ben.mayLoseTheLine = true;
  await ana.says('before');
  await server.stop();
  assert.match(await ana.bannerSays('down'), /^The server is restarting\. Your messages will be sent when you’re back online\./);
  await until('the pause is told', async () => /Reconnecting in \d+ s|Connecting…/.test(await ana.text('#banner-countdown')));
  await ana.say('meanwhile');
  await ana.page.locator('.message[data-state="pending"]', { hasText: 'meanwhile' }).waitFor();
  await server.up();
  await ana.bannerSays('none');
  await ben.bannerSays('none');
  await untilEqual(() => ana.texts(), ['before', 'meanwhile']);
  await untilEqual(() => ben.texts(), ['before', 'meanwhile']);
  await untilEqual(() => ben.people(), ['ben', 'ana']);
});

browserTest('a server without its history begins anew, and the page with it', async (house) => {
  const server = await house.server('--database', ':memory:');
  const ana = await house.person(server, 'ana');
  ana.mayLoseTheLine = true;
  await ana.says('gone with the server');
  await server.kill();
  await server.up();
  await ana.bannerSays('none');
  await untilEqual(() => ana.texts(), []);
  await ana.says('anew');
  await untilEqual(() => ana.texts(), ['anew']);
});

browserTest('who wants to enter while the server is away is told so, and gets in when it is back', async (house) => {
  const server = await house.server();
  const line = await house.line(server);
  const ana = await house.visitor(line, '/r/lobby');
  ana.mayLoseTheLine = true;
  await ana.page.evaluate(async () => { await import('/page/views/chat.js'); });
  line.cut();
  await ana.page.locator('#entry-name').fill('ana');
  await ana.page.keyboard.press('Enter');
  await until('the form says why', async () => /^Can’t reach the server\. Still trying…/.test(await ana.text('#entry-status')));
  await ana.page.locator('#entry-cancel').click();
  await until('one may change one’s mind', async () => await ana.page.locator('#entry-join').isEnabled());
  await ana.page.locator('#entry-join').click();
  line.mend();
  await ana.isIn('lobby');
});

browserTest('a page of which a part did not arrive gets it when one enters', async (house) => {
  const server = await house.server();
  const context = await house.context();
  await context.route('**/page/views/log.js', (route) => route.abort(), { times: 1 });
  const ana = await house.visitor(server, '/r/lobby', { context });
  ana.mayLoseTheLine = true;
  await ana.enter('ana');
  await ana.says('all there');
});

browserTest('a page of which a part never arrives says so, and holds no seat', async (house) => {
  const server = await house.server();
  const context = await house.context();
  await context.route('**/page/views/log.js', (route) => route.abort());
  const ana = await house.visitor(server, '/r/lobby', { context });
  ana.mayLoseTheLine = true;
  await ana.page.locator('#entry-name').fill('ana');
  await ana.page.keyboard.press('Enter');
  await until('it is said', async () => /part of the page could not be loaded/.test(await ana.text('#entry-status')));
  await house.person(server, 'ana');
});
