// The rooms of each name, in the order of the list, so that they are there again after the tab was closed. Tabs share the lists: each one
// changes only the entries of the rooms that it joins or leaves.

import { lasting } from './storage.js';

const MAX_NAMES = 8;
const MAX_ROOMS = 500;

const lists = () => lasting.get('lists') ?? {};

function write(name, rooms) {
  const { [name]: _, ...others } = lists();
  // the name that was used last comes last, and the first one is dropped
  const kept = Object.entries(others).slice(1 - MAX_NAMES);
  if (rooms.length > 0) kept.push([name, rooms.slice(-MAX_ROOMS)]);
  lasting.set('lists', kept.length > 0 ? Object.fromEntries(kept) : null);
}

export function listedRooms(name) {
  const rooms = lists()[name];
  return Array.isArray(rooms) ? rooms.filter((room) => typeof room === 'string') : [];
}

/** Puts a room on the list: at its end, or before another one. */
export function listRoom(name, room, before = null) {
  const rooms = listedRooms(name);
  if (rooms.includes(room)) return;
  const at = rooms.indexOf(before);
  rooms.splice(at < 0 ? rooms.length : at, 0, room);
  write(name, rooms);
}

export function unlistRoom(name, room) {
  write(name, listedRooms(name).filter((listed) => listed !== room));
}

export function forgetRooms(name) {
  write(name, []);
}
