// The link to a room: copied, or passed to the share sheet of a phone.

import { copyText } from '../clipboard.js';
import { h } from '../dom.js';
import { pathOf } from '../state/address.js';

const DONE_TIMEOUT_MS = 2_000;
const hasShareSheet = typeof navigator.share === 'function' && matchMedia('(pointer: coarse)').matches;

export const linkTo = (room, seq) => new URL(pathOf(room, seq), location.href).href;

/** Copies the link to a room and shows the result on the button. */
export async function copyLink(room, button) {
  const done = await copyText(linkTo(room));
  button.dataset.done = done ? 'Copied' : 'Not copied';
  setTimeout(() => delete button.dataset.done, DONE_TIMEOUT_MS);
  return done;
}

/** The buttons of an invitation. */
export function inviteButtons(room) {
  const copy = h('button', { type: 'button', class: 'invite', id: 'copy-invite' }, 'Copy invite link');
  copy.addEventListener('click', () => copyLink(room, copy));
  if (!hasShareSheet) return [copy];
  const share = h('button', { type: 'button', class: 'invite', id: 'share-invite' }, 'Share');
  // The user may close the share sheet: that is not an error.
  share.addEventListener('click', () => navigator.share({ title: `#${room}`, url: linkTo(room) }).catch(() => {}));
  return [share, copy];
}
