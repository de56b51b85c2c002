// Shows the page while the server is away. The server's answer always goes first, so that a new server brings a new page; what it
// answered last is kept for the time when it does not answer.

const KEPT = 'chatd-page';
/** A line that is dead without a sign would hold the page up for minutes. */
const PATIENCE_MS = 8_000;
/** What a proxy answers for a server that is away. */
const AWAY = new Set([502, 503, 504]);

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

/** The page says which files it is made of: those that were loaded before this worker was there are kept, too. */
self.addEventListener('message', (event) => {
  const keys = new Set(['/', ...event.data.files.map((file) => keyOf(new URL(file))).filter((key) => key !== null)]);
  event.waitUntil(Promise.all([...keys].map((key) => fromServer(new Request(key), key).catch(() => {}))));
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const key = request.method === 'GET' ? keyOf(new URL(request.url)) : null;
  if (key !== null) event.respondWith(answer(request, key));
});

async function answer(request, key) {
  try {
    const response = await fromServer(request, key);
    return AWAY.has(response.status) ? await kept(key) ?? response : response;
  } catch (error) {
    const response = await kept(key);
    if (response) return response;
    throw error;
  }
}

/** Under which key something is kept; null for all that is not the page. Every room has the same page. */
function keyOf({ origin, pathname }) {
  if (origin !== self.location.origin) return null;
  if (pathname === '/' || /^\/r\/[^/]+$/.test(pathname)) return '/';
  return pathname === '/client.js' || pathname.startsWith('/page/') ? pathname : null;
}

async function fromServer(request, key) {
  const response = await fetch(request, { signal: AbortSignal.timeout(PATIENCE_MS) });
  if (response.ok && response.type === 'basic') await (await caches.open(KEPT)).put(key, response.clone());
  return response;
}

async function kept(key) {
  return (await caches.open(KEPT)).match(key);
}
