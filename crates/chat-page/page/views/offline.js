// Caches the page in the browser for times when the server is unavailable.

import { workerUrl } from '../text/html.js';

/** Service workers do not exist over plain HTTP. Without one the page needs the server. */
export async function keepPage() {
  if (!('serviceWorker' in navigator)) return;
  try {
    await navigator.serviceWorker.register(workerUrl());
    const { active } = await navigator.serviceWorker.ready;
    active.postMessage({ files: performance.getEntriesByType('resource').map(({ name }) => name) });
  } catch {
    // Private windows and full disks: the page works without it.
  }
}
