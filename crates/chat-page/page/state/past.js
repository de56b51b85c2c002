// A part of a room's history that does not reach the newest messages: those around a message to
// which the user has jumped.

import { MessageList } from '/client.js';

export class Past {
  /** The messages, each in its newest state, as in the list of the newest ones. */
  list = new MessageList();
  /** Every message up to this number is loaded. */
  last;
  /** A promise while newer messages are being loaded. */
  loading = null;
  /** Why newer messages could not be loaded, or `null`. */
  failed = null;

  /** Begins with a page of history. Messages before `oldest` are gone. */
  constructor({ first, last, messages }, oldest) {
    this.list.apply('joined', { recovered: false, first, messages, oldest });
    this.last = last;
  }

  /** Inserts the answer to `history({ after: last })`. */
  append({ last, messages }) {
    for (const message of messages) this.list.apply('message', { message });
    this.last = last;
  }

  /** What is loaded before this number, as a page of history. */
  before(seq) {
    const { items, first, more } = this.list;
    return { messages: items.slice(0, this.list.indexFrom(seq)), first, more };
  }
}
