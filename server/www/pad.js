// SPDX-License-Identifier: Apache-2.0
// The pad: turns pointers and keys into operations of a Sketch, and shows them. Owns the canvases on the paper.
// Fires "mark" while a line grows, "pen" when the first pen comes; the sketch tells when a line is finished.
import { Selection } from "./select.js";
import { KEEP, SIZE, arrows, clamp, drawStroke, drawOp, makeCanvas } from "./strokes.js";
import { t } from "./words.js";
import { Zoom } from "./zoom.js";

const STEP = 16, FINE_STEP = 4; // what an arrow key moves the cursor by
const PEN_NEAR = 3000; // milliseconds for which a touch is the palm of the pen's hand

// Outlines as points of a line; a corner that comes twice is sharp.
const shapes = {
	line: (a, b) => [a, b],
	rect: (a, b) => [a, { x: b.x, y: a.y }, b, { x: a.x, y: b.y }, a].flatMap((p) => [p, p]),
	ellipse: (a, b) => Array.from({ length: 65 }, (_, i) => {
		const turn = (i / 64) * 2 * Math.PI;
		return { x: Math.round((a.x + b.x + (b.x - a.x) * Math.cos(turn)) / 2), y: Math.round((a.y + b.y + (b.y - a.y) * Math.sin(turn)) / 2) };
	}),
};
// With Shift: a square; a line level, upright or between.
function evenly(tool, a, b) {
	const dx = b.x - a.x, dy = b.y - a.y, side = Math.max(Math.abs(dx), Math.abs(dy));
	if (tool !== "line") return { x: a.x + (Math.sign(dx) || 1) * side, y: a.y + (Math.sign(dy) || 1) * side };
	const turn = Math.round(Math.atan2(dy, dx) / (Math.PI / 4)) * (Math.PI / 4), length = Math.hypot(dx, dy);
	return { x: Math.round(a.x + length * Math.cos(turn)), y: Math.round(a.y + length * Math.sin(turn)) };
}

export class Pad extends EventTarget {
	tool = "pen";
	widths = { pen: 12, eraser: 48, marks: 120 };
	pressure = true;
	smooth = 0; // 0 to 10: how far the line lags behind the hand
	fingers = true; // touches draw; without, they move the paper
	mirror = 0;
	locked = false; // the explorer has the pad
	#stroke = null;
	#shape = null; // {tool, from, under}: an outline, drawn anew over `under` as it grows
	#pull = null; // the smoothed place
	#drawn = 0;
	#pointer = null;
	#penSeen = 0;
	#penKnown = false;
	#choosing = false; // a rectangle grows by keys
	#cursor = { x: SIZE / 2, y: SIZE / 2 };
	#held = new Set();
	#checkpoint = null;

