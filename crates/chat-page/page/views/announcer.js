import { byId, h } from '../dom.js';

const MOST_LINES = 6;
const MOST_CHARACTERS = 300;

/**
 * Says new messages to a screen reader. The log itself is silent: older messages that are put in above, and those that are taken out and put
 * back while one scrolls, are no news.
 */
export class Announcer {
  #element = byId('announcer');

  messages(messages) {
    if (messages.length > 3) return this.say(`${messages.length} new messages`);
    for (const { from, body } of messages) this.say(`${from}: ${body.slice(0, MOST_CHARACTERS)}`);
  }

  say(text) {
    this.#element.append(h('p', {}, text));
    while (this.#element.childElementCount > MOST_LINES) this.#element.firstElementChild.remove();
  }
}
