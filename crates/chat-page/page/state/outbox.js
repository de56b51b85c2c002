// Messages that are unacknowledged or have failed. The browser stores them, so that they survive a
// reload, a crash and a discarded tab.

import { storageOutbox } from '/client.js';
import { browserStorage } from './storage.js';

const MAX_FAILED = 100;

/** The outbox that the client fills and empties. */
export function outboxOf(name) {
  const storage = browserStorage('localStorage');
  return storage && storageOutbox(storage, `chatd.outbox.${name}`);
}

/** Removes the unsent messages of this name. */
export function forgetOutbox(name) {
  const outbox = outboxOf(name);
  for (const message of loaded(outbox)) outbox.remove(message);
}

/**
 * A user's messages that the server refused. They are kept until the user sends, edits or discards
 * them.
 */
export class FailedMessages {
  #store;

  constructor(name) {
    const storage = browserStorage('localStorage');
    this.#store = storage && storageOutbox(storage, `chatd.failed.${name}`);
  }

  /**
   * The failed messages of one room, oldest first: `{room, id, body, createdAt, error: {code,
   * message}}`.
   */
  of(room) {
    return loaded(this.#store).filter((message) => message.room === room);
  }

  add(message) {
    try {
      for (const oldest of loaded(this.#store).slice(0, 1 - MAX_FAILED)) this.remove(oldest);
      this.#store?.add(message);
    } catch {
      // The storage is full: the message is only in the page.
    }
  }

  remove(message) {
    try {
      this.#store?.remove(message);
    } catch {
      // No access: then nothing was stored either.
    }
  }

  forget() {
    for (const message of loaded(this.#store)) this.remove(message);
  }
}

function loaded(store) {
  try {
    return store?.load() ?? [];
  } catch {
    return [];
  }
}