	constructor(paper, sketch, say) {
		super();
		this.paper = paper;
		this.sketch = sketch;
		this.say = say;
		this.ink = paper.querySelector(".ink").getContext("2d");
		this.tint = paper.querySelector(".tint").getContext("2d");
		this.dot = paper.querySelector(".dot");
		this.colours = { keep: KEEP, free: this.#hatch() };
		this.zoom = new Zoom(paper);
		sketch.addEventListener("change", (e) => this.#onChange(e.detail));
		this.selection = new Selection(paper.querySelector(".frame"), sketch, { ink: this.ink, map: this.tint }, this.colours);
		paper.addEventListener("pointerdown", (e) => this.#down(e));
		paper.addEventListener("pointermove", (e) => this.#move(e));
		for (const name of ["pointerup", "pointercancel"]) paper.addEventListener(name, (e) => this.#up(e));
		paper.addEventListener("pointerleave", () => { if (!this.#stroke) this.dot.hidden = document.activeElement !== paper; });
		paper.addEventListener("contextmenu", (e) => e.preventDefault());
		paper.addEventListener("keydown", (e) => this.#key(e));
		paper.addEventListener("keyup", (e) => this.#held.delete(e.key));
		paper.addEventListener("focus", () => { if (paper.matches(":focus-visible")) this.#showDot(this.#cursor); });
		paper.addEventListener("blur", () => { this.#held.clear(); this.#finish(); this.dot.hidden = true; });
	}

	get layer() { return ["keep", "free", "unmark"].includes(this.tool) ? "map" : "ink"; }
	get widthName() { return this.layer === "map" ? "marks" : this.tool === "eraser" ? "eraser" : "pen"; }
	get isDrawing() { return this.#stroke !== null; }

	// Free places are hatched, so that the two marks differ by more than their colour.
	#hatch() {
		const tile = makeCanvas(24), c = tile.getContext("2d");
		c.fillStyle = "rgb(227,189,133)";
		c.fillRect(0, 0, 24, 24);
		c.strokeStyle = "rgb(150,84,0)";
		c.lineWidth = 5;
		c.beginPath();
		for (const d of [-24, 0, 24]) { c.moveTo(d - 2, 26); c.lineTo(d + 26, -2); }
		c.stroke();
		return this.tint.createPattern(tile, "repeat");
	}

	#context(layer) { return layer === "map" ? this.tint : this.ink; }

	// Showing
	#drawInto(contexts, from, to) {
		for (const op of this.sketch.ops.slice(from, to)) {
			drawOp(contexts.ink, op, "ink", this.colours);
			drawOp(contexts.map, op, "map", this.colours);
		}
	}

	// The paper shows what the operations say, from a copy some of them back: quick in a long drawing.
	redraw() {
		const to = this.sketch.index, at = Math.max(0, to - 24);
		let old = this.#checkpoint;
		if (!old || old.index > to) {
			old = this.#checkpoint = { index: at, ink: makeCanvas(SIZE).getContext("2d"), map: makeCanvas(SIZE).getContext("2d") };
			this.#drawInto(old, 0, at);
		} else if (old.index < to - 48) {
			this.#drawInto(old, old.index, at);
			old.index = at;
		}
		for (const [context, copy] of [[this.ink, old.ink], [this.tint, old.map]]) {
			context.clearRect(0, 0, SIZE, SIZE);
			context.drawImage(copy.canvas, 0, 0);
		}
		this.#drawInto({ ink: this.ink, map: this.tint }, old.index, to);
	}

	#onChange(how) {
		if (how === "load" || (how === "push" && this.#checkpoint?.index >= this.sketch.index)) this.#checkpoint = null;
		this.redraw();
	}

	#showDot({ x, y }) {
		const width = this.widths[this.widthName];
		this.dot.hidden = false;
		this.dot.style.left = `${(x / SIZE) * 100}%`;
		this.dot.style.top = `${(y / SIZE) * 100}%`;
		this.dot.style.width = `${Math.max(0.8, (width / SIZE) * 100)}%`;
	}

	// A stroke, from wherever it comes
	#begin(x, y, pressure, tool = this.tool) {
		const layer = ["keep", "free", "unmark"].includes(tool) ? "map" : "ink", isShape = tool in shapes;
		const w = this.widths[layer === "map" ? "marks" : isShape ? "pen" : tool];
		this.#stroke = { k: "s", l: layer, t: isShape ? "pen" : tool, w, m: this.mirror, p: [x, y, pressure] };
		this.#shape = isShape ? { tool, from: { x, y }, under: makeCanvas(SIZE) } : null;
		this.#shape?.under.getContext("2d").drawImage(this.ink.canvas, 0, 0);
		this.#pull = { x, y };
		this.#drawn = 0;
		this.#extend();
	}
	// `lag`: of the way to (x, y) only a part is gone, the less the smoother.
	#add(x, y, pressure, { lag = false, even = false } = {}) {
		if (this.#shape) {
			const { tool, from } = this.#shape, to = even ? evenly(tool, from, { x, y }) : { x, y };
			this.#stroke.p = shapes[tool](from, to).flatMap((at) => [at.x, at.y, 255]);
			return;
		}
		const p = this.#stroke.p, n = p.length, pull = this.#pull, share = lag ? 1 / (1 + 0.6 * this.smooth) : 1;
		pull.x += (x - pull.x) * share;
		pull.y += (y - pull.y) * share;
		const at = { x: Math.round(pull.x), y: Math.round(pull.y) };
		if (Math.hypot(p[n - 3] - at.x, p[n - 2] - at.y) < 2) return;
		p.push(at.x, at.y, pressure);
	}
	#extend() {
		const op = this.#stroke;
		if (this.#shape) {
			this.#drawn = 0;
			this.ink.clearRect(0, 0, SIZE, SIZE);
			this.ink.drawImage(this.#shape.under, 0, 0);
		}
		drawStroke(this.#context(op.l), op, this.colours[op.t] || "#000", this.#drawn, !this.#shape);
		this.#drawn = op.p.length / 3;
		this.dispatchEvent(new Event("mark"));
	}
	#finish() {
		const op = this.#stroke;
		if (!op) return;
		this.#stroke = this.#shape = null;
		this.sketch.push(op);
	}
	// What one finger began was none when a second comes.
	#forget() {
		if (!this.#stroke) return;
		this.#stroke = this.#shape = this.#pointer = null;
		this.redraw();
	}
	// The drawing with the line in hand, for live mode.
	get ops() { return this.#stroke ? [...this.sketch.active, { ...this.#stroke, p: this.#stroke.p.slice() }] : this.sketch.active; }

	// Pointers
	#at(e) {
		const box = this.ink.canvas.getBoundingClientRect();
		const to = (v, start, length) => clamp(Math.round(((v - start) / length) * SIZE), -SIZE, 2 * SIZE);
		return { x: to(e.clientX, box.left, box.width), y: to(e.clientY, box.top, box.height) };
	}
	#pressureOf(e) { return this.pressure && e.pointerType === "pen" ? clamp(Math.round(e.pressure * 255), 1, 255) : 255; }

	#down(e) {
		if (this.locked || (e.pointerType === "mouse" && e.button !== 0)) return;
		if (e.pointerType === "pen") this.#seePen(e);
		else if (e.pointerType === "touch") {
			if (this.#penSeen && e.timeStamp - this.#penSeen < PEN_NEAR) return;
			if (this.zoom.down(e, !this.fingers)) { this.#forget(); return; }
		}
		if (this.#pointer !== null) return;
		this.#finish();
		this.#pointer = e.pointerId;
		try { this.paper.setPointerCapture(e.pointerId); } catch { /* the pointer is gone already */ }
		const { x, y } = this.#at(e);
		if (this.tool === "select") {
			this.selection.down({ x, y }, e.target === this.selection.frame ? "move" : e.target.dataset.grip);
			return;
		}
		this.#begin(x, y, this.#pressureOf(e), e.buttons & 32 ? "eraser" : this.tool); // 32: the pen was turned over
		this.#cursor = { x, y };
		this.#showDot({ x, y });
	}
	#move(e) {
		const here = this.#at(e);
		if (e.pointerType === "pen") this.#penSeen = e.timeStamp; // hovering, too
		if (e.pointerType === "touch") this.zoom.move(e);
		if (!this.locked && e.pointerType !== "touch" && this.tool !== "select") this.#showDot(here);
		if (e.pointerId !== this.#pointer) return;
		if (this.tool === "select") this.selection.move(here);
		if (!this.#stroke) return;
		const events = e.getCoalescedEvents?.() ?? [];
		for (const part of events.length ? events : [e]) {
			const { x, y } = this.#at(part);
			this.#add(x, y, this.#pressureOf(part), { lag: true, even: e.shiftKey });
		}
		this.#extend();
	}
	#up(e) {
		this.zoom.up(e);
		if (e.pointerId !== this.#pointer) return;
		this.#pointer = null;
		if (this.tool === "select") this.selection.up();
		const p = this.#stroke?.p, { x, y } = this.#at(e);
		if (e.type === "pointerup" && p && !this.#shape && p.length > 3) this.#add(x, y, p.at(-1)); // the line ends where the hand does
		this.#finish();
		if (e.pointerType === "touch") this.dot.hidden = true;
	}

	#seePen(e) {
		this.#penSeen = e.timeStamp;
		if (this.#penKnown) return;
		this.#penKnown = true;
		this.fingers = false;
		this.dispatchEvent(new Event("pen"));
	}

	// Keys: arrows move, space lowers and lifts the pen
	#key(e) {
		if (this.locked || e.ctrlKey || e.metaKey || e.altKey) return;
		if (this.tool === "select" && this.selection.key(e)) {
			e.preventDefault();
			e.stopPropagation();
		} else if (e.key in arrows) {
			e.preventDefault();
			this.#held.add(e.key);
			const step = e.shiftKey ? FINE_STEP : STEP;
			for (const key of this.#held) {
				this.#cursor.x = clamp(this.#cursor.x + arrows[key][0] * step, 0, SIZE);
				this.#cursor.y = clamp(this.#cursor.y + arrows[key][1] * step, 0, SIZE);
			}
			this.#showDot(this.#cursor);
			if (this.#pointer !== null) return;
			if (this.tool === "select") this.selection.move({ ...this.#cursor });
			else if (this.#stroke) {
				this.#add(this.#cursor.x, this.#cursor.y, 255);
				this.#extend();
			}
		} else if (e.key === " ") {
			e.preventDefault();
			if (e.repeat || this.#pointer !== null) return;
			if (this.tool === "select") this.#chooseByKey();
			else if (this.#stroke) {
				this.#finish();
				this.say(t("penUp"));
			} else {
				this.#showDot(this.#cursor);
				this.#begin(this.#cursor.x, this.#cursor.y, 255);
				this.say(t("penDown"));
			}
		} else if (e.key === "Escape" && this.#stroke) {
			this.#finish();
			this.say(t("penUp"));
		}
	}
	#chooseByKey() {
		this.#choosing = !this.#choosing;
		this.#showDot(this.#cursor);
		if (this.#choosing) this.selection.down({ ...this.#cursor });
		else this.selection.up();
		this.say(this.selection.isHeld ? t("selected") : t("penDown"));
	}
}
