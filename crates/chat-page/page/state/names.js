import { fold } from '../text/references.js';

/** A set of names that is asked without regard to case. */
export class Names {
  #byFold = new Map();
  /** The length of the longest name, decomposed: nothing longer needs to be looked up. */
  #longest = 0;

  add(name) {
    this.#longest = Math.max(this.#longest, name.normalize('NFD').length);
    const key = fold(name);
    const names = this.#byFold.get(key);
    if (!names) this.#byFold.set(key, [name]);
    else if (!names.includes(name)) names.push(name);
    return this;
  }

  /** The names that a text stands for: exactly that one, or all that differ in case only. */
  find(text) {
    if (text.length > this.#longest) return [];
    const names = this.#byFold.get(fold(text)) ?? [];
    const exact = text.normalize('NFC');
    return names.includes(exact) ? [exact] : names;
  }
}
