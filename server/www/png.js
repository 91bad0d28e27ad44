// SPDX-License-Identifier: Apache-2.0
// Text inside PNG files: read (tEXt, zTXt, iTXt) and added (zTXt). Foreign: every stated length is checked.
const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const MAX_TEXT = 8e6; // characters of one text once unpacked

const table = Array.from({ length: 256 }, (_, n) => {
	for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
	return n >>> 0;
});
export function crc32(bytes) {
	let c = 0xffffffff;
	for (const b of bytes) c = table[(c ^ b) & 255] ^ (c >>> 8);
	return (c ^ 0xffffffff) >>> 0;
}

const latin1 = (bytes) => {
	let s = "";
	for (let i = 0; i < bytes.length; i += 8192) s += String.fromCharCode(...bytes.subarray(i, i + 8192));
	return s;
};

async function through(bytes, stream, limit) {
	const writer = stream.writable.getWriter(), reader = stream.readable.getReader(), parts = [];
	writer.write(bytes).then(() => writer.close()).catch(() => {});
	let total = 0;
	for (;;) {
		const { done, value } = await reader.read();
		if (done) break;
		if ((total += value.length) > limit) {
			reader.cancel().catch(() => {});
			throw new Error("the text in the PNG is too long");
		}
		parts.push(value);
	}
	const out = new Uint8Array(total);
	let at = 0;
	for (const p of parts) { out.set(p, at); at += p.length; }
	return out;
}
const inflate = (bytes) => through(bytes, new DecompressionStream("deflate"), MAX_TEXT);
const deflate = (bytes) => through(bytes, new CompressionStream("deflate"), Infinity);

export const isPng = (bytes) => bytes.length > 8 && SIGNATURE.every((b, i) => bytes[i] === b);

function* chunks(bytes) {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	for (let at = 8; at + 12 <= bytes.length;) {
		const length = view.getUint32(at);
		if (length > bytes.length - at - 12) return;
		yield { at, end: at + 12 + length, type: latin1(bytes.subarray(at + 4, at + 8)), data: bytes.subarray(at + 8, at + 8 + length) };
		at += 12 + length;
	}
}

// The text under a keyword, or null: no PNG, no such text, or a damaged one.
export async function readText(bytes, keyword) {
	if (!isPng(bytes)) return null;
	for (const { type, data } of chunks(bytes)) {
		if (!["tEXt", "zTXt", "iTXt"].includes(type)) continue;
		const end = data.indexOf(0);
		if (end < 1 || end > 79 || latin1(data.subarray(0, end)) !== keyword) continue;
		try {
			if (type === "tEXt") return data.length > MAX_TEXT ? null : latin1(data.subarray(end + 1));
			if (type === "zTXt") return data[end + 1] === 0 ? latin1(await inflate(data.subarray(end + 2))) : null;
			const packed = data[end + 1], language = data.indexOf(0, end + 3), start = data.indexOf(0, language + 1) + 1;
			if (language < 0 || start === 0) return null;
			const body = data.subarray(start);
			return new TextDecoder("utf-8", { fatal: true }).decode(packed ? await inflate(body) : body);
		} catch { return null; }
	}
	return null;
}

// The same PNG with a text more, before its end; a text of the same keyword is replaced. The text must be ASCII.
export async function addText(bytes, keyword, text) {
	const body = await deflate(new TextEncoder().encode(text));
	const chunk = new Uint8Array(12 + keyword.length + 2 + body.length), view = new DataView(chunk.buffer);
	view.setUint32(0, chunk.length - 12);
	const name = new TextEncoder().encode(`zTXt${keyword}`);
	chunk.set(name, 4);
	chunk.set(body, 4 + name.length + 2);
	view.setUint32(chunk.length - 4, crc32(chunk.subarray(4, chunk.length - 4)));
	const parts = [bytes.subarray(0, 8)];
	for (const { at, end, type, data } of chunks(bytes)) {
		const isOld = type === "zTXt" && latin1(data.subarray(0, keyword.length + 1)) === `${keyword}\0`;
		if (type === "IEND") parts.push(chunk);
		if (!isOld) parts.push(bytes.subarray(at, end));
	}
	return new Uint8Array(await new Blob(parts).arrayBuffer());
}

// JSON in ASCII, whatever the names in it are.
export const asciiJson = (value) =>
	JSON.stringify(value).replace(/[^\x20-\x7e]/g, (ch) => `\\u${ch.charCodeAt(0).toString(16).padStart(4, "0")}`);
