// SPDX-License-Identifier: Apache-2.0
// Unit tests of the page's modules, run inside the browser by browser.py: the body of an async function that returns the number of
// checks made and throws at the first one that fails.
const S = await import("/strokes.js"), P = await import("/png.js"), A = await import("/api.js");
let checks = 0;
const check = (what, ok) => { checks++; if (!ok) throw new Error(`unit: ${what}`); };
const same = (what, a, b) => check(`${what}: ${JSON.stringify(a)} is not ${JSON.stringify(b)}`, JSON.stringify(a) === JSON.stringify(b));
const stroke = (p, over = {}) => ({ k: "s", l: "ink", t: "pen", w: 12, m: 0, p, ...over });
const line = stroke([100, 100, 255, 200, 100, 255, 300, 140, 255]);

// ---- Operations from outside ----
same("a good list is copied", S.checkOps([line, { k: "c", l: "ink" }, { k: "r", ops: [line] }]), [line, { k: "c", l: "ink" }, { k: "r", ops: [line] }]);
check("the copy is a copy", S.checkOps([line])[0].p !== line.p);
same("what is not described is left out", S.checkOps([{ ...line, onclick: "x" }]), [line]);
for (const [what, bad] of [
  ["no list", {}], ["null", [null]], ["an unknown kind", [{ k: "x" }]], ["an unknown layer", [stroke([1, 1, 1], { l: "constructor" })]],
  ["a tool of another layer", [stroke([1, 1, 1], { t: "free" })]], ["no points", [stroke([])]], ["half a point", [stroke([1, 1])]],
  ["a fraction", [stroke([1, 1.5, 1])]], ["a text for a number", [stroke(["1", 1, 1])]], ["far outside", [stroke([1e6, 1, 1])]],
  ["too much pressure", [stroke([1, 1, 256])]], ["no width", [stroke([1, 1, 1], { w: 0 })]], ["a box without width", [{ k: "t", b: [1, 1, 0, 5], m: [1, 0, 0, 1, 0, 0] }]], ["half a matrix", [{ k: "t", b: [1, 1, 5, 5], m: [1, 0, 0] }]],
  ["an endless matrix", [{ k: "t", b: [1, 1, 5, 5], m: [1, 0, 0, 1, Infinity, 0] }]], ["an unknown mirror", [stroke([1, 1, 1], { m: 3 })]],
  ["a picture from elsewhere", [{ k: "i", src: "https://example.org/a.png" }]], ["an SVG", [{ k: "i", src: "data:image/svg+xml;base64,AAAA" }]],
  ["something bad inside", [{ k: "r", ops: [{ k: "x" }] }]], ["NaN", [stroke([NaN, 1, 1])]],
]) check(`${what} is refused`, S.checkOps(bad) === null);
let deep = [line];
for (let i = 0; i < 20; i++) deep = [{ k: "r", ops: deep }];
check("deep nesting is refused", S.checkOps(deep) === null);
same("flatten: a cleared layer goes, the other stays", S.flatten([line, stroke([1, 1, 1], { l: "map", t: "free" }), { k: "c", l: "ink" }]), [stroke([1, 1, 1], { l: "map", t: "free" })]);
same("flatten: a replacement", S.flatten([line, { k: "r", ops: [stroke([9, 9, 9])] }, line]), [stroke([9, 9, 9]), line]);

// ---- The document ----
const sketch = new S.Sketch();
check("a new one is empty", sketch.isEmpty && !sketch.canUndo && !sketch.undo() && !sketch.redo());
for (let i = 0; i < 2000; i++) sketch.push(stroke([i % 1000, 10, 255]));
for (let i = 0; i < 2000; i++) check("undo", sketch.undo());
check("2000 strokes can be undone", sketch.isEmpty && !sketch.undo());
for (let i = 0; i < 1500; i++) sketch.redo();
check("and redone", sketch.index === 1500 && sketch.canRedo);
sketch.push(line);
check("a new stroke ends the redo", !sketch.canRedo && sketch.ops.length === 1501);
const again = new S.Sketch();
check("it loads what it saved", await again.load(JSON.parse(JSON.stringify(sketch))));
same("with its place", again.toJSON(), sketch.toJSON());
check("a place outside is refused", !(await again.load({ ops: [line], index: 2 })));
check("nothing is refused", !(await again.load(undefined)) && again.index === 1501);
check("an eraser alone draws nothing", (() => { const s = new S.Sketch(); s.push(stroke([1, 1, 1], { t: "eraser" })); return s.isEmpty; })());

// ---- Drawing ----
const pixels = (canvas) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
const ink = (ops) => { const c = S.makeCanvas(256); S.render(c, ops, "ink"); return pixels(c); };
const covered = (d) => { let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 127; return n; };
check("a line covers about its length times its width", Math.abs(covered(ink([line])) - (200 / 4) * (12 / 4)) < 40);
check("less pressure, less ink", covered(ink([stroke([100, 100, 40, 300, 100, 40], { w: 40 })])) < 0.6 * covered(ink([stroke([100, 100, 255, 300, 100, 255], { w: 40 })])));
check("the eraser takes ink away", covered(ink([line, stroke(line.p, { t: "eraser", w: 60 })])) === 0);
const mirrored = ink([stroke(line.p, { m: 2, w: 24 })]);
let differing = 0;
for (let y = 0; y < 256; y++) for (let x = 0; x < 256; x++) {
  const at = (u, v) => mirrored[4 * (v * 256 + u) + 3];
  differing += Math.abs(at(x, y) - at(255 - x, y)) > 48 || Math.abs(at(x, y) - at(x, 255 - y)) > 48;
}
check(`four-way mirror is symmetric (${differing} pixels differ)`, differing === 0);
// A stroke drawn piece by piece, as while it grows, is the stroke drawn at once.
const long = stroke(Array.from({ length: 60 }, (_, i) => [100 + 12 * i, Math.round(400 + 200 * Math.sin(i / 5)), 255]).flat());
const grown = S.makeCanvas(1024), c = grown.getContext("2d"), growing = { ...long, p: [] };
for (let i = 0, from = 0; i < 60; i++) {
  growing.p.push(...long.p.slice(3 * i, 3 * i + 3));
  S.drawStroke(c, growing, "#000", from, true);
  from = i + 1;
}
S.drawStroke(c, growing, "#000", 59);
const whole = S.makeCanvas(1024);
S.render(whole, [long], "ink");
const a = pixels(grown), b = pixels(whole);
let far = 0;
for (let i = 3; i < a.length; i += 4) far += Math.abs(a[i] - b[i]) > 64;
check(`growing is drawing (${far} pixels differ)`, far < 40);

