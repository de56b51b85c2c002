// The page after the user has entered: creates the views and connects them.

import { copyText } from '../clipboard.js';
import { byId, closable, h, loadStyles, setAvatar } from '../dom.js';
import { keepSession, profileOf, session } from '../state/account.js';
import { pathOf, placeAt } from '../state/address.js';
import { keepInvite, openedInvite } from '../state/invite-link.js';
import { outranks, rolesIn, rolesToGive } from '../state/roles.js';
import { NO_ACCOUNT, whyNotDirect } from '../text/direct.js';
import { markReferences } from '../text/marks.js';
import { isAddress, isolated } from '../text/names.js';
import { inWords, plural } from '../text/words.js';
import { Account } from './account.js';
import { Announcer } from './announcer.js';
import { Banner } from './banner.js';
import { Composer } from './composer.js';
import { Drawer } from './drawer.js';
import { refuseFiles } from './files.js';
import { Heading } from './heading.js';
import { Invitations } from './invitations.js';
import { copyLink, linkTo } from './invite.js';
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
const NOT_LOADED = 'This part of the page can’t be loaded right now. Try again in a moment.';
const hasKeyboard = matchMedia('(pointer: fine)').matches;

let chat = null;
let stopMarking = () => {};
/** The number of the message that is about to be shown, together with its room, or `null`. */
let wanted = null;
/** Parts of the page that are loaded when they are needed. */
let picker = null;
let search = null;
/** The dialogs and the banner that are loaded when they are needed, by name. */
const dialogs = new Map();

// The form does not need these. Who waits for this module waits for them, too.
await Promise.all(['messages', 'highlight', 'composer', 'room'].map((name) => loadStyles(`/page/${name}.css`)));

const announcer = new Announcer();
const composer = new Composer({ onsent: () => log.toNewest(), onhelp: () => byId('help').showModal() });
const log = new LogView(announcer, {
  edit: (text, replyTo) => composer.put(text, replyTo),
  act: (action, message, emoji) => actions[action](message, emoji),
  open: (seq) => showMessage(seq),
  newest: () => chat.shown && location.pathname !== pathOf(chat.shown.name) && history.replaceState(null, '', pathOf(chat.shown.name)),
  leave: () => composer.focus(),
  invite: () => openInvite(),
});
/** What can be done with a message. */
const actions = {
  edit: (message) => composer.edit(message),
  reply: (message) => composer.reply(message),
  copy: (message) => copied(message.body, 'Text copied.'),
  profile: ({ from, user, seq }) => openCard({ username: from, user, seq }),
  link: ({ seq }) => copied(linkTo(chat.shown.name, seq), 'Link copied.'),
  delete: (message) => chat.shown.delete(message).catch((error) => toast.show(`Not deleted. ${inWords(error)}`)),
  react: (message, emoji) => chat.shown.react(message, emoji).catch((error) => toast.show(`Reaction not saved. ${inWords(error)}`)),
  pick: (message) => pickReaction(message),
  report: (message) => openReport(message),
};
for (const action of ['warn', 'mute', 'kick', 'ban']) {
  actions[action] = ({ from, user, seq }) => openModeration({ username: from, user, seq }, action);
}
/** What a moderator can do to a person. */
const MODERATION = [['warn', 'Warn…'], ['mute', 'Mute…'], ['kick', 'Kick…'], ['ban', 'Ban…'], ['role', 'Change role…']];
const people = new People();
// A reloaded page starts a new session in the same rooms.
const banner = new Banner(() => location.reload());
const drawer = new Drawer();
const switcher = new Switcher({ browse: openDirectory, create: openCreateRoom });
const noRoom = new NoRoom(() => switcher.open());
const toast = new Toast((text) => announcer.announce(text));
const account = new Account({ signedOut: leavePage });
const heading = new Heading();
const profile = new Profile();
const preferences = new Preferences({ signOut, becomeUser: leavePage, openAccount: () => account.open(chat.name), openBlocked, openServerLog: () => openModerationLog(null) });

