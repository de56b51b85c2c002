// Names of users and rooms: how they appear in a sentence, and valid alternatives to invalid or
// taken ones.

const MAX_NAME_LENGTH = 50;
const RIGHT_TO_LEFT = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;
const INVALID_CHARACTERS = /[^\p{L}\p{M}\p{N}_-]+/gu;
const NUMBERED = /^(?<stem>.*)-(?<number>[1-9]\d{0,3})$/u;

/** Private and direct rooms have a random address in place of a name. It is not shown to people. */
export const isAddress = (room) => room.startsWith('~');

/**
 * A name for use within a sentence, isolated so that it does not change the direction of the text
 * around it.
 */
export function isolated(name) {
  return RIGHT_TO_LEFT.test(name) ? `\u2068${name}\u2069` : name;
}

/**
 * The valid name that is closest to an invalid one: `Anna Müller` becomes `Anna-Müller`. `null` if
 * nothing is left of it.
 */
export function validNameFrom(text) {
  const joined = text.normalize('NFC').trim().replace(INVALID_CHARACTERS, '-');
  const name = truncate(joined.replace(/^[-\p{M}]+|-+$/gu, ''), MAX_NAME_LENGTH);
  return name === '' || name === text ? null : name;
}

/** An alternative to a name that is taken: `ana`, `ana-2`, `ana-3` and so on. */
export function nextName(name) {
  const { stem, number } = NUMBERED.exec(name)?.groups ?? { stem: name, number: '1' };
  const ending = `-${Number(number) + 1}`;
  return truncate(stem, MAX_NAME_LENGTH - ending.length) + ending;
}

/** Truncates to this many characters, counted as the server counts them. */
function truncate(text, max) {
  return [...text].slice(0, max).join('').replace(/-+$/, '');
}
