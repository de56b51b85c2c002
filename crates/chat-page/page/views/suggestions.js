// The suggestions for a token: `{typed, insert, symbol, member, label, hint}`. `typed` is the text
// in the box if the user types it in full. People have a `member`, everything else a `symbol`.

import { emojiList } from '../state/emoji.js';
import { COMMANDS } from '../text/commands.js';
import { isAddress } from '../text/names.js';
import { fold } from '../text/references.js';

const MAX_SUGGESTIONS = 8;
const EVERYONE = { typed: '@room', insert: '@room ', symbol: '@', label: 'room', hint: 'everyone in this room' };
const byName = new Intl.Collator(undefined, { sensitivity: 'base', numeric: true }).compare;

/** The suggestions for a token, at once or as a promise. */
export function suggestionsFor({ kind, query }, chat, room) {
  if (kind === 'person') return people(query, room);
  if (kind === 'room') return rooms(query, chat);
  if (kind === 'emoji') return emoji(query);
  return commands(query);
}

function people(query, room) {
  const { members, partial } = room.room;
  const known = matching([...members.values()], query, room.me);
  const everyone = room.mayMentionRoom ? best([EVERYONE], query, ({ label }) => label) : [];
  if (!partial || query === '') return [...known.map(person), ...everyone].slice(0, MAX_SUGGESTIONS);
  // The member list of a large room is a sample.
  const found = room.room.listMembers({ prefix: query, limit: MAX_SUGGESTIONS }).catch(() => ({ members: [] }));
  return found.then((page) => {
    const all = new Map([...known, ...page.members].map((member) => [member.username, member]));
    return [...matching([...all.values()], query, room.me).map(person), ...everyone].slice(0, MAX_SUGGESTIONS);
  });
}

function matching(members, query, except) {
  const others = members.filter(({ username }) => username !== except);
  return best(others.sort((one, other) => byName(one.username, other.username)), query, ({ username }) => username);
}

const person = (member) => ({ typed: `@${member.username}`, insert: `@${member.username} `, member, label: member.username });

function rooms(query, chat) {
  const names = [...chat.rooms.keys()].filter((name) => !isAddress(name));
  return best(names, query, (name) => name).map((name) => ({ typed: `#${name}`, insert: `#${name} `, symbol: '#', label: name }));
}

async function emoji(query) {
  const found = best(await emojiList(), query, ([code]) => code, 2 * MAX_SUGGESTIONS);
  const seen = new Set();
  const each = found.filter(([, character]) => !seen.has(character) && seen.add(character)).slice(0, MAX_SUGGESTIONS);
  return each.map(([code, character]) => ({ typed: character, insert: `${character} `, symbol: character, label: `:${code}:` }));
}

function commands(query) {
  return best(COMMANDS, query, ({ name }) => name)
    .map(({ name, hint, takesText }) => ({ typed: `/${name}`, insert: takesText ? `/${name} ` : `/${name}`, symbol: '/', label: name, hint }));
}

/**
 * Exact matches first, then names that begin with the query, then names in which a part begins with
 * it.
 */
function best(items, query, nameOf, limit = MAX_SUGGESTIONS) {
  const wanted = fold(query);
  const ranks = [[], [], []];
  for (const item of items) {
    const name = fold(nameOf(item));
    if (name === wanted) ranks[0].push(item);
    else if (name.startsWith(wanted)) ranks[1].push(item);
    else if (name.includes(`-${wanted}`) || name.includes(`_${wanted}`)) ranks[2].push(item);
  }
  return ranks.flat().slice(0, limit);
}
