// SPDX-License-Identifier: Apache-2.0
// The drawing as a list of operations. Owns no element of the page.
// An operation is one of
//   {k:"s", l, t, w, m, p} a stroke: layer l ("ink" or "map"), tool t (ink: "pen" "eraser"; map: "keep" "free" "unmark"),
//     width w, mirror m (0 none, 1 left and right, 2 both axes), points p = x, y, pressure (0..255), ...
//   {k:"c", l} the layer is emptied
//   {k:"i", src} a picture becomes ink (data: address)
//   {k:"t", b, m} what lies in the box b = x, y, w, h is cut out, of both layers, and laid where the matrix m puts it
//   {k:"r", ops} everything so far is replaced by these (a picture was restored)
// Positions are whole numbers on a square of SIZE; operations before `index` are in force, the others can be redone.
export const SIZE = 1024, KEEP = "#3347d1"; // KEEP: the colour of marks
export const clamp = (v, lo, hi) => Math.min(hi, Math.max(lo, v));
export const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const TOOLS = { ink: ["pen", "eraser"], map: ["keep", "free", "unmark"] };
const MAX_OPS = 200000, MAX_NUMBERS = 4e6, MAX_PICTURE = 4e6;

const isInt = (v, lo, hi) => Number.isInteger(v) && v >= lo && v <= hi;
const isList = (v, length, fits) => Array.isArray(v) && v.length === length && v.every(fits);
const isPicture = (s) => typeof s === "string" && s.length <= MAX_PICTURE && /^data:image\/(png|webp|jpeg);base64,[A-Za-z0-9+/=]+$/.test(s);

// Operations from outside: a fresh copy of what is described above, or null.
export function checkOps(list, depth = 0, budget = { n: 0 }) {
	if (!Array.isArray(list) || list.length > MAX_OPS || depth > 8) return null;
	const out = [];
	for (const op of list) {
		if (op === null || typeof op !== "object") return null;
		if (op.k === "s") {
			const p = op.p;
			if (!Object.hasOwn(TOOLS, op.l) || !TOOLS[op.l].includes(op.t) || !isInt(op.w, 1, 400) || !isInt(op.m, 0, 2)) return null;
			if (!Array.isArray(p) || p.length % 3 || !p.length || (budget.n += p.length) > MAX_NUMBERS) return null;
			if (!p.every((v, i) => (i % 3 === 2 ? isInt(v, 0, 255) : isInt(v, -SIZE, 2 * SIZE)))) return null;
			out.push({ k: "s", l: op.l, t: op.t, w: op.w, m: op.m, p: p.slice() });
		} else if (op.k === "c" && Object.hasOwn(TOOLS, op.l)) out.push({ k: "c", l: op.l });
		else if (op.k === "i" && isPicture(op.src)) out.push({ k: "i", src: op.src });
		else if (op.k === "t") {
			if (!isList(op.b, 4, (v) => isInt(v, 0, SIZE)) || !op.b[2] || !op.b[3] || !isList(op.m, 6, (v) => Number.isFinite(v) && Math.abs(v) < 1e6)) return null;
			out.push({ k: "t", b: op.b.slice(), m: op.m.slice() });
		} else if (op.k === "r") {
			const ops = checkOps(op.ops, depth + 1, budget);
			if (!ops) return null;
			out.push({ k: "r", ops });
		} else return null;
	}
	return out;
}

// The operations that still show: not what is behind an emptied layer or a replacement.
export function flatten(ops) {
	let out = [];
	for (const op of ops) {
		if (op.k === "r") out = flatten(op.ops);
		else if (op.k === "c") out = out.filter((o) => o.k === "t" || (o.k === "i" ? "ink" : o.l) !== op.l);
		else out.push(op);
	}
	return out;
}

