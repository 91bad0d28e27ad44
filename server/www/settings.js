// SPDX-License-Identifier: Apache-2.0
// The settings as they are shown, set by hand, and taken from outside.
import { $, make } from "./dom.js";
import { classBox, lambda, page, recipeText, recipeValue, remember, settings, tell } from "./state.js";
import * as store from "./store.js";
import { t } from "./words.js";

export function setSeed(seed, item = 0) {
	settings.seed = seed;
	settings.firstItem = item;
	$("seed").value = seed;
	remember();
}
export function setLock(on) {
	settings.lock = on;
	$("lock").ariaPressed = String(on);
	$("lock").querySelector("use").setAttribute("href", on ? "#i-lock" : "#i-unlock");
	remember();
}
export function showVariety() { $("variety").value = settings.variety; }
// Raw keys and numbers are shown to those who ask for them.
export function setExpert(on) {
	page.expert = on;
	$("expert").ariaChecked = String(on);
	$("more").hidden = !on;
	store.memory.set("expert", on);
	showLambda();
}
export function showLambda() {
	$("lambda").value = lambda();
	$("lambda-value").textContent = page.expert ? lambda().toFixed(2) : "";
}
const upper = (text) => text.replace(/^./, (c) => c.toUpperCase());
export function showKeys() {
	$("recipe-help").textContent = recipeText();
	const acting = page.server.keys.filter((k) => k.key !== "lambda_structure" && k.jobs.some((job) => recipeValue(k.key, job) !== undefined));
	$("keys-list").replaceChildren(...acting.map(({ key, help, jobs }) => {
		const placeholder = recipeValue(key) ?? recipeValue(key, "edit") ?? "", only = jobs.includes("draw") ? "" : ` ${t("only", jobs.join(", "))}`;
		const input = make("input", { type: "text", id: `key-${key}`, spellcheck: false, value: settings.set[key] ?? "", placeholder });
		input.setAttribute("aria-describedby", `help-${key}`);
		const div = make("div", { className: key in settings.set ? "changed" : "" }, make("label", { htmlFor: input.id }, upper(key.replaceAll("_", " "))), input,
			make("p", { id: `help-${key}`, className: "quiet" }, upper(help) + only));
		input.onchange = () => {
			const value = input.value.trim();
			if (value) settings.set[key] = value;
			else delete settings.set[key];
			div.classList.toggle("changed", Boolean(value));
			changedSettings();
		};
		return div;
	}));
}
export function changedSettings() {
	remember();
	tell("settings");
}
// Values from outside (a reload, the history, a PNG), each checked: what does not fit stays as it was.
export function applySettings(s) {
	if (s.recipe !== undefined && page.server.recipes.some((r) => r.name === s.recipe)) settings.recipe = s.recipe;
	if (s.lambda === null || (typeof s.lambda === "number" && s.lambda >= 0 && s.lambda <= 1)) settings.lambda = s.lambda;
	if (Number.isInteger(s.count) && s.count >= 1 && s.count <= page.server.maxCount) settings.count = s.count;
	if (Number.isInteger(s.variety) && s.variety >= 1 && s.variety <= 5) settings.variety = s.variety;
	if (s.set && typeof s.set === "object") {
		settings.set = {};
		for (const { key } of page.server.keys) {
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
	showVariety();
	showKeys();
	changedSettings();
}
