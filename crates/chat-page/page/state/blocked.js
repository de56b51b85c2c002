// The users whom the user has blocked. The server knows only their ids: their names are what this
// browser has seen of them.

import { persistent } from './storage.js';

export class BlockedUsers {
  #chat;
  /** The names by id, also those of users who are in no room now. */
  #names = {};

  constructor(chat) {
    this.#chat = chat;
    chat.on('blocking', () => {
      this.#learn();
      for (const user of Object.keys(this.#names)) if (!chat.isBlocked(user)) delete this.#names[user];
      this.#save();
    });
  }

  /** `{user, username}` of each, by name. `username` is `null` if this browser has not seen it. */
  all() {
    this.#learn();
    this.#save();
    const all = [...this.#chat.blocked].map((user) => ({ user, username: this.#names[user] ?? null }));
    return all.sort(({ username: one }, { username: other }) => (one === null) - (other === null) || (one ?? '').localeCompare(other ?? ''));
  }

  /** The user is about to block this one. */
  note(user, username) {
    this.#names[user] = username;
  }

  /** Other tabs, earlier visits and the rooms know names. */
  #learn() {
    Object.assign(this.#names, persistent.get(this.#key));
    for (const user of this.#chat.blocked) {
      const name = this.#chat.nameOf(user);
      if (name !== undefined) this.#names[user] = name;
    }
  }

  #save() {
    persistent.set(this.#key, Object.keys(this.#names).length > 0 ? this.#names : null);
  }

  get #key() {
    return `blocked.${this.#chat.name}`;
  }
}