// The pad shows what the operations say, however one came there (it draws from copies that lie some operations back).
const { Pad } = await import("/pad.js");
const paper = document.createElement("div");
paper.innerHTML = `<div class="view"><canvas class="ink" width="1024" height="1024"></canvas><canvas class="tint" width="1024" height="1024"></canvas><span class="frame"></span><span class="dot"></span></div>`;
const shown = new S.Sketch(), pad = new Pad(paper, shown, () => {});
const isTrue = (when) => {
  const fresh = S.makeCanvas(1024), ink = pixels(paper.querySelector(".ink")), tint = pixels(paper.querySelector(".tint"));
  S.render(fresh, shown.active, "ink");
  const inkNow = pixels(fresh);
  S.render(fresh, shown.active, "map", pad.colours);
  const tintNow = pixels(fresh);
  check(`${when}: the pad shows the drawing`, ink.every((v, i) => v === inkNow[i]) && tint.every((v, i) => v === tintNow[i]));
};
for (let i = 0; i < 130; i++) {
  shown.push(i === 70 ? { k: "c", l: "ink" } : stroke([20 + 7 * i, 100, 255, 20 + 7 * i, 900, 200], i % 9 === 4 ? { l: "map", t: i % 2 ? "free" : "keep" } : { t: i % 10 === 3 ? "eraser" : "pen" }));
  if (i % 43 === 42) isTrue(`after ${i + 1} strokes`);
}
for (let i = 0; i < 75; i++) shown.undo();
isTrue("after 75 undone");
for (let i = 0; i < 30; i++) shown.redo();
isTrue("after 30 redone");
shown.push(line);
isTrue("after a new one");
while (shown.undo());
isTrue("after all undone");

// ---- The guide's marks ----
const free = stroke([200, 200, 255], { l: "map", t: "free", w: 200 }), keep = stroke([800, 800, 255], { l: "map", t: "keep", w: 200 });
const grey = (map, x, y) => map.getContext("2d").getImageData(x / 4, y / 4, 1, 1).data[0];
same("no marks, no map", S.lambdaMap([line], 0.7, 256), { lambda: 0.7, map: null });
let m = S.lambdaMap([line, free], 0.7, 256);
same("free places", [m.lambda, grey(m.map, 200, 200), grey(m.map, 600, 600)], [0.7, 0, 255]);
m = S.lambdaMap([free, keep], 0.6, 256);
same("kept places are strictest, the rest as the slider says", [m.lambda, grey(m.map, 200, 200), grey(m.map, 800, 800), grey(m.map, 500, 500)], [1, 0, 255, 153]);

// ---- PNG texts ----
same("CRC of IEND", P.crc32(new TextEncoder().encode("IEND")), 0xae426082);
const blank = new Uint8Array(await (await new Promise((done) => S.makeCanvas(8).toBlob(done))).arrayBuffer());
const text = P.asciiJson({ name: "Möwe \u{1f426}", ops: [line] }), marked = await P.addText(blank, "masksketch-page", text);
same("a text comes back", JSON.parse(await P.readText(marked, "masksketch-page")), { name: "Möwe \u{1f426}", ops: [line] });
check("a keyword that begins alike is another one", (await P.readText(marked, "masksketch")) === null);
const twice = await P.addText(marked, "masksketch-page", "[]");
same("a second text replaces the first", await P.readText(twice, "masksketch-page"), "[]");
check("the picture still opens", (await createImageBitmap(new Blob([twice]))).width === 8);
for (let i = 0; i < marked.length; i += 41) {
  const cut = await P.readText(marked.subarray(0, i), "masksketch-page");
  check("a shortened file gives no wrong text", cut === null || cut === text);
  const wrong = marked.slice();
  wrong[i] ^= 0xff;
  await P.readText(wrong, "masksketch-page"); // whatever it is, it ends
}
const bomb = await P.addText(blank, "masksketch-page", "a".repeat(9e6));
check("a text that unpacks beyond the bound is refused", bomb.length < 1e5 && (await P.readText(bomb, "masksketch-page")) === null);
check("no PNG", (await P.readText(new TextEncoder().encode("GIF89a and more"), "masksketch-page")) === null);

// ---- Events ----
const stream = new TextEncoder().encode(": hello\r\nevent: step\ndata: {\"a\":\ndata: \"ü\"}\n\nevent: done\r\ndata: 1\r\n\r\ndata: 2\n\n");
const wanted = [{ event: "step", data: "{\"a\":\n\"ü\"}" }, { event: "done", data: "1" }, { event: "message", data: "2" }];
for (let size = 1; size <= stream.length; size++) {
  async function* cut() { for (let i = 0; i < stream.length; i += size) yield stream.subarray(i, i + size); }
  const got = [];
  for await (const e of A.parseEvents(cut())) got.push(e);
  same(`events in pieces of ${size}`, got, wanted);
}
return checks;
