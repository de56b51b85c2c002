// The door: asks for a name and a room. The rest of the page is loaded meanwhile.

import { roomInAddress } from './state/address.js';
import { applyTheme } from './state/settings.js';
import { lasting, ofTab } from './state/storage.js';
import { inWords } from './text/words.js';
import { Entry } from './views/entry.js';

/** After a reload one is where one was; else the form asks. */
async function begin() {
  const before = ofTab.get('rooms');
  const asked = roomInAddress();
  if (!before) return entry.open({ room: asked });
  const first = asked ?? before.shown ?? before.rooms[0];
  lasting.set('name', before.name);
  entry.open({ room: first, focus: false });
  const chat = await entry.enter(before.name, first);
  if (!chat) return;
  const { announce } = await inside;
  for (const room of before.rooms) {
    if (room !== first) chat.join(room, { show: false }).catch((error) => announce(inWords(error, { name: chat.name, room })));
  }
}

applyTheme();
const inside = import('./views/chat.js');
// what goes wrong with it is told to whoever waits for it
inside.catch(() => {});
const entry = new Entry(inside);
begin();
