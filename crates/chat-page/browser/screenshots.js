// The pictures in docs/: a lively room, in light, in dark, and on a phone.

import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { findChromium, launch } from './test/support/chromium.js';
import { Person } from './test/support/person.js';
import { Raw } from './test/support/raw.js';
import { Server } from '../../../clients/js/test/support/server.js';

const DOCS = fileURLToPath(new URL('../../../docs/', import.meta.url));
const FENCE = '```';
const TALK = [
  ['mira', 'Good morning! The new release is on the **test server** since eight.'],
  ['jonas', 'Morning. Restarted it twice under load, and the page came back by itself each time.'],
  ['mira', 'Nice. What is left for today:\n\n- [x] restart under load\n- [x] read the notes once more\n- [ ] tell the people in #support'],
  ['tomás', `I had another look at the limit. This is all it takes:\n\n${FENCE}rust\n/// A room is full at so many members.\nfn is_full(members: usize) -> bool {\n    members >= 500 // counted, never guessed\n}\n${FENCE}`],
  ['leo', '> counted, never guessed\n\nI like that. Numbers from last night:\n\n| members | median | 99 % |\n|---|--:|--:|\n| 100 | 0.4 ms | 1.1 ms |\n| 1,000 | 1.9 ms | 4.6 ms |'],
  ['ana', 'Looks good to me. Let us ship it after lunch.'],
  ['jonas', '@ana could you have a look at the [notes](https://example.org/notes) before?'],
];
const PEOPLE = ['mira', 'jonas', 'tomás', 'leo', 'priya', 'kenji'];

async function picture(browser, name, options) {
  const server = await Server.start([]);
  try {
    const raws = new Map();
    for (const one of PEOPLE) raws.set(one, await Raw.in(server, one, 'release'));
    const context = await browser.newContext({ locale: 'en-GB', reducedMotion: 'reduce', ...options });
    const ana = await Person.on(await context.newPage(), server.address);
    await ana.page.goto(`${server.address}/r/design`);
    await ana.enter('ana');
    await ana.joinAnother('support');
    await ana.joinAnother('release');
    for (const [from, body] of TALK) {
      if (from !== 'ana') await raws.get(from).say(body);
      else {
        await ana.page.locator('#compose-text').fill(body);
        await ana.page.locator('#send').click();
        await ana.sees(body);
      }
    }
    const guest = await Raw.in(server, 'oskar', 'design');
    for (const body of ['The icons are done.', 'And the dark ones, too.', 'Pictures follow.']) await guest.say(body);
    await ana.sees('could you have a look');
    await ana.page.locator('#rooms-list li[data-room="design"] .badge', { hasText: '3' }).waitFor({ state: 'attached' });
    raws.get('priya').room.typing();
    await ana.page.locator('#typing', { hasText: 'priya is typing' }).waitFor();
    const path = `${DOCS}${name}.png`;
    await ana.page.screenshot({ path });
    console.log(`${path}: ${Math.ceil((await stat(path)).size / 1024)} KB`);
    for (const raw of [...raws.values(), guest]) raw.leave();
    await context.close();
  } finally {
    await server.remove();
  }
}

if (!findChromium()) throw new Error('there is no Chromium on this machine: set CHROMIUM to its path');
const browser = await launch();
try {
  const desktop = { viewport: { width: 1280, height: 800 } };
  await picture(browser, 'page-light', { ...desktop, colorScheme: 'light' });
  await picture(browser, 'page-dark', { ...desktop, colorScheme: 'dark' });
  await picture(browser, 'page-phone', {
    viewport: { width: 375, height: 667 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, colorScheme: 'light',
  });
} finally {
  await browser.close();
}
