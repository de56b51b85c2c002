import { Signal } from './signal.js';
import { persistent } from './storage.js';

/** On a touch device without a Ctrl key, Enter inserts a new line and a button sends. */
const isTouch = matchMedia('(pointer: coarse)').matches;

const DEFAULTS = { theme: 'system', send: isTouch ? 'ctrl-enter' : 'enter', notify: false, people: 'shown', formatting: !isTouch };

/** Equal to `--bg` in style.css. */
const THEME_COLOURS = { light: '#ffffff', dark: '#15171c' };

/** The user's settings. Emits `change` with the name of the setting. */
class Settings extends Signal {
  #values = { ...DEFAULTS, ...persistent.get('settings') };

  get(name) {
    return this.#values[name];
  }

  set(name, value) {
    this.#values[name] = value;
    persistent.set('settings', this.#values);
    this.emit('change', name);
  }
}

export const settings = new Settings();

export function applyTheme() {
  const theme = settings.get('theme');
  document.documentElement.dataset.theme = theme;
  // The browser's address bar takes the colour of the theme that the user chose, whatever the
  // system theme is.
  for (const meta of document.querySelectorAll('meta[name="theme-color"]')) {
    meta.content = THEME_COLOURS[theme] ?? THEME_COLOURS[meta.media.includes('dark') ? 'dark' : 'light'];
  }
}
