// The line above a reply, which quotes the message that it replies to.

import { h, hueOf } from '../dom.js';
import { pathOf } from '../state/address.js';
import { textOf } from '../text/html.js';

const MAX_CHARACTERS = 140;
const DELETED = 'Deleted message';
const BLOCKED = 'Message of a blocked user';

/**
 * The quote of the message with this number. `from` and `user` are its author, as far as known. It
 * leads to the message, wherever that is.
 */
export function quoteOf({ seq, from, user }, room) {
  const author = from !== undefined && h('span', { class: 'from', dir: 'auto' }, from);
  if (author) author.style.setProperty('--hue', hueOf(user));
  const quote = h('a', { class: 'quote', href: pathOf(room.name, seq), 'data-target': seq, 'data-inner': true, tabindex: -1 },
    h('span', { class: 'visually-hidden' }, 'Reply to '), author, h('span', { class: 'excerpt', dir: 'auto' }));
  updateQuote(quote, room);
  return quote;
}

/** Shows the present state of the message that is quoted. */
export function updateQuote(quote, room) {
  const message = room.find(Number(quote.dataset.target));
  const absent = !message ? 'Earlier message' : message.deleted ? DELETED : room.isHidden(message) ? BLOCKED : null;
  const text = absent ?? excerptOf(message);
  const excerpt = quote.lastElementChild;
  if (excerpt.textContent !== text) excerpt.textContent = text;
  quote.classList.toggle('without-text', absent !== null);
}

/** The first line of a message, as text. */
export function excerptOf({ body, html }) {
  const text = html === undefined ? body : textOf(html);
  const line = text.split('\n').find((each) => each.trim() !== '')?.trim() ?? '';
  const characters = [...line];
  return characters.length > MAX_CHARACTERS ? `${characters.slice(0, MAX_CHARACTERS).join('')}…` : line;
}
