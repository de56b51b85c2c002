// Very long messages show their beginning, and a button for the rest.

import { h } from '../dom.js';

/**
 * Longer messages are collapsed. The length is estimated, because measuring each message would
 * force a layout.
 */
const MAX_LINES = 40;
const CHARACTERS_PER_LINE = 80;
/** Characters of scripts that are about twice as wide as Latin. */
const WIDE = /[\u2e80-\uffdc]/g;

/** Messages that the user expanded stay expanded when they are rendered again. */
const expanded = new WeakSet();
const messageOf = new WeakMap();

/** Some estimates are too high: a message that fits after all needs no button. */
const fitObserver = new ResizeObserver((entries) => {
  for (const { target: body } of entries) {
    if (body.classList.contains('cut')) body.nextElementSibling.hidden = body.scrollHeight <= body.clientHeight + 1;
  }
});

/** The button that expands a message's body, or `null` if the message is not long. */
export function expandButton(message, body) {
  if (!isLong(message.body)) return null;
  const button = h('button', { class: 'show-more', type: 'button' });
  messageOf.set(button, message);
  show(button, body, expanded.has(message));
  fitObserver.observe(body);
  return button;
}

export function isCut(body) {
  return body.classList?.contains('cut') === true;
}

/** Expands a collapsed message, or collapses it again. Returns whether it is expanded now. */
export function toggle(button) {
  const message = messageOf.get(button);
  const open = !expanded.has(message);
  if (open) expanded.add(message);
  else expanded.delete(message);
  show(button, button.previousElementSibling, open);
  return open;
}

function show(button, body, open) {
  body.classList.toggle('cut', !open);
  button.textContent = open ? 'Show less' : 'Show more';
  button.setAttribute('aria-expanded', String(open));
}

function isLong(text) {
  if (text.length < MAX_LINES) return false;
  let lines = 0;
  for (const line of text.split('\n')) {
    const width = line.length + (line.match(WIDE)?.length ?? 0);
    lines += Math.max(1, Math.ceil(width / CHARACTERS_PER_LINE));
    if (lines > MAX_LINES) return true;
  }
  return false;
}
