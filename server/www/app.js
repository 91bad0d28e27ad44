// SPDX-License-Identifier: Apache-2.0
// The page: what the controls mean, which job runs, what is remembered.
import { cancelJob, getBlob, getJson, runJob, setAskKey } from "./api.js";
import { ClassBox } from "./classbox.js";
import { Pad } from "./pad.js";
import { addText, asciiJson, readText } from "./png.js";
import { Stage, readMaps } from "./stage.js";
import * as store from "./store.js";
import { Sketch, checkOps, flatten, inkOnPaper, lambdaMap, loadPicture, loadPictures } from "./strokes.js";

const root = document.documentElement, $ = (id) => document.getElementById(id), $$ = (css) => [...document.querySelectorAll(css)];
const make = (tag, props = {}, ...children) => {
	const element = Object.assign(document.createElement(tag), props);
	element.append(...children);
	return element;
};
const PAGE_TEXT = "masksketch-page", MAX_PAGE_TEXT = 1 << 20, MAX_DROP = 64e6, KEPT = 200;
const CLIENT = Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");

// ---- What is being said ----
let toastTimer;
function toast(text, action) {
	const [span, button] = $("toast").children;
	span.textContent = text;
	button.hidden = !action;
	button.onclick = () => { $("toast").classList.remove("on"); action?.(); };
	$("toast").classList.add("on");
	clearTimeout(toastTimer);
	toastTimer = setTimeout(() => $("toast").classList.remove("on"), action ? 9000 : 4500);
}
const whisper = (text) => { $("whisper").textContent = text; };
const complain = (error) => { $("error").textContent = error ? (error.message ?? String(error)) : ""; };

// ---- State ----
const sketch = new Sketch(), pad = new Pad($("paper"), sketch, whisper), stage = new Stage($("stage"), $("paper"), whisper);
const classBox = new ClassBox($("class"), $("class-list")), editBox = new ClassBox($("edit-class"), $("edit-list"));
const settings = { lambda: null, count: 1, seed: "0", lock: false, recipe: "balanced", set: {}, firstItem: 0 };
let server = { size: 256, recipes: [], keys: [], features: {}, maxCount: 16 };
let current = null; // the entry on the stage: {id?, job, jobId, items: [{blob, item, scores, seconds}], chosen, settings, ops, live, cls}
let entries = []; // the history, oldest first
let running = null; // {abort, id, live}
let held = null; // what a restored PNG brought besides strokes, as long as the drawing is not touched: {op, tokens, map}
let marks = "free";
let trace = null;

const recipe = () => server.recipes.find((r) => r.name === settings.recipe) ?? server.recipes[0];
const recipeValue = (key, job = "draw") => recipe()?.settings?.[job]?.[key];
const lambda = () => settings.lambda ?? Number(recipeValue("lambda_structure") ?? 0.9);
const randomSeed = () => String(crypto.getRandomValues(new Uint32Array(1))[0]);
const remember = () => store.memory.set("settings", { ...settings, cls: classBox.chosen, width: pad.widths, mirror: pad.mirror, pressure: pad.pressure });

// ---- Drawing tools ----
const press = (group, name) => { for (const b of $$(`[data-${group}]`)) b.ariaPressed = String(b.dataset[group] === name); };
function setTool(name) {
	pad.tool = name === "guide" ? marks : name;
	press("tool", name);
	$("guide-bar").hidden = name !== "guide";
	$("width").value = pad.widths[pad.widthName];
}
function setMark(mark) {
	marks = pad.tool = mark;
	press("mark", mark);
}
function setWidth(w) {
	pad.widths[pad.widthName] = Math.min(240, Math.max(4, Math.round(w)));
	$("width").value = pad.widths[pad.widthName];
	remember();
}
const mirrorNames = ["off", "left and right", "four ways"];
function setMirror(m) {
	pad.mirror = m;
	$("mirror").ariaLabel = `Mirror: ${mirrorNames[m]}`;
	$("mirror").title = `Mirror: ${mirrorNames[m]} (M)`;
	$("mirror").ariaPressed = String(m > 0);
	const [upright, level] = $$(".axis");
	upright.hidden = m < 1;
	level.hidden = m < 2;
}
function setPressure(on) {
	pad.pressure = on;
	$("pressure").ariaPressed = String(on);
}
const undo = () => { if (sketch.undo()) whisper("Undone"); };
const redo = () => { if (sketch.redo()) whisper("Redone"); };
function clearPad() {
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
	$("paper-hint").hidden = !sketch.isEmpty || trace !== null;
	clearTimeout(saveTimer);
	saveTimer = setTimeout(() => store.put("sketch", sketch.toJSON()), 150);
	live.touch();
});
pad.addEventListener("mark", () => {
	$("paper-hint").hidden = true;
	live.touch();
});
addEventListener("pagehide", () => store.put("sketch", sketch.toJSON()));

// ---- What is asked of the server ----
// The keys set by hand that act in a job under the recipe.
const chosenKeys = (job) => Object.fromEntries(Object.entries(settings.set).filter(([key]) => recipeValue(key, job) !== undefined));
const isUntouched = () => held !== null && sketch.active.at(-1) === held.op;

