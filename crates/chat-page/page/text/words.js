// Error messages for users.

import { isAddress, isolated } from './names.js';
import { clock, dayName, dayOf } from './time.js';

const NAME_RULE = 'letters, numbers, _ or -, without spaces.';

const WORDS = {
  invalid_username: `That name won’t work. Use up to 50 ${NAME_RULE}`,
  invalid_room: `That room name won’t work. Use up to 64 ${NAME_RULE}`,
  already_in_room: 'You’re already in this room.',
  too_many_rooms: 'You’ve joined as many rooms as this server allows. Leave one first.',
  message_too_large: 'This message is too long for this server. Shorten it or split it into parts.',
  queue_full: 'Too many messages are waiting to be sent. Wait until you’re back online.',
  rate_limited: 'You’re doing that too fast. Wait a moment and try again.',
  room_full: 'This room is full. Try again later.',
  server_full: 'The server is full. Try again later.',
  shutting_down: 'The server is restarting.',
  too_slow: 'Your connection is too slow for this chat.',
  unauthorized: 'You’ve been signed out. Sign in again.',
  account_needed: 'You need an account to join this room. Sign in or create one.',
  no_guests: 'This chat is for people with an account. Sign in to join.',
  name_reserved: 'This name, or one that looks like it, is registered. If it’s yours, sign in. Otherwise pick another one.',
  wrong_password: 'Wrong name or password.',
  disabled: 'This account is disabled.',
  busy: 'Too many people are signing in right now. Try again in a moment.',
  no_token: 'You’ve been signed out. Sign in again.',
  expired: 'Your session has expired. Sign in again.',
  replaced: 'You have this chat open in too many tabs, so this one was disconnected.',
  not_found: 'This message does not exist any more.',
  limit_reached: 'This message has as many different emoji as it can have.',
  forbidden: 'You’re not allowed to do this in this room.',
  store_unavailable: 'The server can’t save messages right now. Try again in a moment.',
  disconnected: 'You’re offline right now.',
  lost: 'Connection lost.',
  silent: 'Connection lost.',
  left_room: 'You left the room before this message was sent.',
  not_in_room: 'You’re no longer in this room.',
  unreachable: 'Can’t reach the server.',
  timeout: 'The server isn’t responding.',
  internal: 'Something went wrong on the server. Try again.',
  id_reused: 'This message could not be resent. Copy the text and send it again.',
};

/** A room of which only the name is known: `#lobby`. */
export const hash = (room) => (isAddress(room) ? 'a private room' : isolated(`#${room}`));

/** A room as a label: by its title, by the other user of a direct room, or by its name. */
export const label = ({ room, title, with: other }) => title ?? other ?? (isAddress(room) ? 'Private room' : room);

/** What a room is called in a sentence. All names of rooms on the page come from here. */
export const called = (known) => (known.title ?? known.with ? isolated(label(known)) : hash(known.room));

/** The same. A room of which only the address is known has the first letters of the address. */
export const calledApart = (known) => (isAddress(known.room) && !(known.title ?? known.with) ? `the private room ${known.room.slice(0, 7)}…` : called(known));

/**
 * The message for an error. After a join that failed, `name` is that of the user, and `where` what
 * the room is called.
 */
export function inWords(error, { name, where } = {}) {
  if (isServerBan(error)) return banned('this server', error);
  const isJoin = name !== undefined && where !== undefined;
  if (isJoin && error.code === 'username_taken') {
    return `The name ${isolated(name)} is already in use in ${where} by someone else. Pick another one.`;
  }
  if (isJoin && error.code === 'forbidden') return notAdmitted(where, error);
  if (isJoin && error.code === 'not_found') return 'You can’t join this room: it does not exist, you are not invited, or the invitation has ended.';
  if (isJoin && error.code === 'limit_reached') return 'This room, or your list of rooms, is full.';
  // Joins are not rate limited: the server answers with this code if the room is full.
  if (isJoin && error.code === 'rate_limited' && !error.closeCode) return WORDS.room_full;
  if (error.code === 'muted') return `You are muted in this room${error.until ? ` until ${when(error.until)}` : ''}.`;
  if (error.code === 'slow_mode') {
    const wait = error.retryAfterMs ? plural(Math.ceil(error.retryAfterMs / 1_000), 'second', 'seconds') : 'a moment';
    return `This room is in slow mode. Wait ${wait}, then try again.`;
  }
  return WORDS[error.code] ?? `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}.`;
}

/** Whether the user is banned from the whole server. */
export const isServerBan = ({ denied }) => denied === 'banned_from_server';

const banned = (where, { until }) => `You are banned from ${where}${until ? ` until ${when(until)}` : ''}.`;

/** Why the session has ended for good. */
export function whyEnded(error) {
  return error.code === 'forbidden' && !isServerBan(error) ? 'A moderator or an admin has disconnected you from this server.' : inWords(error);
}

/** Why the settings of a room or a ban do not let the user join. */
function notAdmitted(where, error) {
  if (error.denied === 'banned') return banned(where, error);
  if (error.denied === 'needs_role') return `${where} is only for its members. Ask an owner or a moderator of the room to add you.`;
  return `${where} is only for people with an account. Sign in to join.`;
}

/** The time of day, with the day unless it is today. */
export function when(time) {
  const date = new Date(time);
  return dayOf(date) === dayOf(new Date()) ? clock(date) : `${dayName(date)} ${clock(date)}`;
}

/** What a user who is muted should know. */
export function whyMuted({ mutedUntil }) {
  return `You are muted in this room until ${mutedUntil ? when(mutedUntil) : 'a moderator ends it'}. You can read along.`;
}

const LEFT = {
  kicked: (where) => `A moderator removed you from ${where}.`,
  banned: (where, info, until) => `A moderator banned you from ${where}${until ? ` until ${when(until)}` : ''}.`,
  room_closed: (where) => `A moderator closed ${where}.`,
  not_allowed: (where, { join, visibility } = {}) => (join === 'members' || visibility === 'private'
    ? `${where} is only for its members now.` : `${where} is only for people with an account now. Sign in to join.`),
};
const POSTERS = {
  accounts: (where) => `Sign in to post in ${where}`,
  members: (where) => `Only members post in ${where}`,
};

/** Why the box for messages is disabled: `posters` is who may post, as the room’s settings say. */
export function whoPosts(where, posters) {
  return POSTERS[posters]?.(where) ?? `Only moderators post in ${where}`;
}

/** `where` is what the room is called, and `info` are its settings. */
export function whyLeft(where, { reason, error, until }, info) {
  return LEFT[reason]?.(where, info ?? {}, until) ?? `You’re no longer in ${where}.${error ? ` ${inWords(error)}` : ''}`;
}

export function plural(count, one, many) {
  return `${count.toLocaleString()} ${count === 1 ? one : many}`;
}

/** How many messages are unread: `60+` if there may be more than those that are loaded. */
export function unreadCount({ unread, unreadMore }) {
  return `${unread}${unreadMore ? '+' : ''}`;
}

export function newMessages({ unread, unreadMore }) {
  return unreadMore ? `${unread.toLocaleString()}+ new messages` : plural(unread, 'new message', 'new messages');
}
