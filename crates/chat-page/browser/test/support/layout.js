// Checks the layout on the screen: whether each box stays within its column, and each control can
// be reached.

import assert from 'node:assert/strict';
import { until } from './until.js';

/** Runs in the page. Returns the problems as sentences. */
async function measure() {
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const problems = [];
  const { clientWidth, scrollWidth } = document.documentElement;
  if (scrollWidth > clientWidth) problems.push(`the page scrolls sideways: ${scrollWidth} in ${clientWidth} px`);
  const open = [...document.querySelectorAll('dialog[open]')].at(-1);
  const roots = open ? [open] : [...document.querySelectorAll('body > main, body > .chat')];
  const named = (element) => `${element.localName}#${element.id}.${[...element.classList].join('.')} "${element.textContent.slice(0, 30)}"`;
  // These scroll sideways on their own, or are not visible.
  const isExempt = (element) => element.closest('pre, table, .visually-hidden, .skip, [hidden], svg') !== null;
  const columnOf = (element) => element.closest('.side, .room, .modal, .card, .message > .body') ?? document.documentElement;
  for (const element of roots.flatMap((root) => [...root.querySelectorAll('*')])) {
    if (!element.checkVisibility({ contentVisibilityAuto: true }) || isExempt(element)) continue;
    const box = element.getBoundingClientRect();
    if (box.width === 0) continue;
    const column = columnOf(element.parentElement).getBoundingClientRect();
    if (box.left < column.left - 1 || box.right > column.right + 1) {
      problems.push(`${named(element)} overflows its column: ${box.left}..${box.right} of ${column.left}..${column.right}`);
    }
    if (box.left < -1 || box.right > clientWidth + 1) problems.push(`${named(element)} overflows the screen: ${box.left}..${box.right}`);
    const { display, overflowX } = getComputedStyle(element);
    const scrolls = element.scrollWidth > element.clientWidth + 1;
    if (display !== 'inline' && scrolls && !element.matches('textarea, input, pre, table')) {
      const isCutOff = overflowX === 'hidden' && getComputedStyle(element).textOverflow === 'ellipsis';
      // A box that clips is never wider than its content box. Combining marks painted outside do
      // not count.
      if (!isCutOff) problems.push(`${named(element)} overflows its box: ${element.scrollWidth} in ${element.clientWidth} px`);
    }
  }
  for (const part of document.querySelectorAll('.bar, #compose')) {
    const { top, bottom } = part.getBoundingClientRect();
    if (part.checkVisibility() && (top < -1 || bottom > innerHeight + 1)) problems.push(`${named(part)} overflows the screen: ${top}..${bottom} of ${innerHeight}`);
  }
  const controls = roots.flatMap((root) => [...root.querySelectorAll('button, input, textarea, select, .room-link')]);
  for (const control of controls) {
    if (!control.checkVisibility({ contentVisibilityAuto: true }) || control.closest('.visually-hidden')) continue;
    if (control.closest('pre, table')) continue;
    // Controls in scrollable parts are scrolled into view first, as a user would do.
    control.scrollIntoView({ block: 'center' });
    // The page reacts to a scroll in the next frame.
    await frame();
    await frame();
    const { left, right, top, bottom } = control.getBoundingClientRect();
    if (left < -1 || right > clientWidth + 1) problems.push(`${named(control)} is off the screen: ${left}..${right}`);
    const hit = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    // A list of suggestions is supposed to cover what is under it.
    const isUnderList = hit?.closest('[role="listbox"]') && !control.closest('[role="listbox"]');
    const isReachable = hit && (control.contains(hit) || hit.closest('label')?.contains(control) || control.disabled || isUnderList);
    if (!isReachable) problems.push(`${named(control)} can't be reached: ${hit ? named(hit) : 'nothing'} covers it`);
  }
  return problems;
}

/** Asserts that the layout is correct. `view` names what is being checked. */
export async function assertLayout(user, view) {
  await until('all animations have ended', () => user.page.evaluate(() => document.getAnimations().length === 0));
  const { width } = user.page.viewportSize();
  assert.deepEqual(await user.page.evaluate(measure), [], `${view} at ${width} px`);
}

/** The words of these elements that are broken across lines other than at a hyphen. */
export function brokenWords(locator) {
  return locator.evaluateAll((elements) => elements.flatMap((element) => {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    const broken = [];
    while (walker.nextNode()) {
      const text = walker.currentNode;
      for (const { index, 0: word } of text.data.matchAll(/[^\s-]+-*/g)) {
        const range = document.createRange();
        range.setStart(text, index);
        range.setEnd(text, index + word.length);
        const lines = new Set([...range.getClientRects()].map(({ top }) => Math.round(top)));
        if (lines.size > 1) broken.push(word);
      }
    }
    return broken;
  }));
}
