// SPDX-License-Identifier: Apache-2.0
// What the parts of the page share. Who changes something says so by an event of `page` ("settings"; "shown", a picture;
// "guesses"), so that no part calls one that builds on it.
import { ClassBox } from "./classbox.js";
import { $, whisper } from "./dom.js";
import { Pad } from "./pad.js";
import { Stage } from "./stage.js";
import * as store from "./store.js";
import { Sketch } from "./strokes.js";

export const sketch = new Sketch(), pad = new Pad($("paper"), sketch, whisper), stage = new Stage($("stage"), $("paper"), whisper);
export const classBox = new ClassBox($("class"), $("class-list")), editBox = new ClassBox($("edit-class"), $("edit-list"));
export const settings = { lambda: null, count: 1, variety: 3, seed: "0", lock: false, recipe: "balanced", set: {}, firstItem: 0 };
export const page = Object.assign(new EventTarget(), {
	server: { size: 256, recipes: [], keys: [], features: {}, maxCount: 16 },
	current: null, // the entry on the stage: {id?, job, jobId, items: [{blob, item, scores, seconds}], chosen, settings, ops, live, cls}
	entries: [], // the history, oldest first
	running: null, // {abort, id, live}
	making: null, // the entry whose preview is on the stage, instead of the current one
	held: null, // what a restored PNG brought besides strokes, as long as the drawing is not touched: {op, tokens, map}
	expert: false, // raw keys and numbers are shown
	guesses: [], // what the drawing may be: {id}
	trace: null, // the picture under the paper: {src, opacity}
});
export const tell = (event) => page.dispatchEvent(new Event(event));

const recipe = () => page.server.recipes.find((r) => r.name === settings.recipe) ?? page.server.recipes[0];
export const recipeText = () => recipe()?.description ?? "";
export const recipeValue = (key, job = "draw") => recipe()?.settings?.[job]?.[key];
export const lambda = () => settings.lambda ?? Number(recipeValue("lambda_structure") ?? 0.9);
export const snapshot = (cls) => structuredClone({ ...settings, cls, strict: lambda() });
export const randomSeed = () => String(crypto.getRandomValues(new Uint32Array(1))[0]);
export const remember = () => store.memory.set("settings", { ...settings, cls: classBox.chosen, width: pad.widths, mirror: pad.mirror, pressure: pad.pressure, smooth: pad.smooth });
