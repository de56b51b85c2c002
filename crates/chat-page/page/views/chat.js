// The page after the user has entered: creates the views and connects them.

import { copyText } from '../clipboard.js';
import { byId, closable, h, setAvatar } from '../dom.js';
import { keepSession, session } from '../state/account.js';
import { pathOf, roomInAddress } from '../state/address.js';
import { markReferences } from '../text/marks.js';
import { hash, inWords, plural } from '../text/words.js';
import { Account } from './account.js';
import { Announcer } from './announcer.js';
import { Banner } from './banner.js';
import { Composer } from './composer.js';
import { Drawer } from './drawer.js';
import { refuseFiles } from './files.js';
import { copyLink } from './invite.js';
import { listenToKeys } from './keys.js';
import { openRoomLinks } from './links.js';
import { LogView } from './log.js';
import { NoRoom } from './no-room.js';
import { notifyOfMentions, watchTitle } from './notify.js';
import { keepPage } from './offline.js';
import { People } from './people.js';
import { Preferences } from './preferences.js';
import { Profile } from './profile.js';
import { Rooms } from './rooms.js';
import { Switcher } from './switcher.js';
import { Toast } from './toast.js';

const NOTICE_LASTS_MS = 60_000;
const hasKeyboard = matchMedia('(pointer: fine)').matches;

let chat = null;
let stopMarking = () => {};

const announcer = new Announcer();
const composer = new Composer({ onsent: () => log.toNewest(), onhelp: () => byId('help').showModal() });
const log = new LogView(announcer, (text) => composer.put(text), (action, message) => {
  if (action === 'edit') composer.edit(message);
  else if (action === 'copy') copyText(message.body);
  else chat.shown.delete(message).catch((error) => toast.show(`Not deleted. ${inWords(error)}`));
});
const people = new People();
// A reloaded page starts a new session in the same rooms.
const banner = new Banner(() => location.reload());
const drawer = new Drawer();
const switcher = new Switcher();
const noRoom = new NoRoom(() => switcher.open());
const toast = new Toast((text) => announcer.announce(text));
const account = new Account({ signedOut: leavePage });
const profile = new Profile();
const preferences = new Preferences({ signOut, becomeUser: leavePage, openAccount: () => account.open(chat.name) });

/** Shows a chat that the user has entered. */
export function openChat(newChat) {
  chat = newChat;
  byId('chat').hidden = false;
  byId('me-name').textContent = byId('me-name').title = chat.name;
  setAvatar(byId('me-avatar'), { username: chat.name, user: chat.userId });
  new Rooms(chat, () => drawer.close());
  switcher.use(chat);
  composer.use(chat);
  banner.watch(chat);
  watchTitle(chat);
  notifyOfMentions(chat);
  chat.on('status', onEnded);
  chat.on('shown', showRoom);
  chat.on('notice', showNotice);
  chat.on('retracted', (messages) => announcer.retract(messages));
  chat.on('left', ({ room }) => announcer.announce(`You are no longer in ${hash(room.name)}.`));
  showRoom(chat.shown);
  joinListed();
}

/** Joins the other rooms of the last visit. */
async function joinListed() {
  const failed = await chat.joinListed();
  if (failed.length === 0) return;
  const rooms = failed.map(({ room }) => hash(room)).join(', ');
  const [{ room, error }] = failed;
  toast.show(`Couldn’t join ${rooms}. ${inWords(error, { name: chat.name, room })}`, { action: 'Try again', act: joinListed });
}

function showRoom(room) {
  drawer.close();
  noRoom.show(!room);
  byId('room-title').textContent = byId('room-title').title = room?.name ?? 'No room';
  const path = room ? pathOf(room.name) : '/';
  if (location.pathname !== path) history.pushState(null, '', path);
  log.show(room);
  people.show(room);
  banner.show(room);
  composer.show(room);
  stopMarking();
  if (!room) return noRoom.focus();
  stopMarking = room.on('people', () => markOpenReferences(room));
  announcer.announce(`You are in ${hash(room.name)}.`);
  // On a phone the keyboard would cover half of the messages.
  if (hasKeyboard) composer.focus();
  else byId('room-title').focus();
}

/** Marks mentions in messages that arrived before the users of these names. */
function markOpenReferences(room) {
  for (const body of document.querySelectorAll('#messages .body[data-open]')) markReferences(body, room);
}

/** Shows a room, and joins it first if necessary. */
function goTo(room) {
  return chat.join(room).catch((error) => switcher.openWith(room, error));
}

function leave(room) {
  const { name } = room;
  const { unsent, undo } = chat.leave(room);
  const lost = unsent > 0 ? ` ${plural(unsent, 'message was', 'messages were')} not sent.` : '';
  const act = () => undo().catch((error) => switcher.openWith(name, error));
  toast.show(`You left ${hash(name)}.${lost}`, { action: 'Undo', act });
}

function showNotice({ room, level, body }) {
  const notice = h('p', { class: `notice ${level}` },
    h('span', { dir: 'auto' }, h('strong', {}, room ? `Announcement for ${hash(room.name)}: ` : 'Announcement: '), body),
    h('button', { class: 'plain-button', type: 'button', onclick: () => notice.remove() }, 'Dismiss'));
  byId('notices').append(notice);
  setTimeout(() => notice.remove(), NOTICE_LASTS_MS);
}

/** Back to the form, which keeps the name. */
function leavePage() {
  chat?.close();
  location.reload();
}

/** The session of the account has ended, or the guest's name belongs to an account now. */
function onEnded({ state, reason }) {
  if (state !== 'closed') return;
  // Another tab has registered this guest: go on as the user.
  if (reason.code === 'name_reserved' && session()?.username === chat.name) return location.reload();
  if (reason.code === 'unauthorized') keepSession(null);
}

function signOut() {
  chat?.close();
  chat?.forget();
  history.replaceState(null, '', '/');
  // A reloaded page keeps nothing of the old session.
  location.reload();
}

async function copyShownLink() {
  if (await copyLink(chat.shown.name, byId('copy-link'))) announcer.announce('Link copied.');
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
byId('copy-link').addEventListener('click', copyShownLink);
byId('leave-room').addEventListener('click', () => leave(chat.shown));
openRoomLinks(byId('messages'), goTo);
byId('people-list').addEventListener('click', ({ target }) => {
  const person = target.closest('.person');
  if (person) profile.open(person.dataset.name, person.dataset.user);
});
refuseFiles(() => toast.show('Files can’t be sent here.'));
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  composer.focus();
});

listenToKeys({
  switchRoom: () => switcher.open(),
  step: (by) => chat?.step(by),
  help: () => byId('help').showModal(),
  newest: () => {
    if (!chat?.shown) return;
    if (!log.isAtEnd) log.toNewest();
    chat.shown.dropDivider();
  },
});

window.addEventListener('popstate', () => {
  if (!chat) return;
  const name = roomInAddress();
  const room = chat.rooms.get(name);
  if (room) return chat.show(room);
  history.replaceState(null, '', chat.shown ? pathOf(chat.shown.name) : '/');
  // Going back to a room that the user left does not mean that they want to rejoin it.
  if (name !== null) toast.show(`You’re not in ${hash(name)}.`, { action: `Join ${hash(name)}`, act: () => goTo(name) });
});

keepPage();
