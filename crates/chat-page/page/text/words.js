// What went wrong, in plain words.

const WORDS = {
  invalid_username: 'This can’t be a name. Use up to 50 letters, digits, _ and -, without spaces.',
  invalid_room: 'This can’t be the name of a room. Use up to 64 letters, digits, _ and -, without spaces.',
  already_in_room: 'You are in this room already.',
  too_many_rooms: 'You are in as many rooms as this server allows. Leave one first.',
  message_too_large: 'This message is too long for this server. Shorten it or send it in parts.',
  queue_full: 'Too many messages are waiting to be sent. Wait until the connection is back.',
  rate_limited: 'That was too fast, or the room is full. Wait a moment and try again.',
  unauthorized: 'The server did not accept who you are.',
  forbidden: 'You may not enter here.',
  store_unavailable: 'The server can’t store anything at the moment. Try again in a while.',
  disconnected: 'There is no connection at the moment.',
  left_room: 'You left the room before this was sent.',
  not_in_room: 'You are not in this room any more.',
  unreachable: 'The server can’t be reached.',
  timeout: 'The server does not answer.',
  id_reused: 'The server has another message under the same id. Copy the text and send it anew.',
};

export function inWords(error, { name, room } = {}) {
  if (error.code === 'username_taken') return `Somebody in ${room ?? 'this room'} is called ${name} already. Take another name, or close the other tab if that is you.`;
  return WORDS[error.code] ?? `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}.`;
}

const LEFT = {
  kicked: (room) => `You were put out of ${room}.`,
  banned: (room) => `You were put out of ${room} and can’t come back.`,
  room_closed: (room) => `${room} was closed.`,
};

export function whyLeft(room, reason, error) {
  return LEFT[reason]?.(room) ?? `You are not in ${room} any more. ${error ? inWords(error, { room }) : ''}`;
}

export function plural(count, one, many) {
  return `${count.toLocaleString()} ${count === 1 ? one : many}`;
}
