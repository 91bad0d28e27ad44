// SPDX-License-Identifier: Apache-2.0
// Live: a quick picture after each pause; and, live or not, what the drawing may be.
import { cancelJob, getJson } from "./api.js";
import { $ } from "./dom.js";
import { CLIENT, request, run, stop } from "./jobs.js";
import { classBox, pad, page, sketch, snapshot, tell } from "./state.js";
import { flatten, inkOnPaper } from "./strokes.js";
import { drawFirst } from "./tools.js";

export const live = {
	on: false,
	dirty: false,
	timer: 0,
	touch() {
		if (!this.on || pad.locked) return;
		this.dirty = true;
		if (!page.running) this.start();
		else if (page.running.live) {
			clearTimeout(this.timer);
			this.timer = setTimeout(() => this.start(), pad.isDrawing ? 110 : 0);
		}
	},
	async start() {
		clearTimeout(this.timer);
		const cls = classBox.chosen;
		if (!this.dirty || !cls || (sketch.isEmpty && !pad.isDrawing)) return;
		this.dirty = false;
		const entry = { job: "draw", cls, settings: snapshot(cls), ops: flatten(pad.ops), chosen: 0, live: true };
		const body = request("draw", cls, { count: 1, live: true, client: CLIENT, recipe: "fast" });
		delete body.set.steps;
		entry.settings.recipe = "fast";
		await run("draw", body, entry);
		if (!page.running) this.start();
	},
	toggle(on) {
		this.on = on;
		$("live").ariaChecked = String(on);
		if (on && sketch.isEmpty) drawFirst();
		if (on) { this.dirty = true; if (!page.running) this.start(); }
		else { clearTimeout(this.timer); if (page.running?.live) { cancelJob(page.running.id); stop(false); } }
	},
};
sketch.addEventListener("change", () => live.touch());
pad.addEventListener("mark", () => live.touch());
page.addEventListener("settings", () => live.touch());

let asked = 0, pause;
sketch.addEventListener("change", () => {
	clearTimeout(pause);
	const mine = ++asked;
	const say = (guesses) => { if (mine === asked) { page.guesses = guesses; tell("guesses"); } };
	if (sketch.isEmpty) say([]);
	else if (page.server.features.guess) pause = setTimeout(async () => {
		const json = { sketch: inkOnPaper(pad.ink.canvas, page.server.size).toDataURL() };
		try { say((await getJson("/v1/guess", { method: "POST", json })).classes.slice(0, 3)); } catch { /* nobody asked */ }
	}, 700);
});
