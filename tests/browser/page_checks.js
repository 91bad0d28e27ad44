// SPDX-License-Identifier: Apache-2.0
// Accessibility checks on the page as it stands, run inside the browser by browser.py: the body of an async function that returns a
// list of findings (empty: none). Rules after WCAG 2.2: names (4.1.2), contrast of text (1.4.3), target size (2.5.8), ids, reflow (1.4.10).
const findings = [];
const visible = (e) => e.checkVisibility({ visibilityProperty: true }) && e.getClientRects().length > 0;
const nameOf = (e) => `${e.tagName.toLowerCase()}${e.id ? `#${e.id}` : ""} "${(e.getAttribute("aria-label") || e.textContent || "").trim().slice(0, 30)}"`;
const isOff = (e) => e.closest("[disabled], [aria-disabled=true], [aria-hidden=true], .hidden, .skip, .toast:not(.on)");

// ---- Colours, through a canvas: whatever notation they are in ----
const dot = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
const rgba = (colour) => {
  dot.clearRect(0, 0, 1, 1);
  dot.fillStyle = colour;
  dot.fillRect(0, 0, 1, 1);
  return [...dot.getImageData(0, 0, 1, 1).data];
};
const over = (top, below) => [0, 1, 2].map((i) => (top[i] * top[3] + below[i] * (255 - top[3])) / 255).concat(255);
const ground = (e) => (e ? over(rgba(getComputedStyle(e).backgroundColor), ground(e.parentElement)) : rgba(getComputedStyle(document.body).backgroundColor));
const luminance = (c) => {
  const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a, b) => {
  const [x, y] = [luminance(a), luminance(b)];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
};
let texts = 0;
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const e = node.parentElement;
  if (!node.data.trim() || !visible(e) || isOff(e) || e.closest("svg, script, noscript, option")) continue;
  texts++;
  const below = ground(e), ratio = contrast(over(rgba(getComputedStyle(e).color), below), below);
  if (ratio < 4.5) findings.push(`contrast ${ratio.toFixed(2)} of ${nameOf(e)}`);
}
if (texts < 15) findings.push(`only ${texts} texts were seen`);
for (const e of document.querySelectorAll("input")) {
  if (!visible(e) || isOff(e)) continue;
  const below = ground(e);
  const text = contrast(over(rgba(getComputedStyle(e).color), below), below), hint = contrast(over(rgba(getComputedStyle(e, "::placeholder").color), below), below);
  if (text < 4.5 || (e.placeholder && hint < 4.5)) findings.push(`contrast ${text.toFixed(2)}, placeholder ${hint.toFixed(2)} of ${nameOf(e)}`);
  if (e.type === "range") continue;
  const edge = contrast(rgba(getComputedStyle(e).borderTopColor), ground(e.parentElement));
  if (edge < 3) findings.push(`border contrast ${edge.toFixed(2)} of ${nameOf(e)}`);
}
for (const e of document.querySelectorAll("button svg")) {
  if (!visible(e) || isOff(e)) continue;
  const below = ground(e.parentElement), ratio = contrast(over(rgba(getComputedStyle(e).color), below), below);
  if (ratio < 3) findings.push(`icon contrast ${ratio.toFixed(2)} of ${nameOf(e.parentElement)}`);
}

// ---- Names ----
const labelOf = (e) => {
  const by = (e.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" ").trim();
  return by || e.getAttribute("aria-label") || [...(e.labels ?? [])].map((l) => l.textContent).join(" ").trim() || (e.matches("button, a, summary") ? e.textContent.trim() || e.querySelector("img")?.alt : "") || "";
};
const focusable = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")].filter((e) => visible(e) && e.tabIndex >= 0);
for (const e of focusable) if (!labelOf(e)) findings.push(`no name: ${e.outerHTML.slice(0, 80)}`);
for (const e of document.querySelectorAll("img")) if (!e.hasAttribute("alt")) findings.push(`no alt: ${e.outerHTML.slice(0, 80)}`);
for (const e of document.querySelectorAll("[role=group], section, nav, dialog, [role=listbox]")) if (!labelOf(e)) findings.push(`no name: ${nameOf(e)}`);
for (const name of ["aria-controls", "aria-describedby", "aria-labelledby", "for", "aria-activedescendant"]) {
  for (const e of document.querySelectorAll(`[${name}]`)) {
    for (const id of e.getAttribute(name).split(" ")) if (id && !document.getElementById(id)) findings.push(`${name}="${id}" of ${nameOf(e)} points nowhere`);
  }
}
const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
for (const id of new Set(ids)) if (ids.filter((i) => i === id).length > 1) findings.push(`two elements with the id ${id}`);
if (!document.documentElement.lang) findings.push("the page has no language");
if (document.querySelectorAll("h1").length !== 1) findings.push("not one h1");
if (document.querySelector("[tabindex]:not([tabindex='0'], [tabindex='-1'])")) findings.push("a tabindex above 0");

// ---- Size and reflow ----
for (const e of focusable) {
  if (isOff(e) || e.matches("input[type=range]")) continue;
  const box = e.getBoundingClientRect();
  if (box.width < 24 || box.height < 24) findings.push(`small target ${box.width.toFixed(0)}x${box.height.toFixed(0)}: ${nameOf(e)}`);
}
const width = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth > width) findings.push(`the page is ${document.documentElement.scrollWidth} wide on ${width}`);
const scrolls = (e) => e !== document.body && (["auto", "scroll"].includes(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
for (const e of focusable) {
  const box = e.getBoundingClientRect();
  if (!isOff(e) && !scrolls(e) && (box.left < -1 || box.right > width + 1)) findings.push(`beyond the edge: ${nameOf(e)}`);
}
return findings;
