// The logo and the welcome text of the site in the form. Loaded if the site has one of them.

import { byId, loadStyles } from '../dom.js';
import { insertServerHtml } from '../text/html.js';

export function showSite(logo, welcome) {
  if (logo) showLogo(byId('entry-logo'), logo);
  if (welcome) showWelcome(byId('entry-welcome'), welcome.html);
}

/** The page keeps its own logo if the other one can't be loaded. */
function showLogo(image, address) {
  const own = image.src;
  image.addEventListener('error', () => (image.src = own), { once: true });
  image.removeAttribute('width');
  image.src = address;
}

/** It is shown with the styles of messages, which the form has no other use for. */
async function showWelcome(element, html) {
  await loadStyles('/page/messages.css');
  insertServerHtml(element, html);
  // These scroll sideways.
  for (const wide of element.querySelectorAll('pre, table')) wide.tabIndex = 0;
  element.hidden = false;
}
