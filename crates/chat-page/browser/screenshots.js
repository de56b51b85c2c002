// Takes the screenshots in docs/: a busy room in light, in dark, and on a phone.

import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { findChromium, launch } from './test/support/chromium.js';
import { User } from './test/support/user.js';
import { Bot } from './test/support/bot.js';
import { Server } from '../../../clients/js/test/support/server.js';

const DOCS = fileURLToPath(new URL('../../../docs/', import.meta.url));
const FENCE = '```';
/** The desktop screenshots show a working day. */
const CONVERSATION = [
  ['mira', 'Good morning! The new release is on the **test server** since eight o’clock.'],
  ['jonas', 'Morning. I restarted it twice under load, and the page reconnected each time.'],
  ['mira', 'Nice. Left for today:\n\n- [x] restart under load\n- [x] proofread the notes\n- [ ] tell the people in #support'],
  ['tomás', `I had another look at the limit. This is all it takes:\n\n${FENCE}rust\n/// A room holds at most this many members.\nfn is_full(members: usize) -> bool {\n    members >= 500 // counted, never guessed\n}\n${FENCE}`],
  ['leo', '> counted, never guessed\n\nI like that. Numbers from last night:\n\n| members | median | 99 % |\n|---|--:|--:|\n| 100 | 0.4 ms | 1.1 ms |\n| 1,000 | 1.9 ms | 4.6 ms |'],
  ['ana', 'Looks good to me. Let’s ship it after lunch.'],
  ['jonas', '@ana could you have a look at the [notes](https://example.org/notes) before?'],
];
/** The phone screenshot shows wide content on a narrow screen. */
const WIDE = [
  ['mira', 'The notes for today: https://docs.example.org/engineering/releases/2026/november/notes-for-the-second-release-candidate'],
  ['leo', 'Numbers from last night:\n\n| members | median | 99 % | lost |\n|---|--:|--:|--:|\n| 100 | 0.4 ms | 1.1 ms | 0 |\n| 1,000 | 1.9 ms | 4.6 ms | 0 |'],
  ['tomás', `${FENCE}rust\nfn is_full(members: usize) -> bool {\n    members >= 500 // counted, never guessed\n}\n${FENCE}`],
  ['ana', 'Looks good to me.'],
  ['jonas', '@ana could you have a look at the [notes](https://example.org/notes) before lunch?'],
];
const PEOPLE = ['mira', 'jonas', 'tomás', 'leo', 'priya', 'kenji'];

async function picture(browser, name, talk, options) {
  const server = await Server.start([]);
  try {
    const bots = new Map();
    for (const username of PEOPLE) bots.set(username, await Bot.join(server, username, 'release'));
    const context = await browser.newContext({ locale: 'en-GB', reducedMotion: 'reduce', ...options });
    const ana = await User.at(await context.newPage(), server.address);
    await ana.page.goto(`${server.address}/r/design`);
    await ana.enter('ana');
    await ana.joinRoom('support');
    await ana.joinRoom('release');
    for (const [from, body] of talk) {
      if (from !== 'ana') await bots.get(from).send(body);
      else {
        await ana.page.locator('#compose-text').fill(body);
        await ana.page.locator('#send').click();
        await ana.waitForMessage(body);
      }
    }
    const guest = await Bot.join(server, 'oskar', 'design');
    for (const body of ['The icons are done.', 'The dark ones too.', 'Screenshots will follow.']) await guest.send(body);
    await ana.waitForMessage('could you have a look');
    await ana.page.locator('#rooms-list li[data-room="design"] .badge', { hasText: '3' }).waitFor({ state: 'attached' });
    bots.get('priya').room.typing();
    await ana.page.locator('#typing', { hasText: 'priya is typing' }).waitFor();
    const path = `${DOCS}${name}.png`;
    await ana.page.screenshot({ path });
    console.log(`${path}: ${Math.ceil((await stat(path)).size / 1024)} KB`);
    for (const bot of [...bots.values(), guest]) bot.leave();
    await context.close();
  } finally {
    await server.remove();
  }
}

if (!findChromium()) throw new Error('there is no Chromium on this machine: set CHROMIUM to its path');
const browser = await launch();
try {
  const desktop = { viewport: { width: 1280, height: 900 } };
  await picture(browser, 'page-light', CONVERSATION, { ...desktop, colorScheme: 'light' });
  await picture(browser, 'page-dark', CONVERSATION, { ...desktop, colorScheme: 'dark' });
  await picture(browser, 'page-phone', WIDE, {
    viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, colorScheme: 'light',
  });
} finally {
  await browser.close();
}
