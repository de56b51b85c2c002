// The addresses of rooms.

export const pathOf = (room) => `/r/${encodeURIComponent(room)}`;

/** The room that an address names. `null` if it names no room or belongs to another server. */
export function roomAt(address) {
  const { origin, pathname } = new URL(address, location.href);
  const [, room] = /^\/r\/([^/]+)\/?$/.exec(pathname) ?? [];
  if (room === undefined || origin !== location.origin) return null;
  try {
    return decodeURIComponent(room).normalize('NFC');
  } catch {
    return null;
  }
}

/** The room that the address of the page names. */
export const roomInAddress = () => roomAt(location.href);
