// The other tabs and windows of this browser: which names they use, and how a name moves from one
// tab to another.

import { Signal } from './signal.js';

/** A tab that does not answer within this time is suspended or closed. */
const ANSWER_TIMEOUT_MS = 300;
/** A tab that does not release its name within this time never will. */
const RELEASE_TIMEOUT_MS = 5_000;

/** Emits `change` when another tab claims or releases a name. */
class Tabs extends Signal {
  #channel = typeof BroadcastChannel === 'function' ? new BroadcastChannel('chatd') : null;
  #id = Math.random().toString(36).slice(2);
  /** The names in use, by the other tab's id. */
  #names = new Map();
  #held = null;
  #release = () => {};

  constructor() {
    super();
    this.#channel?.addEventListener('message', ({ data }) => this.#onMessage(data));
    window.addEventListener('pagehide', () => this.#held !== null && this.#post('gone'));
    window.addEventListener('pageshow', ({ persisted }) => persisted && this.#held !== null && this.#post('here', this.#held));
    this.#post('ask');
  }

  has(name) {
    return [...this.#names.values()].includes(name);
  }

  /** Claims a name for this tab. `release()` is called when another tab asks for it. */
  hold(name, release) {
    this.#held = name;
    this.#release = release;
    this.#post('here', name);
  }

  /** Releases the name without being asked. */
  drop() {
    this.#held = null;
    this.#post('gone');
  }

  /**
   * Asks the other tabs to release a name. Resolves when no tab uses it, or when the tab that did
   * does not answer.
   */
  async takeOver(name) {
    if (!this.has(name)) {
      this.#post('ask');
      await this.#waitFor(() => this.has(name), ANSWER_TIMEOUT_MS);
    }
    if (!this.has(name)) return;
    this.#post('give', name);
    await this.#waitFor(() => !this.has(name), RELEASE_TIMEOUT_MS);
    // A tab that does not answer was discarded without notice: it no longer uses the name.
    for (const [id, held] of this.#names) if (held === name) this.#names.delete(id);
  }

  #onMessage({ type, id, name }) {
    if (type === 'ask' && this.#held !== null) this.#post('here', this.#held);
    else if (type === 'give' && name === this.#held) {
      this.#release();
      this.drop();
    } else if (type === 'here' || type === 'gone') {
      if (type === 'here') this.#names.set(id, name);
      else this.#names.delete(id);
      this.emit('change');
    }
  }

  #post(type, name) {
    this.#channel?.postMessage({ type, id: this.#id, name });
  }

  #waitFor(condition, timeoutMs) {
    return new Promise((resolve) => {
      const end = () => {
        off();
        clearTimeout(timer);
        resolve();
      };
      const off = this.on('change', () => condition() && end());
      const timer = setTimeout(end, timeoutMs);
    });
  }
}

export const tabs = new Tabs();
