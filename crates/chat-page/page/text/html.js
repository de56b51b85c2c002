// The one place where HTML of the server goes into the page. It is sanitised there, and nothing else may come here.

const WORKER = '/sw.js';
const policy = globalThis.trustedTypes?.createPolicy('chatd', { createHTML: (html) => html, createScriptURL: () => WORKER });

export function insertServerHtml(element, html) {
  element.innerHTML = policy ? policy.createHTML(html) : html;
}

/** The one script that is loaded by its address. */
export function workerUrl() {
  return policy ? policy.createScriptURL('') : WORKER;
}
