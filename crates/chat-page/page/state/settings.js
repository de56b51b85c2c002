import { Signal } from './signal.js';
import { lasting } from './storage.js';

/** Without a keyboard that has a Ctrl key, Enter makes new lines and a button sends. */
const isTouch = matchMedia('(pointer: coarse)').matches;

const DEFAULTS = { theme: 'system', send: isTouch ? 'ctrl-enter' : 'enter', notify: false, people: 'shown', formatting: !isTouch };

/** As `--bg` in style.css. */
const BAR_COLOURS = { light: '#ffffff', dark: '#15171c' };

/** What the user chose. `on('change', …)`. */
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
  const theme = settings.get('theme');
  document.documentElement.dataset.theme = theme;
  // the browser's own bar takes the colour too: for a theme that the user chose, whatever the system has
  for (const meta of document.querySelectorAll('meta[name="theme-color"]')) {
    meta.content = BAR_COLOURS[theme] ?? BAR_COLOURS[meta.media.includes('dark') ? 'dark' : 'light'];
  }
}
