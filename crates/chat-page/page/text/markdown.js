// A small reading of Markdown for the preview, built of nodes: no HTML is written. The server's own rendering decides how a message looks;
// this knows headings, quotations, lists, code, links, bold, italic and strike.

import { h } from '../dom.js';

/** Longer texts are previewed up to here: looking for the other end of a pair takes time that grows with the square. */
const MOST = 8_000;

const INLINE = new RegExp([
  '(?<ticks>`+)(?<code>.+?)\\k<ticks>(?!`)',
  '\\[(?<label>[^\\]\\n]+)\\]\\((?<target>https?://[^\\s)]+)\\)',
  '(?<url>https?://[^\\s<>]*[^\\s<>.,:;!?\'")])',
  '\\*\\*(?<strong>\\S(?:.*?\\S)?)\\*\\*',
  '~~(?<del>\\S(?:.*?\\S)?)~~',
  '\\*(?<star>[^\\s*](?:.*?[^\\s*])?)\\*',
  '(?<![\\p{L}\\p{N}_])_(?<under>[^\\s_](?:.*?[^\\s_])?)_(?![\\p{L}\\p{N}_])',
].join('|'), 'gsu');

export function renderPreview(text) {
  const lines = text.slice(0, MOST).split(/\r\n|\n|\r/);
  const fragment = document.createDocumentFragment();
  fragment.append(...blocks(lines));
  if (text.length > MOST) fragment.append(h('p', { class: 'quiet' }, '… the preview ends here'));
  return fragment;
}

function blocks(lines) {
  const made = [];
  let at = 0;
  const run = (fits) => {
    const from = at;
    while (at < lines.length && fits(lines[at])) at += 1;
    return lines.slice(from, at);
  };
  while (at < lines.length) {
    const line = lines[at];
    const fence = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    const heading = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/.exec(line);
    if (fence) {
      at += 1;
      const code = run((inside) => !inside.trim().startsWith(fence));
      at += 1;
      made.push(h('pre', {}, h('code', {}, code.join('\n'))));
    } else if (heading) {
      at += 1;
      made.push(h(`h${heading[1].length}`, {}, inline(heading[2])));
    } else if (/^ {0,3}>/.test(line)) {
      const quoted = run((inside) => /^ {0,3}>/.test(inside)).map((inside) => inside.replace(/^ {0,3}> ?/, ''));
      made.push(h('blockquote', {}, blocks(quoted)));
    } else if (isItem(line)) {
      const ordered = /^\s*\d/.test(line);
      const items = run(isItem).map((item) => h('li', {}, inline(item.replace(/^\s*([-*+]|\d{1,9}[.)])\s+/, ''))));
      made.push(h(ordered ? 'ol' : 'ul', {}, items));
    } else if (line.trim() === '') {
      at += 1;
    } else {
      const text = [line];
      at += 1;
      text.push(...run((inside) => inside.trim() !== '' && !/^ {0,3}(>|`{3}|~{3}|#{1,6}\s)/.test(inside) && !isItem(inside)));
      made.push(h('p', {}, inline(text.join('\n'))));
    }
  }
  return made;
}

function isItem(line) {
  return /^ {0,8}([-*+]|\d{1,9}[.)])\s+\S/.test(line);
}

function inline(text) {
  const made = [];
  let at = 0;
  for (const { index, 0: whole, groups } of text.matchAll(INLINE)) {
    made.push(...broken(text.slice(at, index)), mark(groups));
    at = index + whole.length;
  }
  return [...made, ...broken(text.slice(at))];
}

function mark({ code, label, target, url, strong, del, star, under }) {
  if (code !== undefined) return h('code', {}, code);
  if (target !== undefined) return link(target, inline(label));
  if (url !== undefined) return link(url, url);
  if (strong !== undefined) return h('strong', {}, inline(strong));
  if (del !== undefined) return h('del', {}, inline(del));
  return h('em', {}, inline(star ?? under));
}

function link(href, content) {
  return h('a', { href, target: '_blank', rel: 'noopener noreferrer nofollow' }, content);
}

function broken(text) {
  return text.split('\n').flatMap((line, index) => (index === 0 ? [line] : [h('br'), line]));
}
