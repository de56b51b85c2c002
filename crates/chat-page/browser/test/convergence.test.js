// Pages that were away show the same room as those that stayed. ROUNDS sets how often (default 2).

import assert from 'node:assert/strict';
import { browserTest } from './support/fixture.js';
import { until } from './support/until.js';

const ROUNDS = Number(process.env.ROUNDS ?? 2);
const EVENTS = 50;
/** How many of the newest messages are compared. */
const COMPARED = 40;
const PHONE = { viewport: { width: 375, height: 667 }, hasTouch: true, isMobile: true };
/** What a quote shows of a message that is not loaded. */
const UNLOADED = ',Earlier message';
const EMOJI = ['👍', '❤️', '🎉'];

/** Numbers that look random and are the same in each run (mulberry32). */
function randomFrom(seed) {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** What the room looks like: everything but what differs between users. */
function snapshot(user) {
  return user.page.locator('#log-list .message').evaluateAll((messages, count) => messages.slice(-count).map((message) => ({
    seq: message.dataset.seq, from: message.dataset.from, state: message.dataset.state, text: message.querySelector('.body').innerText,
    isEdited: message.querySelector('.edited') !== null,
    quote: [message.querySelector('.quote')?.dataset.target, message.querySelector('.quote .excerpt')?.textContent].join(),
    reactions: [...message.querySelectorAll('.reaction')].map((chip) => `${chip.dataset.emoji}${chip.querySelector('.number').textContent}`).join(' '),
  })), COMPARED);
}

/** What a page shows, without the text of quoted messages that the newcomer has not loaded. */
function likened(seen, expected) {
  return seen.map((message, index) => (expected[index]?.quote.endsWith(UNLOADED) ? { ...message, quote: message.quote.replace(/,.*/s, UNLOADED) } : message));
}

/** Bots that write, reply, edit, delete and react. */
class Crowd {
  #bots;
  #random;
  #alive = [];
  #reactions = new Set();
  #count = 0;

  constructor(bots, random) {
    this.#bots = bots;
    this.#random = random;
  }

  async act() {
    const bot = this.#bots[this.#random(this.#bots.length)];
    // Recent ones: what happens to messages that no page compares shows nothing.
    const recent = this.#alive.slice(-COMPARED / 2);
    const target = recent[this.#random(recent.length)];
    const choice = target ? this.#random(20) : 0;
    this.#count += 1;
    if (choice < 7) {
      const { seq } = await bot.room.send(`text ${this.#count}`, { replyTo: choice < 3 ? target?.seq : undefined });
      this.#alive.push({ seq, bot });
    } else if (choice < 11) await target.bot.room.edit(target.seq, `edited ${this.#count}`);
    else if (choice < 13) {
      await target.bot.room.delete(target.seq);
      this.#alive.splice(this.#alive.indexOf(target), 1);
    } else {
      const emoji = EMOJI[this.#random(EMOJI.length)];
      const key = `${target.seq} ${emoji} ${this.#bots.indexOf(bot)}`;
      const isOn = !this.#reactions.delete(key);
      if (isOn) this.#reactions.add(key);
      await bot.room.react(target.seq, emoji, isOn);
    }
  }

  /** The server has started again: waits until everyone is back in the room. */
  async isBack() {
    for (const { client, room } of this.#bots) await until('a bot is back', () => client.reconnect() ?? room.state === 'in');
  }
}

browserTest('a page that was offline during many changes shows the same room, also after the server has crashed', async (fixture) => {
  const server = await fixture.server();
  const proxy = await fixture.proxy(server);
  const crowd = new Crowd(await Promise.all(['dan', 'eve', 'fay'].map((name) => fixture.bot(server, name))), randomFrom(Number(process.env.SEED ?? 1)));
  const away = await fixture.user(proxy, 'ana');
  const ben = await fixture.user(server, 'ben');
  const phone = await fixture.user(server, 'cid', 'lobby', PHONE);
  const users = [away, ben, phone];
  for (const user of users) user.expectsOutage = true;
  for (let event = 0; event < 10; event += 1) await crowd.act();
  for (let round = 1; round <= ROUNDS; round += 1) {
    proxy.cut();
    await away.waitForBanner('down');
    await away.send(`written offline ${round}`);
    for (let event = 0; event < EVENTS / 2; event += 1) await crowd.act();
    await server.kill();
    await server.start();
    await crowd.isBack();
    for (let event = 0; event < EVENTS / 2; event += 1) await crowd.act();
    proxy.restore();
    for (const user of users) {
      await user.clickBannerAction();
      await user.waitForBanner('none');
      await user.waitForMessage(`written offline ${round}`);
    }
    // A newcomer has everything from the server.
    const newcomer = await fixture.user(server, `new-${round}`);
    await newcomer.waitForMessage(`written offline ${round}`);
    const expected = await snapshot(newcomer);
    assert.ok(expected.length > 5 && expected.some(({ reactions }) => reactions !== ''));
    for (const user of users) {
      let seen;
      await until('the room is the same', async () => JSON.stringify(seen = likened(await snapshot(user), expected)) === JSON.stringify(expected))
        .catch(() => assert.deepEqual(seen, expected, `round ${round}`));
    }
    await newcomer.page.close();
  }
});
