// The browser's storage. If it stores nothing (private windows, a full disk), everything works and
// nothing is remembered.

const PREFIX = 'chatd.';

/** A view of a Storage with JSON values that never throws. */
function jsonView(storage) {
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
        // Not stored.
      }
    },
    /** The keys with this prefix. */
    keys(prefix) {
      try {
        return Object.keys(storage()).filter((key) => key.startsWith(PREFIX + prefix)).map((key) => key.slice(PREFIX.length));
      } catch {
        return [];
      }
    },
  };
}

/**
 * Shared by all tabs, and kept across restarts: the guest token, the name, settings, rooms, drafts,
 * read positions.
 */
export const persistent = jsonView(() => localStorage);

/** Of this tab alone: its rooms, and the warnings that the user has not closed. */
export const perTab = jsonView(() => sessionStorage);

/**
 * The Storage itself, for messages that are stored one by one. `null` if access is denied.
 */
export function browserStorage(name) {
  try {
    return globalThis[name];
  } catch {
    return null;
  }
}