function request(job, cls, over = {}) {
	const body = { class: cls.id, seed: settings.seed, recipe: settings.recipe, count: settings.count, set: chosenKeys(job), ...over };
	if (settings.firstItem) body.first_item = settings.firstItem;
	if (job !== "draw") return body;
	const { lambda: strict, map } = lambdaMap(pad.ops, lambda(), server.size);
	body.lambda = strict;
	if (map) body.lambda_map = map.toDataURL("image/png");
	if (isUntouched()) {
		if (held.tokens) body.sketch_tokens = held.tokens;
		if (held.map && !map) body.lambda_map = held.map;
	}
	if (!body.sketch_tokens) {
		body.sketch = inkOnPaper(pad.ink.canvas, 2 * server.size).toDataURL("image/png");
		body.invert = "no";
	}
	return body;
}

// ---- Running a job ----
const timeLeft = (s) => (typeof s === "number" ? `${s < 10 ? s.toFixed(1) : Math.round(s)} s left` : "");

function working(on, text = "") {
	$("working").hidden = !on;
	$("time-left").textContent = text;
	if (on) $("progress").removeAttribute("value");
}
function stop(quiet = true) {
	if (!running) return;
	running.abort.abort();
	if (running.id && !running.live) cancelJob(running.id);
	running = null;
	working(false);
	if (quiet) return;
	stage.endPreview();
	if (current) showStrip();
	whisper("Cancelled");
}

async function run(job, body, entry) {
	const me = { abort: new AbortController(), id: null, live: entry.live };
	const { signal } = me.abort, images = [];
	const load = (i) => {
		images[i.index] ??= getBlob(i.url, { signal }).then((blob) => {
			if (running === me && body.count > 1) $("strip").append(thumb(blob, `Candidate ${i.index + 1}`));
			return { blob, item: i.item, scores: i.scores ?? {} };
		});
	};
	if (running?.live && !me.live && running.id) cancelJob(running.id);
	stop();
	running = me;
	complain(null);
	if (!me.live) working(true, "Sending");
	$("strip").replaceChildren();
	$("strip").hidden = body.count < 2;
	try {
		const finished = await runJob(job, body, {
			signal,
			on: {
				accepted: (j) => { me.id = entry.jobId = j.id; if (signal.aborted && !(me.live && running?.live)) cancelJob(j.id); },
				waiting: (s) => working(true, `The server is busy; again in ${s} s`),
				queued: (j) => { if (!me.live) working(true, j.position ? `${j.position} before this one` : "Next"); },
				step: (s) => {
					if (s.preview && running === me) stage.showPreview(s.preview.url);
					if (me.live) return;
					$("progress").value = (s.index + s.step / s.steps) / body.count;
					$("time-left").textContent = [body.count > 1 ? `${s.index + 1} of ${body.count}` : "", timeLeft(s.seconds_left)].filter(Boolean).join(" · ");
				},
				image: load,
			},
		});
		finished.images.forEach(load);
		entry.items = await Promise.all(images);
		entry.seed = finished.seed;
		entry.steps = finished.steps ?? finished.settings?.steps;
		if (running !== me) return false;
		running = null;
		working(false);
		show(entry);
		const [warning] = finished.warnings ?? [];
		if (warning && !me.live) toast(`${warning[0].toUpperCase()}${warning.slice(1)}.`);
		return true;
	} catch (error) {
		if (running !== me) return false; // something newer has taken over
		running = null;
		working(false);
		stage.endPreview();
		if (current) showStrip();
		if (error.name !== "AbortError" && error.message !== "Cancelled") complain(error);
		return false;
	}
}

const snapshot = (cls) => structuredClone({ ...settings, cls, strict: lambda() });

// The class in a box; if there is none, the page says so there and null is returned.
async function classOf(box) {
	try {
		const cls = await box.resolve(), typed = box.input.value.trim();
		if (cls) return cls;
		complain(typed ? `The model knows no “${typed}”; choose one of its classes.` : "Say what it is first.");
		box.input.ariaInvalid = "true";
		box.input.focus();
	} catch (error) { complain(error); }
	return null;
}

async function draw() {
	complain(null);
	const cls = await classOf(classBox);
	if (!cls) return;
	if (stage.mode !== "show") leaveModes();
	const seen = current?.live && running?.live !== false; // what live mode shows is what is wanted: the same seed
	if (!settings.lock && !seen && current) setSeed(randomSeed());
	const job = sketch.isEmpty && !isUntouched() ? "generate" : "draw";
	const entry = { job, cls, settings: snapshot(cls), ops: flatten(sketch.active), chosen: 0, live: false };
	if (job === "generate") toast("Draw something first: with nothing drawn this is a picture of the class alone.");
	const box = $("stage").getBoundingClientRect();
	if (box.top > innerHeight * 0.6) $("photo").scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth", block: "start" });
	if (await run(job, request(job, cls), entry)) keep(entry);
}

