// SPDX-License-Identifier: Apache-2.0
// The page: its controls wired to what they do, and its start.
import { getJson, setAskKey } from "./api.js";
import { ClassBox } from "./classbox.js";
import { $, $$, addIcons, complain, make, press, root } from "./dom.js";
import { canShare, copyPicture, download, downloadAll, exportSketch, sharePicture } from "./files.js";
import { forget, restoreEntry, showEntries, step } from "./history.js";
import { showExamples, take } from "./incoming.js";
import { draw, repaint, stop } from "./jobs.js";
import { live } from "./live.js";
import { enter, leaveModes } from "./modes.js";
import { score, show, showFacts, showOver, showStrip, shown } from "./picture.js";
import { applySettings, changedSettings, setExpert, setLock, setSeed, showKeys, showLambda } from "./settings.js";
import { classBox, page, pad, randomSeed, remember, settings, sketch, stage } from "./state.js";
import * as store from "./store.js";
import { clearPad, fillPaper, redo, setFingers, setMark, setMirror, setPressure, setSmooth, setTool, setTrace, setWidth, toggleLayer, undo } from "./tools.js";
import { LANGUAGES, language, named, speak, t, translate } from "./words.js";

const themes = ["system", "light", "dark"];
function setTheme(name) {
	if (name === "light" || name === "dark") root.dataset.theme = name;
	else delete root.dataset.theme;
	store.memory.set("theme", name);
	$("theme").ariaLabel = $("theme").title = t("theme", t(`theme${themes.indexOf(name)}`));
}

// Classes: to press where they are few; to be searched where they are many
const FEW = 32;
function showChips(classes) {
	$("chips").hidden = classes.length > FEW;
	if (classes.length > FEW) return;
	ClassBox.known = classes;
	$("chips").replaceChildren(...classes.map((c) => Object.assign(make("button", { type: "button", onclick: () => classBox.choose(c) }, ClassBox.short(c)), { value: c.id })));
	showChoice();
}
function showChoice() {
	for (const b of $("chips").children) {
		const id = Number(b.value), likely = page.guesses.some((c) => c.id === id);
		b.ariaPressed = String(id === classBox.chosen?.id);
		b.className = likely ? "likely" : "";
		b.title = likely ? t("likely") : "";
	}
}

// Wiring
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
	on("examples", "click", showExamples);
	on("smooth-open", "click", () => {
		$("smooth-bar").hidden = !$("smooth-bar").hidden;
		$("smooth-open").ariaExpanded = String(!$("smooth-bar").hidden);
	});
	on("smooth", "input", () => { setSmooth(Number($("smooth").value)); remember(); });
	on("fingers", "click", () => setFingers(!pad.fingers));
	on("unzoom", "click", () => pad.zoom.reset());
	on("trace-eye", "click", () => toggleLayer(".trace", $("trace-eye")));
	on("ink-eye", "click", () => toggleLayer(".ink", $("ink-eye")));
	on("trace-opacity", "input", () => setTrace(page.trace.src, Number($("trace-opacity").value)));
	on("trace-off", "click", () => setTrace(null));
	on("ask", "submit", (e) => { e.preventDefault(); draw(); });
	on("live", "click", () => live.toggle(!live.on));
	on("cancel", "click", () => stop(false));
	on("download", "click", download);
	on("copy", "click", copyPicture);
	on("over", "input", showOver);
	on("share", "click", sharePicture);
	on("zip-these", "click", () => downloadAll([page.current]));
	on("zip", "click", () => downloadAll(page.entries));
	for (const mode of ["edit", "explore"]) on(mode, "click", async () => { await shown(); enter(mode); });
	on("score", "click", score);
	on("repaint", "click", repaint);
	on("edit-width", "input", () => { stage.brushWidth = Number($("edit-width").value); });
	stage.addEventListener("paint", () => { $("repaint").disabled = !stage.painted; });
	classBox.addEventListener("change", changedSettings);
	classBox.addEventListener("choice", showChoice);
	page.addEventListener("guesses", showChoice);
	addEventListener("pointerover", (e) => { if (e.pointerType === "pen") $("pressure").hidden = false; });
	on("lambda", "input", () => { settings.lambda = Number($("lambda").value); showLambda(); changedSettings(); });
	on("variety", "input", () => { settings.variety = Number($("variety").value); changedSettings(); });
	on("expert", "click", () => {
		setExpert(!page.expert);
		showFacts();
		if (page.current) showStrip();
	});
	on("language", "change", () => speak($("language").value));
	on("count", "change", () => {
		const n = Math.round(Number($("count").value));
		settings.count = Math.min(page.server.maxCount, Math.max(1, n || 1));
		$("count").value = settings.count;
		remember();
	});
	on("seed", "change", () => {
		const value = $("seed").value.trim();
		if (/^[0-9]{1,20}$/.test(value)) { setSeed(value); setLock(true); changedSettings(); }
		else $("seed").value = settings.seed;
	});
	on("device", "change", () => store.memory.set("device", $("device").value));
	on("dice", "click", () => { setSeed(randomSeed()); changedSettings(); });
	on("lock", "click", () => setLock(!settings.lock));
	on("recipe", "change", () => { settings.recipe = $("recipe").value; settings.lambda = null; showLambda(); showKeys(); changedSettings(); });
	on("reset-keys", "click", () => applySettings({ set: {}, lambda: null, variety: 3 }));
	on("back", "click", () => step(-1));
	on("forward", "click", () => step(1));
	on("restore", "click", restoreEntry);
	on("forget", "click", forget);
	on("theme", "click", () => {
		const now = root.dataset.theme ?? themes[0];
		setTheme(themes[(themes.indexOf(now) + 1) % 3]);
	});
	on("show-keys", "click", showHelp);
	for (const dialog of $$("dialog:not(#ask-key)")) {
		for (const b of dialog.querySelectorAll("button[value]")) b.onclick = () => dialog.close(b.value);
		dialog.addEventListener("click", (e) => { if (e.target === dialog) dialog.close(""); });
	}
	addEventListener("paste", (e) => {
		const found = [...(e.clipboardData?.items ?? [])].find((i) => i.kind === "file" && i.type.startsWith("image/"));
		if (found) { e.preventDefault(); take(found.getAsFile()); }
	});
	let depth = 0;
	const drag = (n) => { depth = Math.max(0, n); document.body.classList.toggle("dropping", depth > 0); };
	const carries = (e) => [...(e.dataTransfer?.types ?? [])].includes("Files");
	addEventListener("dragenter", (e) => { if (carries(e)) { e.preventDefault(); drag(depth + 1); } });
	addEventListener("dragleave", (e) => { if (carries(e)) drag(depth - 1); });
	addEventListener("dragover", (e) => { if (carries(e)) e.preventDefault(); });
	addEventListener("drop", (e) => {
		drag(0);
		if (!carries(e)) return;
		e.preventDefault();
		take(e.dataTransfer.files[0]);
	});
	addEventListener("keydown", onKey);
}

