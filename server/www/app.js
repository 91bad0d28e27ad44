// SPDX-License-Identifier: Apache-2.0
// The page: what the controls mean, which job runs, what is remembered. The parts with a life of their own are modules beside it.
import { Problem, call, cancelJob, getBlob, getJson, runJob, setAskKey } from "./api.js";
import { ClassBox } from "./classbox.js";
import { Pad } from "./pad.js";
import { addText, asciiJson, readText } from "./png.js";
import { Stage, readMaps } from "./stage.js";
import * as store from "./store.js";
import { Sketch, checkOps, flatten, inkOnPaper, lambdaMap, loadPicture, loadPictures, makeCanvas } from "./strokes.js";

const $ = (id) => document.getElementById(id);
const PAGE_TEXT = "masksketch-page", MAX_PAGE_TEXT = 1 << 20, MAX_DROP = 64e6, KEPT = 200;
const CLIENT = Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, "0")).join("");

// ---- What is being said ----
let toastTimer;
function toast(text, action, label = "Undo") {
  const [span, button] = $("toast").children;
  span.textContent = text;
  button.hidden = !action;
  button.textContent = label;
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
const remember = () => {
  try {
    localStorage.setItem("settings", JSON.stringify({ ...settings, cls: classBox.chosen, width: pad.widths, mirror: pad.mirror, pressure: pad.pressure }));
  } catch { /* no memory */ }
};

// ---- Drawing tools ----
function setTool(name) {
  pad.tool = name === "guide" ? marks : name;
  for (const b of document.querySelectorAll("[data-tool]")) b.ariaPressed = String(b.dataset.tool === name);
  $("guide-bar").hidden = name !== "guide";
  $("width").value = pad.widths[pad.widthName];
}
function setMark(mark) {
  marks = pad.tool = mark;
  for (const b of document.querySelectorAll("[data-mark]")) b.ariaPressed = String(b.dataset.mark === mark);
}
function setWidth(w) {
  pad.widths[pad.widthName] = Math.min(240, Math.max(4, Math.round(w)));
  $("width").value = pad.widths[pad.widthName];
  remember();
}
const mirrorNames = ["off", "left and right", "four ways"];
function setMirror(m) {
  pad.mirror = m;
  const name = `Mirror: ${mirrorNames[m]}`;
  $("mirror").ariaLabel = name;
  $("mirror").title = `${name} (M)`;
  $("mirror").ariaPressed = String(m > 0);
  $("mirror").querySelector("use").setAttribute("href", m === 2 ? "#i-mirror4" : "#i-mirror");
  const [upright, level] = document.querySelectorAll(".axis");
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
// Keys that act in a job; the slider and the fields under "more" are the same settings.
function chosenKeys(job) {
  const set = {};
  for (const { key, jobs } of server.keys) {
    if (jobs.includes(job) && settings.set[key] !== undefined && key !== "lambda_structure") set[key] = settings.set[key];
  }
  return set;
}
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
    body.sketch = inkOnPaper(pad.ops, 2 * server.size).toDataURL("image/png");
    body.invert = "no";
  }
  return body;
}

// ---- Running a job ----
const timeLeft = (s) => (s === null || s === undefined ? "" : s < 10 ? `${s.toFixed(1)} s left` : s < 90 ? `${Math.round(s)} s left` : `${Math.round(s / 60)} min left`);

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
  if (!quiet) { stage.endPreview(); whisper("Cancelled"); }
}

