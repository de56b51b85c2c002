// `@name` in a text. What a name is made of is in the protocol: letters, marks, numbers, `_` and `-`.

const MENTION = /(?<![\p{L}\p{M}\p{N}_@-])@([\p{L}\p{N}_-][\p{L}\p{M}\p{N}_-]{0,49})/gu;
const NOT_IN = 'a, code, pre, .mention';

export function mentions(body, name) {
  for (const [, mentioned] of body.matchAll(MENTION)) if (mentioned.normalize('NFC') === name) return true;
  return false;
}

/** Marks the mentions in what is in the page already, text by text: no markup is written. */
export function markMentions(element, name) {
  if (!element.textContent.includes('@')) return;
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) {
    const text = walker.currentNode;
    if (text.data.includes('@') && !text.parentElement.closest(NOT_IN)) texts.push(text);
  }
  for (const text of texts) markIn(text, name);
}

function markIn(text, name) {
  const found = [...text.data.matchAll(MENTION)].reverse();
  for (const { index, 0: whole, 1: mentioned } of found) {
    const rest = text.splitText(index);
    rest.splitText(whole.length);
    const mark = document.createElement('span');
    mark.className = mentioned.normalize('NFC') === name ? 'mention mention-me' : 'mention';
    rest.replaceWith(mark);
    mark.append(rest);
  }
}
