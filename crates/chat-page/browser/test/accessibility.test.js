// Violations that axe-core finds in each view, in both colour schemes.

import assert from 'node:assert/strict';
import { Admin } from './support/admin.js';
import { violations as problems } from './support/axe.js';
import { browserTest } from './support/fixture.js';
import { until } from './support/until.js';

const RICH = [
  '# Heading', 'A [link](https://example.org/), `code`, **bold**, @ana and @ben in #tea.', '', '> quoted', '', '- [x] done', '- [ ] not', '',
  '| a | b |', '|---|--:|', '| 1 | 2 |', '',
  '```rust', '#[derive(Debug)]', 'struct Point { x: f64 } // a comment', 'fn main() { let s: &str = "text"; println!("{}", 1 + 2 == MAX); }', '```', '',
  '```html', '<p class="x">text</p>', '```', '', '```css', 'a { color: #fff; margin: 1px }', '```', '', '```yaml', 'key: value', '```', '',
  '```bash', 'echo "$HOME" # say', '```',
].join('\n');

for (const colorScheme of ['light', 'dark']) {
  browserTest(`the form and the room have no serious violation, ${colorScheme}`, async (fixture) => {
    const server = await fixture.server();
    const ben = await fixture.bot(server, 'ben');
    const ana = await fixture.visitor(server, '/', { colorScheme });
    const found = await problems(ana, 'form');
    await ana.page.locator('#entry-name').fill('a name');
    await ana.page.keyboard.press('Enter');
    await ana.page.locator('#entry-name[aria-invalid]').waitFor();
    found.push(...await problems(ana, 'form with an error'));
    await ana.page.locator('#entry-name').fill('ana');
    await ana.page.keyboard.press('Enter');
    await ana.waitForRoom('lobby');
    found.push(...await problems(ana, 'empty room'));

    await ben.send(RICH);
    await ana.waitForMessage('quoted');
    await ana.send(RICH.replace('# Heading', '# My heading'));
    await ana.waitForMessage('My heading');
    await ana.page.locator('#compose-text').fill(RICH);
    found.push(...await problems(ana, 'room'));
    await ana.page.locator('#compose-text').fill('@b');
    await ana.page.locator('#completion [role="option"]').waitFor();
    found.push(...await problems(ana, 'completion'));
    await ana.page.locator('#leave-room').click();
    await ana.page.locator('#toast').waitFor();
    found.push(...await problems(ana, 'no room'));
    assert.deepEqual(found, []);
  });

  browserTest(`deleted messages have no serious violation, ${colorScheme}`, async (fixture) => {
    const { server, admin } = await Admin.start(fixture);
    const ben = await fixture.bot(server, 'ben');
    const ana = await fixture.user(server, 'ana', 'lobby', { colorScheme });
    await ben.send('to be deleted');
    await ana.sendAndWait('an answer');
    await admin.erase(ben.client.user.id);
    await ana.page.locator('.message[data-state="deleted"]').waitFor();
    assert.deepEqual(await problems(ana, 'room'), []);
  });

  browserTest(`the dialogs have no serious violation, ${colorScheme}`, async (fixture) => {
    const server = await fixture.server();
    const ana = await fixture.user(server, 'ana', 'lobby', { colorScheme });
    await ana.joinRoom('tea');
    const ben = await fixture.bot(server, 'ben', 'lobby');
    await ben.send('hello @ana');
    await ana.page.locator('#rooms-list .badge.mentioned:not([hidden])').waitFor();
    const found = [];
    for (const [opener, dialog] of [['open-settings', 'settings'], ['open-help', 'help'], ['add-room', 'switcher']]) {
      await ana.page.locator(`#${opener}`).click();
      await ana.page.locator(`#${dialog}`).waitFor();
      found.push(...await problems(ana, dialog));
      await ana.page.keyboard.press('Escape');
    }
    await ana.page.setViewportSize({ width: 375, height: 667 });
    for (const opener of ['open-rooms', 'open-people']) {
      await ana.page.locator(`#${opener}`).click();
      await ana.page.locator('#drawer').waitFor();
      found.push(...await problems(ana, `drawer of ${opener}`));
      await ana.page.keyboard.press('Escape');
      await ana.waitUntilHidden('#drawer');
    }
    assert.deepEqual(found, []);
  });

  browserTest(`menus, reactions, replies and the search have no serious violation, ${colorScheme}`, async (fixture) => {
    const server = await fixture.server();
    const ben = await fixture.bot(server, 'ben');
    const ana = await fixture.user(server, 'ana', 'lobby', { colorScheme });
    await ben.send('first');
    await ben.room.send('second, @ana', { replyTo: 1 });
    await ben.room.react(1, '👍');
    await ana.waitForMessage('second');
    await ana.openMenu('first');
    const found = await problems(ana, 'menu');
    await ana.page.locator('#message-menu [data-emoji="🎉"]').click();
    await until('the reactions are shown', async () => (await ana.reactions('first')).length === 2);
    await ana.act('second', 'reply');
    found.push(...await problems(ana, 'replying'));
    await ana.page.locator('.quote').click();
    await ana.page.locator('.message.target').waitFor();
    found.push(...await problems(ana, 'message that was jumped to'));
    await ana.page.locator('.add-reaction').click();
    await ana.page.locator('#picker').waitFor();
    await until('all groups are loaded', async () => await ana.page.locator('#picker h2').count() === 10);
    found.push(...await problems(ana, 'emoji picker'));
    await ana.page.keyboard.press('Escape');
    await ana.waitUntilHidden('#picker');
    await ana.page.locator('#open-search').click();
    await until('the messages are found', async () => {
      await ana.page.locator('#search-query').fill('first');
      await ana.page.keyboard.press('Enter');
      await until('the search has ended', async () => await ana.text('#search-status') !== 'Searching…');
      return await ana.page.locator('#search-results a').count() === 1;
    });
    found.push(...await problems(ana, 'search'));
    await ana.page.keyboard.press('Escape');
    await ana.page.setViewportSize({ width: 375, height: 667 });
    await ana.page.locator('#messages').focus();
    for (const key of ['ArrowUp', 'Enter']) await ana.page.keyboard.press(key);
    await ana.page.locator('#message-menu').waitFor();
    found.push(...await problems(ana, 'menu on a narrow screen'));
    assert.deepEqual(found, []);
  });

  browserTest(`the page has no serious violation while disconnected, ${colorScheme}`, async (fixture) => {
    const server = await fixture.server();
    const proxy = await fixture.proxy(server);
    const ana = await fixture.user(proxy, 'ana', 'lobby', { colorScheme });
    ana.expectsOutage = true;
    proxy.cut();
    await ana.waitForBanner('down');
    await ana.send('not sent yet');
    await ana.page.locator('.message[data-state="pending"]').waitFor();
    assert.deepEqual(await problems(ana, 'down'), []);
  });
}
