// What the browser keeps. If it keeps nothing (private windows, a full disk), everything works and nothing is remembered.

const PREFIX = 'chatd.';

/** A view of a Storage in which values are JSON and nothing throws. */
function jsonIn(storage) {
  return {
    get(key) {
      try {
        return JSON.parse(storage().getItem(PREFIX + key));
      } catch {
        return null;
      }
    },
    set(key, value) {
      try {
        if (value === null) storage().removeItem(PREFIX + key);
        else storage().setItem(PREFIX + key, JSON.stringify(value));
      } catch {
        // not remembered, then
      }
    },
    /** The keys that begin with this. */
    keys(beginning) {
      try {
        return Object.keys(storage()).filter((key) => key.startsWith(PREFIX + beginning)).map((key) => key.slice(PREFIX.length));
      } catch {
        return [];
      }
    },
  };
}

/** Over tabs and restarts: the name, settings, rooms, drafts, what was read. */
export const lasting = jsonIn(() => localStorage);

/** Of this tab: its rooms. */
export const ofTab = jsonIn(() => sessionStorage);

/** The storage itself, for the client, which keeps the session's secret in the one of the tab. Null if it must not be touched. */
export function browserStorage(name) {
  try {
    return globalThis[name];
  } catch {
    return null;
  }
}
