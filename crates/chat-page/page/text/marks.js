// Mentions and rooms in a message that is on the page: they are marked text by text, no markup is written.

import { pathOf } from '../state/address.js';
import { mentionsIn, roomsIn } from './references.js';

const NOT_IN = 'a, code, pre, button, .mention';
/** Elements in which no mention counts. The server closes each of them, and does not nest an element in another of its name. */
const SILENT = /<(a|code|pre)\b[^>]*>[^]*?<\/\1>/g;
const TAG = /<[^>]*>/g;

/** Whether a message mentions this person. `find` as in `mentionsIn`. */
export function mentions({ body, html }, name, find) {
  if (!/[@＠]/.test(body)) return false;
  // each element has texts of its own, as it has on the page
  const text = html === undefined ? body : html.replace(SILENT, '\n').replace(TAG, '\n');
  return mentionsIn(text, find).some(({ names }) => names.includes(name));
}

/**
 * Marks the people and links the rooms that a message's element names. `room` has `me`, `find(text)` and `isRoom(name)`. An element
 * that has an `@` without a known name gets `data-open`: a user of that name may join later.
 */
export function markReferences(element, room) {
  if (!/[@＠#＃]/.test(element.textContent)) return;
  let isOpen = false;
  for (const text of textsOf(element)) {
    const people = mentionsIn(text.data, room.find).map((mention) => ({ ...mention, element: mark(mention.names, room.me) }));
    const rooms = roomsIn(text.data, room.isRoom).map((found) => ({ ...found, element: link(found.room) }));
    const marks = [...people, ...rooms].sort((one, other) => other.index - one.index);
    isOpen ||= people.length < (text.data.match(/[@＠]/g)?.length ?? 0);
    for (const { index, length, element: around } of marks) {
      const found = text.splitText(index);
      found.splitText(length);
      found.replaceWith(around);
      around.append(found);
    }
  }
  element.toggleAttribute('data-open', isOpen);
}

function textsOf(element) {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) {
    const text = walker.currentNode;
    if (/[@＠#＃]/.test(text.data) && !text.parentElement.closest(NOT_IN)) texts.push(text);
  }
  return texts;
}

function mark(names, me) {
  const element = document.createElement('span');
  element.className = names.includes(me) ? 'mention mention-me' : 'mention';
  return element;
}

function link(room) {
  const element = document.createElement('a');
  element.className = 'room-reference';
  element.href = pathOf(room);
  return element;
}
