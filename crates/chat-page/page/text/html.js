// The one place where HTML of the server goes into the page. It is sanitised there, and nothing else may come here.

const policy = globalThis.trustedTypes?.createPolicy('chatd', { createHTML: (html) => html });

export function insertServerHtml(element, html) {
  element.innerHTML = policy ? policy.createHTML(html) : html;
}