const toolOf = (key) => $$("[data-tool]").find((b) => b.dataset.key.toLowerCase() === key)?.dataset.tool;

// The keys, as the controls themselves tell them, and those that have no control.
function showHelp() {
	const keys = (text) => text.split(" ").map((key) => make("kbd", {}, key));
	const controls = $$("[data-key]").filter((b) => b.dataset.key !== "?").map((b) => [b.dataset.key, b.ariaLabel]);
	const rows = [["Ctrl+Enter", t("draw")], ...controls, ["[ ]", t("keyWidth")], ["+ - 0", t("keyZoom")], ["Esc", t("keyEscape")], ["← ↑ → ↓ Space", t("keyPad")]];
	$("keys").querySelector("dl").replaceChildren(...rows.flatMap(([key, text]) => [make("dt", {}, ...keys(key)), make("dd", {}, text)]));
	$("keys").showModal();
}

function onKey(e) {
	if (document.querySelector("dialog[open]")) return;
	const command = e.ctrlKey || e.metaKey, isText = e.target.matches?.("input:not([type=range]), select, textarea");
	if (command && e.key === "Enter") { e.preventDefault(); draw(); return; }
	if (e.key === "Escape") {
		if (page.running && !page.running.live) stop(false);
		else if (stage.mode !== "show") leaveModes();
		return;
	}
	if (isText) return;
	const key = e.key.toLowerCase();
	if (command && key === "z") { e.preventDefault(); (e.shiftKey ? redo : undo)(); }
	else if (command && key === "y") { e.preventDefault(); redo(); }
	else if (command || e.altKey) return;
	else if (toolOf(key)) setTool(toolOf(key));
	else if (key === "+" || key === "=") pad.zoom.by(1.25);
	else if (key === "-") pad.zoom.by(0.8);
	else if (key === "0") pad.zoom.reset();
	else if (key === "m") { setMirror((pad.mirror + 1) % 3); remember(); }
	else if (key === "[") setWidth(pad.widths[pad.widthName] / 1.25 - 1);
	else if (key === "]") setWidth(pad.widths[pad.widthName] * 1.25 + 1);
	else if (key === "?") showHelp();
}

async function start() {
	addIcons();
	translate(document);
	press("mark", "free");
	press("brush", stage.brush);
	$("language").replaceChildren(...Object.entries(LANGUAGES).map(([code, name]) => new Option(name, code, false, code === language)));
	$("stage").ariaLabel = t("picture");
	wire();
	setExpert(store.memory.get("expert") === true);
	$("share").hidden = !canShare();
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
	setSmooth(Number.isInteger(saved.smooth) ? saved.smooth : 0);
	$("width").value = pad.widths.pen;
	try {
		const [models, recipes, classes] = await Promise.all([getJson("/v1/models"), getJson("/v1/recipes"), getJson("/v1/classes?limit=1000")]);
		const model = models.data[0];
		page.server = { size: model.image_size, recipes: recipes.recipes, keys: recipes.keys, features: models.features ?? {}, maxCount: models.limits?.count ?? 16 };
		$("model").textContent = t("model", model.id, model.classes, model.image_size, model.device);
		$("device").hidden = !model.devices[1];
		if (model.devices[1]) $("device").replaceChildren(...model.devices.map((d) => new Option(d, d, false, d === store.memory.get("device"))));
		$("count").max = page.server.maxCount;
		$("score").hidden = !page.server.features.score;
		$("explore").hidden = !page.server.features.attention;
		$("examples").hidden = !page.server.features.examples;
		$("recipe").replaceChildren(...page.server.recipes.map((r) => new Option(named(`r-${r.name}`, r.name), r.name)));
		showChips(classes.classes);
		const known = classes.classes.find((c) => c.id === saved.cls?.id && c.name === saved.cls?.name);
		applySettings({ ...saved, seed: saved.lock ? saved.seed : randomSeed(), firstItem: saved.lock ? saved.firstItem : 0, cls: known ?? classes.classes[0] });
	} catch (error) {
		complain(error, "ask");
	}
	page.entries = past.filter((e) => Array.isArray(e.items) && e.items.length).sort((a, b) => parseInt(a.id, 10) - parseInt(b.id, 10));
	if (page.entries.length) show(page.entries.at(-1));
	else showEntries();
	root.dataset.ready = "true";
}
start();

// Installed as an app the page opens without its server, too, and says so (on https, and on this machine).
navigator.serviceWorker?.register("worker.js").catch(() => {});
