// SPDX-License-Identifier: Apache-2.0
// What is asked of the server, and the one job that runs.
import { cancelJob, getBlob, runJob } from "./api.js";
import { toDataUrl } from "./blobs.js";
import { $, complain, toast, whisper } from "./dom.js";
import { keep } from "./history.js";
import { leaveModes } from "./modes.js";
import { endMaking, item, show, showMaking, shown, thumb } from "./picture.js";
import { setSeed } from "./settings.js";
import { classBox, editBox, lambda, pad, page, randomSeed, recipeValue, settings, sketch, snapshot, stage } from "./state.js";
import { flatten, inkOnPaper, lambdaMap } from "./strokes.js";
import { t } from "./words.js";

export const CLIENT = Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");

// The dial from alike (cool from the first step) to different (warm; at last what "varied" settles).
const cool = (token_temperature) => ({ token_temperature, start_temperature: 0, start_temperature_steps: 0 });
const varieties = {
	1: (own) => cool(own / 2),
	2: cool,
	3: () => ({}),
	4: () => ({ start_temperature: 1, start_temperature_steps: 6 }),
	5: () => ({ start_temperature: 1, start_temperature_steps: 6, schedule: "pow2", max_mask_rate: 1, guidance_schedule: "power-cosine" }),
};
// What the dial says, and the keys set by hand, as far as they act in a job under the recipe.
function chosenKeys(job) {
	const own = Number(recipeValue("token_temperature", job) ?? 1), keys = { ...varieties[settings.variety](own), ...settings.set };
	return Object.fromEntries(Object.entries(keys).filter(([key]) => recipeValue(key, job) !== undefined));
}
const isUntouched = () => page.held !== null && sketch.active.at(-1) === page.held.op;

export function request(job, cls, over = {}) {
	const body = { class: cls.id, seed: settings.seed, recipe: settings.recipe, count: settings.count, set: chosenKeys(job), device: $("device").value || undefined, ...over };
	if (settings.firstItem) body.first_item = settings.firstItem;
	if (job !== "draw") return body;
	const { lambda: strict, map } = lambdaMap(pad.ops, lambda(), page.server.size);
	body.lambda = strict;
	if (map) body.lambda_map = map.toDataURL();
	if (isUntouched()) {
		if (page.held.tokens) body.sketch_tokens = page.held.tokens;
		if (page.held.map && !map) body.lambda_map = page.held.map;
	}
	if (!body.sketch_tokens) {
		body.sketch = inkOnPaper(pad.ink.canvas, 2 * page.server.size).toDataURL();
		body.invert = "no";
	}
	return body;
}

// Where a problem's field is on the page.
function placeOf({ field }) {
	const name = field?.split(".").at(-1);
	if (name === "class") return "ask";
	if (["sketch", "sketch_tokens", "lambda_map"].includes(name)) return "drawing";
	const isSetting = ["set", "lambda", "seed", "count", "recipe", "first_item"].includes(name) || page.server.keys.some(({ key }) => key === name);
	return isSetting ? "settings" : "picture";
}

// Running a job
const timeLeft = (s) => (typeof s === "number" ? t("left", s < 10 ? s.toFixed(1) : Math.round(s)) : "");

function working(on, text = "") {
	$("working").hidden = !on;
	$("time-left").textContent = text;
	if (on) $("progress").removeAttribute("value");
}
export function stop(quiet = true) {
	if (!page.running) return;
	page.running.abort.abort();
	if (page.running.id && !page.running.live) cancelJob(page.running.id);
	page.running = null;
	working(false);
	if (quiet) return;
	endMaking();
	whisper(t("cancelled"));
}

export async function run(job, body, entry) {
	const me = { abort: new AbortController(), id: null, live: entry.live };
	const { signal } = me.abort, images = [];
	const load = (i) => {
		images[i.index] ??= getBlob(i.url, { signal }).then((blob) => {
			if (page.running === me && body.count > 1) $("strip").append(thumb(blob, t("candidate", i.index + 1)));
			return { blob, item: i.item, scores: i.scores ?? {} };
		});
	};
	if (page.running?.live && !me.live && page.running.id) cancelJob(page.running.id);
	stop();
	page.running = me;
	complain(null);
	if (!me.live) working(true, t("sending"));
	$("strip").replaceChildren();
	$("strip").hidden = body.count < 2;
	try {
		const finished = await runJob(job, body, {
			signal,
			on: {
				accepted: (j) => { me.id = entry.jobId = j.id; if (signal.aborted && !(me.live && page.running?.live)) cancelJob(j.id); },
				waiting: (s) => working(true, t("busy", s)),
				queued: (j) => { if (!me.live) working(true, j.position ? t("before", j.position) : t("next")); },
				step: (s) => {
					if (s.preview && page.running === me) {
						stage.showPreview(s.preview.url);
						showMaking(entry);
					}
					if (me.live) return;
					$("progress").value = (s.index + s.step / s.steps) / body.count;
					$("time-left").textContent = [body.count > 1 ? t("of", s.index + 1, body.count) : "", timeLeft(s.seconds_left)].filter(Boolean).join(" · ");
				},
				image: load,
			},
		});
		finished.images.forEach(load);
		entry.items = await Promise.all(images);
		entry.seed = finished.seed;
		entry.steps = finished.steps ?? finished.settings?.steps;
		if (page.running !== me) return false;
		page.running = null;
		working(false);
		show(entry);
		const [warning] = finished.warnings ?? [];
		if (warning && !me.live) toast(`${warning[0].toUpperCase()}${warning.slice(1)}.`);
		return true;
	} catch (error) {
		if (page.running !== me) return false; // something newer has taken over
		page.running = null;
		working(false);
		endMaking();
		if (error.name !== "AbortError") complain(error, placeOf(error));
		return false;
	}
}

// The class in a box; if there is none, the page says so there and null is returned.
async function classOf(box) {
	try {
		const cls = await box.resolve(), typed = box.input.value.trim();
		if (cls) return cls;
		complain(typed ? t("unknown", typed) : t("noClass"), box === classBox ? "ask" : "picture");
		box.input.ariaInvalid = "true";
		box.input.focus();
	} catch (error) { complain(error, "ask"); }
	return null;
}

export async function draw() {
	complain(null);
	const cls = await classOf(classBox);
	if (!cls) return;
	if (stage.mode !== "show") leaveModes();
	const seen = page.current?.live && page.running?.live !== false; // what live mode shows is wanted: the same seed
	if (!settings.lock && !seen && page.current) setSeed(randomSeed());
	const job = sketch.isEmpty && !isUntouched() ? "generate" : "draw";
	const entry = { job, cls, settings: snapshot(cls), ops: flatten(sketch.active), chosen: 0, live: false };
	if (job === "generate") toast(t("drawFirstClass"));
	const box = $("stage").getBoundingClientRect();
	if (box.top > innerHeight * 0.6) $("photo").scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth", block: "start" });
	if (await run(job, request(job, cls), entry)) keep(entry);
}

export async function repaint() {
	complain(null);
	const cls = await classOf(editBox);
	if (!cls) return;
	await shown();
	const photo = await toDataUrl(item().blob), mask = stage.maskPicture();
	if (!settings.lock) setSeed(randomSeed());
	const entry = { job: "edit", cls, settings: snapshot(cls), ops: page.current.ops ?? [], chosen: 0, live: false };
	leaveModes();
	if (await run("edit", request("edit", cls, { photo, mask }), entry)) keep(entry);
}
