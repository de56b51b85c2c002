// A room's address.

export const pathOf = (room) => `/r/${encodeURIComponent(room)}`;

/** The room that the page's address names; null where it names none. */
export function roomInAddress() {
  const [, room] = /^\/r\/([^/]+)\/?$/.exec(location.pathname) ?? [];
  try {
    return room === undefined ? null : decodeURIComponent(room);
  } catch {
    return null;
  }
}