// Pictures as ink: darkness becomes opacity, so that the paper stays paper
const pictures = new Map();
export async function loadPicture(src) {
	if (pictures.has(src)) return pictures.get(src);
	const image = new Image();
	image.src = src;
	await image.decode();
	const canvas = makeCanvas(SIZE), c = canvas.getContext("2d");
	const scale = SIZE / Math.max(image.width, image.height), w = image.width * scale, h = image.height * scale;
	c.drawImage(image, (SIZE - w) / 2, (SIZE - h) / 2, w, h);
	const data = c.getImageData(0, 0, SIZE, SIZE), d = data.data;
	let sum = 0, count = 0;
	for (let i = 0; i < d.length; i += 4) {
		if (d[i + 3] > 128) { sum += d[i] + d[i + 1] + d[i + 2]; count++; }
	}
	const light = count && sum / count < 3 * 100; // light lines on dark ground
	for (let i = 0; i < d.length; i += 4) {
		const y = 0.299 * d[i] + 0.587 * d[i + 1] + 0.114 * d[i + 2], ink = (light ? y : 255 - y) * (d[i + 3] / 255);
		d[i] = d[i + 1] = d[i + 2] = 0;
		d[i + 3] = ink < 24 ? 0 : Math.min(255, ink * 1.1);
	}
	c.putImageData(data, 0, 0);
	pictures.set(src, canvas);
	return canvas;
}
export const loadPictures = (ops) =>
	Promise.all(ops.map((op) => (op.k === "i" ? loadPicture(op.src) : op.k === "r" ? loadPictures(op.ops) : null)));

// Drawing
export function makeCanvas(side) {
	const canvas = document.createElement("canvas");
	canvas.width = canvas.height = side;
	return canvas;
}

const mirrors = [[[1, 1]], [[1, 1], [-1, 1]], [[1, 1], [-1, 1], [1, -1], [-1, -1]]];

// One stroke, in units of SIZE: smooth curves through the middles, each piece as wide as its pressure says.
// `from`: pieces before that point are there already; `open`: more points will come.
export function drawStroke(c, op, colour, from = 0, open = false) {
	const p = op.p, n = p.length / 3;
	c.lineCap = c.lineJoin = "round";
	c.strokeStyle = colour;
	c.globalCompositeOperation = op.t === "eraser" || op.t === "unmark" ? "destination-out" : "source-over";
	const width = (i) => Math.max(0.75, (op.w * (0.25 + 0.75 * (p[3 * i + 2] / 255))));
	for (const [sx, sy] of mirrors[op.m]) {
		const x = (i) => (sx > 0 ? p[3 * i] : SIZE - p[3 * i]), y = (i) => (sy > 0 ? p[3 * i + 1] : SIZE - p[3 * i + 1]);
		if (n === 1) {
			c.beginPath();
			c.lineWidth = width(0);
			c.moveTo(x(0), y(0));
			c.lineTo(x(0) + 0.01, y(0));
			c.stroke();
		}
		for (let i = Math.max(1, from); i < n; i++) {
			c.beginPath();
			c.lineWidth = (width(i) + width(i - 1)) / 2;
			if (i === 1) c.moveTo(x(0), y(0));
			else c.moveTo((x(i - 2) + x(i - 1)) / 2, (y(i - 2) + y(i - 1)) / 2);
			c.quadraticCurveTo(x(i - 1), y(i - 1), (x(i - 1) + x(i)) / 2, (y(i - 1) + y(i)) / 2);
			if (i === n - 1 && !open) c.lineTo(x(i), y(i));
			c.stroke();
		}
	}
	c.globalCompositeOperation = "source-over";
}

// A part of the paper is laid elsewhere; the context's unit may be any part of SIZE.
function drawMoved(c, { b: [x, y, w, h], m }) {
	const unit = c.getTransform().a, piece = makeCanvas(1);
	piece.width = Math.ceil(w * unit);
	piece.height = Math.ceil(h * unit);
	piece.getContext("2d").drawImage(c.canvas, x * unit, y * unit, w * unit, h * unit, 0, 0, piece.width, piece.height);
	c.clearRect(x, y, w, h);
	c.save();
	c.imageSmoothingQuality = "high";
	c.transform(...m);
	c.drawImage(piece, x, y, w, h);
	c.restore();
}

