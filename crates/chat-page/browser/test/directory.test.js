// Titles, topics, and the list of public rooms.

import assert from 'node:assert/strict';
import { accountBot, accountUser } from './support/accounts.js';
import { violations } from './support/axe.js';
import { browserTest } from './support/fixture.js';
import { assertLayout } from './support/layout.js';
import { until, untilEqual } from './support/until.js';

const found = (user) => user.page.locator('#directory-list .entry-head').allInnerTexts();

browserTest('a guest finds a public room and joins it', async (fixture) => {
  const server = await fixture.server();
  const olga = await accountBot(fixture, server, 'olga', 'tea');
  await olga.client.createRoom('tea', { title: 'Tea and cake', topic: 'All about *tea*', visibility: 'public' });
  await olga.send('hello');
  const code = await accountBot(fixture, server, 'cora', 'code');
  await code.client.createRoom('code', { visibility: 'public' });
  const secret = await accountBot(fixture, server, 'sam', 'secret');
  await secret.client.createRoom('secret', { title: 'Not for everyone' });
  const gus = await fixture.user(server, 'gus');
  await gus.page.locator('#add-room').click();
  assert.equal(await gus.isVisible('#create-private'), false, 'a guest creates no private rooms');
  await gus.page.locator('#browse-rooms').click();
  await gus.page.locator('#directory').waitFor();
  // A change may take two seconds to be seen in the list.
  await until('both rooms are listed', async () => {
    await gus.page.keyboard.press('Enter');
    return (await found(gus)).length === 2;
  });
  const tea = gus.page.locator('#directory-list [data-room="tea"]');
  assert.match(await tea.innerText(), /Tea and cake\s+#tea\s+All about tea\s+1 person here now, last message /);
  assert.deepEqual(await violations(gus, 'the public rooms'), []);
  for (const width of [1280, 320]) {
    await gus.page.setViewportSize({ width, height: 667 });
    await assertLayout(gus, 'the public rooms');
  }
  await gus.page.setViewportSize({ width: 1280, height: 800 });
  await gus.page.locator('#directory-query').fill('nothing like it');
  await untilEqual(() => gus.text('#directory-status'), 'No public room has this text in its name, title or topic.');
  await gus.page.locator('#directory-query').fill('CAKE');
  await untilEqual(async () => (await found(gus)).length, 1);
  await gus.page.getByRole('button', { name: 'Join Tea and cake' }).click();
  await gus.waitForRoom('Tea and cake');
  await gus.waitForMessage('hello');
  assert.equal(await gus.text('#room-topic'), 'All about tea');
  assert.equal(await gus.page.locator('#people-topic em').innerText(), 'tea');
});

browserTest('an owner gives a room a title and a topic, and everyone sees them at once', async (fixture) => {
  const server = await fixture.server();
  const olga = await accountUser(fixture, server, 'olga', 'tea');
  await olga.page.locator('#open-room-settings', { hasText: 'Register this room' }).click();
  await olga.page.locator('#room-settings-visibility').selectOption('public');
  await olga.page.locator('#room-settings-submit').click();
  await olga.waitUntilHidden('#room-settings');
  await untilEqual(() => olga.text('#toast-text'), 'You own #tea now.');
  const gus = await fixture.user(server, 'gus', 'tea');
  assert.equal(await gus.isVisible('.people-actions'), false);
  await olga.page.locator('#open-room-settings', { hasText: 'Room settings' }).click();
  await olga.page.locator('#room-settings').waitFor();
  assert.equal(await olga.focused(), 'room-settings-name');
  assert.equal(await olga.page.locator('#room-settings-visibility').inputValue(), 'public');
  assert.equal(await olga.text('#room-settings-name-hint'), 'Without a title, the room is called #tea.');
  const topic = `${'All about <b>tea</b> and cake. '.repeat(10)}[The end](https://example.org/end).`;
  const text = topic.replace(/\[(.*)\]\(.*\)/, '$1');
  await olga.page.locator('#room-settings-name').fill('Tea & <cake>');
  await olga.page.locator('#room-settings-topic').fill(topic);
  assert.deepEqual(await violations(olga, 'the settings'), []);
  await olga.page.locator('#room-settings-submit').click();
  await gus.waitForRoom('Tea & <cake>');
  assert.equal(await gus.text('#room-topic'), text);
  assert.equal(await gus.page.locator('#room-topic').getAttribute('title'), text);
  assert.equal(await gus.text('#people-topic'), text);
  assert.equal(await gus.page.locator('#people-topic a').getAttribute('href'), 'https://example.org/end');
  assert.equal(await gus.page.title(), 'Tea & <cake> – chatd');
  assert.deepEqual(await gus.page.locator('#rooms-list .room-name').allInnerTexts(), ['Tea & <cake>']);
  assert.equal(await gus.page.locator('#compose-text').getAttribute('placeholder'), 'Message Tea & <cake>');
  for (const width of [1280, 320]) {
    await gus.page.setViewportSize({ width, height: 667 });
    await assertLayout(gus, 'a long topic');
  }
  // The switcher finds it by both.
  await gus.page.keyboard.press('Control+k');
  for (const text of ['cake', 'tea']) {
    await gus.page.locator('#switcher-room').fill(text);
    await untilEqual(() => gus.text('#switcher-go'), 'Open Tea & <cake>');
  }
  await olga.page.locator('#open-room-settings').click();
  for (const id of ['name', 'topic']) await olga.page.locator(`#room-settings-${id}`).fill('');
  await olga.page.locator('#room-settings-submit').click();
  await gus.waitForRoom('tea');
  assert.equal(await gus.page.locator('#room-topic').isHidden(), true);
});
