// Names of people and rooms: how they stand in a sentence, and one that works in place of one that does not.

const LONGEST = 50;
const RIGHT_TO_LEFT = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;
const NOT_IN_A_NAME = /[^\p{L}\p{M}\p{N}_-]+/gu;
const NUMBERED = /^(?<stem>.*)-(?<number>[1-9]\d{0,3})$/u;

/** A name within a sentence, kept from turning the words around it. */
export function isolated(name) {
  return RIGHT_TO_LEFT.test(name) ? `\u2068${name}\u2069` : name;
}

/** What a user probably meant by a text that is not a valid name: `Anna Müller` becomes `Anna-Müller`. Null if nothing is left of it. */
export function asName(text) {
  const joined = text.normalize('NFC').trim().replace(NOT_IN_A_NAME, '-');
  const name = cut(joined.replace(/^[-\p{M}]+|-+$/gu, ''), LONGEST);
  return name === '' || name === text ? null : name;
}

/** Another name for one that is taken: `ana`, `ana-2`, `ana-3` and so on. */
export function nextName(name) {
  const { stem, number } = NUMBERED.exec(name)?.groups ?? { stem: name, number: '1' };
  const ending = `-${Number(number) + 1}`;
  return cut(stem, LONGEST - ending.length) + ending;
}

/** At most this many characters, counted as the server counts them. */
function cut(text, most) {
  return [...text].slice(0, most).join('').replace(/-+$/, '');
}
