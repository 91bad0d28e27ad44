// SPDX-License-Identifier: Apache-2.0
// The pad: turns pointers (mouse, pen, touch) and keys into operations of a Sketch, and shows them. Owns the canvases on the paper.
// Fires "mark" while a line grows; the sketch itself tells when one is finished.
import { KEEP, SIZE, arrows, clamp, drawStroke, drawOp, makeCanvas } from "./strokes.js";

const STEP = 16, FINE_STEP = 4; // what an arrow key moves the cursor by

export class Pad extends EventTarget {
	tool = "pen";
	widths = { pen: 12, eraser: 48, marks: 120 };
	pressure = true;
	mirror = 0;
	locked = false; // the explorer has the pad
	#stroke = null;
	#drawn = 0;
	#pointer = null;
	#penSeen = 0;
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
		sketch.addEventListener("change", (e) => this.#onChange(e.detail));
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
	get widthName() { return this.layer === "map" ? "marks" : this.tool; }
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

	// ---- Showing ----
	#drawInto(contexts, from, to) {
		for (const op of this.sketch.ops.slice(from, to)) {
			drawOp(contexts.ink, op, "ink", this.colours);
			drawOp(contexts.map, op, "map", this.colours);
		}
	}

	// What is on the paper is always what the operations say, from a copy some of them back: quick in a long drawing.
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

	// ---- A stroke, from wherever it comes ----
	#begin(x, y, pressure, tool = this.tool) {
		const layer = ["keep", "free", "unmark"].includes(tool) ? "map" : "ink";
		const w = this.widths[layer === "map" ? "marks" : tool];
		this.#stroke = { k: "s", l: layer, t: tool, w, m: this.mirror, p: [x, y, pressure] };
		this.#drawn = 0;
		this.#extend();
	}
	#add(x, y, pressure) {
		const p = this.#stroke.p, n = p.length;
		if (Math.hypot(p[n - 3] - x, p[n - 2] - y) < 2) return;
		p.push(x, y, pressure);
	}
	#extend() {
		const op = this.#stroke;
		drawStroke(this.#context(op.l), op, this.colours[op.t] || "#000", this.#drawn, true);
		this.#drawn = op.p.length / 3;
		this.dispatchEvent(new Event("mark"));
	}
	#finish() {
		const op = this.#stroke;
		if (!op) return;
		this.#stroke = null;
		this.sketch.push(op);
	}
	// The drawing with the line in hand, for live mode.
	get ops() { return this.#stroke ? [...this.sketch.active, { ...this.#stroke, p: this.#stroke.p.slice() }] : this.sketch.active; }

	// ---- Pointers ----
	#at(e) {
		const box = this.ink.canvas.getBoundingClientRect();
		const to = (v, start, length) => clamp(Math.round(((v - start) / length) * SIZE), -SIZE, 2 * SIZE);
		return { x: to(e.clientX, box.left, box.width), y: to(e.clientY, box.top, box.height) };
	}
	#pressureOf(e) { return this.pressure && e.pointerType === "pen" ? clamp(Math.round(e.pressure * 255), 1, 255) : 255; }

	#down(e) {
		if (this.locked || this.#pointer !== null || (e.pointerType === "mouse" && e.button !== 0)) return;
		if (e.pointerType === "pen") this.#penSeen = e.timeStamp;
		else if (e.pointerType === "touch" && this.#penSeen && e.timeStamp - this.#penSeen < 3000) return; // the palm of a writing hand
		this.#finish();
		this.#pointer = e.pointerId;
		try { this.paper.setPointerCapture(e.pointerId); } catch { /* the pointer is gone already */ }
		const { x, y } = this.#at(e);
		this.#begin(x, y, this.#pressureOf(e), e.buttons & 32 ? "eraser" : this.tool); // 32: the pen was turned over
		this.#cursor = { x, y };
		this.#showDot({ x, y });
	}
	#move(e) {
		const here = this.#at(e);
		if (!this.locked && e.pointerType !== "touch") this.#showDot(here);
		if (e.pointerId !== this.#pointer || !this.#stroke) return;
		const events = e.getCoalescedEvents?.() ?? [];
		for (const part of events.length ? events : [e]) {
			const { x, y } = this.#at(part);
			this.#add(x, y, this.#pressureOf(part));
		}
		if (e.pointerType === "pen") this.#penSeen = e.timeStamp;
		this.#extend();
	}
	#up(e) {
		if (e.pointerId !== this.#pointer) return;
		this.#pointer = null;
		this.#finish();
		if (e.pointerType === "touch") this.dot.hidden = true;
	}

	// ---- Keys: arrows move, space lowers and lifts the pen ----
	#key(e) {
		if (this.locked || e.ctrlKey || e.metaKey || e.altKey) return;
		if (e.key in arrows) {
			e.preventDefault();
			this.#held.add(e.key);
			const step = e.shiftKey ? FINE_STEP : STEP;
			for (const key of this.#held) {
				this.#cursor.x = clamp(this.#cursor.x + arrows[key][0] * step, 0, SIZE);
				this.#cursor.y = clamp(this.#cursor.y + arrows[key][1] * step, 0, SIZE);
			}
			this.#showDot(this.#cursor);
			if (this.#stroke && this.#pointer === null) {
				this.#add(this.#cursor.x, this.#cursor.y, 255);
				this.#extend();
			}
		} else if (e.key === " ") {
			e.preventDefault();
			if (e.repeat || this.#pointer !== null) return;
			if (this.#stroke) {
				this.#finish();
				this.say("Pen up");
			} else {
				this.#showDot(this.#cursor);
				this.#begin(this.#cursor.x, this.#cursor.y, 255);
				this.say("Pen down");
			}
		} else if (e.key === "Escape" && this.#stroke) {
			this.#finish();
			this.say("Pen up");
		}
	}
}
