// `@name` and `#room` in a text: where a name ends, and which names are meant. According to the
// protocol a name consists of letters, marks, numbers, `_` and `-`.

/** The characters of a name, for a character class of a regular expression. */
export const IN_NAME = '\\p{L}\\p{M}\\p{N}_\\-';
/** Scripts that put no space between a name and the next word, or attach particles to a name. */
const UNSPACED = ['Han', 'Hiragana', 'Katakana', 'Hangul', 'Thai', 'Lao', 'Khmer', 'Myanmar'].map((name) => `\\p{scx=${name}}`).join('');
/** Longer than any name, even in decomposed form. */
const MAX_RUN = 160;
const MAX_ROOM_NAME = 64;
/**
 * References beyond this number in one text are ignored, so that a hostile message costs little.
 */
const MAX_REFERENCES = 1_000;

/**
 * What may precede a reference. A letter may only in an unspaced script; elsewhere it would be a
 * mail address or part of a word.
 */
export const BEFORE = `(?<=^|[${UNSPACED}]|[^${IN_NAME}@＠#＃+/&])`;
const MENTION = new RegExp(`${BEFORE}[@＠](?<run>[\\p{L}\\p{N}_-][${IN_NAME}]*)`, 'gu');
const ROOM = new RegExp(`${BEFORE}[#＃](?<run>[\\p{L}\\p{N}_-][${IN_NAME}]*)`, 'gu');
const NAME_CHARACTER = new RegExp(`[${IN_NAME}]`, 'u');
const UNSPACED_CHARACTER = new RegExp(`[${UNSPACED}]`, 'u');
const MARK = /\p{M}/u;
/** The rest of a run if only dashes and underscores follow a name. */
const ONLY_TRAILING = new RegExp(`[_-]+(?![${IN_NAME}])`, 'uy');
const DOMAIN_FOLLOWS = /\.[\p{L}\p{N}]/uy;
const HEX_COLOUR = /^(?=.*\d)(?:[\da-f]{3,4}|[\da-f]{6}|[\da-f]{8})$/i;

/** Names that differ only in case or in Unicode composition have the same fold. */
export const fold = (name) => name.normalize('NFC').toLowerCase();

/**
 * The mentions in a text: `{index, length, names}`. `find(text)` returns the users with this name.
 * If several names match at a position, the longest one wins.
 */
export function mentionsIn(text, find) {
  const found = [];
  for (const { index, run } of candidates(MENTION, text)) {
    const known = longest(text, index + 1, run, find);
    if (known && !isMailAddress(text, index, known.end)) found.push({ index, length: known.end - index, names: known.result });
  }
  return found;
}

/**
 * The rooms in a text: `{index, length, room}`. `isKnown(name)` tells whether the user is in a room
 * of this name.
 */
export function roomsIn(text, isKnown) {
  const found = [];
  for (const { index, run } of candidates(ROOM, text)) {
    const known = longest(text, index + 1, run, (name) => isKnown(name.normalize('NFC')) ? [name] : []);
    const name = known ? known.result[0] : run.replace(/[_-]+$/u, '');
    if (!known && !looksLikeRoom(name)) continue;
    found.push({ index, length: 1 + name.length, room: name.normalize('NFC') });
  }
  return found;
}

function* candidates(pattern, text) {
  let count = 0;
  for (const { index, groups: { run } } of text.matchAll(pattern)) {
    yield { index, run };
    count += 1;
    if (count === MAX_REFERENCES) return;
  }
}

/** `#12` is a number and `#ff8800` is a colour: neither is a room. */
function looksLikeRoom(name) {
  return /\p{L}/u.test(name) && !HEX_COLOUR.test(name) && [...name.normalize('NFC')].length <= MAX_ROOM_NAME;
}

/** The longest prefix of the run that `find` knows and that ends where a name can end. */
function longest(text, start, run, find) {
  for (let end = start + Math.min(run.length, MAX_RUN); end > start; end -= isPairBefore(text, end) ? 2 : 1) {
    if (!canEndAt(text, end)) continue;
    const result = find(text.slice(start, end));
    if (result.length > 0) return { end, result };
  }
  return null;
}

function canEndAt(text, end) {
  const next = characterAt(text, end);
  if (next === '' || !NAME_CHARACTER.test(next)) return true;
  if (MARK.test(next)) return false;
  if (UNSPACED_CHARACTER.test(next) || UNSPACED_CHARACTER.test(characterBefore(text, end))) return true;
  return matchesAt(ONLY_TRAILING, text, end);
}

/** `田中@example.com`: the preceding letter is not enough to tell, but a domain that follows is. */
function isMailAddress(text, index, end) {
  return index > 0 && /[\p{L}\p{N}]/u.test(characterBefore(text, index)) && matchesAt(DOMAIN_FOLLOWS, text, end);
}

function matchesAt(sticky, text, at) {
  sticky.lastIndex = at;
  return sticky.test(text);
}

function characterAt(text, at) {
  return at < text.length ? String.fromCodePoint(text.codePointAt(at)) : '';
}

function characterBefore(text, at) {
  return text.slice(isPairBefore(text, at) ? at - 2 : at - 1, at);
}

function isPairBefore(text, at) {
  return at > 1 && text.codePointAt(at - 2) > 0xffff;
}
