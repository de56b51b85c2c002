// The secret that makes this browser the same guest again: after a reload, and in all of its tabs.
// One is enough for all names, because the server makes the guest's id from the token and the name.

import { persistent } from './storage.js';

/** 32 bytes in base64url without padding. */
const VALID = /^[\w-]{42}[AEIMQUYcgkosw048]$/;

/** The token of this page, if the browser stores nothing. */
let inMemory = null;

/** The guest token of this browser. `null` if it has none yet. */
export function guestToken() {
  const stored = persistent.get('guest');
  return typeof stored === 'string' && VALID.test(stored) ? stored : inMemory;
}

export function keepGuestToken(token) {
  inMemory = token;
  persistent.set('guest', token);
}
