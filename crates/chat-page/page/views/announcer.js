import { byId, h } from '../dom.js';

const MAX_LINES = 6;
const MAX_CHARACTERS = 300;

/**
 * Announces new messages to screen readers. The log itself is not a live region, because older
 * messages that are inserted above, and messages that are removed and restored while the user
 * scrolls, are not new.
 */
export class Announcer {
  #element = byId('announcer');

  messages(room, messages) {
    if (messages.length > 3) return this.announce(`${messages.length} new messages`);
    for (const { seq, from, body } of messages) {
      this.announce(`${from}: ${body.slice(0, MAX_CHARACTERS)}`, { 'data-room': room.name, 'data-seq': seq });
    }
  }

  /** Removes messages that were deleted. Removals are not announced. */
  retract({ room, seqs }) {
    for (const line of [...this.#element.children]) {
      const { room: name, seq } = line.dataset;
      if (name === room.name && (!seqs || seqs.includes(Number(seq)))) line.remove();
    }
  }

  announce(text, attributes = {}) {
    this.#element.append(h('p', attributes, text));
    while (this.#element.childElementCount > MAX_LINES) this.#element.firstElementChild.remove();
  }
}