async function run(job, body, entry) {
  const me = { abort: new AbortController(), id: null, live: entry.live };
  const { signal } = me.abort, images = [];
  if (running) stop();
  running = me;
  complain(null);
  if (!me.live) working(true, "Sending");
  try {
    const finished = await runJob(job, body, {
      signal,
      on: {
        accepted: (j) => { me.id = j.id; entry.jobId = j.id; if (signal.aborted && !me.live) cancelJob(j.id); },
        waiting: (s) => working(true, `The server is busy; again in ${s} s`),
        queued: (j) => { if (!me.live) working(true, j.position ? `${j.position} before this one` : "Next"); },
        step: (s) => {
          if (s.preview && running === me) stage.showPreview(s.preview.url);
          if (me.live) return;
          $("progress").value = (s.index + s.step / s.steps) / body.count;
          $("time-left").textContent = [body.count > 1 ? `${s.index + 1} of ${body.count}` : "", timeLeft(s.seconds_left)].filter(Boolean).join(" · ");
        },
        image: (i) => { images[i.index] ??= getBlob(i.url, { signal }).then((blob) => ({ blob, item: i.item, scores: i.scores ?? {}, seconds: i.seconds })); },
      },
    });
    for (const i of finished.images) images[i.index] ??= getBlob(i.url, { signal }).then((blob) => ({ blob, item: i.item, scores: i.scores ?? {}, seconds: i.seconds }));
    entry.items = await Promise.all(images);
    entry.seed = finished.seed;
    entry.steps = finished.steps ?? finished.settings?.steps;
    if (running !== me) return false;
    running = null;
    working(false);
    show(entry);
    return true;
  } catch (error) {
    if (running !== me) return false; // something newer has taken over
    running = null;
    working(false);
    stage.endPreview();
    if (error.name !== "AbortError" && error.message !== "Cancelled") {
      complain(error);
      if (error.field === "class") { $("class").ariaInvalid = "true"; $("class").focus(); }
    }
    return false;
  }
}

const snapshot = (cls) => structuredClone({ ...settings, cls });

async function draw() {
  complain(null);
  let cls;
  try { cls = await classBox.resolve(); } catch (error) { complain(error); return; }
  if (!cls) {
    const typed = $("class").value.trim();
    complain(typed ? `The model knows no “${typed}”; choose one of its classes.` : "Say what it is first.");
    $("class").ariaInvalid = "true";
    $("class").focus();
    return;
  }
  if (stage.mode !== "show") leaveModes();
  const seen = current?.live && running?.live !== false; // what live mode shows is what is wanted: the same seed
  if (!settings.lock && !seen && current) setSeed(randomSeed());
  const job = sketch.isEmpty && !isUntouched() ? "generate" : "draw";
  const entry = { job, cls, settings: snapshot(cls), ops: flatten(sketch.active), chosen: 0, live: false };
  if (job === "generate") whisper("Nothing is drawn: a picture of the class alone");
  const box = $("stage").getBoundingClientRect();
  if (box.top > innerHeight * 0.6) $("photo").scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth", block: "start" });
  if (await run(job, request(job, cls, { preview: { every_ms: 80 } }), entry)) keep(entry);
}

// ---- Live: a quick picture after each pause; while a line is long, one after the other ----
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
    const hasFast = server.recipes.some((r) => r.name === "fast");
    const body = request("draw", cls, { count: 1, live: true, client: CLIENT, preview: { every_ms: 150 } });
    if (hasFast) {
      body.recipe = "fast";
      delete body.set.steps;
    }
    entry.settings.recipe = body.recipe;
    await run("draw", body, entry);
    if (!running) this.start();
  },
  toggle(on) {
    this.on = on;
    $("live").ariaChecked = String(on);
    if (on) { this.dirty = true; if (!running) this.start(); }
    else { clearTimeout(this.timer); if (running?.live) { cancelJob(running.id); stop(false); } }
  },
};

// ---- The picture on the stage ----
const item = () => current?.items[current.chosen];
const describe = (entry) => (entry.job === "photo" ? "The photo that was given" : `Picture of a ${ClassBox.short(entry.cls)}`);
const scoreNames = { structure: "structure", text: "text", sketch: "sketch" };
const scoreText = (scores) => Object.entries(scores ?? {}).filter(([k, v]) => k in scoreNames && typeof v === "number").map(([k, v]) => `${scoreNames[k]} ${v.toFixed(k === "structure" ? 2 : 3).replace("-", "−")}`);

