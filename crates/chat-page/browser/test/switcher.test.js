// The dialog that switches rooms.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { untilEqual } from './support/until.js';

const options = (person) => person.page.locator('#switcher-list [role="option"]').evaluateAll((items) => items.map((item) => item.innerText.replace(/\s+/g, ' ').trim()));
const active = (person) => person.page.locator('#switcher-list [aria-selected="true"]').getAttribute('data-room');
const rooms = (person) => person.page.locator('#rooms-list li').evaluateAll((items) => items.map((item) => item.dataset.room));

async function inThreeRooms(house) {
  const server = await house.server();
  const ana = await house.person(server, 'ana', 'lobby');
  await ana.joinAnother('three');
  await ana.joinAnother('two');
  return ana;
}

browserTest('Enter opens the first match and creates no room', async (house) => {
  const ana = await inThreeRooms(house);
  await ana.page.keyboard.press('Control+k');
  await ana.page.keyboard.type('thr');
  await untilEqual(() => options(ana), ['# three', 'Create #thr or join it']);
  assert.equal(await ana.text('#switcher-go'), 'Open #three');
  await ana.page.keyboard.press('Enter');
  await ana.isIn('three');
  assert.deepEqual(await rooms(ana), ['lobby', 'three', 'two']);
});

browserTest('the last row of the switcher creates a room', async (house) => {
  const ana = await inThreeRooms(house);
  await ana.page.keyboard.press('Control+k');
  await ana.page.keyboard.type('thr');
  await ana.page.keyboard.press('ArrowUp');
  assert.equal(await active(ana), 'thr');
  assert.equal(await ana.text('#switcher-go'), 'Create #thr');
  await ana.page.keyboard.press('Enter');
  await ana.isIn('thr');
  assert.deepEqual(await rooms(ana), ['lobby', 'three', 'two', 'thr']);
});

browserTest('arrow keys move in the switcher and update the active option', async (house) => {
  const ana = await inThreeRooms(house);
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
  await ana.isIn('three');
});

browserTest('a room is found with #, as a link, and regardless of case', async (house) => {
  const ana = await inThreeRooms(house);
  for (const [written, room] of [['#three', 'three'], ['LOB', 'lobby'], [`${ana.address}/r/two`, 'two'], ['  #lobby ', 'lobby'], ['wo', 'two']]) {
    await ana.page.keyboard.press('Control+k');
    await ana.page.locator('#switcher-room').fill(written);
    assert.equal(await active(ana), room, written);
    await ana.page.keyboard.press('Enter');
    await ana.isIn(room);
  }
  assert.deepEqual(await rooms(ana), ['lobby', 'three', 'two']);
});

browserTest('an exact match comes first', async (house) => {
  const ana = await inThreeRooms(house);
  await ana.page.keyboard.press('Control+k');
  await ana.page.keyboard.type('tw');
  await ana.page.locator('#switcher-list .create').click();
  await ana.isIn('tw');
  await ana.joinAnother('two');
  await ana.joinAnother('tw');
  assert.deepEqual(await rooms(ana), ['lobby', 'three', 'two', 'tw']);
});