export function drawOp(c, op, layer, colours) {
	if (op.k === "r") {
		c.clearRect(0, 0, SIZE, SIZE);
		for (const o of op.ops) drawOp(c, o, layer, colours);
	} else if (op.k === "c") {
		if (op.l === layer) c.clearRect(0, 0, SIZE, SIZE);
	} else if (op.k === "i") {
		if (layer === "ink" && pictures.has(op.src)) c.drawImage(pictures.get(op.src), 0, 0);
	} else if (op.k === "t") drawMoved(c, op);
	else if (op.l === layer) drawStroke(c, op, colours[op.t] || "#000");
}

// All operations of a layer, onto a canvas of any side.
export function render(canvas, ops, layer, colours = {}) {
	const c = canvas.getContext("2d");
	c.setTransform(1, 0, 0, 1, 0, 0);
	c.clearRect(0, 0, canvas.width, canvas.height);
	c.setTransform(canvas.width / SIZE, 0, 0, canvas.height / SIZE, 0, 0);
	for (const op of flatten(ops)) drawOp(c, op, layer, colours);
}

// Ink on white paper, as the model is shown it: operations, or a canvas that has them already.
export function inkOnPaper(source, side) {
	const isCanvas = !Array.isArray(source), ink = isCanvas ? source : makeCanvas(SIZE), out = makeCanvas(side), c = out.getContext("2d");
	if (!isCanvas) render(ink, source, "ink");
	c.fillStyle = "#fff";
	c.fillRect(0, 0, side, side);
	c.imageSmoothingQuality = "high";
	c.drawImage(ink, 0, 0, side, side);
	return out;
}

// The marks: {lambda, map}, map null where nothing is marked. Kept places follow the drawing fully, free ones not at
// all, the others as the slider says; with nothing kept the slider is the strictest.
export function lambdaMap(ops, lambda, side) {
	const marks = flatten(ops).filter((op) => op.l === "map" && op.t !== "unmark");
	if (!marks.length) return { lambda, map: null };
	const keeps = marks.some((op) => op.t === "keep");
	const layer = makeCanvas(SIZE), out = makeCanvas(side), c = out.getContext("2d");
	render(layer, ops, "map", { keep: "#fff", free: "#000" });
	const ground = keeps ? Math.round(lambda * 255) : 255;
	c.fillStyle = `rgb(${ground},${ground},${ground})`;
	c.fillRect(0, 0, side, side);
	c.drawImage(layer, 0, 0, side, side);
	return { lambda: keeps ? 1 : lambda, map: out };
}

// The document
export class Sketch extends EventTarget {
	ops = [];
	index = 0;
	get active() { return this.ops.slice(0, this.index); }
	get isEmpty() { return !flatten(this.active).some((op) => op.k === "i" || (op.l === "ink" && op.t === "pen")); }
	get hasMarks() { return flatten(this.active).some((op) => op.l === "map"); }
	get canUndo() { return this.index > 0; }
	get canRedo() { return this.index < this.ops.length; }
	push(op) {
		this.ops.length = this.index;
		this.ops.push(op);
		this.index++;
		this.#changed("push");
	}
	undo() {
		if (!this.canUndo) return false;
		this.index--;
		this.#changed("undo");
		return true;
	}
	redo() {
		if (!this.canRedo) return false;
		this.index++;
		this.#changed("redo");
		return true;
	}
	toJSON() { return { ops: this.ops, index: this.index }; }
	async load(data) {
		const ops = checkOps(data?.ops);
		if (!ops || !isInt(data.index, 0, ops.length)) return false;
		await loadPictures(ops);
		this.ops = ops;
		this.index = data.index;
		this.#changed("load");
		return true;
	}
	#changed(how) { this.dispatchEvent(new CustomEvent("change", { detail: how })); }
}
