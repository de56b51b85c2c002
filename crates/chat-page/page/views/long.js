// Very long messages show their beginning, and a button for the rest.

import { h } from '../dom.js';

/** Longer messages are cut, by an estimate: to measure each message would cost a layout. */
const MOST_LINES = 40;
const LINE = 80;
/** Characters of scripts that are about twice as wide as Latin. */
const WIDE = /[\u2e80-\uffdc]/g;

/** Messages that the user opened stay open when they come into the page again. */
const opened = new WeakSet();
const messageOf = new WeakMap();

/** Some estimates are too high: a message that fits after all needs no button. */
const fitting = new ResizeObserver((entries) => {
  for (const { target: body } of entries) {
    if (body.classList.contains('cut')) body.nextElementSibling.hidden = body.scrollHeight <= body.clientHeight + 1;
  }
});

/** The button for a message's body, if it is a long one. */
export function folded(message, body) {
  if (!isLong(message.body)) return null;
  const button = h('button', { class: 'show-more', type: 'button' });
  messageOf.set(button, message);
  show(button, body, opened.has(message));
  fitting.observe(body);
  return button;
}

export function isCut(body) {
  return body.classList?.contains('cut') === true;
}

/** Opens a message that is cut, or the other way round. */
export function toggle(button) {
  const message = messageOf.get(button);
  const open = !opened.has(message);
  if (open) opened.add(message);
  else opened.delete(message);
  show(button, button.previousElementSibling, open);
  return open;
}

function show(button, body, open) {
  body.classList.toggle('cut', !open);
  button.textContent = open ? 'Show less' : 'Show more';
  button.setAttribute('aria-expanded', String(open));
}

function isLong(text) {
  if (text.length < MOST_LINES) return false;
  let lines = 0;
  for (const line of text.split('\n')) {
    const width = line.length + (line.match(WIDE)?.length ?? 0);
    lines += Math.max(1, Math.ceil(width / LINE));
    if (lines > MOST_LINES) return true;
  }
  return false;
}
