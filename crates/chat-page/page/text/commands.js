// Slash commands. `/me waves` is sent as `*waves*`, a long-standing convention of chats for
// actions: every client shows it after the sender's name, in italics if it renders Markdown and
// between asterisks if it does not.

/** The commands, with the hints that the completion shows. */
export const COMMANDS = [
  { name: 'me', hint: 'an action, such as /me waves', takesText: true },
  { name: 'help', hint: 'keyboard shortcuts and help', takesText: false },
];

const COMMAND = /^\/(?<name>\p{L}[\p{L}\p{N}_-]*)(?:\s+(?<rest>[^]*))?$/u;

/**
 * What a text in the box means: `{send}`, a message; `{help: true}`; or `{hint}`, why it is not
 * sent. A double slash at the beginning is sent as a single one.
 */
export function commandOf(text) {
  if (text.startsWith('//') && COMMAND.test(text.slice(1))) return { send: text.slice(1) };
  const { name, rest = '' } = COMMAND.exec(text)?.groups ?? {};
  if (name === undefined) return { send: text };
  if (name === 'help') return { help: true };
  if (name === 'me') return rest.trim() === '' ? { hint: 'Write what you do after /me, for example: /me waves' } : { send: action(rest) };
  return { hint: `There is no command “/${name}”. To send this as a message, begin it with two slashes: //${name}` };
}

/**
 * Each paragraph is emphasised separately, because emphasis ends with the paragraph. If the
 * paragraph begins or ends with `*`, the marker is `_`.
 */
function action(text) {
  const inItalics = (paragraph) => (/^\*|\*$/.test(paragraph) ? `_${paragraph}_` : `*${paragraph}*`);
  return text.trim().split(/\n\s*\n/).map((paragraph) => inItalics(paragraph.trim())).join('\n\n');
}