// ---- Live: a quick picture after each pause ----
const live = {
	on: false,
	dirty: false,
	timer: 0,
	touch() {
		if (!this.on || pad.locked) return;
		this.dirty = true;
		if (!running) this.start();
		else if (running.live) {
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
		if (!running) this.start();
	},
	toggle(on) {
		this.on = on;
		$("live").ariaChecked = String(on);
		if (on && sketch.isEmpty) drawFirst();
		if (on) { this.dirty = true; if (!running) this.start(); }
		else { clearTimeout(this.timer); if (running?.live) { cancelJob(running.id); stop(false); } }
	},
};

// ---- The picture on the stage ----
const item = () => current?.items[current.chosen];
// The entry's drawing, laid over its picture as strongly as the slider says.
function showOver() {
	const canvas = $("stage").querySelector(".over"), ops = current?.ops ?? [], strength = Number($("over").value) / 100;
	$("over-bar").hidden = !ops.length;
	canvas.hidden = !ops.length || strength === 0;
	canvas.style.opacity = strength;
	if (!canvas.hidden) canvas.getContext("2d").drawImage(inkOnPaper(ops, canvas.width), 0, 0);
}
const describe = (entry) => (entry.job === "photo" ? "The photo that was given" : `Picture of a ${ClassBox.short(entry.cls)}`);
const signed = (v, digits) => v.toFixed(digits).replace("-", "−");
const scoreText = (scores = {}) => ["structure", "text", "sketch"].filter((k) => typeof scores[k] === "number").map((k) => `${k} ${signed(scores[k], k === "structure" ? 2 : 3)}`);

function show(entry, chosen = entry.chosen) {
	const wasLive = current?.live;
	current = entry;
	entry.chosen = Math.min(Math.max(0, chosen), entry.items.length - 1);
	stage.showPicture(item().blob, describe(entry));
	stage.setMaps(null);
	for (const id of ["download", "edit", "copy"]) $(id).disabled = false;
	$("explore").disabled = !server.features.attention || entry.job === "photo";
	$("score").disabled = !server.features.score || entry.job === "photo" || entry.live;
	if (stage.mode === "explore") explore();
	showFacts();
	showStrip();
	showOver();
	if (!entry.live || !wasLive) showEntries();
}
function showFacts() {
	const e = current, i = item();
	$("facts").textContent = e.job === "photo" ? "A photo from outside. Paint the part to change."
		: [ClassBox.short(e.cls), `seed ${e.seed}${i.item ? ` (picture ${i.item + 1})` : ""}`, e.settings.recipe, e.steps ? `${e.steps} steps` : "", ...scoreText(i.scores)].filter(Boolean).join(" · ");
}
const urls = new WeakMap(); // a blob's address, made once
const urlOf = (blob) => urls.get(blob) ?? (urls.set(blob, URL.createObjectURL(blob)), urls.get(blob));
function thumb(blob, name, label, isCurrent, onclick) {
	const button = make("button", { onclick }, make("img", { src: urlOf(blob), alt: name }));
	if (label) button.append(make("span", {}, label));
	if (isCurrent) button.ariaCurrent = "true";
	return make("li", {}, button);
}
function showStrip() {
	const { items } = current;
	if (($("strip").hidden = items.length < 2)) return;
	const totals = items.map(({ scores: s }) => (typeof s?.text === "number" ? s.text + (s.sketch ?? 0) : null));
	const best = totals.every((t) => t !== null) ? totals.indexOf(Math.max(...totals)) : -1;
	$("strip").replaceChildren(...items.map((i, n) => thumb(i.blob, `Candidate ${n + 1}${n === best ? ", best by score" : ""}`,
		totals[n] !== null ? `${n === best ? "★ " : ""}${totals[n].toFixed(3)}` : typeof i.scores?.structure === "number" ? signed(i.scores.structure, 2) : "",
		n === current.chosen, () => { show(current, n); if (current.id) store.history.put(current); })));
}

async function score() {
	$("score").disabled = true;
	try {
		const { scores } = await getJson(`/v1/jobs/${current.jobId}/score`, { method: "POST" });
		for (const s of scores) {
			if (current.items[s.index]) Object.assign(current.items[s.index].scores, { text: s.text, ...(typeof s.sketch === "number" ? { sketch: s.sketch } : {}) });
		}
		if (current.id) store.history.put(current);
		showFacts();
		showStrip();
	} catch (error) {
		complain(error.status === 404 ? "The server has forgotten these pictures; draw again to score them." : error);
	}
	$("score").disabled = false;
}

// ---- Modes of the stage ----
function leaveModes() {
	stage.setMode("show");
	pad.locked = false;
	for (const id of ["edit", "explore"]) { $(id).ariaPressed = "false"; $(`${id}-bar`).hidden = true; }
}
function enter(mode) {
	const was = stage.mode;
	leaveModes();
	if (was === mode) return;
	stage.setMode(mode);
	$(mode).ariaPressed = "true";
	$(`${mode}-bar`).hidden = false;
	pad.locked = mode === "explore";
	if (mode === "explore") explore();
	else if (!editBox.chosen) editBox.choose(current.cls ?? classBox.chosen, true);
}

const toDataUrl = (blob) => new Promise((resolve) => {
	const reader = new FileReader();
	reader.onload = () => resolve(reader.result);
	reader.readAsDataURL(blob);
});

function toBlob(dataUrl) {
	const [head, body] = dataUrl.split(",");
	return new Blob([Uint8Array.from(atob(body), (c) => c.charCodeAt(0))], { type: head.slice(5).split(";")[0] });
}

async function explore() {
	const entry = current, chosen = entry.chosen;
	$("explore-help").hidden = true;
	try {
		let answer;
		try {
			answer = await getJson("/v1/attention", { method: "POST", json: { job: entry.jobId, index: chosen } });
		} catch (error) {
			if (![404, 409, 422].includes(error.status)) throw error; // forgotten by the server, or no job of its own
			const json = { class: entry.cls.id, photo: await toDataUrl(entry.items[chosen].blob) };
			if (entry.ops?.length) Object.assign(json, { sketch: inkOnPaper(entry.ops, 2 * server.size).toDataURL("image/png"), invert: "no" });
			answer = await getJson("/v1/attention", { method: "POST", json });
		}
		const maps = await readMaps(answer);
		if (current !== entry || entry.chosen !== chosen || stage.mode !== "explore") return;
		$("layers").replaceChildren("Layers", ...maps.names.map((layer, i) => {
			const button = make("button", { ariaLabel: `Layer ${layer}`, ariaPressed: String(maps.chosen.includes(i)) }, layer);
			button.onclick = () => {
				button.ariaPressed = String(button.ariaPressed !== "true");
				stage.setLayers([...$("layers").querySelectorAll("button")].flatMap((b, n) => (b.ariaPressed === "true" ? [n] : [])));
			};
			return button;
		}));
		$("explore-help").hidden = false;
		stage.setMaps(maps);
	} catch (error) {
		complain(error);
		if (stage.mode === "explore") leaveModes();
	}
}

async function repaint() {
	complain(null);
	const cls = await classOf(editBox);
	if (!cls) return;
	const photo = await toDataUrl(item().blob), mask = stage.maskPicture();
	if (!settings.lock) setSeed(randomSeed());
	const entry = { job: "edit", cls, settings: snapshot(cls), ops: current.ops ?? [], chosen: 0, live: false };
	leaveModes();
	if (await run("edit", request("edit", cls, { photo, mask }), entry)) keep(entry);
}

// ---- History ----
function keep(entry) {
	whisper(`${describe(entry)} is ready`);
	entry.id = `${Date.now()}-${randomSeed()}`;
	entries.push(entry);
	store.history.put(entry);
	while (entries.length > KEPT) store.history.remove(entries.shift().id);
	showEntries();
}
function showEntries() {
	$("history").hidden = !entries.length;
	const at = entries.indexOf(current);
	$("entries").replaceChildren(...entries.map((e, n) => thumb(e.items[e.chosen].blob, `${describe(e)}, ${n + 1} of ${entries.length}`, ClassBox.short(e.cls ?? { name: "photo" }), n === at, () => show(e))).reverse());
	$("back").disabled = at === 0 || !entries.length;
	$("forward").disabled = at < 0 || at === entries.length - 1;
	$("restore").disabled = $("forget").disabled = at < 0;
}
function step(by) {
	const at = entries.indexOf(current), next = at < 0 ? entries.length - 1 : at + by;
	if (entries[next]) show(entries[next]);
}
function forget() {
	const at = entries.indexOf(current), [entry] = entries.splice(at, 1);
	store.history.remove(entry.id);
	const next = entries[Math.min(at, entries.length - 1)];
	if (next) show(next);
	else showEntries();
	toast("Removed.", () => {
		entries.splice(at, 0, entry);
		store.history.put(entry);
		show(entry);
	});
}
function backTo(index, before) {
	while (sketch.index > index && sketch.undo());
	applySettings(before);
}
async function restoreEntry() {
	const before = snapshot(classBox.chosen), entry = current, index = sketch.index;
	await loadPictures(entry.ops ?? []);
	sketch.push({ k: "r", ops: entry.ops ?? [] });
	applySettings({ ...entry.settings, lock: true, firstItem: item().item, count: 1 });
	toast("The drawing and its settings are back.", () => backTo(index, before));
}

// ---- Settings ----
function setSeed(seed, item = 0) {
	settings.seed = seed;
	settings.firstItem = item;
	$("seed").value = seed;
	remember();
}
function setLock(on) {
	settings.lock = on;
	$("lock").ariaPressed = String(on);
	$("lock").querySelector("use").setAttribute("href", on ? "#i-lock" : "#i-unlock");
	remember();
}
function showLambda() {
	$("lambda").value = lambda();
	$("lambda-value").textContent = lambda().toFixed(2);
}
const upper = (text) => text.replace(/^./, (c) => c.toUpperCase());
function showKeys() {
	$("recipe-help").textContent = recipe()?.description ?? "";
	const acting = server.keys.filter((k) => k.key !== "lambda_structure" && k.jobs.some((job) => recipeValue(k.key, job) !== undefined));
	$("keys-list").replaceChildren(...acting.map(({ key, help, jobs }) => {
		const placeholder = recipeValue(key) ?? recipeValue(key, "edit") ?? "", only = jobs.includes("draw") ? "" : ` (only ${jobs.join(", ")})`;
		const input = make("input", { type: "text", id: `key-${key}`, spellcheck: false, value: settings.set[key] ?? "", placeholder });
		input.setAttribute("aria-describedby", `help-${key}`);
		const div = make("div", { className: key in settings.set ? "changed" : "" }, make("label", { htmlFor: input.id }, upper(key.replaceAll("_", " "))), input,
			make("p", { id: `help-${key}`, className: "quiet" }, upper(help) + only));
		input.onchange = () => {
			const value = input.value.trim();
			if (value) settings.set[key] = value;
			else delete settings.set[key];
			div.classList.toggle("changed", Boolean(value));
			changedSettings();
		};
		return div;
	}));
}
function changedSettings() {
	remember();
	live.touch();
}
// Values from outside (a reload, the history, a PNG): each is checked, what does not fit is left as it was.
function applySettings(s) {
	if (s.recipe !== undefined && server.recipes.some((r) => r.name === s.recipe)) settings.recipe = s.recipe;
	if (s.lambda === null || (typeof s.lambda === "number" && s.lambda >= 0 && s.lambda <= 1)) settings.lambda = s.lambda;
	if (Number.isInteger(s.count) && s.count >= 1 && s.count <= server.maxCount) settings.count = s.count;
	if (s.set && typeof s.set === "object") {
		settings.set = {};
		for (const { key } of server.keys) {
			const value = Object.hasOwn(s.set, key) ? String(s.set[key]) : "";
			if (value && value.length <= 200) settings.set[key] = value;
		}
	}
	$("recipe").value = settings.recipe;
	$("count").value = settings.count;
	if (typeof s.seed === "string" && /^[0-9]{1,20}$/.test(s.seed)) setSeed(s.seed, Number.isInteger(s.firstItem) && s.firstItem >= 0 ? s.firstItem : 0);
	if (typeof s.lock === "boolean") setLock(s.lock);
	if (s.cls && Number.isInteger(s.cls.id) && typeof s.cls.name === "string") classBox.choose({ id: s.cls.id, name: s.cls.name }, true);
	showLambda();
	showKeys();
	changedSettings();
}

// ---- Pictures in and out ----
function save(blob, name) {
	const a = make("a", { href: URL.createObjectURL(blob), download: name });
	a.click();
	setTimeout(() => URL.revokeObjectURL(a.href), 10000);
}
async function withPage(blob, page) {
	const bytes = new Uint8Array(await blob.arrayBuffer()), text = asciiJson(page);
	if (text.length > MAX_PAGE_TEXT) {
		toast("The drawing is too large to go into the file; the picture and its settings are in it.");
		return blob;
	}
	return new Blob([await addText(bytes, PAGE_TEXT, text)], { type: "image/png" });
}
const pageText = (ops, s) => ({ version: 1, ops, lambda: s.strict });

async function download() {
	const { blob, item: number } = item();
	const name = current.job === "photo" ? "photo.png" : `${ClassBox.short(current.cls).replace(/[^\w-]+/g, "-")}-${current.seed}${number ? `-${number}` : ""}.png`;
	save(current.job !== "photo" ? await withPage(blob, pageText(current.ops, current.settings)) : blob, name);
}
async function copyPicture() {
	try {
		await navigator.clipboard.write([new ClipboardItem({ "image/png": item().blob })]);
		toast("Copied.");
	} catch { toast("This browser does not let pages copy pictures here; Download does."); }
}
async function exportSketch() {
	const blob = await new Promise((resolve) => inkOnPaper(sketch.active, 1024).toBlob(resolve, "image/png"));
	save(await withPage(blob, pageText(flatten(sketch.active), snapshot())), "drawing.png");
}

// A picture from outside, at most `side` pixels large, as a data: address; square: its middle.
async function shrink(blob, side, square = false) {
	const image = await createImageBitmap(blob), { width, height } = image, short = Math.min(width, height);
	const w = square ? short : width, h = square ? short : height, scale = Math.min(1, side / Math.max(w, h));
	const canvas = make("canvas", { width: Math.max(1, w * scale), height: Math.max(1, h * scale) });
	canvas.getContext("2d").drawImage(image, (width - w) / 2, (height - h) / 2, w, h, 0, 0, canvas.width, canvas.height);
	return canvas;
}

// A prepared drawing, small enough to be kept.
const small = async (url) => (await shrink(toBlob(url), 768)).toDataURL("image/webp", 0.95);

// A question in a dialog: the value of the button that closed it, "" for none.
async function ask(dialog) {
	dialog.returnValue = "";
	dialog.showModal();
	await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
	return dialog.returnValue;
}

const drawFirst = () => toast("Draw something first.");

// The drawing cut to its ink, as `--fit ink` does it; marks would not lie on their lines any more.
async function fillPaper() {
	if (sketch.isEmpty) return drawFirst();
	const before = sketch.index, sent = inkOnPaper(pad.ink.canvas, 1024).toDataURL("image/png");
	try {
		const src = await small((await getJson("/v1/prepare", { method: "POST", json: { sketch: sent, fit: "ink", invert: "no", photo_of_paper: "no" } })).sketch);
		await loadPicture(src);
		if (sketch.index === before) sketch.push({ k: "r", ops: [{ k: "i", src }] });
	} catch (error) { complain(error); }
}

function setTrace(src, opacity = 30) {
	trace = src ? { src, opacity } : null;
	const img = $("paper").querySelector(".trace");
	img.hidden = !src;
	if (src) img.src = src;
	img.style.opacity = opacity / 100;
	$("trace-bar").hidden = !src;
	$("trace-opacity").value = opacity;
	$("paper-hint").hidden = !sketch.isEmpty || trace !== null;
	if (trace) store.put("trace", trace);
	else store.remove("trace");
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
		let src = "", turn = 0;
		const prepare = async (paper) => {
			const mine = ++turn;
			press("paper", paper);
			for (const b of dialog.querySelectorAll(".choices button")) b.disabled = true;
			const made = await getJson("/v1/prepare", { method: "POST", json: { sketch: given, fit: "pad", photo_of_paper: paper } });
			if (mine !== turn) return;
			src = await small(made.sketch);
			dialog.querySelector("img").src = src;
			$("prepared-note").textContent = made.warnings.join(" ");
			for (const b of dialog.querySelectorAll(".choices button")) b.disabled = false;
		};
		await prepare("auto");
		for (const b of $$("[data-paper]")) b.onclick = () => prepare(b.dataset.paper).catch((error) => { dialog.close(""); complain(error); });
		dialog.querySelector("[value=replace]").hidden = dialog.querySelector(".choices span").hidden = sketch.isEmpty;
		const answer = await ask(dialog);
		if (!answer) return;
		await loadPicture(src);
		sketch.push(answer === "replace" ? { k: "r", ops: [{ k: "i", src }] } : { k: "i", src });
	},
	async photo(blob) {
		const canvas = await shrink(blob, 1024, true), png = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
		leaveModes();
		show({ job: "photo", items: [{ blob: png, item: 0, scores: {} }], chosen: 0, settings: snapshot(classBox.chosen), ops: [], cls: null, seed: settings.seed });
		enter("edit");
	},
};

