// The rooms of each name in list order, so that they are restored after the tab was closed. Tabs
// share the lists: each tab changes only the entries of the rooms that it joins or leaves.

import { persistent } from './storage.js';

const MAX_NAMES = 8;
const MAX_ROOMS = 500;

const lists = () => persistent.get('lists') ?? {};

function write(name, rooms) {
  const { [name]: _, ...others } = lists();
  // The most recently used name is last, and the first one is dropped.
  const entries = Object.entries(others).slice(1 - MAX_NAMES);
  if (rooms.length > 0) entries.push([name, rooms.slice(-MAX_ROOMS)]);
  persistent.set('lists', entries.length > 0 ? Object.fromEntries(entries) : null);
}

export function listedRooms(name) {
  const rooms = lists()[name];
  return Array.isArray(rooms) ? rooms.filter((room) => typeof room === 'string') : [];
}

/** Inserts a room before another one, or at the end. */
export function listRoom(name, room, before = null) {
  const rooms = listedRooms(name);
  if (rooms.includes(room)) return;
  const index = rooms.indexOf(before);
  rooms.splice(index < 0 ? rooms.length : index, 0, room);
  write(name, rooms);
}

export function unlistRoom(name, room) {
  write(name, listedRooms(name).filter((listed) => listed !== room));
}

export function forgetRooms(name) {
  write(name, []);
}
