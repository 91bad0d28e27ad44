// SPDX-License-Identifier: Apache-2.0
// Modes of the stage: repainting a part, exploring attention.
import { getJson } from "./api.js";
import { toDataUrl } from "./blobs.js";
import { $, complain, make } from "./dom.js";
import { classBox, editBox, pad, page, stage } from "./state.js";
import { readMaps } from "./stage.js";
import { inkOnPaper } from "./strokes.js";
import { t } from "./words.js";

export function leaveModes() {
	stage.setMode("show");
	pad.locked = false;
	for (const id of ["edit", "explore"]) { $(id).ariaPressed = "false"; $(`${id}-bar`).hidden = true; }
}
export function enter(mode) {
	const was = stage.mode;
	leaveModes();
	if (was === mode) return;
	stage.setMode(mode);
	$(mode).ariaPressed = "true";
	$(`${mode}-bar`).hidden = false;
	pad.locked = mode === "explore";
	if (mode === "explore") explore();
	else if (!editBox.chosen) editBox.choose(page.current.cls ?? classBox.chosen, true);
}

async function explore() {
	const entry = page.current, chosen = entry.chosen;
	$("explore-help").hidden = true;
	try {
		let answer;
		try {
			answer = await getJson("/v1/attention", { method: "POST", json: { job: entry.jobId, index: chosen } });
		} catch (error) {
			if (![404, 409, 422].includes(error.status)) throw error; // forgotten, or not its job
			const json = { class: entry.cls.id, photo: await toDataUrl(entry.items[chosen].blob) };
			if (entry.ops?.length) Object.assign(json, { sketch: inkOnPaper(entry.ops, 2 * page.server.size).toDataURL(), invert: "no" });
			answer = await getJson("/v1/attention", { method: "POST", json });
		}
		const maps = await readMaps(answer);
		if (page.current !== entry || entry.chosen !== chosen || stage.mode !== "explore") return;
		$("layers").replaceChildren(t("layers"), ...maps.names.map((layer, i) => {
			const button = make("button", { ariaLabel: t("layer", layer), ariaPressed: String(maps.chosen.includes(i)) }, layer);
			button.onclick = () => {
				button.ariaPressed = String(button.ariaPressed !== "true");
				stage.setLayers([...$("layers").querySelectorAll("button")].flatMap((b, n) => (b.ariaPressed === "true" ? [n] : [])));
			};
			return button;
		}));
		$("explore-help").hidden = false;
		stage.setMaps(maps);
	} catch (error) {
		complain(error);
		if (stage.mode === "explore") leaveModes();
	}
}
page.addEventListener("shown", () => { if (stage.mode === "explore") explore(); });
