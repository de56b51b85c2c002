// Edits of the Markdown text in the message box. A text is `{value, start, end}`, with the
// selection from `start` to `end`. An edit is `{from, to, insert, start, end}`: the range to
// replace, its replacement, and the selection after that. `null` means no edit.

const MARKER = /^(?<indent>\s*)(?:(?<bullet>[-*+])(?<task> \[[ xX]\])?|(?<number>\d{1,9})(?<dot>[.)])|(?<quote>>)) +/;
const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const NEW_LINK = 'https://';

/**
 * Adds a mark such as `**` around the selection, or removes it. If the selection has several lines,
 * each line is marked separately.
 */
export function toggleMark({ value, start, end }, mark) {
  const [from, to] = trimmed(value, start, end);
  const selected = value.slice(from, to);
  if (selected.includes('\n')) return toggleInLines(selected, from, mark);
  const size = mark.length;
  if (isAround(value, from, to, mark)) {
    return { from: from - size, to: to + size, insert: selected, start: from - size, end: to - size };
  }
  if (isMarked(selected, mark)) {
    return { from, to, insert: selected.slice(size, -size), start: from, end: to - 2 * size };
  }
  return { from, to, insert: mark + selected + mark, start: from + size, end: to + size };
}

/** Makes the selection code: inline, or a code block if it has several lines. */
export function toggleCode({ value, start, end }) {
  const selected = value.slice(start, end);
  if (!selected.includes('\n')) return toggleMark({ value, start, end }, '`');
  const before = start === 0 || value[start - 1] === '\n' ? '' : '\n';
  const after = end === value.length || value[end] === '\n' ? '' : '\n';
  const body = selected.replace(/\n$/, '');
  const fence = '`'.repeat(Math.max(3, 1 + longestRun(body)));
  const opening = `${before}${fence}\n`;
  return { from: start, to: end, insert: `${opening}${body}\n${fence}${after}`, start: start + opening.length, end: start + opening.length + body.length };
}

/** Makes the selection a link. A selected URL becomes the target, any other text the link text. */
export function makeLink({ value, start, end }) {
  const [from, to] = trimmed(value, start, end);
  const selected = value.slice(from, to);
  if (/^(https?:\/\/|mailto:)\S+$/.test(selected)) {
    return { from, to, insert: `[](${selected})`, start: from + 1, end: from + 1 };
  }
  const target = from + 1 + selected.length + 2;
  const insert = `[${selected}](${NEW_LINK})`;
  return selected === ''
    ? { from, to, insert, start: from + 1, end: from + 1 }
    : { from, to, insert, start: target, end: target + NEW_LINK.length };
}

/** Adds `- ` or `> ` to each line of the selection, or removes it if all lines have it. */
export function toggleLines({ value, start, end }, prefix) {
  const from = value.lastIndexOf('\n', start - 1) + 1;
  const next = value.indexOf('\n', end > start && value[end - 1] === '\n' ? end - 1 : end);
  const to = next < 0 ? value.length : next;
  const lines = value.slice(from, to).split('\n');
  const filled = lines.filter((line) => line.trim() !== '');
  const isOn = filled.length > 0 && filled.every((line) => line.startsWith(prefix));
  const change = (line) => {
    if (isOn) return line.startsWith(prefix) ? line.slice(prefix.length) : line;
    return line.trim() === '' && lines.length > 1 ? line : prefix + line;
  };
  const insert = lines.map(change).join('\n');
  if (start === end) {
    const caret = Math.max(from, start + insert.length - (to - from));
    return { from, to, insert, start: caret, end: caret };
  }
  return { from, to, insert, start: from, end: from + insert.length };
}

/**
 * The edit for a new line: within a list or a quote it begins like the line before it. An empty
 * item ends the list.
 */
export function continueLine({ value, start, end }) {
  if (start !== end) return null;
  const from = value.lastIndexOf('\n', start - 1) + 1;
  const line = value.slice(from, start);
  const found = MARKER.exec(line);
  if (!found || isInFence(value.slice(0, from))) return null;
  const { indent, bullet, task, number, dot } = found.groups;
  const rest = value.slice(start, lineEnd(value, start));
  if (line.slice(found[0].length).trim() === '' && rest.trim() === '') {
    return { from, to: start, insert: '', start: from, end: from };
  }
  let marker = '> ';
  if (bullet) marker = `${bullet} ${task ? '[ ] ' : ''}`;
  else if (number) marker = `${Number(number) + 1}${dot} `;
  const insert = `\n${indent}${marker}`;
  return { from: start, to: start, insert, start: start + insert.length, end: start + insert.length };
}

function toggleInLines(selected, from, mark) {
  const lines = selected.split('\n').map((line) => {
    const head = MARKER.exec(line)?.[0] ?? /^\s*/.exec(line)[0];
    const text = line.slice(head.length).trimEnd();
    return { head, text, tail: line.slice(head.length + text.length) };
  });
  const isOn = lines.every(({ text }) => text === '' || isMarked(text, mark));
  const change = (text) => {
    if (text === '') return text;
    return isOn ? text.slice(mark.length, -mark.length) : mark + text + mark;
  };
  const insert = lines.map(({ head, text, tail }) => head + change(text) + tail).join('\n');
  return { from, to: from + selected.length, insert, start: from, end: from + insert.length };
}

/**
 * The selection without leading and trailing spaces: in Markdown a mark must not be next to a
 * space.
 */
function trimmed(value, start, end) {
  const selected = value.slice(start, end);
  if (selected.trim() === '') return [start, end];
  return [start + selected.length - selected.trimStart().length, end - (selected.length - selected.trimEnd().length)];
}

function isMarked(text, mark) {
  if (text.length < 2 * mark.length || !text.startsWith(mark) || !text.endsWith(mark)) return false;
  return mark !== '*' || (isOdd(/^\*+/.exec(text)) && isOdd(/\*+$/.exec(text)));
}

function isAround(value, from, to, mark) {
  const [before, after] = [value.slice(0, from), value.slice(to)];
  if (!before.endsWith(mark) || !after.startsWith(mark)) return false;
  return mark !== '*' || (isOdd(/\*+$/.exec(before)) && isOdd(/^\*+/.exec(after)));
}

/** `**` contains no mark `*`, but `***` does. */
function isOdd([stars]) {
  return stars.length % 2 === 1;
}

function longestRun(text) {
  return Math.max(0, ...(text.match(/`+/g) ?? []).map(({ length }) => length));
}

function lineEnd(value, at) {
  const end = value.indexOf('\n', at);
  return end < 0 ? value.length : end;
}

/** Whether a text ends inside an open code block. */
export function isInFence(before) {
  let open = null;
  for (const line of before.split('\n')) {
    const fence = FENCE.exec(line)?.[1];
    if (!fence) continue;
    if (open === null) open = fence;
    else if (fence[0] === open[0] && fence.length >= open.length) open = null;
  }
  return open !== null;
}
