// SPDX-License-Identifier: Apache-2.0
// Pictures out of the page: saved with the drawing in them, copied.
import { ClassBox } from "./classbox.js";
import { make, toast } from "./dom.js";
import { item } from "./picture.js";
import { addText, asciiJson } from "./png.js";
import { page, sketch, snapshot } from "./state.js";
import { flatten, inkOnPaper } from "./strokes.js";

export const PAGE_TEXT = "masksketch-page", MAX_PAGE_TEXT = 1 << 20;

function save(blob, name) {
	const a = make("a", { href: URL.createObjectURL(blob), download: name });
	a.click();
	setTimeout(() => URL.revokeObjectURL(a.href), 10000);
}
async function withPage(blob, kept) {
	const bytes = new Uint8Array(await blob.arrayBuffer()), text = asciiJson(kept);
	if (text.length > MAX_PAGE_TEXT) {
		toast("The drawing is too large to go into the file; the picture and its settings are in it.");
		return blob;
	}
	return new Blob([await addText(bytes, PAGE_TEXT, text)], { type: "image/png" });
}
const pageText = (ops, s) => ({ version: 1, ops, lambda: s.strict });

export async function download() {
	const { blob, item: number } = item();
	const name = page.current.job === "photo" ? "photo.png" : `${ClassBox.short(page.current.cls).replace(/[^\w-]+/g, "-")}-${page.current.seed}${number ? `-${number}` : ""}.png`;
	save(page.current.job !== "photo" ? await withPage(blob, pageText(page.current.ops, page.current.settings)) : blob, name);
}
export async function copyPicture() {
	try {
		await navigator.clipboard.write([new ClipboardItem({ "image/png": item().blob })]);
		toast("Copied.");
	} catch { toast("This browser does not let pages copy pictures here; Download does."); }
}
export async function exportSketch() {
	const blob = await new Promise((resolve) => inkOnPaper(sketch.active, 1024).toBlob(resolve, "image/png"));
	save(await withPage(blob, pageText(flatten(sketch.active), snapshot())), "drawing.png");
}
