// Marks mentions and room links in a rendered message. It wraps text nodes and never writes markup.

import { pathOf } from '../state/address.js';
import { fold, mentionsIn, roomsIn } from './references.js';

const EXCLUDED = 'a, code, pre, button, .mention';
/**
 * Elements in which mentions do not count. The server closes each of them, and never nests an
 * element in another of the same name.
 */
const EXCLUDED_HTML = /<(a|code|pre)\b[^>]*>[^]*?<\/\1>/g;
const TAG = /<[^>]*>/g;

/** Whether the text of a message names this user. `find` as in `mentionsIn`. */
export function isNamedIn({ body, html }, name, find) {
  if (!/[@＠]/.test(body)) return false;
  // Each element has its own text nodes, as on the page.
  const text = html === undefined ? body : html.replace(EXCLUDED_HTML, '\n').replace(TAG, '\n');
  return mentionsIn(text, find).some(({ names }) => names.includes(name));
}

/**
 * Marks the users and links the rooms that a message's element names. `room` has `me`,
 * `named(text)` and `isRoom(name)`. If the message addresses everyone, `@room` is a mention of the
 * user. An element that has an `@` without a known name gets `data-open`: a user with that name may
 * join later.
 */
export function markReferences(element, room, { isToEveryone = false } = {}) {
  if (!/[@＠#＃]/.test(element.textContent)) return;
  const find = isToEveryone ? (text) => (fold(text) === 'room' ? [room.me] : room.named(text)) : room.named;
  let isOpen = false;
  for (const text of textsOf(element)) {
    const people = mentionsIn(text.data, find).map((mention) => ({ ...mention, element: mark(mention.names, room.me) }));
    const rooms = roomsIn(text.data, room.isRoom).map((found) => ({ ...found, element: link(found.room) }));
    const marks = [...people, ...rooms].sort((one, other) => other.index - one.index);
    isOpen ||= people.length < (text.data.match(/[@＠]/g)?.length ?? 0);
    for (const { index, length, element: wrapper } of marks) {
      const found = text.splitText(index);
      found.splitText(length);
      found.replaceWith(wrapper);
      wrapper.append(found);
    }
  }
  element.toggleAttribute('data-open', isOpen);
}

function textsOf(element) {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) {
    const text = walker.currentNode;
    if (/[@＠#＃]/.test(text.data) && !text.parentElement.closest(EXCLUDED)) texts.push(text);
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
