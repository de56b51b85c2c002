// Measures how smoothly a room of 5,000 messages scrolls: from the newest message to the first and
// back, in mouse-wheel steps. Prints the longest task of the page (PerformanceObserver, `longtask`:
// those of 50 ms and more), the longest frame and the maximum number of entries in the DOM. Exits
// with 1 if a task took more than 50 ms. Needs a release build of the server and an idle machine.

import { findChromium, launch } from './test/support/chromium.js';
import { User } from './test/support/user.js';
import { Bot } from './test/support/bot.js';
import { Server } from '../../../clients/js/test/support/server.js';

const MESSAGES = 5_000;
const MAX_TASK_MS = 50;

const FENCE = '```';
const KINDS = [
  (number) => `Message ${number}`,
  (number) => `A longer message, no. ${number}: ${'some more words, '.repeat(12)}and **bold** ones.`,
  (number) => `Look at this (${number}):\n\n${FENCE}rust\nfn main() {\n    let answer: u32 = ${number}; // as ever\n    println!("{answer}");\n}\n${FENCE}`,
  (number) => `- one\n- two \`${number}\`\n- three, @ana`,
  (number) => `| what | how many |\n|---|--:|\n| tea | ${number} |\n| coffee | 0 |`,
];

/** Runs in the page: scrolls by this many pixels per frame until the end is reached. */
async function scroll(by) {
  const log = document.querySelector('#messages');
  const start = document.querySelector('#log-start');
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const isDone = () => (by < 0
    ? log.scrollTop === 0 && start.dataset.state === 'beginning'
    : document.querySelector('#jump-newest').hidden);
  const seen = { frames: 0, longestFrame: 0, entries: 0 };
  let before = performance.now();
  while (!isDone()) {
    log.scrollTop += by;
    await frame();
    const now = performance.now();
    seen.frames += 1;
    seen.longestFrame = Math.max(seen.longestFrame, now - before);
    seen.entries = Math.max(seen.entries, log.querySelectorAll('.entry').length);
    before = now;
  }
  return seen;
}

async function measure(page) {
  await page.evaluate(() => {
    window.tasks = [];
    window.observer = new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map(({ duration }) => duration)));
    window.observer.observe({ type: 'longtask' });
  });
  const up = await page.evaluate(scroll, -250);
  const down = await page.evaluate(scroll, 250);
  const tasks = await page.evaluate(() => [...window.tasks, ...window.observer.takeRecords().map(({ duration }) => duration)]);
  return { up, down, tasks };
}

if (!findChromium()) throw new Error('there is no Chromium on this machine: set CHROMIUM to its path');
const server = await Server.start([]);
const browser = await launch();
try {
  const ben = await Bot.join(server, 'ben', 'lobby');
  await ben.sendMany(MESSAGES, (number) => KINDS[number % KINDS.length](number));
  ben.leave();
  const ana = await User.at(await browser.newPage({ viewport: { width: 1280, height: 800 } }), server.address);
  await ana.page.goto(`${server.address}/r/lobby`);
  await ana.enter('ana');
  await ana.page.locator(`[data-seq="${MESSAGES}"] .body`).first().waitFor();
  const { up, down, tasks } = await measure(ana.page);
  const longest = Math.max(0, ...tasks);
  for (const [name, { frames, longestFrame, entries }] of Object.entries({ up, down })) {
    console.log(`${name}: ${frames} frames, the longest ${longestFrame.toFixed(0)} ms, at most ${entries} entries in the page`);
  }
  console.log(longest > 0 ? `longest task: ${longest.toFixed(0)} ms, tasks of 50 ms and more: ${tasks.length}` : 'longest task: below 50 ms');
  ana.check();
  process.exitCode = longest > MAX_TASK_MS ? 1 : 0;
} finally {
  await browser.close();
  await server.remove();
}
