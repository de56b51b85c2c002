// Opens links to rooms of this server in place. With a modifier key the browser handles them like
// any other link.

import { placeAt } from '../state/address.js';

/** Whether a click has no other meaning for the browser. */
export const isPlainClick = ({ button, ctrlKey, metaKey, shiftKey, altKey }) => button === 0 && !ctrlKey && !metaKey && !shiftKey && !altKey;

/**
 * `open(room, seq, address)` shows a room, and its message with this number unless that is `null`.
 */
export function openRoomLinks(element, open) {
  element.addEventListener('click', (event) => {
    const link = event.target.closest('a[href]');
    if (!link || !isPlainClick(event) || event.defaultPrevented) return;
    const place = placeAt(link.href);
    if (place === null) return;
    event.preventDefault();
    open(place.room, place.seq, link.href);
  });
}
