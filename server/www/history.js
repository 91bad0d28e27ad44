// SPDX-License-Identifier: Apache-2.0
// Earlier pictures: kept, shown, brought back.
import { ClassBox } from "./classbox.js";
import { $, toast, whisper } from "./dom.js";
import { describe, item, show, thumb } from "./picture.js";
import { applySettings } from "./settings.js";
import { classBox, page, randomSeed, sketch, snapshot } from "./state.js";
import * as store from "./store.js";
import { loadPictures } from "./strokes.js";
import { t } from "./words.js";

const KEPT = 200;

export function keep(entry) {
	whisper(t("ready", describe(entry)));
	entry.id = `${Date.now()}-${randomSeed()}`;
	page.entries.push(entry);
	store.history.put(entry);
	while (page.entries.length > KEPT) store.history.remove(page.entries.shift().id);
	showEntries();
}
export function showEntries() {
	$("history").hidden = !page.entries.length;
	const at = page.entries.indexOf(page.current);
	$("entries").replaceChildren(...page.entries.map((e, n) => thumb(e.items[e.chosen].blob, `${describe(e)}, ${t("of", n + 1, page.entries.length)}`, e.cls ? ClassBox.short(e.cls) : t("picture"), n === at, () => show(e))).reverse());
	$("back").disabled = at === 0 || !page.entries.length;
	$("forward").disabled = at < 0 || at === page.entries.length - 1;
	$("restore").disabled = $("forget").disabled = at < 0;
}
export function step(by) {
	const at = page.entries.indexOf(page.current), next = at < 0 ? page.entries.length - 1 : at + by;
	if (page.entries[next]) show(page.entries[next]);
}
export function forget() {
	const at = page.entries.indexOf(page.current), [entry] = page.entries.splice(at, 1);
	store.history.remove(entry.id);
	const next = page.entries[Math.min(at, page.entries.length - 1)];
	if (next) show(next);
	else showEntries();
	toast(t("removed"), () => {
		page.entries.splice(at, 0, entry);
		store.history.put(entry);
		show(entry);
	});
}
export function backTo(index, before) {
	while (sketch.index > index && sketch.undo());
	applySettings(before);
}
export async function restoreEntry() {
	const before = snapshot(classBox.chosen), entry = page.current, index = sketch.index;
	await loadPictures(entry.ops ?? []);
	sketch.push({ k: "r", ops: entry.ops ?? [] });
	applySettings({ ...entry.settings, lock: true, firstItem: item().item, count: 1 });
	toast(t("restored"), () => backTo(index, before));
}
let shownBefore = null; // the one live picture after another leaves the list as it is
page.addEventListener("shown", () => {
	if (!(page.current?.live && shownBefore?.live)) showEntries();
	shownBefore = page.current;
});
