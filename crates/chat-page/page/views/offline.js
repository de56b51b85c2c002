// Keeps the page in the browser for the time when the server is away.

import { workerUrl } from '../text/html.js';

/** The browser has no such thing over plain HTTP: then the page needs the server, and that is all. */
export async function keepPage() {
  if (!('serviceWorker' in navigator)) return;
  try {
    await navigator.serviceWorker.register(workerUrl());
    const { active } = await navigator.serviceWorker.ready;
    active.postMessage({ files: performance.getEntriesByType('resource').map(({ name }) => name) });
  } catch {
    // private windows and full disks: the page works without it
  }
}
