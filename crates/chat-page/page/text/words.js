// Error messages for users.

import { isolated } from './names.js';

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

/** A room as the page writes it: `#lobby`. */
export const hash = (room) => isolated(`#${room}`);

/** The message for an error. `name` and `room` are those of a join that failed. */
export function inWords(error, { name, room } = {}) {
  const isJoin = name !== undefined && room !== undefined;
  if (isJoin && error.code === 'username_taken') {
    return `The name ${isolated(name)} is already in use in ${hash(room)} by someone else. Pick another one.`;
  }
  if (isJoin && error.code === 'forbidden') return `${hash(room)} is only for people with an account. Sign in to join.`;
  // Joins are not rate limited: the server answers with this code if the room is full.
  if (isJoin && error.code === 'rate_limited' && !error.closeCode) return WORDS.room_full;
  return WORDS[error.code] ?? `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}.`;
}

const LEFT = {
  kicked: (room) => `A moderator removed you from ${hash(room)}.`,
  room_closed: (room) => `A moderator closed ${hash(room)}.`,
  not_allowed: (room) => `${hash(room)} is only for people with an account now. Sign in to join.`,
};

/** Why the box for messages is disabled: `posters` is who may post, as the room’s settings say. */
export function whoPosts(where, posters) {
  return posters === 'accounts' ? `Sign in to post in ${where}` : `Only moderators post in ${where}`;
}

export function whyLeft(room, reason, error) {
  return LEFT[reason]?.(room) ?? `You’re no longer in ${hash(room)}.${error ? ` ${inWords(error)}` : ''}`;
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
