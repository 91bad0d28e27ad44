// SPDX-License-Identifier: Apache-2.0
// The paper nearer: by two fingers, Ctrl and wheel, keys. Moves .view inside the paper alone; fires "zoom".
import { clamp } from "./strokes.js";

const MOST = 8;

export class Zoom extends EventTarget {
	scale = 1;
	#x = 0; // the view's left upper corner, in sides of the paper
	#y = 0;
	#touches = new Map(); // pointerId -> {x, y} in sides of the paper

	constructor(paper) {
		super();
		this.paper = paper;
		this.view = paper.querySelector(".view");
		paper.addEventListener("wheel", (e) => this.#wheel(e), { passive: false });
	}

	#set(scale, x, y) {
		this.scale = scale;
		this.#x = clamp(x, 1 - scale, 0);
		this.#y = clamp(y, 1 - scale, 0);
		this.view.style.transform = scale === 1 ? "" : `translate(${100 * this.#x}%, ${100 * this.#y}%) scale(${scale})`;
		this.dispatchEvent(new Event("zoom"));
	}
	reset() { this.#set(1, 0, 0); }
	// The place (x, y) of the paper stays under the finger.
	by(factor, { x, y } = { x: 0.5, y: 0.5 }) {
		const scale = clamp(this.scale * factor, 1, MOST), k = scale / this.scale;
		this.#set(scale, x - (x - this.#x) * k, y - (y - this.#y) * k);
	}
	pan(x, y) { this.#set(this.scale, this.#x + x, this.#y + y); }

	#at(e) {
		const box = this.paper.getBoundingClientRect();
		return { x: (e.clientX - box.left) / box.width, y: (e.clientY - box.top) / box.height };
	}
	#wheel(e) {
		if (!e.ctrlKey && this.scale === 1) return; // the page scrolls
		e.preventDefault();
		if (e.ctrlKey) this.by(Math.exp(-clamp(e.deltaY, -100, 100) / 200), this.#at(e));
		else this.pan(-e.deltaX / this.paper.clientWidth, -e.deltaY / this.paper.clientHeight);
	}

	// Touches come here first; true: they move the paper and draw nothing. `alone`: one finger does, too.
	down(e, alone) {
		this.#touches.set(e.pointerId, this.#at(e));
		return alone || this.#touches.size > 1;
	}
	move(e) {
		const old = this.#touches.get(e.pointerId), here = this.#at(e);
		if (!old) return;
		this.#touches.set(e.pointerId, here);
		const other = [...this.#touches].find(([id]) => id !== e.pointerId)?.[1];
		if (other) {
			const length = (p) => Math.max(0.01, Math.hypot(p.x - other.x, p.y - other.y));
			this.by(length(here) / length(old), other);
		}
		// Of two fingers each moves the paper by half of its way.
		const share = other ? 0.5 : 1;
		this.pan(share * (here.x - old.x), share * (here.y - old.y));
	}
	up(e) { this.#touches.delete(e.pointerId); }
}
