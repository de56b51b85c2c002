import { fold } from '../text/references.js';

/** A set of names with case-insensitive lookup. */
export class Names {
  #byFold = new Map();
  /** The length of the longest name, decomposed: longer texts need no lookup. */
  #longest = 0;

  add(name) {
    this.#longest = Math.max(this.#longest, name.normalize('NFD').length);
    const key = fold(name);
    const names = this.#byFold.get(key);
    if (!names) this.#byFold.set(key, [name]);
    else if (!names.includes(name)) names.push(name);
    return this;
  }

  /**
   * The names that match a text: the exact name if there is one, otherwise all that differ in case
   * only.
   */
  find(text) {
    if (text.length > this.#longest) return [];
    const names = this.#byFold.get(fold(text)) ?? [];
    const exact = text.normalize('NFC');
    return names.includes(exact) ? [exact] : names;
  }
}
