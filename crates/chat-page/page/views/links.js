// Opens links to rooms of this server in place. With a modifier key the browser handles them like
// any other link.

import { roomAt } from '../state/address.js';

/** `open(room)` shows a room. */
export function openRoomLinks(element, open) {
  element.addEventListener('click', (event) => {
    const link = event.target.closest('a[href]');
    const isPlain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (!link || !isPlain || event.defaultPrevented) return;
    const room = roomAt(link.href);
    if (room === null) return;
    event.preventDefault();
    open(room);
  });
}
