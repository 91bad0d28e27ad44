// SPDX-License-Identifier: Apache-2.0
// A ZIP file of files as they are (PNGs do not shrink), by APPNOTE.TXT, names in UTF-8.
import { crc32 } from "./png.js";

const UTF8 = 0x0800, VERSION = 20;
const DAY_ONE = (1 << 5) | 1; // 1980-01-01 in MS-DOS's way: the files' dates say nothing

function record(fields, ...rest) {
	const bytes = new Uint8Array(fields.reduce((n, [size]) => n + size, 0)), view = new DataView(bytes.buffer);
	let at = 0;
	for (const [size, value] of fields) {
		if (size === 2) view.setUint16(at, value, true);
		else view.setUint32(at, value, true);
		at += size;
	}
	return [bytes, ...rest];
}

// files: [{name, bytes}], below 4 GB and 65536 in all.
export function zip(files) {
	const parts = [], directory = [];
	let at = 0;
	const put = (list, pieces) => pieces.reduce((n, piece) => { list.push(piece); return n + piece.length; }, 0);
	let directorySize = 0;
	for (const { name, bytes } of files) {
		const title = new TextEncoder().encode(name);
		const common = [[2, VERSION], [2, UTF8], [2, 0], [2, 0], [2, DAY_ONE], [4, crc32(bytes)], [4, bytes.length], [4, bytes.length], [2, title.length], [2, 0]];
		directorySize += put(directory, record([[4, 0x02014b50], [2, VERSION], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, at]], title));
		at += put(parts, record([[4, 0x04034b50], ...common], title, bytes));
	}
	const end = record([[4, 0x06054b50], [2, 0], [2, 0], [2, files.length], [2, files.length], [4, directorySize], [4, at], [2, 0]]);
	return new Blob([...parts, ...directory, ...end], { type: "application/zip" });
}
