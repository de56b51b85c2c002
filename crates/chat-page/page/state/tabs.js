// The other tabs and windows of this browser: which names are in use there, and how a name moves from one tab to another.

import { Signal } from './signal.js';

/** A tab that was not heard of within this time is asleep, or is not there. */
const ANSWER_WITHIN_MS = 300;
/** A tab gives up its session within this time, or never. */
const GIVES_WITHIN_MS = 5_000;

/** Signals `change` when names are taken into use or given up in other tabs. */
class Tabs extends Signal {
  #channel = typeof BroadcastChannel === 'function' ? new BroadcastChannel('chatd') : null;
  #id = Math.random().toString(36).slice(2);
  /** By the other tab's id. */
  #names = new Map();
  #held = null;
  #release = () => {};

  constructor() {
    super();
    this.#channel?.addEventListener('message', ({ data }) => this.#heard(data));
    window.addEventListener('pagehide', () => this.#held !== null && this.#say('gone'));
    window.addEventListener('pageshow', ({ persisted }) => persisted && this.#held !== null && this.#say('here', this.#held));
    this.#say('ask');
  }

  has(name) {
    return [...this.#names.values()].includes(name);
  }

  /** This tab uses a name from now on, until another tab asks for it: then `release()` is called. */
  hold(name, release) {
    this.#held = name;
    this.#release = release;
    this.#say('here', name);
  }

  /** Gives the name up without being asked. */
  drop() {
    this.#held = null;
    this.#say('gone');
  }

  /** Asks the other tabs to give a name up; resolves when none of them uses it any more, or does not answer. */
  async takeOver(name) {
    if (!this.has(name)) {
      this.#say('ask');
      await this.#until(() => this.has(name), ANSWER_WITHIN_MS);
    }
    if (!this.has(name)) return;
    this.#say('give', name);
    await this.#until(() => !this.has(name), GIVES_WITHIN_MS);
    // a tab that does not answer was discarded without a word: it holds nothing any more
    for (const [id, held] of this.#names) if (held === name) this.#names.delete(id);
  }

  #heard({ type, id, name }) {
    if (type === 'ask' && this.#held !== null) this.#say('here', this.#held);
    else if (type === 'give' && name === this.#held) {
      this.#release();
      this.drop();
    } else if (type === 'here' || type === 'gone') {
      if (type === 'here') this.#names.set(id, name);
      else this.#names.delete(id);
      this.tell('change');
    }
  }

  #say(type, name) {
    this.#channel?.postMessage({ type, id: this.#id, name });
  }

  #until(isSo, withinMs) {
    return new Promise((resolve) => {
      const end = () => {
        off();
        clearTimeout(timer);
        resolve();
      };
      const off = this.on('change', () => isSo() && end());
      const timer = setTimeout(end, withinMs);
    });
  }
}

export const tabs = new Tabs();
