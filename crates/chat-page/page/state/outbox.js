// Messages that have no ack yet, and those that failed, kept by the browser over a reload, a crash and a discarded tab.

import { storageOutbox } from '/client.js';
import { browserStorage } from './storage.js';

const MAX_FAILED = 100;

/** The outbox that the client fills and empties. */
export function outboxOf(name) {
  const storage = browserStorage('localStorage');
  return storage && storageOutbox(storage, `chatd.outbox.${name}`);
}

/** Removes what was not sent under this name. */
export function forgetOutbox(name) {
  const outbox = outboxOf(name);
  for (const message of loaded(outbox)) outbox.remove(message);
}

/** The messages of one user that the server refused: they stay until the user sends, edits or discards them. */
export class FailedMessages {
  #store;

  constructor(name) {
    const storage = browserStorage('localStorage');
    this.#store = storage && storageOutbox(storage, `chatd.failed.${name}`);
  }

  /** Those of one room, oldest first: `{room, id, body, createdAt, error: {code, message}}`. */
  of(room) {
    return loaded(this.#store).filter((message) => message.room === room);
  }

  add(message) {
    try {
      for (const oldest of loaded(this.#store).slice(0, 1 - MAX_FAILED)) this.remove(oldest);
      this.#store?.add(message);
    } catch {
      // the storage is full: the message is on the page only
    }
  }

  remove(message) {
    try {
      this.#store?.remove(message);
    } catch {
      // no access: then it was never added either
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
