// SPDX-License-Identifier: Apache-2.0
// The server, as docs/http.md describes it: requests, problems, jobs with their events, and the key where one is wanted.
// The stream of events is read with fetch, because an EventSource cannot carry a key.
import { t } from "./words.js";

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let key = "";
try { key = sessionStorage.getItem("key") ?? ""; } catch { /* no memory */ }
function keep(value) {
	key = value;
	try { sessionStorage.setItem("key", key); } catch { /* no memory */ }
}
// The key that came with the address (serve --lan) is taken out of it: nobody shall copy it along.
const given = new URLSearchParams(location.hash.slice(1)).get("key");
if (given) {
	keep(given);
	history.replaceState(null, "", location.pathname + location.search);
}
let askKey = null, asking = null; // () => Promise<string>; the question that is being asked
export const setAskKey = (ask) => { askKey = ask; };

// What the server says went wrong (RFC 9457); status 0: it could not be reached.
export class Problem extends Error {
	constructor(status, detail, field, retry) {
		super(detail);
		Object.assign(this, { status, field, retry });
	}
}

export async function call(path, { method = "GET", json, body, type, signal } = {}, again = true) {
	const headers = {};
	if (key) headers.Authorization = `Bearer ${key}`;
	if (json !== undefined) headers["Content-Type"] = "application/json";
	else if (type) headers["Content-Type"] = type;
	let response;
	try {
		// Beside the page, wherever a proxy has put it.
		response = await fetch(path.replace(/^\//, ""), { method, headers, body: json === undefined ? body : JSON.stringify(json), signal });
	} catch (error) {
		if (error.name === "AbortError") throw error;
		throw new Problem(0, t("noServer"));
	}
	if (response.ok) return response;
	if (response.status === 401 && askKey && again) {
		keep(await (asking ??= askKey().finally(() => { asking = null; })));
		return call(path, { method, json, body, type, signal }, false);
	}
	let problem = {};
	try { problem = await response.json(); } catch { /* not a problem document */ }
	const retry = Number(response.headers.get("Retry-After")) || 0;
	throw new Problem(response.status, problem.detail ?? problem.title ?? t("answered", response.status), problem.field, retry);
}
export const getJson = async (path, options) => (await call(path, options)).json();
export const getBlob = async (path, options) => (await call(path, options)).blob();

// One text/event-stream, event by event.
export async function* parseEvents(chunks) {
	const decoder = new TextDecoder();
	let text = "", event = "message", data = [];
	for await (const chunk of chunks) {
		text += decoder.decode(chunk, { stream: true });
		const lines = text.split(/\r\n|\n|\r(?!$)/);
		text = lines.pop();
		for (const line of lines) {
			if (line === "") {
				if (data.length) yield { event, data: data.join("\n") };
				event = "message";
				data = [];
			} else if (line.startsWith("event:")) event = line.slice(6).trim();
			else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
		}
	}
}
async function* pieces(response) {
	const reader = response.body.getReader();
	try {
		for (;;) {
			const { done, value } = await reader.read();
			if (done) return;
			yield value;
		}
	} finally { reader.cancel().catch(() => {}); }
}

// Follows a job to its end: on.accepted, on.queued, on.step, on.image, on.waiting. Returns the finished job;
// one that failed or was cancelled is thrown as a Problem. Aborting the signal leaves it alone; cancelJob() ends it.
export async function runJob(kind, body, { signal, on = {} }) {
	let job;
	for (let tries = 0; ; tries++) {
		try {
			job = await getJson(`/v1/${kind}`, { method: "POST", json: body }); // to its end, so that the id is known
			break;
		} catch (error) {
			if (error.status !== 429 || tries === 5) throw error;
			on.waiting?.(error.retry || 2);
			await pause(1000 * (error.retry || 2));
			signal?.throwIfAborted();
		}
	}
	on.accepted?.(job);
	signal?.throwIfAborted();
	for (let tries = 0; tries < 5; tries++) {
		try {
			const response = await call(`/v1/jobs/${job.id}/events`, { signal });
			for await (const { event, data } of parseEvents(pieces(response))) {
				tries = 0;
				const value = JSON.parse(data);
				if (event === "done") return value;
				if (event === "failed") throw new Problem(500, value.error?.detail ?? t("failed"));
				if (event === "cancelled") throw value.reason === "shutdown" ? new Problem(503, t("stopping")) : new DOMException("cancelled", "AbortError");
				on[event]?.(value);
			}
		} catch (error) {
			if (error instanceof Problem ? error.status !== 0 : error.name === "AbortError") throw error;
			if (tries === 4) throw error;
		}
		await pause(300 * (tries + 1)); // the connection broke: the stream tells the state again
	}
	throw new Problem(0, t("broke"));
}
export const cancelJob = (id) => call(`/v1/jobs/${id}`, { method: "DELETE" }).catch(() => {});
