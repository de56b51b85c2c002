// The token at the caret that can be completed.

import { isInFence } from './editing.js';
import { BEFORE, IN_NAME } from './references.js';

/** No token that can be completed is longer. */
const MAX_LENGTH = 80;

const TOKENS = [
  { kind: 'person', pattern: new RegExp(`${BEFORE}[@＠](?<query>[${IN_NAME}]{0,64})$`, 'u') },
  // `#` alone is the beginning of a heading.
  { kind: 'room', pattern: new RegExp(`${BEFORE}[#＃](?<query>[${IN_NAME}]{1,64})$`, 'u') },
  // After one letter it may be `:D`.
  { kind: 'emoji', pattern: new RegExp(`${BEFORE}(?<!:):(?<query>[\\w+-]{2,40})$`, 'u') },
];
const COMMAND = /^\/(?<query>\p{L}*)$/u;

/**
 * `{kind: 'person' | 'room' | 'emoji' | 'command', query, from}`, or `null`. `from` is the start of
 * the token.
 */
export function tokenAt(value, caret) {
  const command = COMMAND.exec(value.slice(0, caret))?.groups;
  if (command) return { kind: 'command', query: command.query, from: 0 };
  const start = Math.max(0, caret - MAX_LENGTH);
  const text = value.slice(start, caret);
  for (const { kind, pattern } of TOKENS) {
    const found = pattern.exec(text);
    if (!found) continue;
    return isInCode(value.slice(0, caret)) ? null : { kind, query: found.groups.query, from: start + found.index };
  }
  return null;
}

function isInCode(before) {
  const line = before.slice(before.lastIndexOf('\n') + 1);
  return (line.match(/`/g)?.length ?? 0) % 2 === 1 || isInFence(before);
}