// Settings and drawing out of a PNG that was made here. Everything in it is foreign: strokes and settings, checked, and nothing else.
async function restoreFrom(bytes, blob) {
	const text = await readText(bytes, PAGE_TEXT);
	const isOurs = text !== null || (await readText(bytes, "masksketch")) !== null;
	if (!isOurs) return false;
	let page = null, made = null, reason = "";
	try { page = text && text.length <= MAX_PAGE_TEXT ? JSON.parse(text) : null; } catch { /* damaged: as if there were none */ }
	try {
		made = await getJson("/v1/restore", { method: "POST", body: blob, type: "image/png" });
	} catch (error) {
		if (!page) { complain(error); return true; }
		if (error.status !== 422) reason = ` ${error.message}`;
	}
	const before = snapshot(classBox.chosen), index = sketch.index;
	let ops = checkOps(page?.ops);
	try { await loadPictures(ops ?? []); } catch { ops = null; }
	if (!ops && !made) { complain("The drawing in this PNG is damaged."); return true; }
	if (!ops && made.sketch) {
		await loadPicture(made.sketch);
		ops = [{ k: "i", src: made.sketch }];
	}
	if (ops) {
		const op = { k: "r", ops };
		sketch.push(op);
		held = made?.job === "draw" ? { op, tokens: made.sketch_tokens, map: made.lambda_map } : null;
	}
	if (made) {
		const set = { ...made.set }, own = server.recipes.find((r) => r.name === made.recipe)?.settings?.[made.job] ?? {};
		const strict = Number(set.lambda_structure ?? own.lambda_structure ?? NaN);
		for (const key of Object.keys(set)) if (set[key] === own[key] || key === "lambda_structure") delete set[key];
		const painted = typeof page?.lambda === "number" && ops?.some((o) => o.l === "map");
		applySettings({ cls: made.class, seed: made.seed, firstItem: made.item, recipe: made.recipe, set, count: 1, lock: true, lambda: painted ? page.lambda : Number.isNaN(strict) ? null : strict });
		const { seed, class: cls } = made;
		leaveModes();
		show({ job: made.job, cls, items: [{ blob, item: made.item, scores: {} }], chosen: 0, settings: snapshot(cls), ops: ops ?? [], seed, steps: made.set?.steps });
		if (made.photo) { // an edit: the photo it was made from, with its part, ready to be repainted
			keep(current);
			await useAs.photo(toBlob(made.photo));
			editBox.choose(cls, true);
			await stage.setMask(made.mask, made.box);
		}
	}
	toast(made ? "Drawing and settings are back as they were." : `The drawing is back.${reason}`, () => backTo(index, before));
	return true;
}

