/**
 * Service worker: opens the page without a connection. It caches only the page's files and tries the network first, so
 * an update of the product is visible at once. Answers and photos always come from the server.
 */

const SHELL = "shell";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  if (isOfTheShell(event.request)) event.respondWith(networkFirst(event.request));
});

function isOfTheShell({ method, destination, url }) {
  const isPage = destination === "document" && url.split(/[?#]/)[0] === self.registration.scope;
  return method === "GET" && (isPage || ["script", "style"].includes(destination));
}

async function networkFirst(request) {
  const shell = await caches.open(SHELL);
  try {
    const response = await fetch(request);
    if (response.ok) await shell.put(request, response.clone());
    return response;
  } catch (error) {
    const kept = await shell.match(request, { ignoreSearch: true }); // a QR code's address is the same page
    if (kept) return kept;
    throw error;
  }
}
