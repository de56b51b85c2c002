// What the page adds to the server's HTML of a message: a toolbar for each code block, and classes
// that the styles need.

import { copyText } from '../clipboard.js';
import { h, icon } from '../dom.js';

const DONE_TIMEOUT_MS = 2_000;
/**
 * A cell with more characters than this needs a column wide enough to read, and may break a word
 * that is wider than the column.
 */
const WIDE_CELL_LENGTH = 28;

const LANGUAGES = {
  bash: 'Bash', sh: 'Shell', c: 'C', 'c++': 'C++', cpp: 'C++', css: 'CSS', diff: 'Diff', dockerfile: 'Dockerfile', go: 'Go', html: 'HTML',
  java: 'Java', javascript: 'JavaScript', js: 'JavaScript', json: 'JSON', jsx: 'JSX', markdown: 'Markdown', md: 'Markdown', py: 'Python',
  python: 'Python', rs: 'Rust', rust: 'Rust', sql: 'SQL', toml: 'TOML', ts: 'TypeScript', tsx: 'TSX', typescript: 'TypeScript', xml: 'XML',
  yaml: 'YAML', yml: 'YAML',
};

export function decorate(body) {
  for (const pre of body.querySelectorAll('pre:not(.md-plain)')) addToolbar(pre);
  for (const cell of body.querySelectorAll('th, td')) cell.classList.toggle('has-much', cell.textContent.length > WIDE_CELL_LENGTH);
}

function addToolbar(pre) {
  const code = pre.querySelector('code') ?? pre;
  const language = /(?:^|\s)language-(\S+)/.exec(code.className)?.[1];
  const block = h('div', { class: 'code-block' });
  pre.replaceWith(block);
  block.append(pre);
  if (language) block.prepend(h('span', { class: 'language' }, LANGUAGES[language] ?? language));
  block.append(copyButton(code));
}

function copyButton(code) {
  const button = h('button', { class: 'copy', type: 'button', 'aria-label': 'Copy code', title: 'Copy code', onclick: copy }, icon('copy'));
  async function copy() {
    const done = await copyText(code.textContent.replace(/\n$/, ''));
    button.dataset.done = done ? 'Copied' : 'Not copied';
    button.setAttribute('aria-label', done ? 'Copied' : 'The browser did not allow copying');
    setTimeout(() => {
      delete button.dataset.done;
      button.setAttribute('aria-label', 'Copy code');
    }, DONE_TIMEOUT_MS);
  }
  return button;
}
