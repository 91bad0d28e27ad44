// SPDX-License-Identifier: Apache-2.0
// Pictures into the page: to trace, as the drawing, as a photo, or with everything that was saved in them.
import { getBlob, getJson } from "./api.js";
import { ClassBox } from "./classbox.js";
import { shrink, small, toBlob, toDataUrl } from "./blobs.js";
import { $, $$, complain, press, toast } from "./dom.js";
import { MAX_PAGE_TEXT, PAGE_TEXT } from "./files.js";
import { backTo, keep } from "./history.js";
import { enter, leaveModes } from "./modes.js";
import { show, thumb } from "./picture.js";
import { readText } from "./png.js";
import { applySettings } from "./settings.js";
import { classBox, editBox, page, settings, sketch, snapshot, stage } from "./state.js";
import { checkOps, loadPicture, loadPictures } from "./strokes.js";
import { setTool, setTrace } from "./tools.js";
import { t } from "./words.js";

const MAX_DROP = 64e6;

// A question in a dialog: the value of the button that closed it, "" for none.
async function ask(dialog) {
	dialog.returnValue = "";
	dialog.showModal();
	await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
	return dialog.returnValue;
}

const useAs = {
	async trace(blob) {
		const canvas = await shrink(blob, 1024);
		setTrace(canvas.toDataURL("image/webp", 0.9));
		setTool("pen");
	},
	// Cleaned as draw cleans it, shown as it will be used; nothing is covered unasked.
	async sketch(blob) {
		const given = (await shrink(blob, 2048)).toDataURL("image/webp", 0.95), dialog = $("prepared");
		const lock = (on) => { for (const b of dialog.querySelectorAll(".choices button")) b.disabled = on; };
		let src = "", turn = 0;
		const prepare = async (paper) => {
			const mine = ++turn;
			press("paper", paper);
			lock(true);
			const made = await getJson("/v1/prepare", { method: "POST", json: { sketch: given, fit: "pad", photo_of_paper: paper } });
			if (mine !== turn) return;
			src = await small(made.sketch);
			dialog.querySelector("img").src = src;
			$("prepared-note").textContent = made.warnings.join(" ");
			lock(false);
		};
		await prepare("auto");
		for (const b of $$("[data-paper]")) b.onclick = () => prepare(b.dataset.paper).catch((error) => { dialog.close(""); complain(error, "drawing"); });
		dialog.querySelector("[value=replace]").hidden = dialog.querySelector(".choices span").hidden = sketch.isEmpty;
		const answer = await ask(dialog);
		if (!answer) return;
		await loadPicture(src);
		sketch.push(answer === "replace" ? { k: "r", ops: [{ k: "i", src }] } : { k: "i", src });
	},
	async photo(blob) {
		const canvas = await shrink(blob, 1024, true), png = await new Promise((resolve) => canvas.toBlob(resolve));
		leaveModes();
		show({ job: "photo", items: [{ blob: png, item: 0, scores: {} }], chosen: 0, settings: snapshot(classBox.chosen), ops: [], cls: null, seed: settings.seed });
		enter("edit");
	},
};

// Settings and drawing out of a PNG that was made here; foreign, so each is checked.
async function restoreFrom(bytes, blob) {
	const text = await readText(bytes, PAGE_TEXT);
	const isOurs = text !== null || (await readText(bytes, "masksketch")) !== null;
	if (!isOurs) return false;
	let kept = null, made = null, reason = "";
	try { kept = text && text.length <= MAX_PAGE_TEXT ? JSON.parse(text) : null; } catch { /* damaged */ }
	try {
		made = await getJson("/v1/restore", { method: "POST", body: blob, type: "image/png" });
	} catch (error) {
		if (!kept) { complain(error, "drawing"); return true; }
		if (error.status !== 422) reason = error.message;
	}
	const before = snapshot(classBox.chosen), index = sketch.index;
	let ops = checkOps(kept?.ops);
	try { await loadPictures(ops ?? []); } catch { ops = null; }
	if (!ops && !made) { complain(t("damaged"), "drawing"); return true; }
	if (!ops && made.sketch) {
		await loadPicture(made.sketch);
		ops = [{ k: "i", src: made.sketch }];
	}
	if (ops) {
		const op = { k: "r", ops };
		sketch.push(op);
		page.held = made?.job === "draw" ? { op, tokens: made.sketch_tokens, map: made.lambda_map } : null;
	}
	if (made) {
		const set = { ...made.set }, own = page.server.recipes.find((r) => r.name === made.recipe)?.settings?.[made.job] ?? {};
		const strict = Number(set.lambda_structure ?? own.lambda_structure ?? NaN);
		for (const key of Object.keys(set)) if (set[key] === own[key] || key === "lambda_structure") delete set[key];
		const painted = typeof kept?.lambda === "number" && ops?.some((o) => o.l === "map");
		applySettings({ cls: made.class, seed: made.seed, firstItem: made.item, variety: 3, recipe: made.recipe, set, count: 1, lock: true, lambda: painted ? kept.lambda : Number.isNaN(strict) ? null : strict });
		const { seed, class: cls } = made;
		leaveModes();
		show({ job: made.job, cls, items: [{ blob, item: made.item, scores: {} }], chosen: 0, settings: snapshot(cls), ops: ops ?? [], seed, steps: made.set?.steps });
		if (made.photo) { // an edit: the photo it was made from, with its part, ready to be repainted
			keep(page.current);
			await useAs.photo(toBlob(made.photo));
			editBox.choose(cls, true);
			await stage.setMask(made.mask, made.box);
		}
	}
	toast(made ? t("restoredAll") : t("restoredInk", reason), () => backTo(index, before));
	return true;
}

// The drawings that came with the program: one replaces what is on the paper, and says what it is.
export async function showExamples() {
	const dialog = $("example-box");
	try {
		const { examples } = await getJson("/v1/examples");
		const found = await Promise.all(examples.map(async ({ url, class: id }) => ({ blob: await getBlob(url), cls: id })));
		const nameOf = (e) => (e.cls ? ClassBox.short(e.cls) : t("drawing"));
		$("example-list").replaceChildren(...found.map((e) => thumb(e.blob, nameOf(e), nameOf(e), false, () => {
			dialog.close("");
			startFrom(e).catch((error) => complain(error, "drawing"));
		})));
		dialog.showModal();
	} catch (error) { complain(error, "drawing"); }
}
async function startFrom({ blob, cls }) {
	const json = { sketch: await toDataUrl(blob), fit: "pad", photo_of_paper: "auto" };
	const src = await small((await getJson("/v1/prepare", { method: "POST", json })).sketch);
	await loadPicture(src);
	sketch.push({ k: "r", ops: [{ k: "i", src }] });
	if (cls) classBox.choose(cls);
}

export async function take(blob) {
	complain(null);
	if (!blob) return;
	if (blob.size > MAX_DROP) { complain(t("tooLarge"), "drawing"); return; }
	try {
		if (await restoreFrom(new Uint8Array(await blob.arrayBuffer()), blob)) return;
		await createImageBitmap(blob);
	} catch {
		complain(t("noPicture"), "drawing");
		return;
	}
	const dialog = $("dropped"), image = dialog.querySelector("img"), url = URL.createObjectURL(blob);
	image.src = url;
	const answer = await ask(dialog);
	URL.revokeObjectURL(url);
	try {
		if (answer in useAs) await useAs[answer](blob);
	} catch (error) { complain(error, "drawing"); }
}
