// The entry point: asks for a name and a room while the rest of the page loads.

import { byId } from './dom.js';
import { roomInAddress } from './state/address.js';
import { applyTheme } from './state/settings.js';
import { persistent, perTab } from './state/storage.js';
import { tabs } from './state/tabs.js';
import { Entry } from './views/entry.js';
import { OtherTabs } from './views/other-tabs.js';

/** After a reload the page rejoins its rooms. Otherwise it shows the form. */
async function start() {
  const lastVisit = perTab.get('rooms');
  const room = roomInAddress() ?? lastVisit?.shown ?? lastVisit?.rooms[0] ?? null;
  if (lastVisit) persistent.set('name', lastVisit.name);
  const isReload = lastVisit !== null && !lastVisit.handedOver;
  entry.open({ room, focus: !isReload });
  if (isReload) {
    if (perTab.get('take')) await tabs.takeOver(lastVisit.name);
    perTab.set('take', null);
    await entry.enter(lastVisit.name, room, { waitForName: true });
  }
  new OtherTabs((name) => entry.enter(name, byId('entry-room').value.trim(), { waitForName: true }));
}

applyTheme();
const chatModule = import('./views/chat.js');
// Errors are reported where the module is awaited.
chatModule.catch(() => {});
const entry = new Entry(chatModule);
start();