function show(entry, chosen = entry.chosen) {
  current = entry;
  entry.chosen = Math.min(Math.max(0, chosen), entry.items.length - 1);
  stage.showPicture(item().blob, describe(entry));
  stage.setMaps(null);
  for (const id of ["download", "edit"]) $(id).disabled = false;
  $("explore").disabled = !server.features.attention || entry.job === "photo";
  $("score").disabled = !server.features.score || entry.job === "photo" || entry.live;
  if (stage.mode === "explore") explore();
  showFacts();
  showStrip();
  showEntries();
}
function showFacts() {
  const e = current, i = item();
  $("facts").textContent = e.job === "photo" ? "A photo from outside. Paint the part to change."
    : [ClassBox.short(e.cls), `seed ${e.seed}${i.item ? ` (picture ${i.item + 1})` : ""}`, e.settings.recipe, e.steps ? `${e.steps} steps` : "", i.seconds ? `${i.seconds.toFixed(2)} s` : "", ...scoreText(i.scores)].filter(Boolean).join(" · ");
}
const urls = new WeakMap(); // a blob's address, made once
const urlOf = (blob) => urls.get(blob) ?? (urls.set(blob, URL.createObjectURL(blob)), urls.get(blob));
function thumb(blob, name, label, isCurrent, onclick) {
  const li = document.createElement("li"), button = document.createElement("button"), img = document.createElement("img");
  button.type = "button";
  img.src = urlOf(blob);
  img.alt = name;
  button.append(img);
  if (label) button.append(Object.assign(document.createElement("span"), { textContent: label }));
  if (isCurrent) button.setAttribute("aria-current", "true");
  button.onclick = onclick;
  li.append(button);
  return li;
}
function showStrip() {
  const { items } = current;
  $("strip").hidden = items.length < 2;
  const mean = (s) => (typeof s.text === "number" ? s.text + (s.sketch ?? 0) : null), totals = items.map((i) => mean(i.scores ?? {}));
  const best = totals.every((t) => t !== null) ? totals.indexOf(Math.max(...totals)) : -1;
  $("strip").replaceChildren(...items.map((i, n) => thumb(i.blob, `Candidate ${n + 1}${n === best ? ", best by score" : ""}`,
    totals[n] !== null ? `${n === best ? "★ " : ""}${totals[n].toFixed(3)}` : typeof i.scores?.structure === "number" ? i.scores.structure.toFixed(2).replace("-", "−") : "",
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

const toDataUrl = (blob) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result);
  reader.onerror = () => reject(reader.error);
  reader.readAsDataURL(blob);
});

async function explore() {
  const entry = current, chosen = entry.chosen;
  $("explore-help").textContent = "Looking …";
  try {
    let answer;
    try {
      if (!entry.jobId || entry.job === "edit") throw new Problem(404, "");
      answer = await getJson("/v1/attention", { method: "POST", json: { job: entry.jobId, index: chosen } });
    } catch (error) {
      if (error.status !== 404 && error.status !== 422 && error.status !== 409) throw error;
      const json = { class: entry.cls.id, photo: await toDataUrl(entry.items[chosen].blob) };
      if (entry.ops?.length) Object.assign(json, { sketch: inkOnPaper(entry.ops, 2 * server.size).toDataURL("image/png"), invert: "no" });
      answer = await getJson("/v1/attention", { method: "POST", json });
    }
    const maps = await readMaps(answer);
    if (current !== entry || entry.chosen !== chosen || stage.mode !== "explore") return;
    $("layers").replaceChildren("Layers", ...maps.names.map((layer, i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = layer;
      button.ariaLabel = `Layer ${layer}`;
      button.ariaPressed = String(maps.chosen.includes(i));
      button.onclick = () => {
        button.ariaPressed = String(button.ariaPressed !== "true");
        stage.setLayers([...$("layers").querySelectorAll("button")].flatMap((b, n) => (b.ariaPressed === "true" ? [n] : [])));
      };
      return button;
    }));
    $("explore-help").textContent = "Point at a place, in the drawing or the picture: what it looks at lights up in both.";
    stage.setMaps(maps);
  } catch (error) {
    complain(error);
    if (stage.mode === "explore") leaveModes();
  }
}

async function repaint() {
  complain(null);
  let cls;
  try { cls = await editBox.resolve(); } catch (error) { complain(error); return; }
  if (!cls) { complain("Say what is to be painted there."); $("edit-class").focus(); return; }
  const photo = await toDataUrl(item().blob), mask = stage.maskPicture();
  if (!settings.lock) setSeed(randomSeed());
  const entry = { job: "edit", cls, settings: snapshot(cls), ops: current.ops ?? [], chosen: 0, live: false };
  leaveModes();
  if (await run("edit", request("edit", cls, { photo, mask, preview: { every_ms: 80 } }), entry)) keep(entry);
}

// ---- History ----
function keep(entry) {
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
async function restoreEntry() {
  const before = snapshot(classBox.chosen), entry = current, index = sketch.index;
  await loadPictures(entry.ops ?? []);
  sketch.push({ k: "r", ops: entry.ops ?? [] });
  applySettings({ ...entry.settings, lock: true, firstItem: (entry.settings.firstItem ?? 0) + entry.chosen, count: 1 });
  toast("The drawing and its settings are back.", () => {
    while (sketch.index > index && sketch.undo());
    applySettings(before);
  });
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
const title = (key) => key.replaceAll("_", " ").replace(/^./, (c) => c.toUpperCase());
function showKeys() {
  $("recipe-help").textContent = recipe()?.description ?? "";
  $("keys-list").replaceChildren(...server.keys.filter((k) => k.key !== "lambda_structure").map(({ key, help, jobs }) => {
    const div = document.createElement("div"), label = document.createElement("label"), input = document.createElement("input"), p = document.createElement("p");
    input.type = "text";
    input.id = `key-${key}`;
    input.spellcheck = false;
    input.value = settings.set[key] ?? "";
    input.placeholder = recipeValue(key) ?? recipeValue(key, "edit") ?? "";
    label.htmlFor = input.id;
    label.textContent = title(key);
    p.id = `help-${key}`;
    p.className = "quiet";
    p.textContent = `${help.replace(/^./, (c) => c.toUpperCase())}${jobs.includes("draw") ? "" : ` (only ${jobs.join(", ")})`}`;
    input.setAttribute("aria-describedby", p.id);
    div.classList.toggle("changed", key in settings.set);
    input.onchange = () => {
      const value = input.value.trim();
      if (value) settings.set[key] = value;
      else delete settings.set[key];
      div.classList.toggle("changed", Boolean(value));
      changedSettings();
    };
    div.append(label, input, p);
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
  const a = document.createElement("a");
  a.href = URL.createObjectURL(blob);
  a.download = name;
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
const pageText = (ops, s) => ({ version: 1, ops, lambda: s.lambda, lock: true });

async function download() {
  const { blob, item: number } = item();
  const name = current.job === "photo" ? "photo.png" : `${ClassBox.short(current.cls).replace(/[^\w-]+/g, "-")}-${current.seed}${number ? `-${number}` : ""}.png`;
  save(current.job === "draw" ? await withPage(blob, pageText(current.ops, current.settings)) : blob, name);
}
async function exportSketch() {
  const blob = await new Promise((resolve) => inkOnPaper(sketch.active, 1024).toBlob(resolve, "image/png"));
  save(await withPage(blob, pageText(flatten(sketch.active), settings)), "drawing.png");
}

// A picture from outside, at most `side` pixels large, as a data: address; square: its middle.
async function shrink(blob, side, square = false) {
  const image = await createImageBitmap(blob), long = Math.max(image.width, image.height), short = Math.min(image.width, image.height);
  if (!long) throw new Error("empty");
  const canvas = document.createElement("canvas"), scale = Math.min(1, side / (square ? short : long));
  canvas.width = Math.max(1, Math.round((square ? short : image.width) * scale));
  canvas.height = Math.max(1, Math.round((square ? short : image.height) * scale));
  const x = square ? (image.width - short) / 2 : 0, y = square ? (image.height - short) / 2 : 0;
  canvas.getContext("2d").drawImage(image, x, y, square ? short : image.width, square ? short : image.height, 0, 0, canvas.width, canvas.height);
  return canvas;
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
  async sketch(blob) {
    const src = (await shrink(blob, 768)).toDataURL("image/webp", 0.95);
    await loadPicture(src);
    sketch.push({ k: "i", src });
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
  let page = null, made = null;
  try { page = text && text.length <= MAX_PAGE_TEXT ? JSON.parse(text) : null; } catch { /* damaged: as if there were none */ }
  try {
    made = await getJson("/v1/restore", { method: "POST", body: blob, type: "image/png" });
  } catch (error) {
    if (!page) { complain(error); return true; }
  }
  const before = snapshot(classBox.chosen), index = sketch.index;
  let ops = checkOps(page?.ops);
  try { await loadPictures(ops ?? []); } catch { ops = null; }
  if (!ops && made?.sketch) {
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
    const seed = made.seed, cls = made.class;
    if (cls) show({ job: made.job, cls, items: [{ blob, item: made.item, scores: {} }], chosen: 0, settings: snapshot(cls), ops: ops ?? [], seed, steps: made.set?.steps });
  }
  toast(made ? "Drawing and settings are back as they were." : "The drawing is back.", () => {
    while (sketch.index > index && sketch.undo());
    applySettings(before);
  });
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
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  URL.revokeObjectURL(url);
  if (dialog.returnValue in useAs) await useAs[dialog.returnValue](blob);
}

// ---- Theme ----
const themes = ["as the system", "light", "dark"];
function setTheme(name) {
  if (name === "light" || name === "dark") document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
  try { localStorage.setItem("theme", name); } catch { /* no memory */ }
  $("theme").ariaLabel = $("theme").title = `Colours: ${name}`;
}

// ---- Wiring ----
function wire() {
  const on = (id, event, work) => $(id).addEventListener(event, work);
  for (const b of document.querySelectorAll("[data-tool]")) b.onclick = () => setTool(b.dataset.tool);
  for (const b of document.querySelectorAll("[data-mark]")) b.onclick = () => setMark(b.dataset.mark);
  for (const b of document.querySelectorAll("[data-brush]")) {
    b.onclick = () => {
      stage.brush = b.dataset.brush;
      for (const o of document.querySelectorAll("[data-brush]")) o.ariaPressed = String(o === b);
    };
  }
  on("width", "input", () => setWidth(Number($("width").value)));
  on("undo", "click", undo);
  on("redo", "click", redo);
  on("clear", "click", clearPad);
  on("clear-marks", "click", () => sketch.push({ k: "c", l: "map" }));
  on("mirror", "click", () => { setMirror((pad.mirror + 1) % 3); remember(); });
  on("pressure", "click", () => { setPressure(!pad.pressure); remember(); });
  on("open", "click", () => $("file").click());
  on("file", "change", async () => { const [f] = $("file").files; $("file").value = ""; await take(f); });
  on("export", "click", exportSketch);
  on("trace-opacity", "input", () => setTrace(trace.src, Number($("trace-opacity").value)));
  on("trace-off", "click", () => setTrace(null));
  on("ask", "submit", (e) => { e.preventDefault(); draw(); });
  on("live", "click", () => live.toggle(!live.on));
  on("cancel", "click", () => stop(false));
  on("download", "click", download);
  on("edit", "click", () => enter("edit"));
  on("explore", "click", () => enter("explore"));
  on("score", "click", score);
  on("repaint", "click", repaint);
  on("edit-width", "input", () => { stage.brushWidth = Number($("edit-width").value); });
  stage.addEventListener("paint", () => { $("repaint").disabled = !stage.painted; });
  classBox.addEventListener("change", changedSettings);
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
    const now = document.documentElement.dataset.theme ?? themes[0];
    setTheme(themes[(themes.indexOf(now) + 1) % 3]);
  });
  on("show-keys", "click", () => $("keys").showModal());
  for (const dialog of [$("keys"), $("dropped")]) {
    for (const b of dialog.querySelectorAll("button")) b.onclick = () => dialog.close(b.value);
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
  setAskKey(() => new Promise((resolve) => {
    $("ask-key").showModal();
    $("ask-key").addEventListener("close", () => resolve($("api-key").value), { once: true });
  }));
  setTheme(document.documentElement.dataset.theme ?? themes[0]);
  setTool("pen");
  setMirror(0);
  const [drawing, traced, past] = await Promise.all([store.get("sketch"), store.get("trace"), store.history.all()]);
  try { await sketch.load(drawing); } catch { /* a picture in it could not be read */ }
  if (traced) setTrace(traced.src, traced.opacity);
  let saved = {};
  try { saved = JSON.parse(localStorage.getItem("settings")) ?? {}; } catch { /* no memory */ }
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
    const known = classes.classes.find((c) => c.id === saved.cls?.id && c.name === saved.cls?.name);
    applySettings({ ...saved, seed: saved.lock ? saved.seed : randomSeed(), firstItem: saved.lock ? saved.firstItem : 0, cls: known ?? classes.classes[0] });
  } catch (error) {
    complain(error);
  }
  entries = past.filter((e) => Array.isArray(e.items) && e.items.length).sort((a, b) => parseInt(a.id, 10) - parseInt(b.id, 10));
  showEntries();
  document.documentElement.dataset.ready = "true";
}
start();
