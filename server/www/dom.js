// SPDX-License-Identifier: Apache-2.0
// What every part of the page needs of the document: finding and making elements, and the three places where something is said.

export const root = document.documentElement, $ = (id) => document.getElementById(id), $$ = (css) => [...document.querySelectorAll(css)];
export const make = (tag, props = {}, ...children) => {
	const element = Object.assign(document.createElement(tag), props);
	element.append(...children);
	return element;
};

// ---- What is being said ----
let toastTimer;
export function toast(text, action) {
	const [span, button] = $("toast").children;
	span.textContent = text;
	button.hidden = !action;
	button.onclick = () => { $("toast").classList.remove("on"); action?.(); };
	$("toast").classList.add("on");
	clearTimeout(toastTimer);
	toastTimer = setTimeout(() => $("toast").classList.remove("on"), action ? 9000 : 4500);
}
export const whisper = (text) => { $("whisper").textContent = text; };
export const complain = (error) => { $("error").textContent = error ? (error.message ?? String(error)) : ""; };

// Of a group of buttons the one of that name is pressed.
export const press = (group, name) => { for (const b of $$(`[data-${group}]`)) b.ariaPressed = String(b.dataset[group] === name); };
