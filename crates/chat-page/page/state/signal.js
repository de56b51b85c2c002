/** Tells those who listen that something changed. */
export class Signal {
  #listeners = new Map();

  /** The answer stops it. */
  on(type, listener) {
    if (!this.#listeners.has(type)) this.#listeners.set(type, new Set());
    const listeners = this.#listeners.get(type).add(listener);
    return () => listeners.delete(listener);
  }

  tell(type, event) {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) listener(event);
  }
}
