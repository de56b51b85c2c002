// The only place where the server's HTML is inserted into the page. The server has sanitised it.
// Nothing else may be passed in.

const WORKER = '/sw.js';
const policy = globalThis.trustedTypes?.createPolicy('chatd', { createHTML: (html) => html, createScriptURL: () => WORKER });

export function insertServerHtml(element, html) {
  element.innerHTML = policy ? policy.createHTML(html) : html;
}

/** The text of the server's HTML, a line for each block. Nothing of it is loaded or shown. */
export function textOf(html) {
  const template = document.createElement('template');
  insertServerHtml(template, html.replace(/<(?:br|\/p|\/li|\/h\d|\/pre|\/tr|\/blockquote)\b/g, '\n$&'));
  return template.content.textContent;
}

/** The address of the service worker, the only script that is loaded by a URL. */
export function workerUrl() {
  return policy ? policy.createScriptURL('') : WORKER;
}
