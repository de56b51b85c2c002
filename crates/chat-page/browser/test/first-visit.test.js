// The first visit of a user who knows only the address.

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';

browserTest('a new user sends a message with a name, Enter, a text and Enter', async (fixture) => {
  const server = await fixture.server();
  const ben = await fixture.user(server, 'ben');

  const ana = await fixture.visitor(server, '/');
  assert.equal(await ana.focused(), 'entry-name');
  assert.equal(await ana.page.locator('#entry-room').inputValue(), 'lobby');
  await ana.page.keyboard.type('ana');
  await ana.page.keyboard.press('Enter');
  await ana.waitForRoom('lobby');
  assert.equal(await ana.focused(), 'compose-text');
  await ana.page.keyboard.type('Hello, I am new here');
  await ana.page.keyboard.press('Enter');

  const seen = await ben.waitForMessage('Hello, I am new here');
  assert.equal(await seen.getAttribute('data-from'), 'ana');
  const own = await ana.waitForMessage('Hello, I am new here');
  assert.match(await own.getAttribute('class'), /\bmine\b/);
  assert.equal(new URL(ana.page.url()).pathname, '/r/lobby');
  assert.equal(await ana.page.title(), 'lobby – chatd');
});

browserTest('a link opens its room, and the next visit remembers the name', async (fixture) => {
  const server = await fixture.server();
  const context = await fixture.context();
  const ana = await fixture.visitor(server, '/r/tea-%C3%BCber', { context });
  assert.equal(await ana.text('#entry-title'), 'Join #tea-über');
  assert.equal(await ana.page.locator('#entry-room').inputValue(), 'tea-über');
  await ana.enter('ana');
  await ana.waitForRoom('tea-über');
  await ana.page.close();

  const revisit = await fixture.visitor(server, '/', { context });
  assert.equal(await revisit.page.locator('#entry-name').inputValue(), 'ana');
  assert.equal(await revisit.page.locator('#entry-room').inputValue(), 'tea-über');
  assert.equal(await revisit.focused(), 'entry-join');
  await revisit.page.keyboard.press('Enter');
  await revisit.waitForRoom('tea-über');
});

browserTest('the link to a room can be copied and opened', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.user(server, 'ana', 'tea', { permissions: ['clipboard-read', 'clipboard-write'] });
  await ana.page.locator('#copy-link').click();
  await ana.page.locator('#copy-link[data-done]').waitFor();
  const link = await ana.page.evaluate(() => navigator.clipboard.readText());
  assert.equal(link, `${server.address}/r/tea`);
  const ben = await fixture.visitor(server, new URL(link).pathname);
  assert.equal(await ben.text('#entry-title'), 'Join #tea');
});

browserTest('a taken name is reported at its field', async (fixture) => {
  const server = await fixture.server();
  await fixture.user(server, 'ana');
  const other = await fixture.visitor(server, '/r/lobby');
  await other.page.locator('#entry-name').fill('ana');
  await other.page.keyboard.press('Enter');
  await other.page.locator('#entry-name[aria-invalid="true"]').waitFor();
  assert.equal(await other.focused(), 'entry-name');
  assert.match(await other.text('#entry-name-error'), /The name ana is already in use in #lobby/);
  const described = await other.page.locator('#entry-name').getAttribute('aria-describedby');
  assert.ok(described.split(' ').includes('entry-name-error'));

  await other.page.keyboard.type('anna');
  assert.equal(await other.page.locator('#entry-name').inputValue(), 'anna', 'the name was selected, so typing replaces it');
  assert.equal(await other.page.locator('#entry-name').getAttribute('aria-invalid'), null);
  await other.page.keyboard.press('Enter');
  await other.waitForRoom('lobby');
});

browserTest('an invalid name is reported at its field, and the input is kept', async (fixture) => {
  const server = await fixture.server();
  const ana = await fixture.visitor(server, '/');
  const { page } = ana;
  const tries = [
    { name: '', room: 'lobby', field: 'name', text: /Enter a name/ },
    { name: 'ana', room: '', field: 'room', text: /Enter a room/ },
    { name: 'two words', room: 'lobby', field: 'name', text: /That name won’t work/ },
    { name: 'a name', room: 'lobby', field: 'name', text: /up to 50/ },
    { name: 'ana', room: 'a/b', field: 'room', text: /That room name won’t work/ },
  ];
  for (const { name, room, field, text } of tries) {
    await page.locator('#entry-name').fill(name);
    await page.locator('#entry-room').fill(room);
    await page.locator('#entry-join').click();
    await page.locator(`#entry-${field}[aria-invalid="true"]`).waitFor();
    assert.match(await ana.text(`#entry-${field}-error`), text);
    assert.equal(await ana.focused(), `entry-${field}`);
    assert.equal(await page.locator('#entry-name').inputValue(), name);
    assert.equal(await page.locator('#entry-room').inputValue(), room);
  }
});
