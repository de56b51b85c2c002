// The service worker: shows the page while the server is unavailable. It asks the server first, so
// that a new server brings a new page, and uses the last cached response only if the server does
// not answer.

const CACHE = 'chatd-page';
/** Without a timeout a dead connection would block the page for minutes. */
const TIMEOUT_MS = 8_000;
/** Status codes with which a proxy answers for a server that is unavailable. */
const UNAVAILABLE = new Set([502, 503, 504]);

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

/**
 * The page posts the files it consists of, so that those loaded before this worker was active are
 * cached too.
 */
self.addEventListener('message', (event) => {
  const keys = new Set(['/', ...event.data.files.map((file) => keyOf(new URL(file))).filter((key) => key !== null)]);
  event.waitUntil(Promise.all([...keys].map((key) => fromServer(new Request(key), key).catch(() => {}))));
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const key = request.method === 'GET' ? keyOf(new URL(request.url)) : null;
  if (key !== null) event.respondWith(respond(request, key));
});

async function respond(request, key) {
  try {
    const response = await fromServer(request, key);
    return UNAVAILABLE.has(response.status) ? await fromCache(key) ?? response : response;
  } catch (error) {
    const response = await fromCache(key);
    if (response) return response;
    throw error;
  }
}

/**
 * The cache key of an address, or `null` if it is not part of the page. All rooms and messages
 * share one page.
 */
function keyOf({ origin, pathname }) {
  if (origin !== self.location.origin) return null;
  if (pathname === '/' || /^\/r\/[^/]+(?:\/\d+)?$/.test(pathname)) return '/';
  return pathname === '/client.js' || pathname.startsWith('/page/') ? pathname : null;
}

async function fromServer(request, key) {
  const response = await fetch(request, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (response.ok && response.type === 'basic') await (await caches.open(CACHE)).put(key, response.clone());
  return response;
}

async function fromCache(key) {
  return (await caches.open(CACHE)).match(key);
}
