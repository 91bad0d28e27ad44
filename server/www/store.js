// SPDX-License-Identifier: Apache-2.0
// What survives a reload, in IndexedDB: one record a name ("sketch", "trace") and the history's entries. Where a browser refuses
// (private windows), the page works on without memory.
// Small things lie in localStorage.
export const memory = {
	get(key) { try { return JSON.parse(localStorage.getItem(key)); } catch { return null; } },
	set(key, value) { try { localStorage.setItem(key, JSON.stringify(value)); } catch { /* no memory */ } },
};
let opened = null;
function open() {
	opened ??= new Promise((resolve, reject) => {
		const request = indexedDB.open("masksketch", 1);
		request.onupgradeneeded = () => {
			request.result.createObjectStore("records");
			request.result.createObjectStore("history", { keyPath: "id" });
		};
		request.onsuccess = () => resolve(request.result);
		request.onerror = () => reject(request.error);
	});
	return opened;
}

async function use(name, mode, work) {
	try {
		const db = await open();
		return await new Promise((resolve, reject) => {
			const transaction = db.transaction(name, mode), request = work(transaction.objectStore(name));
			transaction.oncomplete = () => resolve(request.result);
			transaction.onerror = transaction.onabort = () => reject(transaction.error);
		});
	} catch (error) {
		console.info("not remembered:", error?.message);
		return undefined;
	}
}

export const get = (key) => use("records", "readonly", (s) => s.get(key));
export const put = (key, value) => use("records", "readwrite", (s) => s.put(value, key));
export const remove = (key) => use("records", "readwrite", (s) => s.delete(key));
export const history = {
	all: async () => (await use("history", "readonly", (s) => s.getAll())) ?? [],
	put: (entry) => use("history", "readwrite", (s) => s.put(entry)),
	remove: (id) => use("history", "readwrite", (s) => s.delete(id)),
};