async function take(blob) {
	complain(null);
	if (!blob) return;
	if (blob.size > MAX_DROP) { complain("The picture has more than 64 MB; give a smaller one."); return; }
	try {
		if (await restoreFrom(new Uint8Array(await blob.arrayBuffer()), blob)) return;
		await createImageBitmap(blob);
	} catch {
		complain("This is no picture that the browser can read; PNG, JPEG and WebP are.");
		return;
	}
	const dialog = $("dropped"), image = dialog.querySelector("img"), url = URL.createObjectURL(blob);
	image.src = url;
	const answer = await ask(dialog);
	URL.revokeObjectURL(url);
	try {
		if (answer in useAs) await useAs[answer](blob);
	} catch (error) { complain(error); }
}

// ---- Theme ----
const themes = ["as the system", "light", "dark"];
function setTheme(name) {
	if (name === "light" || name === "dark") root.dataset.theme = name;
	else delete root.dataset.theme;
	store.memory.set("theme", name);
	$("theme").ariaLabel = $("theme").title = `Colours: ${name}`;
}

// ---- Classes: all of them to press where they are few; to be searched where they are many ----
const FEW = 16;
function showChips(classes) {
	$("chips").hidden = classes.length > FEW;
	if (classes.length > FEW) return;
	$("chips").replaceChildren(...classes.map((c) => Object.assign(make("button", { type: "button", onclick: () => classBox.choose(c) }, ClassBox.short(c)), { value: c.id })));
	showChoice();
}
function showChoice() {
	for (const b of $("chips").children) b.ariaPressed = String(Number(b.value) === classBox.chosen?.id);
}

