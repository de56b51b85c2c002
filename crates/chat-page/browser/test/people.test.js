// Three users in a room: who is there, who writes, who leaves.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until, untilEqual } from './support/until.js';

browserTest('three users see each other join, write and leave', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  const ben = await fixture.user(server, 'ben');
  const cid = await fixture.user(server, 'cid');

  for (const [user, names] of [[ana, ['ana', 'ben', 'cid']], [ben, ['ben', 'ana', 'cid']], [cid, ['cid', 'ana', 'ben']]]) {
    await untilEqual(() => user.people(), names);
    assert.equal(await user.text('#people-count'), '3');
    assert.equal(await user.text('#people-total'), '3');
  }

  await ana.sendAndWait('one');
  await ben.sendAndWait('two');
  await cid.sendAndWait('three');
  for (const user of [ana, ben, cid]) {
    await untilEqual(async () => (await user.log()).map(({ from, text }) => [from, text]), [['ana', 'one'], ['ben', 'two'], ['cid', 'three']]);
  }

  await cid.page.locator('#leave-room').click();
  await cid.page.locator('#no-room').waitFor();
  await untilEqual(() => ana.people(), ['ana', 'ben']);
  assert.equal(await ana.text('#people-count'), '2');

  await ben.page.close();
  await untilEqual(() => ana.people(), ['ana']);
});

browserTest('typing is shown until the message arrives', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  const ben = await fixture.user(server, 'ben');
  const cid = await fixture.user(server, 'cid');
  await ana.page.locator('#compose-text').pressSequentially('wait');
  await until('ben sees ana typing', async () => await ben.text('#typing') === 'ana is typing…');
  await cid.page.locator('#compose-text').pressSequentially('me too');
  await until('ben sees both typing', async () => await ben.text('#typing') === 'ana and cid are typing…');
  assert.equal(await ana.text('#typing'), 'cid is typing…', 'users do not see themselves typing');
  await ana.page.keyboard.press('Enter');
  await ben.waitForMessage('wait');
  await until('ana is no longer typing', async () => !(await ben.text('#typing')).includes('ana'));
});

browserTest('people can be searched in a larger room', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  for (let number = 1; number <= 16; number += 1) await fixture.bot(server, `guest-${number}`);
  await until('all users are listed', async () => await ana.text('#people-count') === '17');
  await ana.page.locator('#people-search').fill('GUEST-1');
  await untilEqual(() => ana.people(), ['guest-1', 'guest-10', 'guest-11', 'guest-12', 'guest-13', 'guest-14', 'guest-15', 'guest-16']);
  await ana.page.locator('#people-search').fill('guest-16');
  await untilEqual(() => ana.people(), ['guest-16']);
});

browserTest('the people list beside the messages can be hidden', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana');
  assert.equal(await ana.isVisible('#people-list'), true);
  await ana.page.locator('#open-people').click();
  await ana.waitUntilHidden('#people-list');
  assert.equal(await ana.page.locator('#open-people').getAttribute('aria-expanded'), 'false');
  await ana.page.locator('#open-people').click();
  await ana.page.locator('#people-list').waitFor();
});

for (const [what, change] of [
  ['joins', (fixture, server) => fixture.bot(server, 'abe')],
  ['leaves', (fixture, server, first) => first.client.close()],
]) {
  browserTest(`a click on a person works while another one ${what}`, async (fixture) => {
    const server = await fixture.server();
    const ana = await fixture.user(server, 'ana');
    const first = await fixture.bot(server, 'aaron');
    await fixture.bot(server, 'ben');
    await untilEqual(() => ana.people(), ['ana', 'aaron', 'ben']);
    const person = ana.page.locator('#people-list [data-name="ben"]');
    await person.hover();
    await ana.page.mouse.down();
    await change(fixture, server, first);
    await until('the list has changed', async () => await ana.text('#people-count') !== '3');
    await person.hover();
    await ana.page.mouse.up();
    await ana.page.locator('#profile').waitFor();
    assert.equal(await ana.text('#profile-title'), 'ben');
  });
}
