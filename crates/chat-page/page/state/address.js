// The addresses of rooms and messages.

/** The address of a room, or of its message with this number. */
export const pathOf = (room, seq = null) => `/r/${encodeURIComponent(room)}${seq === null ? '' : `/${seq}`}`;

/**
 * What an address names: `{room, seq}`, where `seq` is `null` if it names a room. `null` if it
 * names nothing or belongs to another server.
 */
export function placeAt(address) {
  const { origin, pathname } = new URL(address, location.href);
  const [, room, seq = null] = /^\/r\/([^/]+)(?:\/(\d{1,15}))?\/?$/.exec(pathname) ?? [];
  if (room === undefined || origin !== location.origin) return null;
  try {
    return { room: decodeURIComponent(room).normalize('NFC'), seq: seq === null ? null : Number(seq) };
  } catch {
    return null;
  }
}

export const roomAt = (address) => placeAt(address)?.room ?? null;

/** The room that the address of the page names. */
export const roomInAddress = () => roomAt(location.href);
