// SPDX-License-Identifier: Apache-2.0
// What the page says, in the reader's language (words-*.js): the browser's, unless another was chosen here.
import * as store from "./store.js";

export const LANGUAGES = { en: "English", de: "Deutsch", fr: "Français", es: "Español", ja: "日本語", zh: "中文" };
const isKnown = (code) => Object.hasOwn(LANGUAGES, code);
const wanted = [store.memory.get("language") ?? "", ...navigator.languages].map((code) => code.slice(0, 2).toLowerCase());
export const language = wanted.find(isKnown) ?? "en";

// The lines of a table as a map.
export const parseWords = (text) => new Map(text.trim().split("\n").map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]));
const words = parseWords((await import(`./words-${language}.js`)).default);

// The words of a key, the values in their places. A class or recipe without words of its own: `fallback`.
export const t = (key, ...values) => words.get(key).replace(/\{(\d)\}/g, (_, n) => values[n]);
export const named = (key, fallback) => words.get(key) ?? fallback;

// Chosen by hand; the page starts anew in it, as after a reload.
export function speak(code) {
	store.memory.set("language", code);
	location.reload();
}

// Every element that carries keys gets its words: data-t its text, data-l its label, data-tip its tooltip.
export function translate(document) {
	const each = (name, work) => { for (const e of document.querySelectorAll(`[data-${name}]`)) work(e, t(e.dataset[name])); };
	Object.assign(document.documentElement, { lang: language, dir: t("dir") });
	document.documentElement.style.setProperty("--drop", JSON.stringify(t("dropHere")));
	each("t", (e, text) => { e.textContent = text; });
	each("l", (e, text) => {
		e.ariaLabel = text;
		if (e.matches(".icon, input, select")) e.title = text + (e.dataset.key ? ` (${e.dataset.key})` : "");
	});
	each("tip", (e, text) => { e.title = text; });
}
