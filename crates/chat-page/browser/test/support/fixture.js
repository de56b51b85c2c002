// What a test starts, and what is cleaned up after it: one browser per file, servers and users per
// test.

import { after, test } from 'node:test';
import { findChromium, launch } from './chromium.js';
import { TcpProxy } from '../../../../../clients/js/test/support/proxy.js';
import { User } from './user.js';
import { Bot } from './bot.js';
import { Server } from '../../../../../clients/js/test/support/server.js';

const NO_BROWSER = 'there is no Chromium on this machine (set CHROMIUM to its path): the page was not tested in a browser';

let browser = null;
after(() => browser?.close());

/** A test that needs a browser. Without one that starts it is skipped. In CI it fails. */
export function browserTest(name, run) {
  const isAbsent = findChromium() === null;
  const skip = isAbsent && !process.env.CI && NO_BROWSER;
  test(name, { skip }, async (t) => {
    if (isAbsent) throw new Error(NO_BROWSER);
    try {
      browser ??= await launch();
    } catch (error) {
      if (process.env.CI) throw error;
      t.skip(`Chromium does not start on this machine: ${error.message.split('\n')[0]}`);
      return;
    }
    const fixture = new Fixture(browser);
    try {
      await run(fixture);
      fixture.check();
    } catch (error) {
      // What only fails on another machine cannot be looked at there.
      t.diagnostic(await fixture.describe());
      throw error;
    } finally {
      await fixture.close();
    }
  });
}

export class Fixture {
  #browser;
  #contexts = [];
  #users = [];
  #cleanups = [];

  constructor(browser) {
    this.#browser = browser;
  }

  async server(...args) {
    const server = await Server.start(args);
    this.#cleanups.push(() => server.remove());
    return server;
  }

  /** Cleans something up after the test. What was added last comes first. */
  atEnd(cleanup) {
    this.#cleanups.push(cleanup);
  }

  async proxy(server) {
    const proxy = await TcpProxy.to(server);
    this.#cleanups.push(() => proxy.close());
    return proxy;
  }

  /**
   * A separate browser context: it shares no storage with the others. Service workers are blocked,
   * because they would hide requests from the test.
   */
  async context(options = {}) {
    const context = await this.#browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', serviceWorkers: 'block', ...options });
    this.#contexts.push(context);
    return context;
  }

  /** A page at this address. Errors in it fail the test. `at` has an `address`. */
  async visitor(at, path = '/', options = {}) {
    const context = options.context ?? await this.context(options);
    const user = await this.watch(await context.newPage(), at.address);
    await user.page.goto(at.address + path);
    return user;
  }

  /** What every page shows, and what went wrong in it. */
  async describe() {
    return (await Promise.all(this.#users.map((user) => user.describe()))).join('\n');
  }

  async watch(page, address) {
    const user = await User.at(page, address);
    this.#users.push(user);
    return user;
  }

  /** A user who has joined the room in a page. */
  async user(at, name, room = 'lobby', options = {}) {
    const user = await this.visitor(at, `/r/${encodeURIComponent(room)}`, options);
    await user.enter(name);
    return user;
  }

  /** Two tabs of the browser of a user who is in the lobby. */
  async twoTabs(at, name) {
    const context = await this.context();
    const first = await this.user(at, name, 'lobby', { context });
    const second = await this.visitor(at, '/', { context });
    await second.page.keyboard.press('Enter');
    await second.waitForRoom('lobby');
    return [first, second];
  }

  /** A user in the room who has no browser. */
  async bot(at, name, room = 'lobby', options = {}) {
    const bot = await Bot.join(at, name, room, options);
    this.#cleanups.push(() => bot.leave());
    return bot;
  }

  /** Asserts that no page had errors. */
  check() {
    for (const user of this.#users) user.check();
  }

  async close() {
    for (const context of this.#contexts) await context.close();
    for (const cleanup of this.#cleanups.reverse()) await cleanup();
  }
}