// ---- Wiring ----
function wire() {
	const on = (id, event, work) => $(id).addEventListener(event, work);
	for (const b of $$("[data-tool]")) b.onclick = () => setTool(b.dataset.tool);
	for (const b of $$("[data-mark]")) b.onclick = () => setMark(b.dataset.mark);
	for (const b of $$("[data-brush]")) b.onclick = () => press("brush", (stage.brush = b.dataset.brush));
	on("width", "input", () => setWidth(Number($("width").value)));
	on("undo", "click", undo);
	on("redo", "click", redo);
	on("clear", "click", clearPad);
	on("clear-marks", "click", () => sketch.push({ k: "c", l: "map" }));
	on("mirror", "click", () => { setMirror((pad.mirror + 1) % 3); remember(); });
	on("pressure", "click", () => { setPressure(!pad.pressure); remember(); });
	on("open", "click", () => $("file").click());
	on("file", "change", async () => { const [f] = $("file").files; $("file").value = ""; await take(f); });
	on("fill", "click", fillPaper);
	on("export", "click", exportSketch);
	on("trace-opacity", "input", () => setTrace(trace.src, Number($("trace-opacity").value)));
	on("trace-off", "click", () => setTrace(null));
	on("ask", "submit", (e) => { e.preventDefault(); draw(); });
	on("live", "click", () => live.toggle(!live.on));
	on("cancel", "click", () => stop(false));
	on("download", "click", download);
	on("copy", "click", copyPicture);
	on("over", "input", showOver);
	on("edit", "click", () => enter("edit"));
	on("explore", "click", () => enter("explore"));
	on("score", "click", score);
	on("repaint", "click", repaint);
	on("edit-width", "input", () => { stage.brushWidth = Number($("edit-width").value); });
	stage.addEventListener("paint", () => { $("repaint").disabled = !stage.painted; });
	classBox.addEventListener("change", changedSettings);
	classBox.addEventListener("choice", showChoice);
	addEventListener("pointerover", (e) => { if (e.pointerType === "pen") $("pressure").hidden = false; });
	on("lambda", "input", () => { settings.lambda = Number($("lambda").value); showLambda(); changedSettings(); });
	on("count", "change", () => {
		const n = Math.round(Number($("count").value));
		settings.count = Math.min(server.maxCount, Math.max(1, n || 1));
		$("count").value = settings.count;
		remember();
	});
	on("seed", "change", () => {
		const value = $("seed").value.trim();
		if (/^[0-9]{1,20}$/.test(value)) { setSeed(value); setLock(true); changedSettings(); }
		else $("seed").value = settings.seed;
	});
	on("dice", "click", () => { setSeed(randomSeed()); changedSettings(); });
	on("lock", "click", () => setLock(!settings.lock));
	on("recipe", "change", () => { settings.recipe = $("recipe").value; settings.lambda = null; showLambda(); showKeys(); changedSettings(); });
	on("reset-keys", "click", () => { settings.set = {}; settings.lambda = null; showLambda(); showKeys(); changedSettings(); });
	on("back", "click", () => step(-1));
	on("forward", "click", () => step(1));
	on("restore", "click", restoreEntry);
	on("forget", "click", forget);
	on("theme", "click", () => {
		const now = root.dataset.theme ?? themes[0];
		setTheme(themes[(themes.indexOf(now) + 1) % 3]);
	});
	on("show-keys", "click", () => $("keys").showModal());
	for (const dialog of [$("keys"), $("dropped"), $("prepared")]) {
		for (const b of dialog.querySelectorAll("button[value]")) b.onclick = () => dialog.close(b.value);
		dialog.addEventListener("click", (e) => { if (e.target === dialog) dialog.close(""); });
	}
	addEventListener("paste", (e) => {
		const found = [...(e.clipboardData?.items ?? [])].find((i) => i.kind === "file" && i.type.startsWith("image/"));
		if (found) { e.preventDefault(); take(found.getAsFile()); }
	});
	let depth = 0;
	const carries = (e) => [...(e.dataTransfer?.types ?? [])].includes("Files");
	addEventListener("dragenter", (e) => { if (carries(e)) { e.preventDefault(); depth++; document.body.classList.add("dropping"); } });
	addEventListener("dragleave", (e) => { if (carries(e) && --depth <= 0) { depth = 0; document.body.classList.remove("dropping"); } });
	addEventListener("dragover", (e) => { if (carries(e)) e.preventDefault(); });
	addEventListener("drop", (e) => {
		depth = 0;
		document.body.classList.remove("dropping");
		if (!carries(e)) return;
		e.preventDefault();
		take(e.dataTransfer.files[0]);
	});
	addEventListener("keydown", onKey);
}

