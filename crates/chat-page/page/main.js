// The entrance: asks for a name and a room. The rest of the page is loaded meanwhile.

import { byId } from './dom.js';
import { roomInAddress } from './state/address.js';
import { applyTheme } from './state/settings.js';
import { lasting, ofTab } from './state/storage.js';
import { tabs } from './state/tabs.js';
import { Entry } from './views/entry.js';
import { OtherTabs } from './views/other-tabs.js';

/** After a reload the page goes back to its rooms; otherwise the form asks. */
async function begin() {
  const before = ofTab.get('rooms');
  const room = roomInAddress() ?? before?.shown ?? before?.rooms[0] ?? null;
  if (before) lasting.set('name', before.name);
  const returns = before !== null && !before.handedOver;
  entry.open({ room, focus: !returns });
  if (returns) {
    if (ofTab.get('take')) await tabs.takeOver(before.name);
    ofTab.set('take', null);
    await entry.enter(before.name, room, { insist: true });
  }
  new OtherTabs((name) => entry.enter(name, byId('entry-room').value.trim(), { insist: true }));
}

applyTheme();
const inside = import('./views/chat.js');
// errors are reported where the module is awaited
inside.catch(() => {});
const entry = new Entry(inside);
begin();
