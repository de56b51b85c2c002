// What the browser keeps. Where it keeps nothing (private windows, a full disk) everything works, only nothing is remembered.

/** A view of a Storage in which values are JSON and nothing throws. */
function jsonIn(storage) {
  return {
    get(key) {
      try {
        return JSON.parse(storage().getItem(`chatd.${key}`));
      } catch {
        return null;
      }
    },
    set(key, value) {
      try {
        if (value === null) storage().removeItem(`chatd.${key}`);
        else storage().setItem(`chatd.${key}`, JSON.stringify(value));
      } catch {
        // not remembered, then
      }
    },
  };
}

/** Over tabs and restarts: the name, settings, where one left off. */
export const lasting = jsonIn(() => localStorage);

/** Of this tab: its rooms, drafts. */
export const ofTab = jsonIn(() => sessionStorage);

/** For the client, which keeps the session's secret there; null where it must not be touched. */
export function tabStorage() {
  try {
    return sessionStorage;
  } catch {
    return null;
  }
}
