import { Signal } from './signal.js';
import { lasting } from './storage.js';

/** Where there is no keyboard with a Ctrl key, Enter is for new lines and a button sends. */
const isTouch = matchMedia('(pointer: coarse)').matches;

const DEFAULTS = { theme: 'system', send: isTouch ? 'ctrl-enter' : 'enter', notify: false };

/** What one chose. `on('change', …)`. */
class Settings extends Signal {
  #values = { ...DEFAULTS, ...lasting.get('settings') };

  get(name) {
    return this.#values[name];
  }

  set(name, value) {
    this.#values[name] = value;
    lasting.set('settings', this.#values);
    this.tell('change', name);
  }
}

export const settings = new Settings();

export function applyTheme() {
  document.documentElement.dataset.theme = settings.get('theme');
}
