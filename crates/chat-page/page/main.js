// The entry point: asks for a name and a room while the rest of the page loads.

import { session } from './state/account.js';
import { roomInAddress } from './state/address.js';
import { guestToken } from './state/guest.js';
import { keepInvite, needsAccount } from './state/invite-link.js';
import { applyTheme } from './state/settings.js';
import { persistent, perTab } from './state/storage.js';
import { Entry } from './views/entry.js';

/** After a reload the page rejoins its rooms. Otherwise it shows the form. */
async function start() {
  if (keepInvite(location.href)) history.replaceState(null, '', location.pathname);
  const lastVisit = perTab.get('rooms');
  const room = roomInAddress() ?? lastVisit?.shown ?? lastVisit?.rooms[0] ?? null;
  if (lastVisit) persistent.set('name', lastVisit.name);
  entry.open({ room, focus: lastVisit === null || needsAccount(room) });
  // Without its guest token this page is another guest, and its last session may still hold the
  // name.
  if (lastVisit && !needsAccount(room)) await entry.enter(lastVisit.name, room, { waitForName: guestToken() === null && session() === null });
}

applyTheme();
const chatModule = import('./views/chat.js');
// Errors are reported where the module is awaited.
chatModule.catch(() => {});
const entry = new Entry(chatModule);
start();
