// SPDX-License-Identifier: Apache-2.0
// A search box over the model's class names (ARIA's combobox).
import { getJson } from "./api.js";
import { named, t } from "./words.js";

export class ClassBox extends EventTarget {
	chosen = null; // {id, name}
	#items = [];
	#at = -1;
	#asked = 0;

	constructor(input, list) {
		super();
		this.input = input;
		this.list = list;
		Object.assign(input, { role: "combobox", ariaExpanded: "false", ariaAutoComplete: "list", spellcheck: false });
		input.setAttribute("aria-controls", list.id);
		input.addEventListener("focus", () => { input.select(); this.#search(""); });
		input.addEventListener("click", () => { if (list.hidden) this.#search(""); });
		input.addEventListener("input", () => { this.#at = -1; this.#search(input.value.trim()); });
		input.addEventListener("keydown", (e) => this.#key(e));
		input.addEventListener("blur", () => this.#leave());
		list.addEventListener("pointerdown", (e) => e.preventDefault()); // the input keeps the focus
		list.addEventListener("click", (e) => {
			const option = e.target.closest("[role=option]");
			const item = this.#items[[...list.children].indexOf(option)];
			if (item) this.choose(item);
		});
	}

	static known = []; // all of the model's, where they are few: searched here, in the reader's words too
	// Up to the first synonym: "tabby, tabby cat" is shown as "tabby", "apple" in the reader's language.
	static plain = (item) => item.name.split(",")[0].trim();
	static short = (item) => named(ClassBox.plain(item), ClassBox.plain(item));
	static names = (c) => [...c.name.split(","), ClassBox.short(c)].map((n) => n.trim().toLowerCase());
	// Best first: what the word is, what it begins, what it is in. Else the server, which knows plurals.
	static async find(word) {
		const wanted = word.toLowerCase();
		const rank = (c) => Math.min(...ClassBox.names(c).map((n) => (n === wanted ? 0 : n.indexOf(wanted) + 1 || 99)));
		const here = ClassBox.known.filter((c) => rank(c) < 99).sort((a, b) => rank(a) - rank(b));
		return here.length ? here : (await getJson(`/v1/classes?limit=50${word ? `&q=${encodeURIComponent(word)}` : ""}`)).classes;
	}

	choose(item, quietly = false) {
		this.chosen = item;
		this.input.value = item ? ClassBox.short(item) : "";
		this.input.removeAttribute("aria-invalid");
		this.#close();
		this.dispatchEvent(new Event("choice")); // whoever chose
		if (!quietly) this.dispatchEvent(new Event("change"));
	}

	// The chosen class, or what was typed if it names exactly one; null otherwise.
	async resolve() {
		const typed = this.input.value.trim();
		if (this.chosen && typed === ClassBox.short(this.chosen)) return this.chosen;
		if (!typed) return null;
		const classes = await ClassBox.find(typed);
		const exact = classes.find((c) => ClassBox.names(c).includes(typed.toLowerCase())) ?? (classes.length === 1 ? classes[0] : null);
		if (exact) this.choose(exact);
		return exact;
	}

	async #search(word) {
		const asked = ++this.#asked;
		let found;
		try { found = await ClassBox.find(word); } catch { return; }
		if (asked !== this.#asked || document.activeElement !== this.input) return;
		this.#items = found;
		this.#at = word && this.#items.length ? 0 : this.#items.findIndex((c) => c.id === this.chosen?.id);
		const option = (textContent, more) => Object.assign(document.createElement("li"), { role: "option", textContent, ...more });
		this.list.replaceChildren(...this.#items.map((item, index) => option(named(ClassBox.plain(item), item.name), { id: `${this.list.id}-${index}` })));
		if (!this.#items.length) this.list.append(option(t("unknownShort", word), { className: "none", ariaDisabled: "true" }));
		this.list.hidden = false;
		this.input.ariaExpanded = "true";
		this.#mark();
	}

	#mark() {
		for (const [index, li] of [...this.list.children].entries()) li.ariaSelected = String(index === this.#at);
		const option = this.#at >= 0 ? this.list.children[this.#at] : null;
		if (option) this.input.setAttribute("aria-activedescendant", option.id);
		else this.input.removeAttribute("aria-activedescendant");
		if (option) this.list.scrollTop = Math.max(0, option.offsetTop - 100);
	}

	#key(e) {
		if (e.key === "ArrowDown" || e.key === "ArrowUp") {
			e.preventDefault();
			if (this.list.hidden) { this.#search(""); return; }
			const n = this.#items.length;
			if (n) this.#at = (this.#at + (e.key === "ArrowDown" ? 1 : this.#at < 0 ? 0 : -1) + n) % n;
			this.#mark();
		} else if (e.key === "Enter" && !this.list.hidden && !e.ctrlKey && !e.metaKey) {
			const item = this.#items[this.#at];
			if (!item || item.id !== this.chosen?.id) e.preventDefault(); // the first Enter chooses, the next one draws
			if (item) this.choose(item);
			else this.resolve().catch(() => {});
		} else if (e.key === "Escape" && !this.list.hidden) {
			e.stopPropagation();
			this.choose(this.chosen, true);
		}
	}

	async #leave() {
		this.#close();
		try {
			if (!(await this.resolve()) && this.chosen && !this.input.value.trim()) this.choose(this.chosen, true);
		} catch { /* said when it is needed */ }
	}

	#close() {
		this.#asked++; // an answer on its way comes too late
		this.list.hidden = true;
		this.input.ariaExpanded = "false";
		this.input.removeAttribute("aria-activedescendant");
	}
}
