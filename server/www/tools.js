// SPDX-License-Identifier: Apache-2.0
// The drawing's side: its tools, the paper under it, and what is kept of it.
import { getJson } from "./api.js";
import { small } from "./blobs.js";
import { $, $$, complain, press, toast, whisper } from "./dom.js";
import { page, pad, remember, sketch } from "./state.js";
import * as store from "./store.js";
import { inkOnPaper, loadPicture } from "./strokes.js";
import { t } from "./words.js";

let marks = "free";

export function setTool(name) {
	pad.selection.drop();
	pad.tool = name === "guide" ? marks : name;
	$("paper").classList.toggle("selecting", name === "select");
	press("tool", name);
	$("guide-bar").hidden = name !== "guide";
	$("width").value = pad.widths[pad.widthName];
}
export function setMark(mark) {
	marks = pad.tool = mark;
	press("mark", mark);
}
export function setWidth(w) {
	pad.widths[pad.widthName] = Math.min(240, Math.max(4, Math.round(w)));
	$("width").value = pad.widths[pad.widthName];
	remember();
}
export function setMirror(m) {
	pad.mirror = m;
	$("mirror").ariaLabel = t("mirror", t(`mirror${m}`));
	$("mirror").title = `${$("mirror").ariaLabel} (M)`;
	$("mirror").ariaPressed = String(m > 0);
	const [upright, level] = $$(".axis");
	upright.hidden = m < 1;
	level.hidden = m < 2;
}
export function setPressure(on) {
	pad.pressure = on;
	$("pressure").ariaPressed = String(on);
}
export function setSmooth(value) {
	pad.smooth = value;
	$("smooth").value = value;
}
// Once a pen has come, touches are the hand's and move the paper, unless this says otherwise.
export function setFingers(on) {
	pad.fingers = on;
	$("fingers").ariaPressed = String(on);
}
pad.addEventListener("pen", () => {
	$("fingers").hidden = false;
	setFingers(false);
});
pad.zoom.addEventListener("zoom", () => {
	$("unzoom").hidden = pad.zoom.scale === 1;
	$("unzoom").textContent = `${pad.zoom.scale.toFixed(1)} ×`;
});
// Of the two layers either can be out of sight: the drawing, and the picture under it.
export function toggleLayer(css, button) {
	const isShown = button.ariaPressed !== "true";
	button.ariaPressed = String(isShown);
	$("paper").querySelector(css).classList.toggle("unseen", !isShown);
}
export const undo = () => { if (sketch.undo()) whisper(t("undone")); };
export const redo = () => { if (sketch.redo()) whisper(t("redone")); };
export function clearPad() {
	if (sketch.hasMarks) sketch.push({ k: "c", l: "map" });
	if (!sketch.isEmpty) sketch.push({ k: "c", l: "ink" });
}

let saveTimer;
sketch.addEventListener("change", () => {
	$("undo").disabled = !sketch.canUndo;
	$("redo").disabled = !sketch.canRedo;
	$("fill").disabled = sketch.isEmpty;
	$("clear").disabled = sketch.isEmpty && !sketch.hasMarks;
	$("clear-marks").disabled = !sketch.hasMarks;
	$("paper-hint").hidden = !sketch.isEmpty || page.trace !== null;
	clearTimeout(saveTimer);
	saveTimer = setTimeout(() => store.put("sketch", sketch.toJSON()), 150);
});
pad.addEventListener("mark", () => {
	$("paper-hint").hidden = true;
});
addEventListener("pagehide", () => store.put("sketch", sketch.toJSON()));

export const drawFirst = () => toast(t("drawFirst"));

// The drawing cut to its ink, as `--fit ink` does; marks would not lie on their lines any more.
export async function fillPaper() {
	if (sketch.isEmpty) return drawFirst();
	const before = sketch.index, sent = inkOnPaper(pad.ink.canvas, 1024).toDataURL();
	try {
		const src = await small((await getJson("/v1/prepare", { method: "POST", json: { sketch: sent, fit: "ink", invert: "no", photo_of_paper: "no" } })).sketch);
		await loadPicture(src);
		if (sketch.index === before) sketch.push({ k: "r", ops: [{ k: "i", src }] });
	} catch (error) { complain(error, "drawing"); }
}

export function setTrace(src, opacity = 30) {
	page.trace = src ? { src, opacity } : null;
	const img = $("paper").querySelector(".trace");
	img.hidden = !src;
	if (src) img.src = src;
	img.style.opacity = opacity / 100;
	$("trace-bar").hidden = !src;
	for (const [css, id] of [[".trace", "trace-eye"], [".ink", "ink-eye"]]) if ($(id).ariaPressed !== "true") toggleLayer(css, $(id));
	$("trace-opacity").value = opacity;
	$("paper-hint").hidden = !sketch.isEmpty || page.trace !== null;
	if (page.trace) store.put("trace", page.trace);
	else store.remove("trace");
}
