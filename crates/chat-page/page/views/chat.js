// The page once one is in: which view shows what, and what a choice in one does to the others.

import { byId, closable, dressAvatar, h } from '../dom.js';
import { pathOf, roomInAddress } from '../state/address.js';
import { hash } from '../text/words.js';
import { Announcer } from './announcer.js';
import { Banner } from './banner.js';
import { Composer } from './composer.js';
import { Drawer } from './drawer.js';
import { listenToKeys } from './keys.js';
import { LogView } from './log.js';
import { notifyOfMentions, watchTitle } from './notify.js';
import { keepPage } from './offline.js';
import { People } from './people.js';
import { Preferences } from './preferences.js';
import { Rooms } from './rooms.js';
import { Switcher } from './switcher.js';

const NOTICE_LASTS_MS = 60_000;
const hasKeyboard = matchMedia('(pointer: fine)').matches;

let chat = null;

const announcer = new Announcer();
const composer = new Composer(() => log.toNewest());
const log = new LogView(announcer, (text) => composer.put(text));
const people = new People();
const banner = new Banner(() => location.reload());
const drawer = new Drawer();
const switcher = new Switcher();
const preferences = new Preferences(signOut);

/** Shows a chat that was entered. */
export function openChat(newChat) {
  chat = newChat;
  byId('chat').hidden = false;
  byId('me-name').textContent = byId('me-name').title = chat.name;
  dressAvatar(byId('me-avatar'), chat.name);
  new Rooms(chat, () => drawer.close());
  switcher.use(chat);
  banner.watch(chat);
  watchTitle(chat);
  notifyOfMentions(chat);
  chat.on('shown', showRoom);
  chat.on('notice', showNotice);
  chat.on('left', ({ room }) => announcer.say(`You are no longer in ${hash(room.name)}.`));
  showRoom(chat.shown);
}

function showRoom(room) {
  if (!room) return signOut();
  drawer.close();
  byId('room-title').textContent = byId('room-title').title = room.name;
  const path = pathOf(room.name);
  if (location.pathname !== path) history.pushState(null, '', path);
  log.show(room);
  people.show(room);
  banner.show(room);
  composer.show(room);
  announcer.say(`You are in ${hash(room.name)}.`);
  // on a phone the keyboard would cover half of what one came to read
  if (hasKeyboard) composer.focus();
  else byId('room-title').focus();
}

function showNotice({ room, level, body }) {
  const notice = h('p', { class: `notice ${level}` },
    h('span', { dir: 'auto' }, h('strong', {}, room ? `Announcement for ${hash(room.name)}: ` : 'Announcement: '), body),
    h('button', { class: 'plain-button', type: 'button', onclick: () => notice.remove() }, 'Dismiss'));
  byId('notices').append(notice);
  setTimeout(() => notice.remove(), NOTICE_LASTS_MS);
}

function signOut() {
  chat?.close();
  history.replaceState(null, '', '/');
  // a page that begins anew has nothing left of the old session
  location.reload();
}

async function copyLink() {
  const link = new URL(pathOf(chat.shown.name), location.href).href;
  const button = byId('copy-link');
  try {
    await navigator.clipboard.writeText(link);
    announcer.say('The link was copied.');
    button.dataset.done = 'Copied';
    setTimeout(() => delete button.dataset.done, 2_000);
  } catch {
    // a page over plain http may not write there; one can copy by hand
    prompt('The link to this room:', link);
  }
}

function openPeople() {
  people.opened();
  if (!people.toggleColumn()) drawer.open(byId('people'), 'right');
}

closable(byId('help'));
byId('open-help').addEventListener('click', () => byId('help').showModal());
byId('open-settings').addEventListener('click', () => preferences.open());
byId('add-room').addEventListener('click', () => {
  drawer.close();
  switcher.open();
});
byId('open-rooms').addEventListener('click', () => drawer.open(byId('rooms'), 'left'));
byId('open-people').addEventListener('click', openPeople);
byId('copy-link').addEventListener('click', copyLink);
byId('leave-room').addEventListener('click', () => chat.leave(chat.shown));
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  composer.focus();
});

listenToKeys({
  switchRoom: () => switcher.open(),
  step: (by) => chat?.step(by),
  help: () => byId('help').showModal(),
  preview: () => composer.togglePreview(),
  newest: () => {
    if (!chat) return;
    if (!log.isAtEnd) log.toNewest();
    chat.shown?.dropDivider();
  },
});

window.addEventListener('popstate', () => {
  const room = roomInAddress();
  if (chat && room) chat.join(room).catch((error) => switcher.openWith(room, error));
});

keepPage();

export const announce = (text) => announcer.say(text);