/** Shows a chat that the user has entered. */
export function openChat(newChat) {
  chat = newChat;
  byId('chat').hidden = false;
  byId('me-name').textContent = byId('me-name').title = chat.name;
  setAvatar(byId('me-avatar'), { username: chat.name, user: chat.userId });
  new Rooms(chat, () => drawer.close());
  new Invitations(chat, (text) => toast.show(text));
  switcher.use(chat);
  composer.use(chat);
  banner.watch(chat);
  watchTitle(chat);
  notifyOfMentions(chat);
  chat.on('status', onEnded);
  chat.on('shown', showRoom);
  chat.on('notice', showNotice);
  chat.on('announcement', showAnnouncement);
  chat.on('warned', showWarnings);
  chat.on('retracted', (messages) => announcer.retract(messages));
  chat.on('left', ({ room }) => announcer.announce(`You are no longer in ${room.called}.`));
  const place = placeAt(location.href);
  const seq = place?.room === chat.shown.name ? place.seq : null;
  wanted = seq;
  showRoom(chat.shown);
  wanted = null;
  if (seq !== null) showMessage(seq);
  showWarnings();
  showAnnouncement();
  joinListed();
  useInvite();
}

/** Joins the other rooms of the last visit. */
async function joinListed() {
  const failed = await chat.joinListed();
  if (failed.length === 0) return;
  const rooms = failed.map(({ room }) => chat.called(room)).join(', ');
  const [{ room, error }] = failed;
  toast.show(`Couldn’t join ${rooms}. ${inWords(error, { name: chat.name, where: chat.called(room) })}`, { action: 'Try again', act: joinListed });
}

function showRoom(room) {
  drawer.close();
  noRoom.show(!room);
  heading.show(chat, room);
  setPath(room ? pathOf(room.name, wanted) : '/');
  log.show(room);
  people.show(room);
  banner.show(room);
  composer.show(room);
  stopMarking();
  if (!room) return noRoom.focus();
  stopMarking = room.on('people', () => markOpenReferences(room));
  announcer.announce(`You are in ${room.called}.`);
  // On a phone the keyboard would cover half of the messages.
  if (hasKeyboard) composer.focus();
  else byId('room-title').focus();
}

function setPath(path) {
  if (location.pathname !== path) history.pushState(null, '', path);
}

/** Marks mentions in messages that arrived before the users of these names. */
function markOpenReferences(room) {
  for (const body of document.querySelectorAll('#messages .body[data-open]')) markReferences(body, room);
}

/**
 * Shows a room, and joins it first if necessary. If there is a `seq`, shows the message with this
 * number.
 */
async function goTo(room, seq = null, address = '') {
  if (keepInvite(address)) return useInvite();
  wanted = seq;
  try {
    await chat.join(room);
  } catch (error) {
    return couldNotJoin(room, error);
  } finally {
    wanted = null;
  }
  if (seq === null) return;
  setPath(pathOf(room, seq));
  await showMessage(seq);
}

/** Joins the room whose invite link the user has opened, perhaps before signing in. */
async function useInvite() {
  const { room } = openedInvite() ?? {};
  if (room === undefined) return;
  if (chat.hasAccount || !isAddress(room)) await goTo(room);
  if (!chat.hasAccount) toast.show('This invitation is for people with an account. Sign in or create one to use it.', { action: 'Sign in', act: leavePage });
}

function couldNotJoin(room, error) {
  if (isAddress(room)) toast.show(inWords(error, { name: chat.name, where: chat.called(room) }));
  else switcher.openWith(room, error);
}

/** Shows a message of the room that is shown, with what is around it. */
async function showMessage(seq) {
  const room = chat.shown;
  try {
    const isFound = await log.goTo(seq);
    if (!isFound && chat.shown === room) toast.show('This message does not exist any more.');
  } catch (error) {
    toast.show(`The message can’t be shown. ${inWords(error)}`);
  }
}

/** The user chooses an emoji for a message. The dialog is loaded when it is needed. */
async function pickReaction(message) {
  const room = chat.shown;
  try {
    picker ??= new (await import('./picker.js')).Picker();
  } catch {
    return toast.show(NOT_LOADED);
  }
  picker.open((emoji) => chat.shown === room && actions.react(message, emoji));
}

async function openSearch() {
  if (!chat) return;
  try {
    search ??= new (await import('./search.js')).Search(goTo);
  } catch {
    return toast.show(NOT_LOADED);
  }
  drawer.close();
  search.show(chat);
}

/** A moderator acts on a person in the room that is shown. */
async function openModeration(person, action) {
  const room = chat.shown;
  // On a phone the list with the roles need not have been open.
  await rolesIn(room).need();
  await openDialog('moderate', async () => new (await import('./moderate.js')).Moderate((text) => toast.show(text)), room, person, action);
}

/** Loads a dialog if that is necessary, and opens it. */
async function openDialog(name, create, ...context) {
  const dialog = await load(name, create);
  if (dialog) dialog.open(...context);
  else toast.show(NOT_LOADED);
}

