// Texts that were not sent yet, by name and room.

import { lasting } from './storage.js';

const MAX_DRAFTS = 50;

const prefixOf = (name) => `draft.${name}.`;
const keyOf = (name, room) => prefixOf(name) + room;

export function draftOf(name, room) {
  return lasting.get(keyOf(name, room))?.text ?? '';
}

export function keepDraft(name, room, text) {
  const key = keyOf(name, room);
  if (text === '') return lasting.set(key, null);
  if (lasting.get(key) === null) dropOldest();
  lasting.set(key, { text, at: Date.now() });
}

/** Removes all drafts of a name, for example when its user signs out. */
export function forgetDrafts(name) {
  for (const key of lasting.keys(prefixOf(name))) lasting.set(key, null);
}

function dropOldest() {
  const drafts = lasting.keys('draft.').map((key) => ({ key, at: lasting.get(key)?.at ?? 0 }));
  drafts.sort((one, other) => other.at - one.at);
  for (const { key } of drafts.slice(MAX_DRAFTS - 1)) lasting.set(key, null);
}
