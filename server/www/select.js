// SPDX-License-Identifier: Apache-2.0
// A rectangle of the paper, moved, scaled, turned or removed: one operation, replaced while the same part is held.
import { SIZE, arrows, clamp, drawOp, makeCanvas } from "./strokes.js";

const LEAST = 8; // a smaller rectangle is a slip of the hand
const turnOf = (p, centre) => Math.atan2(p.y - centre.y, p.x - centre.x);
const wayOf = (p, centre) => Math.max(1, Math.hypot(p.x - centre.x, p.y - centre.y));

export class Selection {
	#box = null; // {x, y, w, h} of the paper as it was; null: nothing is held
	#placed = null; // {x, y, scale, turn}: how far it was moved, and the rest
	#grip = null; // {kind, from, placed}: what a pointer holds
	#op = null; // what stands in the sketch for it
	#under = null; // both layers as they were
	#own = false;

	// layers: {ink, map}, the pad's contexts; colours: of the marks.
	constructor(frame, sketch, layers, colours) {
		Object.assign(this, { frame, sketch, layers, colours });
		sketch.addEventListener("change", () => { if (!this.#own) this.drop(); });
	}
	get isHeld() { return this.#placed !== null; }

	drop() {
		this.#box = this.#placed = this.#grip = this.#op = this.#under = null;
		this.frame.hidden = true;
	}

	get #centre() { return { x: this.#box.x + this.#box.w / 2 + this.#placed.x, y: this.#box.y + this.#box.h / 2 + this.#placed.y }; }
	// The operation: the box's pixels go where the matrix puts them.
	#operation() {
		const { x, y, w, h } = this.#box, { scale, turn } = this.#placed, to = this.#centre;
		const a = scale * Math.cos(turn), b = scale * Math.sin(turn), cx = x + w / 2, cy = y + h / 2;
		const m = [a, b, -b, a, to.x - a * cx + b * cy, to.y - b * cx - a * cy];
		return { k: "t", b: [x, y, w, h], m: m.map((v) => Math.round(v * 1e4) / 1e4) };
	}

	// Showing
	#show() {
		const { w, h } = this.#box, { scale, turn } = this.#placed ?? { scale: 1, turn: 0 };
		const centre = this.#placed ? this.#centre : { x: this.#box.x + w / 2, y: this.#box.y + h / 2 };
		const share = (v) => `${(100 * v) / SIZE}%`;
		this.frame.hidden = false;
		this.frame.classList.toggle("held", this.isHeld);
		Object.assign(this.frame.style, { left: share(centre.x - (scale * w) / 2), top: share(centre.y - (scale * h) / 2),
			width: share(scale * w), height: share(scale * h), transform: `rotate(${turn}rad)` });
	}
	#preview() {
		for (const [layer, context] of Object.entries(this.layers)) {
			context.clearRect(0, 0, SIZE, SIZE);
			context.drawImage(this.#under[layer], 0, 0);
			drawOp(context, this.#operation(), layer, this.colours);
		}
		this.#show();
	}
	#commit(op) {
		this.#own = true;
		if (this.#op && this.sketch.active.at(-1) === this.#op) this.sketch.undo();
		this.sketch.push((this.#op = op));
		this.#own = false;
	}
	#change(how) {
		Object.assign(this.#placed, how);
		this.#placed.scale = clamp(this.#placed.scale, 0.05, 20);
		this.#preview();
	}

	// A rectangle, and what is done with it; places are {x, y} of the paper
	down(place, grip) {
		if (this.isHeld && grip) {
			this.#grip = { kind: grip, from: place, placed: { ...this.#placed } };
			return;
		}
		this.drop();
		this.#grip = { kind: "new", from: place };
		this.#box = { ...place, w: 0, h: 0 };
	}
	move(place) {
		const g = this.#grip;
		if (!g) return;
		if (g.kind === "new") {
			const x = clamp(Math.min(g.from.x, place.x), 0, SIZE), y = clamp(Math.min(g.from.y, place.y), 0, SIZE);
			this.#box = { x, y, w: clamp(Math.max(g.from.x, place.x), 0, SIZE) - x, h: clamp(Math.max(g.from.y, place.y), 0, SIZE) - y };
			this.#show();
		} else if (g.kind === "move") this.#change({ x: g.placed.x + place.x - g.from.x, y: g.placed.y + place.y - g.from.y });
		else if (g.kind === "scale") this.#change({ scale: (g.placed.scale * wayOf(place, this.#centre)) / wayOf(g.from, this.#centre) });
		else this.#change({ turn: g.placed.turn + turnOf(place, this.#centre) - turnOf(g.from, this.#centre) });
	}
	up() {
		const g = this.#grip;
		this.#grip = null;
		if (!g) return;
		if (g.kind !== "new") this.#commit(this.#operation());
		else if (this.#box.w < LEAST || this.#box.h < LEAST) this.drop();
		else this.#hold();
	}
	#hold() {
		this.#placed = { x: 0, y: 0, scale: 1, turn: 0 };
		this.#under = {};
		for (const [layer, context] of Object.entries(this.layers)) {
			this.#under[layer] = makeCanvas(SIZE);
			this.#under[layer].getContext("2d").drawImage(context.canvas, 0, 0);
		}
		this.#show();
	}

	// True: the key meant what is held.
	key({ key, shiftKey }) {
		if (!this.isHeld) return false;
		const step = shiftKey ? 4 : 16, at = this.#placed;
		if (key in arrows) this.#change({ x: at.x + arrows[key][0] * step, y: at.y + arrows[key][1] * step });
		else if (key === "+" || key === "=") this.#change({ scale: at.scale * 1.1 });
		else if (key === "-") this.#change({ scale: at.scale / 1.1 });
		else if (key === "," || key === ".") this.#change({ turn: at.turn + (key === "." ? 1 : -1) * (Math.PI / 12) });
		else if (key === "Delete" || key === "Backspace") {
			this.#commit({ k: "t", b: Object.values(this.#box), m: [0, 0, 0, 0, 0, 0] });
			this.drop();
			return true;
		} else if (key === "Escape" || key === "Enter") {
			this.drop();
			return true;
		} else return false;
		this.#commit(this.#operation());
		return true;
	}
}
