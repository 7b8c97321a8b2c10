// Keeps the page for use without a network: what was fetched once is served from the cache, and renewed behind it.

const CACHE = 'lacuna';
const FILES = ['./', 'style.css', 'app.js', 'worker.js', 'engine.js', 'lacuna.mjs', 'lacuna.wasm', 'digits.json', 'digits.bin'];

addEventListener('install', (event) => event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES))));
addEventListener('activate', (event) => event.waitUntil(clients.claim()));
addEventListener('fetch', (event) => {
  if (event.request.method !== 'GET') return;
  event.respondWith(
    caches.open(CACHE).then(async (cache) => {
      const renewed = fetch(event.request).then((response) => {
        if (response.ok) cache.put(event.request, response.clone());
        return response;
      });
      const kept = await cache.match(event.request, { ignoreSearch: true });
      if (kept === undefined) return renewed;
      renewed.catch(() => {});
      return kept;
    }));
});
