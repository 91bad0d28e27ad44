// SPDX-License-Identifier: Apache-2.0
// The picture on the stage: what is told of it, its candidates, its drawing laid over it, its scores.
import { getJson } from "./api.js";
import { ClassBox } from "./classbox.js";
import { $, complain, make } from "./dom.js";
import { page, stage, tell } from "./state.js";
import * as store from "./store.js";
import { inkOnPaper } from "./strokes.js";
import { t } from "./words.js";

export const item = () => page.current?.items[page.current.chosen];

// The entry's drawing over its picture: drawn once, then the slider changes its opacity.
let overOf = null;
export function showOver() {
	const canvas = $("stage").querySelector(".over"), ops = page.current?.ops ?? [], strength = Number($("over").value) / 100;
	$("over-bar").hidden = !ops.length;
	canvas.hidden = !ops.length || strength === 0;
	canvas.style.opacity = strength;
	if (canvas.hidden || overOf === ops) return;
	overOf = ops;
	canvas.getContext("2d").drawImage(inkOnPaper(ops, canvas.width), 0, 0);
}
export const describe = (entry) => (entry.job === "photo" ? t("photoGiven") : t("pictureOf", ClassBox.short(entry.cls)));
const signed = (v, digits) => v.toFixed(digits).replace("-", "−");

// How well a picture follows its drawing: fifths of the structure scores of 96 pictures by the default model.
const FITS = [-0.58, -0.51, -0.46, -0.41];
const fitOf = ({ structure } = {}) => (typeof structure === "number" ? 1 + FITS.filter((least) => structure >= least).length : 0);
const rawScores = (scores = {}) => ["structure", "text", "sketch"].filter((k) => typeof scores[k] === "number").map((k) => `${k} ${signed(scores[k], k === "structure" ? 2 : 3)}`);
function labelOf(scores, total, isBest) {
	const fit = fitOf(scores), dots = fit ? "●".repeat(fit) + "○".repeat(5 - fit) : "";
	return [isBest ? "★" : "", page.expert && total !== null ? total.toFixed(3) : dots].filter(Boolean).join(" ");
}

export function show(entry, chosen = entry.chosen) {
	page.current = entry;
	page.making = null;
	entry.chosen = Math.min(Math.max(0, chosen), entry.items.length - 1);
	stage.showPicture(item().blob, describe(entry));
	stage.setMaps(null);
	for (const id of ["download", "edit", "copy", "share"]) $(id).disabled = false;
	$("explore").disabled = !page.server.features.attention || entry.job === "photo";
	$("score").disabled = !page.server.features.score || entry.job === "photo" || entry.live;
	showFacts();
	showStrip();
	showOver();
	tell("shown");
}
// What is shown: the picture, or the one in the making while its preview is there.
export function showFacts() {
	const e = page.making ?? page.current;
	if (!e) return;
	const i = page.making ? null : item(), fit = fitOf(i?.scores), seed = e.seed ?? e.settings.seed;
	const raw = page.expert && i ? [e.settings.recipe, e.steps ? t("steps", e.steps) : "", ...rawScores(i.scores)] : [];
	$("facts").textContent = e.job === "photo" ? t("photoFacts")
		: [ClassBox.short(e.cls), i ? (fit ? t(`fit${fit}`) : "") : t("making"),
			i?.item ? t("seedItem", seed, i.item + 1) : t("seedFact", seed), ...raw].filter(Boolean).join(" · ");
}
export function showMaking(entry) {
	if (page.making === entry) return;
	page.making = entry;
	$("over-bar").hidden = true;
	$("stage").querySelector(".over").hidden = true;
	showFacts();
}
// After a cancelled job: back to the picture that was there, if any.
export function endMaking() {
	page.making = null;
	stage.endPreview();
	if (!page.current) $("facts").textContent = "";
	else {
		showFacts();
		showStrip();
		showOver();
	}
	tell("shown");
}
// The picture that is shown, once it is whole: what is downloaded, copied or shared is what is seen.
export async function shown() {
	while (page.making) await new Promise((resolve) => page.addEventListener("shown", resolve, { once: true }));
	return page.current;
}
const urls = new WeakMap(); // a blob's address, made once
const urlOf = (blob) => urls.get(blob) ?? (urls.set(blob, URL.createObjectURL(blob)), urls.get(blob));
export function thumb(blob, name, label, isCurrent, onclick) {
	const button = make("button", { onclick }, make("img", { src: urlOf(blob), alt: name }));
	if (label) button.append(make("span", {}, label));
	if (isCurrent) button.ariaCurrent = "true";
	return make("li", {}, button);
}
export function showStrip() {
	const { items } = page.current;
	$("strip").hidden = $("zip-these").hidden = items.length < 2;
	if (items.length < 2) return;
	const totals = items.map(({ scores: s }) => (typeof s?.text === "number" ? s.text + (s.sketch ?? 0) : null));
	const best = totals.every((t) => t !== null) ? totals.indexOf(Math.max(...totals)) : -1;
	$("strip").replaceChildren(...items.map((i, n) => thumb(i.blob, n === best ? t("best", t("candidate", n + 1)) : t("candidate", n + 1),
		labelOf(i.scores, totals[n], n === best),
		n === page.current.chosen, () => { show(page.current, n); if (page.current.id) store.history.put(page.current); })));
}

export async function score() {
	$("score").disabled = true;
	try {
		const { scores } = await getJson(`/v1/jobs/${page.current.jobId}/score`, { method: "POST" });
		for (const s of scores) {
			if (page.current.items[s.index]) Object.assign(page.current.items[s.index].scores, { text: s.text, ...(typeof s.sketch === "number" ? { sketch: s.sketch } : {}) });
		}
		if (page.current.id) store.history.put(page.current);
		showFacts();
		showStrip();
	} catch (error) {
		complain(error.status === 404 ? t("forgotten") : error);
	}
	$("score").disabled = false;
}
