// SPDX-License-Identifier: Apache-2.0
// Pictures as blobs and as data: addresses, and smaller.
import { make } from "./dom.js";

export const toDataUrl = (blob) => new Promise((resolve) => {
	const reader = new FileReader();
	reader.onload = () => resolve(reader.result);
	reader.readAsDataURL(blob);
});

export function toBlob(dataUrl) {
	const [head, body] = dataUrl.split(",");
	return new Blob([Uint8Array.from(atob(body), (c) => c.charCodeAt(0))], { type: head.slice(5).split(";")[0] });
}

// A picture from outside, at most `side` pixels large, as a data: address; square: its middle.
export async function shrink(blob, side, square = false) {
	const image = await createImageBitmap(blob), { width, height } = image, short = Math.min(width, height);
	const w = square ? short : width, h = square ? short : height, scale = Math.min(1, side / Math.max(w, h));
	const canvas = make("canvas", { width: Math.max(1, w * scale), height: Math.max(1, h * scale) });
	canvas.getContext("2d").drawImage(image, (width - w) / 2, (height - h) / 2, w, h, 0, 0, canvas.width, canvas.height);
	return canvas;
}

// A prepared drawing, small enough to be kept.
export const small = async (url) => (await shrink(toBlob(url), 768)).toDataURL("image/webp", 0.95);
