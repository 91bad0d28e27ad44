// SPDX-License-Identifier: Apache-2.0
// What the drawing may be: after each pause the likeliest classes are marked to be pressed.
import { getJson } from "./api.js";
import { page, pad, sketch, tell } from "./state.js";
import { inkOnPaper } from "./strokes.js";

const MOST = 3, LEAST = 0.1, PAUSE = 700; // how many, at what share of CLIP's belief; after so many ms
let timer = 0, asked = 0;

async function guess() {
	const mine = ++asked;
	if (sketch.isEmpty || pad.isDrawing) return;
	const json = { sketch: inkOnPaper(pad.ink.canvas, page.server.size).toDataURL("image/png"), invert: "no", photo_of_paper: "no" };
	let found;
	try { found = (await getJson("/v1/guess", { method: "POST", json })).classes; } catch { return; } // nobody asked for it
	if (mine !== asked) return;
	page.guesses = found.slice(0, MOST).filter((c) => c.share >= LEAST);
	tell("guesses");
}

sketch.addEventListener("change", () => {
	if (!page.server.features.guess) return;
	clearTimeout(timer);
	if (sketch.isEmpty && page.guesses.length) {
		asked++;
		page.guesses = [];
		tell("guesses");
	} else timer = setTimeout(guess, PAUSE);
});
