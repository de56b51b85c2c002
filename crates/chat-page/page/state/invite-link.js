// The invite link that the user has opened. It is kept until the user has signed in.

import { isAddress } from '../text/names.js';
import { placeAt } from './address.js';
import { session } from './account.js';
import { perTab } from './storage.js';

/** The link of this page, if the browser stores nothing. */
let inMemory = null;

/**
 * Keeps the code of an address like `/r/tea#invite=code`. Returns whether it has one. Browsers do
 * not send what follows the `#`, so that no server has the code in its log.
 */
export function keepInvite(address) {
  const [, invite] = /#invite=([\w-]{1,100})$/.exec(address) ?? [];
  const place = placeAt(address);
  if (!invite || place === null) return false;
  keep({ room: place.room, invite });
  return true;
}

/** The room and the code: `{room, invite}`, or `null`. */
export const openedInvite = () => perTab.get('invite') ?? inMemory;

export const forgetInvite = () => keep(null);

/** Whether this room can be joined only with an account, and nobody is signed in. */
export const needsAccount = (room) => room !== null && session() === null && isAddress(room);

function keep(link) {
  inMemory = link;
  perTab.set('invite', link);
}