/** Loads a dialog when it is needed for the first time. Resolves with `null` if that fails. */
async function load(name, create) {
  if (!dialogs.has(name)) dialogs.set(name, create());
  try {
    return await dialogs.get(name);
  } catch {
    dialogs.delete(name);
    return null;
  }
}

function openRoomSettings() {
  drawer.close();
  return openDialog('room-settings', async () => new (await import('./room-settings.js')).RoomSettings((text) => toast.show(text)), chat.shown);
}

function openInvite() {
  drawer.close();
  return openDialog('invite', async () => new (await import('./invite-people.js')).InvitePeople(), chat.shown);
}

/** The reports and the log of a room, or of the whole server. */
function openModerationLog(room) {
  drawer.close();
  return openDialog('moderation-log', async () => new (await import('./moderation-log.js')).ModerationLog(chat, goTo), room);
}

function openReport(message) {
  return openDialog('report', async () => new (await import('./report.js')).Report((text) => toast.show(text)), chat.shown, message);
}

function openBlocked() {
  return openDialog('blocked-users', async () => new (await import('./blocked-users.js')).BlockedUsersDialog(chat));
}

function openDirectory() {
  return openDialog('directory', async () => new (await import('./directory.js')).Directory(chat));
}

function openCreateRoom() {
  return openDialog('create-room', async () => new (await import('./create-room.js')).CreateRoom(chat));
}

async function openDirect({ username, user }) {
  drawer.close();
  try {
    // Names change hands: the message is for this user, and not for a later one.
    if ((await profileOf(username)).id !== user) return toast.show(NO_ACCOUNT);
    await chat.openDirect(username);
  } catch (error) {
    toast.show(error.code === 'not_found' ? NO_ACCOUNT : whyNotDirect(error));
  }
}

/** Opens the card of a member, or of the author of the message `seq`. */
function openCard(person) {
  profile.open(person, actionsFor(person));
}

/** What the user can do from the card of a person. */
function actionsFor(person) {
  const isGuest = person.user.startsWith('g_');
  const canWrite = chat.hasAccount && !isGuest && !chat.shown.isMine(person) && !chat.shown.isDirect;
  const isBlocked = chat.isBlocked(person.user);
  const write = { label: 'Send a message', act: () => openDirect(person), opens: null };
  const blocking = { label: isBlocked ? 'Unblock' : 'Block', act: () => block(person, !isBlocked), opens: null };
  const canBlock = chat.hasAccount && !chat.shown.isMine(person);
  return [...canWrite && !isBlocked ? [write] : [], ...canBlock ? [blocking] : [], ...moderationOf(person)];
}

async function block({ username, user }, on) {
  const name = isolated(username);
  try {
    await chat.block(user, on);
  } catch (error) {
    const words = { not_found: NO_ACCOUNT, limit_reached: 'You have blocked as many people as you can. Unblock someone first.' };
    return toast.show(`${on ? 'Not blocked' : 'Not unblocked'}. ${words[error.code] ?? inWords(error)}`);
  }
  if (on) toast.show(`You blocked ${name}.`, { action: 'Undo', act: () => block({ username, user }, false) });
  else toast.show(`You unblocked ${name}.`);
}

/** What a moderator can do to a person, each with its label. */
function moderationOf(person) {
  const room = chat.shown;
  if (room.left || room.isMine(person) || !outranks(room, person.user)) return [];
  const canGive = rolesToGive(room, person.user).length > 0;
  return MODERATION.filter(([action]) => action !== 'role' || canGive)
    .map(([action, label]) => ({ label, act: () => openModeration(person, action) }));
}

/** Warnings stay until the user has closed them. */
async function showWarnings() {
  if (chat.warnings.length === 0) return;
  const dialog = await load('warning', async () => new (await import('./warning.js')).Warnings(chat));
  if (dialog) return dialog.show();
  const { by, room, reason } = chat.warnings.at(-1);
  addNotice('warning', `A moderator has warned you${room ? ` in ${chat.called(room)}` : ''}${by ? ` (${by})` : ''}${reason ? `: ${reason}` : '.'}`);
}

async function copied(text, words) {
  toast.show(await copyText(text) ? words : 'The browser did not allow copying.');
}

/** Leaving a private room gives up the membership, so that it is asked first. */
function leave(room) {
  const { name, called } = room;
  if (room.isPrivate && room.role !== null && room.left === null) {
    return openDialog('leave-private', async () => new (await import('./leave-private.js')).LeavePrivate(chat, (text) => toast.show(text)), room);
  }
  const { unsent, undo } = chat.leave(room);
  const lost = unsent > 0 ? ` ${plural(unsent, 'message was', 'messages were')} not sent.` : '';
  const act = () => undo().catch((error) => couldNotJoin(name, error));
  const done = room.isDirect ? `The conversation with ${called} is hidden until one of you writes.` : `You left ${called}.`;
  toast.show(`${done}${lost}`, { action: 'Undo', act });
}

