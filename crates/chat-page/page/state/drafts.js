// Unsent texts, by name and room.

import { persistent } from './storage.js';

const MAX_DRAFTS = 50;

const prefixOf = (name) => `draft.${name}.`;
const keyOf = (name, room) => prefixOf(name) + room;

export function draftOf(name, room) {
  return persistent.get(keyOf(name, room))?.text ?? '';
}

export function saveDraft(name, room, text) {
  const key = keyOf(name, room);
  if (text === '') return persistent.set(key, null);
  if (persistent.get(key) === null) dropOldest();
  persistent.set(key, { text, at: Date.now() });
}

/** Removes all drafts of a name, for example on sign-out. */
export function forgetDrafts(name) {
  for (const key of persistent.keys(prefixOf(name))) persistent.set(key, null);
}

function dropOldest() {
  const drafts = persistent.keys('draft.').map((key) => ({ key, at: persistent.get(key)?.at ?? 0 }));
  drafts.sort((one, other) => other.at - one.at);
  for (const { key } of drafts.slice(MAX_DRAFTS - 1)) persistent.set(key, null);
}
