// SPDX-License-Identifier: Apache-2.0
// The service worker: the page as an app says when its server cannot be reached; nothing else is kept.
const notice = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>MaskSketch</title><h1>MaskSketch</h1><p>The server cannot be reached. Start it with <code>masksketch serve</code>, then reload.</p></html>`;
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (e) => e.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (e) => {
	if (e.request.mode !== "navigate") return;
	e.respondWith(fetch(e.request).catch(() => new Response(notice, { headers: { "Content-Type": "text/html; charset=utf-8" } })));
});
