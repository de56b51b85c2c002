// What a test starts, and what is cleaned up after it: one browser per file, servers and users per
// test.

import { after, test } from 'node:test';
import { findChromium, launch } from './chromium.js';
import { Line } from '../../../../../clients/js/test/support/proxy.js';
import { Person } from './user.js';
import { Raw } from './bot.js';
import { Server } from '../../../../../clients/js/test/support/server.js';

const ABSENT = 'there is no Chromium on this machine (set CHROMIUM to its path): the page was not tested in a browser';

let browser = null;
after(() => browser?.close());

/** A test that needs a browser. Without one that starts it is skipped. In CI it fails. */
export function browserTest(name, run) {
  const isAbsent = findChromium() === null;
  const skip = isAbsent && !process.env.CI && ABSENT;
  test(name, { skip }, async (t) => {
    if (isAbsent) throw new Error(ABSENT);
    try {
      browser ??= await launch();
    } catch (error) {
      if (process.env.CI) throw error;
      t.skip(`Chromium does not start on this machine: ${error.message.split('\n')[0]}`);
      return;
    }
    const house = new House(browser);
    try {
      await run(house);
      house.check();
    } finally {
      await house.end();
    }
  });
}

export class House {
  #browser;
  #contexts = [];
  #people = [];
  #ends = [];

  constructor(browser) {
    this.#browser = browser;
  }

  async server(...args) {
    const server = await Server.start(args);
    this.#ends.push(() => server.remove());
    return server;
  }

  async line(server) {
    const line = await Line.to(server);
    this.#ends.push(() => line.end());
    return line;
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
    const person = await this.watch(await context.newPage(), at.address);
    await person.page.goto(at.address + path);
    return person;
  }

  async watch(page, address) {
    const person = await Person.on(page, address);
    this.#people.push(person);
    return person;
  }

  /** A user who has joined the room in a page. */
  async person(at, name, room = 'lobby', options = {}) {
    const person = await this.visitor(at, `/r/${encodeURIComponent(room)}`, options);
    await person.enter(name);
    return person;
  }

  /** A user in the room who has no browser. */
  async raw(at, name, room = 'lobby') {
    const raw = await Raw.in(at, name, room);
    this.#ends.push(() => raw.leave());
    return raw;
  }

  /** Asserts that no page had errors. */
  check() {
    for (const person of this.#people) person.check();
  }

  async end() {
    for (const context of this.#contexts) await context.close();
    for (const end of this.#ends.reverse()) await end();
  }
}