function onKey(e) {
	if (document.querySelector("dialog[open]")) return;
	const command = e.ctrlKey || e.metaKey, isText = e.target.matches?.("input:not([type=range]), select, textarea");
	if (command && e.key === "Enter") { e.preventDefault(); draw(); return; }
	if (e.key === "Escape") {
		if (running && !running.live) stop(false);
		else if (stage.mode !== "show") leaveModes();
		return;
	}
	if (isText) return;
	const key = e.key.toLowerCase();
	if (command && key === "z") { e.preventDefault(); (e.shiftKey ? redo : undo)(); }
	else if (command && key === "y") { e.preventDefault(); redo(); }
	else if (command || e.altKey) return;
	else if (key === "p") setTool("pen");
	else if (key === "e") setTool("eraser");
	else if (key === "g") setTool("guide");
	else if (key === "m") { setMirror((pad.mirror + 1) % 3); remember(); }
	else if (key === "[") setWidth(pad.widths[pad.widthName] / 1.25 - 1);
	else if (key === "]") setWidth(pad.widths[pad.widthName] * 1.25 + 1);
	else if (key === "?") $("keys").showModal();
}

async function start() {
	wire();
	for (const b of $$("button.icon")) b.title = b.ariaLabel + (b.dataset.key ? ` (${b.dataset.key})` : "");
	setAskKey(() => new Promise((resolve) => {
		$("ask-key").showModal();
		$("ask-key").addEventListener("close", () => resolve($("api-key").value), { once: true });
	}));
	setTheme(root.dataset.theme ?? themes[0]);
	setTool("pen");
	setMirror(0);
	const [drawing, traced, past] = await Promise.all([store.get("sketch"), store.get("trace"), store.history.all()]);
	try { await sketch.load(drawing); } catch { /* a picture in it could not be read */ }
	if (traced) setTrace(traced.src, traced.opacity);
	const saved = store.memory.get("settings") ?? {};
	if (saved.width) Object.assign(pad.widths, saved.width);
	if (saved.mirror) setMirror(saved.mirror);
	if (saved.pressure === false) setPressure(false);
	$("width").value = pad.widths.pen;
	try {
		const [models, recipes, classes] = await Promise.all([getJson("/v1/models"), getJson("/v1/recipes"), getJson("/v1/classes?limit=1000")]);
		const model = models.data[0];
		server = { size: model.image_size, recipes: recipes.recipes, keys: recipes.keys, features: models.features ?? {}, maxCount: models.limits?.count ?? 16 };
		$("model").textContent = `${model.id} · ${model.classes} classes · ${model.image_size} pixels`;
		$("count").max = server.maxCount;
		$("score").hidden = !server.features.score;
		$("explore").hidden = !server.features.attention;
		$("recipe").replaceChildren(...server.recipes.map((r) => new Option(r.name, r.name)));
		showChips(classes.classes);
		const known = classes.classes.find((c) => c.id === saved.cls?.id && c.name === saved.cls?.name);
		applySettings({ ...saved, seed: saved.lock ? saved.seed : randomSeed(), firstItem: saved.lock ? saved.firstItem : 0, cls: known ?? classes.classes[0] });
	} catch (error) {
		complain(error);
	}
	entries = past.filter((e) => Array.isArray(e.items) && e.items.length).sort((a, b) => parseInt(a.id, 10) - parseInt(b.id, 10));
	if (entries.length) show(entries.at(-1));
	else showEntries();
	root.dataset.ready = "true";
}
start();
