// SPDX-License-Identifier: Apache-2.0
// Pictures out of the page: saved with the drawing in them, copied.
import { ClassBox } from "./classbox.js";
import { make, toast } from "./dom.js";
import { item, shown } from "./picture.js";
import { addText, asciiJson } from "./png.js";
import { page, sketch, snapshot } from "./state.js";
import { flatten, inkOnPaper } from "./strokes.js";
import { t } from "./words.js";
import { zip } from "./zip.js";

export const PAGE_TEXT = "masksketch-page", MAX_PAGE_TEXT = 1 << 20;

function save(blob, name) {
	const a = make("a", { href: URL.createObjectURL(blob), download: name });
	a.click();
	setTimeout(() => URL.revokeObjectURL(a.href), 10000);
}
async function withPage(blob, kept) {
	const bytes = new Uint8Array(await blob.arrayBuffer()), text = asciiJson(kept);
	if (text.length > MAX_PAGE_TEXT) {
		toast(t("tooLargeText"));
		return blob;
	}
	return new Blob([await addText(bytes, PAGE_TEXT, text)], { type: "image/png" });
}
const pageText = (ops, s) => ({ version: 1, ops, lambda: s.strict });

// A picture of an entry as a file: {name, blob}.
async function fileOf(entry, { blob, item: number }) {
	if (entry.job === "photo") return { name: "photo.png", blob };
	const name = `${ClassBox.plain(entry.cls).replace(/[^\w-]+/g, "-")}-${entry.seed}${number ? `-${number}` : ""}.png`;
	return { name, blob: await withPage(blob, pageText(entry.ops, entry.settings)) };
}
const shownFile = async () => fileOf(await shown(), item());

export async function download() {
	const { name, blob } = await shownFile();
	save(blob, name);
}
// All pictures of these entries in one file; names that come again are numbered.
export async function downloadAll(entries) {
	const files = [], times = new Map();
	for (const entry of entries) {
		for (const made of entry.items) {
			const { name, blob } = await fileOf(entry, made), n = (times.get(name) ?? 0) + 1;
			times.set(name, n);
			files.push({ name: n > 1 ? name.replace(/\.png$/, `_${n}.png`) : name, bytes: new Uint8Array(await blob.arrayBuffer()) });
		}
	}
	save(zip(files), "masksketch.zip");
}
export async function copyPicture() {
	try {
		await shown();
		await navigator.clipboard.write([new ClipboardItem({ "image/png": item().blob })]);
		toast(t("copied"));
	} catch { toast(t("noCopy")); }
}
export const canShare = () => Boolean(navigator.canShare?.({ files: [new File([""], "a.png", { type: "image/png" })] }));
export async function sharePicture() {
	const { name, blob } = await shownFile();
	try { await navigator.share({ files: [new File([blob], name, { type: "image/png" })] }); } catch { /* not after all */ }
}
export async function exportSketch() {
	const blob = await new Promise((resolve) => inkOnPaper(sketch.active, 1024).toBlob(resolve));
	save(await withPage(blob, pageText(flatten(sketch.active), snapshot())), "drawing.png");
}
