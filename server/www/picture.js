// SPDX-License-Identifier: Apache-2.0
// The picture on the stage: what is told of it, its candidates, its drawing laid over it, its scores.
import { getJson } from "./api.js";
import { ClassBox } from "./classbox.js";
import { $, complain, make } from "./dom.js";
import { page, stage, tell } from "./state.js";
import * as store from "./store.js";
import { inkOnPaper } from "./strokes.js";

export const item = () => page.current?.items[page.current.chosen];

// The entry's drawing, laid over its picture as strongly as the slider says: drawn once, then only its opacity changes.
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
export const describe = (entry) => (entry.job === "photo" ? "The photo that was given" : `Picture of a ${ClassBox.short(entry.cls)}`);
const signed = (v, digits) => v.toFixed(digits).replace("-", "−");
const scoreText = (scores = {}) => ["structure", "text", "sketch"].filter((k) => typeof scores[k] === "number").map((k) => `${k} ${signed(scores[k], k === "structure" ? 2 : 3)}`);

export function show(entry, chosen = entry.chosen) {
	const wasLive = page.current?.live;
	page.current = entry;
	entry.chosen = Math.min(Math.max(0, chosen), entry.items.length - 1);
	stage.showPicture(item().blob, describe(entry));
	stage.setMaps(null);
	for (const id of ["download", "edit", "copy"]) $(id).disabled = false;
	$("explore").disabled = !page.server.features.attention || entry.job === "photo";
	$("score").disabled = !page.server.features.score || entry.job === "photo" || entry.live;
	showFacts();
	showStrip();
	showOver();
	if (!entry.live || !wasLive) tell("shown");
}
function showFacts() {
	const e = page.current, i = item();
	$("facts").textContent = e.job === "photo" ? "A photo from outside. Paint the part to change."
		: [ClassBox.short(e.cls), `seed ${e.seed}${i.item ? ` (picture ${i.item + 1})` : ""}`, e.settings.recipe, e.steps ? `${e.steps} steps` : "", ...scoreText(i.scores)].filter(Boolean).join(" · ");
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
	if (($("strip").hidden = items.length < 2)) return;
	const totals = items.map(({ scores: s }) => (typeof s?.text === "number" ? s.text + (s.sketch ?? 0) : null));
	const best = totals.every((t) => t !== null) ? totals.indexOf(Math.max(...totals)) : -1;
	$("strip").replaceChildren(...items.map((i, n) => thumb(i.blob, `Candidate ${n + 1}${n === best ? ", best by score" : ""}`,
		totals[n] !== null ? `${n === best ? "★ " : ""}${totals[n].toFixed(3)}` : typeof i.scores?.structure === "number" ? signed(i.scores.structure, 2) : "",
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
		complain(error.status === 404 ? "The server has forgotten these pictures; draw again to score them." : error);
	}
	$("score").disabled = false;
}