/** The announcement stays until it is withdrawn, or the user dismisses it. */
async function showAnnouncement() {
  if (!chat.announcement && !dialogs.has('announcement')) return;
  const create = async () => new (await import('./announcement.js')).AnnouncementBanner({ announce: (text) => announcer.announce(text), open: goTo });
  const shown = await load('announcement', create);
  const { announcement } = chat;
  if (shown) shown.show(announcement);
  else if (announcement) addNotice(announcement.level, h('strong', {}, 'Announcement: '), announcement.body);
}

function showNotice({ room, level, body }) {
  const notice = addNotice(level, h('strong', {}, room ? `Notice for ${chat.called(room.name)}: ` : 'Notice: '), body);
  setTimeout(() => notice.remove(), NOTICE_LASTS_MS);
}

function addNotice(level, ...content) {
  const notice = h('p', { class: `notice ${level}` }, h('span', { dir: 'auto' }, content),
    h('button', { class: 'plain-button', type: 'button', onclick: () => notice.remove() }, 'Dismiss'));
  byId('notices').append(notice);
  return notice;
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

/** The address of a room for members lets nobody in without an invitation. */
async function copyShownLink() {
  if (chat.shown.isForMembers) {
    if (chat.shown.isModerator) return openInvite();
    return toast.show('This room is private: a link does not let anyone in. Its moderators and owners can invite people.');
  }
  if (await copyLink(chat.shown.name, byId('copy-link'))) announcer.announce('Link copied.');
}

function openPeople() {
  people.opened();
  if (!people.toggleColumn()) drawer.open(byId('people'), 'right');
}

closable(byId('help'));
byId('open-help').addEventListener('click', () => byId('help').showModal());
byId('open-settings').addEventListener('click', () => preferences.open(chat));
byId('add-room').addEventListener('click', () => {
  drawer.close();
  switcher.open();
});
byId('open-rooms').addEventListener('click', () => drawer.open(byId('rooms'), 'left'));
byId('open-people').addEventListener('click', openPeople);
byId('open-search').addEventListener('click', openSearch);
byId('copy-link').addEventListener('click', copyShownLink);
byId('open-room-settings').addEventListener('click', openRoomSettings);
byId('open-invite').addEventListener('click', openInvite);
byId('open-moderation-log').addEventListener('click', () => openModerationLog(chat.shown));
byId('leave-room').addEventListener('click', () => leave(chat.shown));
openRoomLinks(byId('messages'), goTo);
byId('people-list').addEventListener('click', ({ target }) => {
  const person = target.closest('.person');
  if (!person) return;
  const { name: username, user } = person.dataset;
  openCard({ username, user });
});
refuseFiles(() => toast.show('Files can’t be sent here.'));
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  composer.focus();
});

listenToKeys({
  switchRoom: () => switcher.open(),
  search: openSearch,
  step: (by) => chat?.step(by),
  help: () => byId('help').showModal(),
  newest: () => {
    if (!chat?.shown) return;
    if (!log.isAtEnd) log.toNewest();
    chat.shown.dropDivider();
    chat.shown.forgetMentions();
  },
});

window.addEventListener('popstate', () => {
  if (!chat) return;
  // The user has put an invite link into the address bar. Its code does not stay there.
  if (keepInvite(location.href)) {
    history.replaceState(null, '', chat.shown ? pathOf(chat.shown.name) : '/');
    return useInvite();
  }
  const place = placeAt(location.href);
  const name = place?.room ?? null;
  const room = chat.rooms.get(name);
  if (room) return showAgain(room, place.seq);
  history.replaceState(null, '', chat.shown ? pathOf(chat.shown.name) : '/');
  // Going back to a room that the user left does not mean that they want to rejoin it.
  if (name !== null) toast.show(`You’re not in ${chat.called(name)}.`, { action: `Join ${chat.called(name)}`, act: () => goTo(name) });
});

/** The browser goes back or forward to a room, or to a message. */
function showAgain(room, seq) {
  const isShown = room === chat.shown;
  wanted = seq;
  chat.show(room);
  wanted = null;
  if (seq !== null) showMessage(seq);
  else if (isShown) log.toNewest();
}

keepPage();
