// SPDX-License-Identifier: Apache-2.0
// The picture's side: previews, picture, the part to repaint, attention over both. Owns #stage; knows no jobs.
import { KEEP, SIZE, arrows, clamp, makeCanvas } from "./strokes.js";
import { t } from "./words.js";

async function load(src) {
	const image = Object.assign(new Image(), { src });
	await image.decode();
	return image;
}

export class Stage extends EventTarget {
	mode = "show"; // "show", "edit", "explore"
	brush = "paint";
	brushWidth = 90; // of SIZE
	painted = false;
	#url = null;
	#shown = 0;
	#last = null;
	#cursor = { x: SIZE / 2, y: SIZE / 2 };
	#down = false;
	#maps = null;

	constructor(element, paper, say) {
		super();
		this.element = element;
		this.paper = paper;
		this.say = say;
		for (const name of ["preview", "mask", "dot", "empty"]) this[name] = element.querySelector(`.${name}`) ?? element.querySelector(`#${name}`);
		this.picture = element.querySelector("#picture");
		for (const side of [element, paper]) {
			side.addEventListener("pointermove", (e) => this.#pointAt(e, side));
			side.addEventListener("pointerdown", (e) => this.#pointAt(e, side, true));
			side.addEventListener("pointerleave", () => { if (this.mode === "edit") this.dot.hidden = true; });
			side.addEventListener("keydown", (e) => this.#key(e, side));
		}
		for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, () => this.#release());
		element.addEventListener("blur", () => this.#release());
	}

	// Showing
	async showPreview(url) {
		const turn = ++this.#shown, image = await load(url).catch(() => {});
		if (!image) return;
		if (turn !== this.#shown) return; // something newer is there
		const { canvas } = this.preview.getContext("2d");
		canvas.width = image.width;
		canvas.height = image.height;
		canvas.getContext("2d").drawImage(image, 0, 0);
		this.preview.hidden = false;
		this.picture.hidden = this.empty.hidden = true;
	}

	async showPicture(blob, alt) {
		const turn = ++this.#shown, url = URL.createObjectURL(blob);
		try { await load(url); } catch { /* shown as broken */ }
		if (turn !== this.#shown) { URL.revokeObjectURL(url); return; }
		this.picture.src = url;
		this.picture.alt = alt;
		if (this.#url) URL.revokeObjectURL(this.#url);
		this.#url = url;
		this.picture.hidden = false;
		this.preview.hidden = this.empty.hidden = true;
	}

	// After a cancelled job: back to the picture that was there, if any.
	endPreview() {
		this.#shown++;
		this.preview.hidden = true;
		this.picture.hidden = !this.#url;
		this.empty.hidden = Boolean(this.#url);
	}

	setMode(mode) {
		this.#release();
		this.mode = mode;
		this.element.classList.toggle("editing", mode === "edit");
		this.element.classList.toggle("exploring", mode === "explore");
		this.paper.classList.toggle("exploring", mode === "explore");
		this.mask.hidden = mode !== "edit";
		this.dot.hidden = true;
		if (mode === "show") this.element.removeAttribute("tabindex");
		else this.element.tabIndex = 0;
		this.element.ariaLabel = t({ edit: "editStage", explore: "exploreStage", show: "picture" }[mode]);
		this.element.role = mode === "show" ? "group" : "application";
		if (mode !== "explore") this.#hideHeat();
		if (mode === "edit") this.clearMask();
	}

	// Painting the part to be repainted
	clearMask() {
		this.mask.getContext("2d").clearRect(0, 0, this.mask.width, this.mask.height);
		this.painted = false;
		this.dispatchEvent(new Event("paint"));
	}

	// A mask from a PNG: a picture, white is repainted, or a box [top, left, height, width] in pixels.
	async setMask(url, box) {
		const c = this.mask.getContext("2d"), { width } = this.mask, unit = width / this.picture.naturalWidth;
		c.fillStyle = KEEP;
		if (box) c.fillRect(box[1] * unit, box[0] * unit, box[3] * unit, box[2] * unit);
		else if (url) {
			c.drawImage(await load(url), 0, 0, width, width);
			const data = c.getImageData(0, 0, width, width);
			for (let i = 0; i < data.data.length; i += 4) data.data.set([51, 71, 209, data.data[i] > 127 ? 255 : 0], i);
			c.putImageData(data, 0, 0);
		}
		this.painted = true;
		this.dispatchEvent(new Event("paint"));
	}

	#paint(from, to) {
		const c = this.mask.getContext("2d"), unit = this.mask.width / SIZE;
		c.globalCompositeOperation = this.brush === "wipe" ? "destination-out" : "source-over";
		c.strokeStyle = KEEP;
		c.lineCap = "round";
		c.lineWidth = this.brushWidth * unit;
		c.beginPath();
		c.moveTo(from.x * unit, from.y * unit);
		c.lineTo(to.x * unit + 0.01, to.y * unit);
		c.stroke();
		if (this.brush === "paint") this.painted = true;
		this.dispatchEvent(new Event("paint"));
	}

	// White where it is repainted.
	maskPicture() {
		const out = makeCanvas(this.mask.width), c = out.getContext("2d");
		c.drawImage(this.mask, 0, 0);
		c.globalCompositeOperation = "source-in";
		c.fillStyle = "#fff";
		c.fillRect(0, 0, out.width, out.height);
		c.globalCompositeOperation = "destination-over";
		c.fillStyle = "#000";
		c.fillRect(0, 0, out.width, out.height);
		return out.toDataURL();
	}

	#showDot({ x, y }) {
		this.dot.hidden = false;
		this.dot.style.left = `${(x / SIZE) * 100}%`;
		this.dot.style.top = `${(y / SIZE) * 100}%`;
		this.dot.style.width = `${(this.brushWidth / SIZE) * 100}%`;
	}

	#release() {
		this.#down = false;
		this.#last = null;
	}

	#pointAt(e, side, pressed = false) {
		if (this.mode === "show" || (this.mode === "edit" && side !== this.element)) return;
		const box = side.getBoundingClientRect();
		const x = clamp(((e.clientX - box.left) / box.width) * SIZE, 0, SIZE), y = clamp(((e.clientY - box.top) / box.height) * SIZE, 0, SIZE);
		if (this.mode === "explore") {
			this.#cursor = { x, y };
			this.#light();
			return;
		}
		if (pressed && e.button === 0) {
			this.#down = true;
			try { this.element.setPointerCapture(e.pointerId); } catch { /* the pointer is gone already */ }
			this.#last = { x, y };
		}
		this.#cursor = { x, y };
		this.#showDot(this.#cursor);
		if (this.#down && this.#last) {
			this.#paint(this.#last, { x, y });
			this.#last = { x, y };
		}
	}

	#key(e, side) {
		if (this.mode === "show" || e.ctrlKey || e.metaKey || e.altKey || (this.mode === "edit" && side !== this.element)) return;
		if (e.key in arrows) {
			e.preventDefault();
			const step = this.mode === "explore" ? SIZE / (this.#maps?.side ?? 16) : e.shiftKey ? 8 : 32;
			const from = { ...this.#cursor };
			this.#cursor.x = clamp(from.x + arrows[e.key][0] * step, 1, SIZE - 1);
			this.#cursor.y = clamp(from.y + arrows[e.key][1] * step, 1, SIZE - 1);
			if (this.mode === "explore") this.#light(true);
			else {
				this.#showDot(this.#cursor);
				if (this.#down) this.#paint(from, this.#cursor);
			}
		} else if (e.key === " " && this.mode === "edit") {
			e.preventDefault();
			if (e.repeat) return;
			this.#down = !this.#down;
			this.#showDot(this.#cursor);
			if (this.#down) this.#paint(this.#cursor, this.#cursor);
			this.say(t(this.#down ? "brushDown" : "brushUp"));
		}
	}

	// Attention
	// maps: {side, layers: [{sketch, photo}] of side^4 bytes each}; chosen: which of them count.
	setMaps(maps) {
		this.#maps = maps;
		if (maps) this.#light();
	}
	setLayers(chosen) {
		if (this.#maps) this.#maps.chosen = chosen;
		this.#light();
	}

	#hideHeat() {
		this.#maps = null;
		for (const e of [this.element, this.paper]) e.querySelector(".heat").hidden = e.querySelector(".spot").hidden = true;
	}

	#light(aloud = false) {
		const maps = this.#maps;
		if (!maps?.chosen?.length) return;
		const { side } = maps, n = side * side;
		const column = clamp(Math.floor((this.#cursor.x / SIZE) * side), 0, side - 1), row = clamp(Math.floor((this.#cursor.y / SIZE) * side), 0, side - 1);
		for (const [element, name] of [[this.paper, "sketch"], [this.element, "photo"]]) {
			const sum = new Float32Array(n);
			for (const i of maps.chosen) {
				const source = maps.layers[i][name], at = (row * side + column) * n;
				for (let k = 0; k < n; k++) sum[k] += source[at + k];
			}
			const most = Math.max(...sum), least = Math.min(...sum);
			const small = makeCanvas(side), c = small.getContext("2d"), pixels = c.createImageData(side, side);
			for (let k = 0; k < n; k++) { // the drawing glows there, the picture is dimmed elsewhere
				const share = (sum[k] - least) / (most - least || 1);
				pixels.data.set(name === "sketch" ? [255, 138, 0, 230 * share] : [10, 10, 14, 170 * (1 - share)], 4 * k);
			}
			c.putImageData(pixels, 0, 0);
			const heat = element.querySelector(".heat"), h = heat.getContext("2d"), spot = element.querySelector(".spot");
			h.imageSmoothingEnabled = true;
			h.clearRect(0, 0, heat.width, heat.height);
			h.drawImage(small, 0, 0, heat.width, heat.height);
			heat.hidden = !most;
			spot.hidden = false;
			Object.assign(spot.style, { width: `${100 / side}%`, left: `${(column / side) * 100}%`, top: `${(row / side) * 100}%` });
		}
		if (aloud) this.say(t("place", row + 1, column + 1));
		this.dispatchEvent(new CustomEvent("light", { detail: { row, column } }));
	}
}

// The pictures of POST /v1/attention as numbers: red is the sketch, green the photo.
export async function readMaps(answer) {
	const side = answer.side, n = side * side, layers = [];
	for (const url of answer.maps) {
		const image = await load(url), c = makeCanvas(n).getContext("2d", { willReadFrequently: true });
		c.drawImage(image, 0, 0);
		const { data } = c.getImageData(0, 0, n, n), sketch = new Uint8Array(n * n), photo = new Uint8Array(n * n);
		for (let i = 0; i < n * n; i++) {
			sketch[i] = data[4 * i];
			photo[i] = data[4 * i + 1];
		}
		layers.push({ sketch, photo });
	}
	const chosen = answer.layers.map((layer, i) => (answer.structure_layers.includes(layer) ? i : -1)).filter((i) => i >= 0);
	return { side, layers, chosen: chosen.length ? chosen : layers.map((_, i) => i), names: answer.layers };
}
