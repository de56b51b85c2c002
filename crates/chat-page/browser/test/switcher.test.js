// The dialog that switches rooms.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { untilEqual } from './support/until.js';

const options = (user) => user.page.locator('#switcher-list [role="option"]').evaluateAll((items) => items.map((item) => item.innerText.replace(/\s+/g, ' ').trim()));
const active = (user) => user.page.locator('#switcher-list [aria-selected="true"]').getAttribute('data-room');
const rooms = (user) => user.page.locator('#rooms-list li').evaluateAll((items) => items.map((item) => item.dataset.room));

async function inThreeRooms(fixture) {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'lobby');
  await ana.joinRoom('three');
  await ana.joinRoom('two');
  return ana;
}

browserTest('Enter opens the first match and creates no room', async (fixture) => {
  const ana = await inThreeRooms(fixture);
  await ana.page.keyboard.press('Control+k');
  await ana.page.keyboard.type('thr');
  await untilEqual(() => options(ana), ['# three', 'Create #thr or join it']);
  assert.equal(await ana.text('#switcher-go'), 'Open #three');
  await ana.page.keyboard.press('Enter');
  await ana.waitForRoom('three');
  assert.deepEqual(await rooms(ana), ['lobby', 'three', 'two']);
});

browserTest('the last row of the switcher creates a room', async (fixture) => {
  const ana = await inThreeRooms(fixture);
  await ana.page.keyboard.press('Control+k');
  await ana.page.keyboard.type('thr');
  await ana.page.keyboard.press('ArrowUp');
  assert.equal(await active(ana), 'thr');
  assert.equal(await ana.text('#switcher-go'), 'Create #thr');
  await ana.page.keyboard.press('Enter');
  await ana.waitForRoom('thr');
  assert.deepEqual(await rooms(ana), ['lobby', 'three', 'two', 'thr']);
});

browserTest('arrow keys move in the switcher and update the active option', async (fixture) => {
  const ana = await inThreeRooms(fixture);
  await ana.page.keyboard.press('Control+k');
  await untilEqual(() => options(ana), ['# lobby', '# three', '# two']);
  const input = ana.page.locator('#switcher-room');
  assert.equal(await input.getAttribute('role'), 'combobox');
  assert.equal(await input.getAttribute('aria-controls'), 'switcher-list');
  const steps = [['ArrowDown', 'three'], ['ArrowDown', 'two'], ['ArrowDown', 'lobby'], ['ArrowUp', 'two'], ['ArrowUp', 'three']];
  for (const [key, room] of steps) {
    await ana.page.keyboard.press(key);
    assert.equal(await active(ana), room);
    const described = await input.getAttribute('aria-activedescendant');
    assert.equal(await ana.page.locator(`#${described}`).getAttribute('data-room'), room);
  }
  await ana.page.keyboard.press('Enter');
  await ana.waitForRoom('three');
});

browserTest('a room is found with #, as a link, and regardless of case', async (fixture) => {
  const ana = await inThreeRooms(fixture);
  for (const [written, room] of [['#three', 'three'], ['LOB', 'lobby'], [`${ana.address}/r/two`, 'two'], ['  #lobby ', 'lobby'], ['wo', 'two']]) {
    await ana.page.keyboard.press('Control+k');
    await ana.page.locator('#switcher-room').fill(written);
    assert.equal(await active(ana), room, written);
    await ana.page.keyboard.press('Enter');
    await ana.waitForRoom(room);
  }
  assert.deepEqual(await rooms(ana), ['lobby', 'three', 'two']);
});

browserTest('an exact match comes first', async (fixture) => {
  const ana = await inThreeRooms(fixture);
  await ana.page.keyboard.press('Control+k');
  await ana.page.keyboard.type('tw');
  await ana.page.locator('#switcher-list .create').click();
  await ana.waitForRoom('tw');
  await ana.joinRoom('two');
  await ana.joinRoom('tw');
  assert.deepEqual(await rooms(ana), ['lobby', 'three', 'two', 'tw']);
});
