/** A minimal event emitter. */
export class Signal {
  #listeners = new Map();

  /** Adds a listener. Call the returned function to remove it. */
  on(type, listener) {
    if (!this.#listeners.has(type)) this.#listeners.set(type, new Set());
    const listeners = this.#listeners.get(type).add(listener);
    return () => listeners.delete(listener);
  }

  emit(type, event) {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) listener(event);
  }
}
