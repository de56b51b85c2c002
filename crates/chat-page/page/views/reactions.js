// The reactions under a message.

import { h, icon } from '../dom.js';
import { plural } from '../text/words.js';

/** The emoji at hand, with their names. */
export const QUICK = [
  ['👍', 'Thumbs up'], ['❤️', 'Heart'], ['😂', 'Tears of joy'], ['🎉', 'Party'], ['😮', 'Surprised'], ['🙏', 'Thanks'],
];

/** The element with the reactions, or `null` if the message has none. */
export function reactionsOf(message, room) {
  if (!message.reactions) return null;
  const element = h('div', { class: 'reactions', role: 'group', 'aria-label': 'Reactions' }, addButton());
  fill(element, message.reactions, room);
  return element;
}

/**
 * Shows the present reactions of a message in its entry. What stays is not created again, so that a
 * storm of reactions costs little, and the focus stays where it is.
 */
export function updateReactions(article, message, room) {
  const element = article.querySelector(':scope > .reactions');
  if (!message.reactions) {
    if (element?.contains(document.activeElement)) article.focus({ preventScroll: true });
    element?.remove();
  } else if (element) fill(element, message.reactions, room);
  else article.append(reactionsOf(message, room));
}

function fill(element, reactions, room) {
  const chips = new Map([...element.querySelectorAll('.reaction')].map((chip) => [chip.dataset.emoji, chip]));
  const add = element.lastElementChild;
  for (const reaction of reactions) {
    const chip = chips.get(reaction.emoji) ?? newChip(reaction.emoji, add.tabIndex);
    chips.delete(reaction.emoji);
    show(chip, reaction, room);
    if (!chip.isConnected || chip.parentElement !== element) add.before(chip);
  }
  for (const chip of chips.values()) {
    if (chip === document.activeElement) add.focus({ preventScroll: true });
    chip.remove();
  }
}

/** Tab reaches the chips of the message that has the focus: see `MessageFocus`. */
function newChip(emoji, tabindex) {
  return h('button', { type: 'button', class: 'reaction', 'data-emoji': emoji, 'data-inner': true, tabindex },
    h('span', { class: 'emoji', 'aria-hidden': 'true' }, emoji), h('span', { class: 'number', 'aria-hidden': 'true' }));
}

function addButton() {
  return h('button', { type: 'button', class: 'add-reaction', 'data-inner': true, tabindex: -1, 'aria-label': 'Add a reaction', title: 'Add a reaction' }, icon('smile'));
}

function show(chip, { emoji, count, users, mine = false }, room) {
  const names = namesOf({ count, users, mine }, room.me);
  const label = `${emoji} ${count}: ${names}`;
  if (chip.getAttribute('aria-label') !== label) {
    chip.setAttribute('aria-label', label);
    chip.title = names;
    chip.lastElementChild.textContent = count > 999 ? '999+' : count;
  }
  if (chip.getAttribute('aria-pressed') !== String(mine)) chip.setAttribute('aria-pressed', String(mine));
}

/** Who has put an emoji on a message, in words. The server names only some of many. */
export function namesOf({ count, users, mine = false }, me) {
  const others = mine ? users.filter((name) => name !== me) : users;
  const named = [...(mine ? ['You'] : []), ...others].slice(0, count);
  const rest = count - named.length;
  const all = [...named, ...(rest > 0 ? [plural(rest, 'other', 'others')] : [])];
  return all.length > 1 ? `${all.slice(0, -1).join(', ')} and ${all.at(-1)}` : all.join('');
}
