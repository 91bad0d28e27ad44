# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser: draws with real pointer events, waits for pictures, and looks at pixels.

    browser.py --program build/cli/masksketch [--pictures FOLDER] [--only PATTERN] [--url ADDRESS] [--measure]

Starts `masksketch serve` with the default model on a free port (or takes the server at --url), drives Debian's Chromium through its
WebDriver, and leaves screenshots in FOLDER. No test depends on how long something takes, only that it comes within a generous limit;
--measure tests nothing and prints how long first previews and pictures take, and how often live mode refreshes.
"""
import argparse
import base64
import json
import math
import os
import re
import signal
import struct
import subprocess
import sys
import time
import traceback
import zlib

from webdriver import Browser, free_port, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
SHIFT, CONTROL, TAB, ENTER, SPACE, ESCAPE = "\ue008", "\ue009", "\ue004", "\ue007", " ", "\ue00c"
LEFT, UP, RIGHT, DOWN = "\ue012", "\ue013", "\ue014", "\ue015"
PATIENCE = 300.0  # seconds that a picture may take, on a busy machine

CIRCLE = [(0.5 + 0.3 * math.cos(i * math.tau / 30), 0.55 + 0.3 * math.sin(i * math.tau / 30)) for i in range(31)]
STALK = [(0.5, 0.26), (0.51, 0.2), (0.55, 0.14)]


def ring(x, y, r, n=16):
    return [(x + r * math.cos(i * math.tau / n), y + r * math.sin(i * math.tau / n)) for i in range(n + 1)]


MUSHROOM = [
    [(0.5 - 0.32 * math.cos(i * math.pi / 20), 0.5 - 0.33 * math.sin(i * math.pi / 20)) for i in range(21)] + [(0.66, 0.535), (0.5, 0.545), (0.34, 0.535), (0.18, 0.5)],
    [(0.43, 0.545), (0.425, 0.68), (0.4, 0.83), (0.45, 0.855), (0.55, 0.855), (0.6, 0.83), (0.575, 0.68), (0.57, 0.545)],
    ring(0.38, 0.37, 0.055), ring(0.57, 0.3, 0.045), ring(0.65, 0.43, 0.035),
]


def read(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        return f.read()


def png(width, height, pixel, texts=()):
    """A PNG of our own making: pixel(x, y) gives (r, g, b)."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + b"".join(bytes(pixel(x, y)) for x in range(width)) for y in range(height))
    middle = b"".join(chunk(b"tEXt", k.encode() + b"\0" + v.encode()) for k, v in texts)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + middle
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class Page:
    """What a person does on the page, and what can be seen there."""

    def __init__(self, browser, url, pictures):
        self.b, self.url, self.pictures = browser, url, pictures

    def fresh(self, width=1440, height=900, keep=False, recipe="fast"):
        self.b.size(width, height)
        self.b.media(prefers_color_scheme="light", prefers_reduced_motion="no-preference")
        if not keep:
            self.b.go("about:blank")
            self.b.cdp("Storage.clearDataForOrigin", origin=self.url.rstrip("/"), storageTypes="all")
        self.b.go(self.url)
        wait_for("the page", lambda: self.b.run("return document.documentElement.dataset.ready === 'true'"))
        if recipe:
            self.set_value("#recipe", recipe)  # most tests need a picture, not a good one
        # What the page asks of the server is kept, to be looked at.
        self.b.run("""window.asked = []; const real = window.fetch;
            window.fetch = (path, options) => {
              if (options?.method === "POST" && typeof options.body === "string") asked.push({ path: new URL(path, location.href).pathname, body: JSON.parse(options.body) });
              return real(path, options);
            };
            window.previews = 0;
            new MutationObserver(() => { window.previews += !document.querySelector(".preview").hidden; })
              .observe(document.querySelector(".preview"), { attributes: true });""")

    def shot(self, name, whole=True):
        self.b.screenshot(os.path.join(self.pictures, f"{name}.png"), whole)

    def ink(self):
        """How many pixels of the pad are covered, and a number that stands for all of them."""
        return self.b.run("""const c = document.querySelector(arguments[0]), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
            let n = 0, h = 7; for (let i = 3; i < d.length; i += 4) { n += d[i] > 100; h = (h * 31 + d[i]) | 0; } return [n, h];""", "#paper .ink")

    def covered(self, css):
        return self.b.run("""const c = document.querySelector(arguments[0]), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
            let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 30; return n;""", css)

    def picture(self):
        """The pixels of the picture on the stage as 16 x 16 cells of [r, g, b], with its size and a hash; None while there is none."""
        return self.b.run_async("""const image = document.querySelector("#picture");
            if (image.hidden || !image.src) return null;
            for (let left = 40; ; left--) { // a decoding ends with an error when the page puts another picture there meanwhile
              try { await image.decode(); break; } catch (error) { if (left === 0) throw error; await new Promise((go) => setTimeout(go, 50)); }
            }
            const big = document.createElement("canvas"); big.width = image.naturalWidth; big.height = image.naturalHeight;
            const c = big.getContext("2d"); c.drawImage(image, 0, 0);
            const d = c.getImageData(0, 0, big.width, big.height).data, n = big.width / 16, cells = [];
            let hash = 7; for (const v of d) hash = (hash * 31 + v) | 0;
            for (let y = 0; y < 16; y++) for (let x = 0; x < 16; x++) {
              const sum = [0, 0, 0];
              for (let v = 0; v < n; v++) for (let u = 0; u < n; u++) for (let k = 0; k < 3; k++) sum[k] += d[4 * ((y * n + v) * big.width + x * n + u) + k];
              cells.push(sum.map((s) => s / n / n));
            }
            return { width: big.width, height: big.height, cells, hash };""")

    def is_prepared(self):
        return self.b.run("return document.querySelector('#prepared').open && !document.querySelector('#prepared [value=add]').disabled")

    def use_prepared(self):
        wait_for("the drawing", self.is_prepared, PATIENCE)
        self.b.click("#prepared [value=add]")

    def draw_apple(self):
        self.b.stroke("#paper", CIRCLE)
        self.b.stroke("#paper", STALK)

    def draw_mushroom(self):
        self.choose("mushroom")
        for line in MUSHROOM:
            self.b.stroke("#paper", line)

    def idle(self):
        return self.b.run("return document.querySelector('#working').hidden && !document.querySelector('#picture').hidden")

    def entries(self):
        return self.b.run("return document.querySelectorAll('#entries li').length")

    def error(self):
        return self.b.run("return document.querySelector('#error').textContent")

    def wait_entries(self, n):
        def arrived():
            assert not self.error(), f"the page says: {self.error()}"
            return self.entries() == n and self.idle()
        wait_for(f"picture {n}", arrived, PATIENCE)

    def press_draw(self):
        before = self.entries()
        self.b.click("#go")
        self.wait_entries(before + 1)

    def set_value(self, css, value, event="change"):
        self.b.run("const e = document.querySelector(arguments[0]); e.value = arguments[1]; e.dispatchEvent(new Event('input', { bubbles: true }));"
                   "e.dispatchEvent(new Event(arguments[2], { bubbles: true }))", css, str(value), event)

    def choose(self, name):
        self.b.click("#class")
        self.b.keys((CONTROL, "a"))
        self.b.type("#class", name)
        wait_for("the class in the list", lambda: self.b.run("return [...document.querySelectorAll('#class-list [role=option]')].some((o) => o.textContent === arguments[0])", name))
        self.b.keys(ENTER)
        wait_for("the class", lambda: self.b.run("return document.querySelector('#class').value") == name)
        wait_for("its list to close", lambda: self.b.run("return document.querySelector('#class-list').hidden"))

    def asked(self, path):
        return [a["body"] for a in self.b.run("return window.asked") if a["path"] == path]

    def drop(self, path):
        """A file dragged in from outside, by the browser's own drag and drop."""
        data = {"items": [], "files": [path], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.b.cdp("Input.dispatchDragEvent", type=kind, x=300, y=300, data=data)

    def map_pixels(self, data_url, places):
        return self.b.run_async("""const image = new Image(); image.src = args[0]; await image.decode();
            const c = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height }).getContext("2d");
            c.drawImage(image, 0, 0);
            return args[1].map(([x, y]) => c.getImageData(Math.floor(x * image.width), Math.floor(y * image.height), 1, 1).data[0]);""", data_url, places)


def spread(cells):
    return max(max(c[k] for c in cells) - min(c[k] for c in cells) for k in range(3))


# ---- Tests: each starts with a fresh page ----
def test_units(p):
    checks = p.b.run_async(read("unit.js"))
    assert checks > 500, checks


def test_two_actions_to_a_photo(p):
    p.fresh(recipe=None)
    p.shot("empty-1440")
    p.b.stroke("#paper", CIRCLE)  # the first action
    p.press_draw()  # the second
    found = p.picture()
    assert found["width"] == found["height"] and found["width"] >= 256, found["width"]
    assert spread(found["cells"]) > 20, "the picture is of one colour"
    assert p.b.run("return window.previews") >= 1, "no preview was shown on the way"
    assert "seed" in p.b.run("return document.querySelector('#facts').textContent")
    sent = p.asked("/v1/draw")
    assert len(sent) == 1 and sent[0]["count"] == 1
    # What was sent is what was drawn: dark on white, on the circle and beside it.
    on, beside, middle = p.map_pixels(sent[0]["sketch"], [(0.8, 0.55), (0.97, 0.03), (0.5, 0.55)])
    assert on < 100 and beside == 255 and middle == 255, (on, beside, middle)


def test_undo_redo_and_reload(p):
    counts = [p.ink()]
    for i in range(12):
        p.b.stroke("#paper", [(0.1, 0.05 + i * 0.07), (0.9, 0.05 + i * 0.07)])
        counts.append(p.ink())
    assert counts[0][0] == 0 and all(a[0] < b[0] for a, b in zip(counts, counts[1:]))
    for i in reversed(range(6, 12)):
        p.b.keys((CONTROL, "z"))
        assert p.ink() == counts[i], i
    p.b.keys((CONTROL, SHIFT, "z"))
    assert p.ink() == counts[7]
    p.b.click("#clear")
    assert p.ink()[0] == 0
    p.b.click("#undo")
    assert p.ink() == counts[7]
    time.sleep(0.5)  # the page writes a moment after the last change
    p.fresh(keep=True)
    assert p.ink() == counts[7], "the drawing did not survive the reload"
    for i in reversed(range(7)):
        p.b.click("#undo")
        assert p.ink() == counts[i], "undo after the reload"
    assert p.b.run("return document.querySelector('#undo').disabled")


def test_tools(p):
    p.b.stroke("#paper", [(0.2, 0.5), (0.8, 0.5)])
    line = p.ink()[0]
    p.b.click("[data-tool=eraser]")
    p.b.stroke("#paper", [(0.5, 0.4), (0.5, 0.6)])
    assert 0 < p.ink()[0] < line, "the eraser"
    p.b.click("#clear")
    p.b.click("[data-tool=pen]")
    p.b.click("#mirror")
    p.b.stroke("#paper", [(0.1, 0.2), (0.3, 0.2)])
    left, right = p.b.run("const c = document.querySelector('.ink').getContext('2d'); return [0.2, 0.8].map((x) => c.getImageData(x * 1024, 0.2 * 1024, 1, 1).data[3])")
    assert left > 200 and right > 200, "the mirror"
    p.b.click("#mirror")
    p.b.click("#mirror")
    p.b.click("#clear")
    p.set_value("#width", 40)
    p.b.stroke("#paper", [(0.2, 0.3), (0.5, 0.3), (0.8, 0.3)], "pen", [0.1, 0.1, 0.1])
    thin = p.ink()[0]
    p.b.stroke("#paper", [(0.2, 0.7), (0.5, 0.7), (0.8, 0.7)], "pen", [1.0, 1.0, 1.0])
    assert p.ink()[0] - thin > 1.8 * thin, "pressure"
    p.b.click("#clear")
    time.sleep(3.1)  # a touch soon after a pen is taken for the palm of the hand that holds it
    p.b.stroke("#paper", CIRCLE, "touch")
    assert p.ink()[0] > 1000, "touch"


def test_guide_brush(p):
    p.draw_mushroom()
    p.b.click("[data-tool=guide]")
    p.set_value("#width", 160)
    p.b.stroke("#paper", [(0.25, 0.4), (0.25, 0.75)])  # free, the first mark offered
    assert p.covered(".tint") > 10000, "no tint"
    p.press_draw()
    body = p.asked("/v1/draw")[-1]
    free, rest = p.map_pixels(body["lambda_map"], [(0.25, 0.6), (0.75, 0.6)])
    assert (free, rest) == (0, 255) and body["lambda"] < 1, (free, rest, body["lambda"])
    p.b.click("[data-mark=keep]")
    p.b.stroke("#paper", [(0.75, 0.4), (0.75, 0.75)])
    p.set_value("#lambda", 0.6, "input")
    p.shot("guide-1440", whole=False)
    p.press_draw()
    body = p.asked("/v1/draw")[-1]
    free, kept, rest = p.map_pixels(body["lambda_map"], [(0.25, 0.6), (0.75, 0.6), (0.5, 0.1)])
    assert (free, kept, rest, body["lambda"]) == (0, 255, 153, 1), (free, kept, rest, body["lambda"])
    p.b.click("[data-mark=unmark]")
    p.b.stroke("#paper", [(0.25, 0.4), (0.25, 0.75)])
    p.b.click("#clear-marks")
    assert p.covered(".tint") == 0
    p.b.keys((CONTROL, "z"))
    assert p.covered(".tint") > 5000, "undoing the removal of marks"


def test_live(p):
    p.b.click("#live")
    p.b.stroke("#paper", CIRCLE)
    wait_for("a live picture", lambda: p.picture(), PATIENCE)
    first = p.picture()["hash"]
    p.b.stroke("#paper", [(0.3, 0.4), (0.7, 0.4), (0.3, 0.6), (0.7, 0.6)])
    wait_for("the next live picture", lambda: (p.picture() or {"hash": first})["hash"] != first, PATIENCE)
    sent = p.asked("/v1/draw")
    assert len(sent) >= 2 and all(s["live"] and s["recipe"] == "fast" and s["client"] == sent[0]["client"] for s in sent), "live requests"
    assert p.entries() == 0, "a live picture is none to be kept"
    # Many strokes one after the other: what is shown in the end belongs to the last one.
    for i in range(6):
        p.b.stroke("#paper", [(0.1, 0.1 + 0.05 * i), (0.3, 0.1 + 0.05 * i)])
    wait_for("rest", lambda: p.b.run("return document.querySelector('.preview').hidden"), PATIENCE)
    assert not p.error(), p.error()
    p.press_draw()  # the same seed, in full
    full = p.asked("/v1/draw")[-1]
    assert full["seed"] == sent[-1]["seed"] and "live" not in full
    p.b.click("#live")
    assert p.b.run("return document.querySelector('#live').ariaChecked") == "false"


def test_candidates_scores_history(p):
    p.draw_apple()
    p.set_value("#count", 3)
    p.press_draw()
    assert p.b.run("return document.querySelectorAll('#strip li').length") == 3
    first = p.picture()["hash"]
    p.b.click("#strip li:nth-child(2) button")
    second = wait_for("the second candidate", lambda: (lambda v: v and v["hash"] != first and v["hash"])(p.picture()))
    assert "picture 2" in p.b.run("return document.querySelector('#facts').textContent")
    if p.b.run("return !document.querySelector('#score').hidden"):
        p.b.click("#score")
        wait_for("scores", lambda: "text" in p.b.run("return document.querySelector('#facts').textContent") or p.error(), PATIENCE)
        assert not p.error(), p.error()
        assert "★" in p.b.run("return document.querySelector('#strip').textContent")
    p.shot("candidates-1440")
    p.set_value("#count", 1)
    p.b.click("#clear")
    p.b.stroke("#paper", [(0.2, 0.2), (0.8, 0.8)])
    p.press_draw()
    assert p.entries() == 2
    p.b.click("#back")
    wait_for("the earlier picture", lambda: p.picture()["hash"] == second)
    lines = p.ink()
    p.b.click("#restore")
    wait_for("its drawing", lambda: p.ink() != lines)
    assert p.b.run("return [document.querySelector('#count').value, document.querySelector('#lock').ariaPressed]") == ["1", "true"]
    p.press_draw()  # the second candidate again, now alone
    assert p.picture()["hash"] == second, "the candidate's seed and number make it again"
    p.b.click("#forget")
    wait_for("one fewer", lambda: p.entries() == 2)
    p.b.click("#toast button")
    wait_for("it is back", lambda: p.entries() == 3)
    time.sleep(0.3)
    p.fresh(keep=True)
    assert p.entries() == 3, "the history did not survive the reload"


def test_explorer(p):
    p.draw_mushroom()
    p.press_draw()
    if p.b.run("return document.querySelector('#explore').hidden"):
        raise AssertionError("the server offers no attention")
    p.b.click("#explore")
    wait_for("maps", lambda: p.b.run("return document.querySelectorAll('#layers button').length > 0") or p.error(), PATIENCE)
    assert not p.error(), p.error()
    lit = wait_for("light", lambda: p.covered("#stage .heat"))
    x, y, w, h = p.b.run("const b = document.querySelector('#stage').getBoundingClientRect(); return [b.x, b.y, b.width, b.height]")
    ink = p.ink()

    def at(fx, fy):
        p.b.actions({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"},
                     "actions": [{"type": "pointerMove", "duration": 0, "x": round(x + fx * w), "y": round(y + fy * h)}]})
        return p.b.run("return [...document.querySelectorAll('.heat')].map((c) => c.toDataURL())")

    one, other = at(0.3, 0.4), at(0.7, 0.8)
    assert one[0] != other[0] and one[1] != other[1], "another place lights up the same"
    at(0.4, 0.37)
    p.shot("explorer-1440", whole=False)
    p.b.click("#layers button:first-of-type")
    p.b.run("document.querySelector('#stage').focus()")
    p.b.keys(LEFT, UP)
    assert p.b.run("return document.querySelector('#whisper').textContent").startswith("Row"), "the place is told"
    p.b.stroke("#paper", CIRCLE)
    assert p.ink() == ink and lit, "exploring must not draw"
    p.b.keys(ESCAPE)
    assert p.b.run("return document.querySelector('#explore-bar').hidden && document.querySelector('#stage .heat').hidden")


def test_repaint(p):
    p.draw_apple()
    p.press_draw()
    before = p.picture()
    p.b.click("#edit")
    assert p.b.run("return document.querySelector('#repaint').disabled")
    p.set_value("#edit-width", 200, "input")
    # Over the apple itself: of the backdrop, a new class may well leave every pixel as it was.
    p.b.stroke("#stage", [(0.4, 0.4), (0.5, 0.4), (0.5, 0.5), (0.4, 0.5)])
    p.b.click("#edit-class")
    p.b.keys((CONTROL, "a"))
    p.b.type("#edit-class", "fish")
    wait_for("the class", lambda: p.b.run("return document.querySelectorAll('#edit-list [role=option]').length") == 1)
    p.b.keys(ENTER)
    p.shot("repaint-1440", whole=False)
    p.b.click("#repaint")
    p.wait_entries(2)
    body = p.asked("/v1/edit")[0]
    inside, outside = p.map_pixels(body["mask"], [(0.45, 0.45), (0.9, 0.9)])
    assert (inside, outside) == (255, 0), (inside, outside)
    after = p.picture()
    change = [max(abs(a - b) for a, b in zip(c, d)) for c, d in zip(before["cells"], after["cells"])]
    near, far = (max(change[y * 16 + x] for y in part for x in part) for part in (range(6, 9), range(13, 16)))
    assert far < 3, f"the picture changed by {far} where nothing was painted"
    assert near > 0.5, f"nothing changed where it was painted ({near})"
    # Its PNG brings back the photo, the part and the class: ready to be repainted.
    name = p.b.run("return document.querySelector('#seed').value")
    p.b.click("#download")
    path = os.path.join(p.b.downloads, f"fish-{name}.png")
    wait_for("the file", lambda: os.path.exists(path))
    p.fresh()
    p.drop(path)
    wait_for("the part", lambda: p.covered(".mask") > 1000 or p.error())
    assert not p.error(), p.error()
    assert p.b.run("return [document.querySelector('#edit-class').value, document.querySelector('#repaint').disabled]") == ["fish", False]
    wait_for("the photo", lambda: p.picture()["hash"] == before["hash"])


def test_png_restores_everything(p):
    p.choose("mug")
    p.draw_apple()
    p.b.click("[data-tool=guide]")
    p.b.stroke("#paper", [(0.3, 0.3), (0.3, 0.7)])
    p.set_value("#lambda", 0.8, "input")
    p.set_value("#seed", "4711")
    p.b.run("document.querySelector('#more').open = true")
    p.set_value("#key-steps", "12")
    p.shot("more-1440")
    p.press_draw()
    ink, tint, picture = p.ink(), p.covered(".tint"), p.picture()["hash"]
    p.b.click("#download")
    path = os.path.join(p.b.downloads, "mug-4711.png")
    wait_for("the file", lambda: os.path.exists(path))
    p.fresh()
    assert p.ink()[0] == 0 and p.entries() == 0
    p.drop(path)
    wait_for("the drawing", lambda: p.ink() == ink or p.error())
    assert not p.error(), p.error()
    wait_for("the settings", lambda: p.b.run("return document.querySelector('#class').value") == "mug")
    assert p.covered(".tint") == tint
    shown = p.b.run("return ['#seed', '#lambda', '#key-steps', '#recipe'].map((s) => document.querySelector(s).value)")
    assert shown == ["4711", "0.8", "12", "fast"], shown
    assert p.picture()["hash"] == picture
    p.press_draw()
    assert p.picture()["hash"] == picture, "the restored settings make another picture"
    p.b.click("#undo")
    assert p.ink()[0] == 0, "restoring can be undone"
    # The drawing alone, saved and dropped, brings back its strokes.
    p.fresh()
    p.draw_apple()
    lines = p.ink()
    p.b.click("#export")
    path = os.path.join(p.b.downloads, "drawing.png")
    wait_for("the file", lambda: os.path.exists(path))
    p.b.click("#clear")
    p.drop(path)
    wait_for("the strokes", lambda: p.ink() == lines)


def test_pictures_from_outside(p):
    folder = p.b.folder
    path = os.path.join(folder, "ring.png")
    ring = png(200, 200, lambda x, y: (20, 20, 20) if 60 < math.hypot(x - 100, y - 100) < 66 else (250, 250, 250))
    with open(path, "wb") as f:
        f.write(ring)
    p.drop(path)
    wait_for("the question", lambda: p.b.run("return document.querySelector('#dropped').open"))
    p.shot("dropped-1440", whole=False)
    p.b.click("#dropped [value=trace]")
    wait_for("the trace", lambda: p.b.run("return !document.querySelector('.trace').hidden"))
    p.b.stroke("#paper", CIRCLE)
    p.shot("trace-1440", whole=False)
    p.b.click("#trace-off")
    p.b.click("#clear")
    # Pasted, as the drawing itself.
    p.b.run_async("""const bytes = Uint8Array.from(atob(args[0]), (c) => c.charCodeAt(0)), data = new DataTransfer();
        data.items.add(new File([bytes], "ring.png", { type: "image/png" }));
        window.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));""", base64.b64encode(ring).decode())
    wait_for("the question", lambda: p.b.run("return document.querySelector('#dropped').open"))
    p.b.click("#dropped [value=sketch]")
    p.use_prepared()
    wait_for("its lines", lambda: p.ink()[0] > 5000)
    assert p.ink()[0] < 150000, "the paper of the picture became ink"
    p.b.keys((CONTROL, "z"))
    assert p.ink()[0] == 0
    # From a file, as a photo to be repainted.
    p.b.run("document.querySelector('#file').hidden = false")
    p.b.type("#file", path)
    p.b.run("document.querySelector('#file').hidden = true")
    wait_for("the question", lambda: p.b.run("return document.querySelector('#dropped').open"))
    p.b.click("#dropped [value=photo]")
    wait_for("the photo", lambda: p.picture())
    assert p.b.run("return !document.querySelector('#edit-bar').hidden")
    # Rubbish.
    path = os.path.join(folder, "rubbish.png")
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + b"rubbish" * 100)
    p.drop(path)
    wait_for("a complaint", p.error)


def sheet_on_table(x, y):
    """A photo of a cream sheet with a shadow across it, and a ring drawn on it in pencil."""
    light = 0.62 + 0.36 * x / 400
    ink = 0.35 if 90 < math.hypot(x - 200, y - 210) < 97 else 1
    return tuple(int(v * light * ink) for v in (246, 236, 210))


def test_photo_of_paper(p):
    """A photographed drawing is cleaned, shown as it will be used, and covers nothing unasked."""
    path = os.path.join(p.b.folder, "sheet.png")
    with open(path, "wb") as f:
        f.write(png(400, 400, sheet_on_table))

    def ask(path=path):
        p.drop(path)
        wait_for("the question", lambda: p.b.run("return document.querySelector('#dropped').open"))
        p.b.click("#dropped [value=sketch]")
        wait_for("the drawing", p.is_prepared, PATIENCE)

    def shown():
        return p.b.run_async("""const image = document.querySelector("#prepared img"); await image.decode();
            const c = Object.assign(document.createElement("canvas"), { width: 16, height: 16 }).getContext("2d");
            c.drawImage(image, 0, 0, 16, 16); return [...c.getImageData(0, 0, 16, 16).data].filter((v, i) => i % 4 < 3);""")

    ask()
    p.shot("prepared-1440", whole=False)
    clean = shown()
    assert min(clean[:3 * 16]) > 240, f"the paper is not white: {clean[:9]}"
    assert p.b.run("return document.querySelector('#prepared [value=replace]').hidden"), "nothing can be replaced"
    p.b.click("[data-paper=no]")
    wait_for("the sheet as it is", lambda: p.is_prepared() and max(shown()[:9]) < 200, PATIENCE)
    p.b.click("[data-paper=yes]")
    wait_for("the cleaned sheet", lambda: p.is_prepared() and min(shown()[:9]) > 240, PATIENCE)
    p.b.click("#prepared [value=add]")
    wait_for("its lines", lambda: p.ink()[0] > 5000)
    ring = p.ink()[0]
    assert ring < 120000, "the paper became ink"
    corner = p.b.run("return document.querySelector('.ink').getContext('2d').getImageData(20, 500, 1, 1).data[3]")
    assert corner == 0, corner
    # Over strokes: only when asked to.
    p.b.click("#clear")
    p.b.stroke("#paper", [(0.05, 0.05), (0.3, 0.05)])
    before = p.ink()
    ask()
    p.shot("prepared-over-1440", whole=False)
    p.b.click("#prepared button[value='']")
    assert p.ink() == before, "it was laid over the strokes unasked"
    ask()
    p.b.click("#prepared [value=replace]")
    wait_for("the ring alone", lambda: p.ink()[0] == ring)
    p.b.click("#undo")
    assert p.ink() == before


def test_fill_the_paper(p):
    """A small drawing is brought to the paper's size; an empty pad says what to do."""
    def box():
        return p.b.run("""const c = document.querySelector(".ink"), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
            let l = 1024, r = 0, t = 1024, b = 0;
            for (let i = 3; i < d.length; i += 4) if (d[i] > 100) { const x = (i >> 2) % 1024, y = (i >> 2) >> 10; l = Math.min(l, x); r = Math.max(r, x); t = Math.min(t, y); b = Math.max(b, y); }
            return [l, r, t, b];""")
    assert p.b.run("return document.querySelector('#fill').disabled")
    p.b.click("#live")
    toast = "return [document.querySelector('#toast').classList.contains('on'), document.querySelector('#toast span').textContent]"
    on, text = p.b.run(toast)
    assert on and "Draw something first" in text, text
    p.shot("draw-first-1440", whole=False)
    p.b.click("#live")
    p.b.stroke("#paper", ring(0.2, 0.3, 0.08))
    small = p.ink()
    p.b.click("#fill")
    wait_for("the large drawing", lambda: p.ink() != small)
    left, right, top, bottom = box()
    assert 700 < right - left < 860 and 700 < bottom - top < 860, box()
    assert abs(left + right - 1023) < 30 and abs(top + bottom - 1023) < 30, box()
    p.shot("filled-1440", whole=False)
    p.b.click("#undo")
    assert p.ink() == small


def test_hostile_png(p):
    """A PNG from outside may set what it describes and nothing else."""
    p.draw_apple()
    ink, before = p.ink(), p.b.run("return [localStorage.getItem('settings'), document.body.innerHTML.length]")
    texts = [
        json.dumps({"version": 1, "ops": [{"k": "i", "src": "https://example.org/x.png"}], "__proto__": {"polluted": 1}}),
        json.dumps({"version": 1, "ops": [{"k": "s", "l": "__proto__", "t": "pen", "w": 1, "m": 0, "p": [1, 1, 1]}]}),
        json.dumps({"version": 1, "ops": "<img src=x onerror=alert(1)>", "lambda": "<b>"}),
        '{"ops": ' + "[" * 5000 + "]" * 5000 + "}",
        "{",
    ]
    for i, text in enumerate(texts):
        path = os.path.join(p.b.folder, f"hostile-{i}.png")
        with open(path, "wb") as f:
            f.write(png(16, 16, lambda x, y: (200, 0, 0), [("masksketch-page", text)]))
        p.drop(path)
        time.sleep(0.5)
        assert p.ink() == ink, f"hostile text {i} changed the drawing"
    after = p.b.run("return [localStorage.getItem('settings'), ({}).polluted === undefined, document.querySelectorAll('main img[src^=http]').length]")
    assert after[0] == before[0] and after[1] and after[2] == 0, after


def test_keyboard_alone(p):
    p.b.run("document.activeElement.blur()")
    for _ in range(40):
        p.b.keys(TAB)
        if p.b.run("return document.activeElement.id") == "paper":
            break
    else:
        raise AssertionError("Tab does not come to the pad")
    p.b.keys(SPACE, *[RIGHT] * 12, *[DOWN] * 12, *[LEFT] * 24, *[UP] * 12, *[(SHIFT, RIGHT)] * 4, SPACE)
    drawn = p.ink()[0]
    assert drawn > 3000, drawn
    p.b.keys(*[UP] * 5)
    assert p.ink()[0] == drawn, "the lifted pen draws"
    for _ in range(5):
        p.b.keys(TAB)
        if p.b.run("return document.activeElement.id") == "class":
            break
    p.b.keys(*"fi")
    wait_for("the list", lambda: p.b.run("return [...document.querySelectorAll('#class-list li')].map((l) => l.textContent).join()") == "fish")
    p.b.keys(ENTER)
    assert p.b.run("return document.querySelector('#class').value") == "fish"
    p.b.keys((CONTROL, ENTER))
    p.wait_entries(1)
    assert p.asked("/v1/draw")[0]["class"] == p.b.run_async("return (await (await fetch('/v1/classes?q=fish')).json()).classes[0].id")
    # Every control that can be seen and used is reached, in the order of the page, with a visible focus.
    wanted = p.b.run("""window.all = [...document.querySelectorAll("a[href], button:enabled, input:enabled, select, summary, [tabindex='0']")]
        .filter((e) => e.checkVisibility() && e.tabIndex >= 0 && !e.closest("dialog") && !e.closest(".toast:not(.on)")); return all.length""")
    p.b.run("document.activeElement.blur(); window.getSelection().removeAllRanges(); window.scrollTo(0, 0)")
    p.b.run("document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')")
    order = []
    for _ in range(wanted + 5):
        p.b.keys(TAB)
        index, outline, width = p.b.run("const e = document.activeElement, s = getComputedStyle(e); return [all.indexOf(e), s.outlineStyle, parseFloat(s.outlineWidth)]")
        if index < 0 or index in order:
            break
        assert outline != "none" and width >= 1.5, f"the focus is not visible on {p.b.run('return document.activeElement.outerHTML.slice(0, 80)')}"
        order.append(index)
    missing = [p.b.run("return all[arguments[0]].outerHTML.slice(0, 70)", i) for i in range(wanted) if i not in order]
    assert not missing, f"not reached by Tab: {missing}"
    assert order == sorted(order), "Tab does not follow the page"


def test_class_box(p):
    p.b.click("#class")
    wait_for("all classes", lambda: p.b.run("return document.querySelectorAll('#class-list [role=option]').length") > 5)
    p.b.keys(DOWN, DOWN, ENTER)
    chosen = p.b.run("return document.querySelector('#class').value")
    assert chosen
    p.b.keys((CONTROL, "a"), *"zzz")
    wait_for("the word that nothing fits", lambda: "zzz" in p.b.run("return document.querySelector('#class-list').textContent"))
    p.b.click("#go")
    wait_for("a complaint", lambda: "zzz" in p.error())
    assert p.b.run("return document.querySelector('#class').getAttribute('aria-invalid')") == "true"
    assert not p.b.run("return window.asked.length"), "a job was sent without a class"


def test_errors_and_cancel(p):
    p.draw_apple()
    p.b.run("document.querySelector('#more').open = true")
    p.set_value("#key-steps", "many")
    p.b.click("#go")
    wait_for("what the server says", lambda: "steps" in p.error() or "many" in p.error())
    p.b.click("#reset-keys")
    p.set_value("#recipe", "thorough")
    p.set_value("#count", 16)
    p.b.click("#go")
    wait_for("the job", lambda: p.b.run("return !document.querySelector('#working').hidden && window.asked.length > 1"))
    wait_for("its first steps", lambda: p.b.run("return document.querySelector('#progress').value > 0 && document.querySelector('#time-left').textContent.includes('left')"), PATIENCE)
    p.b.keys(ESCAPE)
    wait_for("quiet", lambda: p.b.run("return document.querySelector('#working').hidden"))
    assert p.entries() == 0 and not p.error()


def boxes(p, *selectors):
    """[left, top, right, bottom] of each."""
    return p.b.run("""return arguments[0].map((css) => { const r = document.querySelector(css).getBoundingClientRect();
        return [r.left, r.top, r.right, r.bottom]; })""", list(selectors))


def test_laptop(p):
    """On a laptop and up, all of the main job is in view: both papers, each line of tools, the classes, settings. On a tablet a line of tools is one line."""
    for width, height in ((1280, 625), (1366, 625), (1440, 900), (1920, 1080)):
        p.fresh(width, height)
        everything = ("#paper", "#stage", "#go", "#live", "#chips", "#class", "#lambda", "#seed", "#recipe", "#more summary")
        for name, (left, top, right, bottom) in zip(everything, boxes(p, *everything)):
            assert left >= 0 and top >= 0 and right <= width and bottom <= p.b.run("return innerHeight"), (width, name, left, top, right, bottom)
        paper, stage = boxes(p, "#paper", "#stage")
        assert abs(paper[1] - stage[1]) < 1 and abs(paper[3] - stage[3]) < 1, "the papers are not of one height"
        assert paper[3] - paper[1] > 0.55 * p.b.run("return innerHeight"), "the papers are small"
        for tools in ("#drawing .tools", "#photo .tools"):
            tops = p.b.run("return [...document.querySelectorAll(arguments[0] + ' button:not([hidden])')].map((b) => b.getBoundingClientRect().top)", tools)
            assert max(tops) - min(tops) < 1, (width, tools, tops)
        p.shot(f"laptop-{width}")
    p.fresh(800, 1280)
    tops = p.b.run("return [...document.querySelectorAll('.tools button:not([hidden])')].map((b) => b.getBoundingClientRect().top)")
    assert len(set(round(t) for t in tops)) == 2, tops


def test_chips_drawing_over_and_reload(p):
    p.fresh()
    names = p.b.run("return [...document.querySelectorAll('#chips button')].map((b) => b.textContent)")
    assert len(names) == 12 and "teapot" in names, names
    assert p.b.run("return document.querySelector('#pressure').hidden"), "pressure is offered where no pen is"
    p.b.run("[...document.querySelectorAll('#chips button')].find((b) => b.textContent === 'mushroom').click()")
    pressed = p.b.run("return [...document.querySelectorAll('#chips [aria-pressed=true]')].map((b) => b.textContent)")
    assert pressed == ["mushroom"] and p.b.run("return document.querySelector('#class').value") == "mushroom"
    for line in MUSHROOM:
        p.b.stroke("#paper", line)
    p.press_draw()
    p.picture()
    assert p.asked("/v1/draw")[0]["class"] == 8
    darkness = """const c = document.querySelector('.over'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        let dark = 0; for (let i = 0; i < d.length; i += 4) dark += d[i] < 128; return c.hidden ? -1 : dark;"""
    assert p.b.run(darkness) == -1, "the drawing lies over the picture unasked"
    p.set_value("#over", 60)
    assert p.b.run(darkness) > 1000 and p.b.run("return getComputedStyle(document.querySelector('.over')).opacity") == "0.6"
    shown = p.picture()["cells"]
    p.shot("over-1440")
    p.b.stroke("#paper", CIRCLE, "pen")
    assert not p.b.run("return document.querySelector('#pressure').hidden"), "pressure is not offered to a pen"
    time.sleep(0.5)
    p.fresh(keep=True)
    assert p.picture()["cells"] == shown, "the newest picture is not there after a reload"


def test_looks(p):
    """360, 768 and 1440 pixels, light and dark: screenshots to be looked at, and the accessibility checks on each."""
    p.fresh(recipe=None)
    p.draw_mushroom()
    p.set_value("#seed", "1")
    p.set_value("#count", 2)
    p.press_draw()
    found = []
    for width, height in ((360, 740), (768, 1024), (1440, 900), (2560, 1300)):
        for scheme in ("light", "dark"):
            p.b.size(width, height)
            p.b.media(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
            time.sleep(0.3)
            for more in (False, True):
                p.b.run("document.querySelector('#more').open = arguments[0]", more)
                for mode in (None, "#edit", "#explore", "[data-tool=guide]"):
                    if more and mode:
                        continue
                    if mode:
                        p.b.click(mode)
                        time.sleep(0.2)
                    found += [f"{width} {scheme} {mode or ''}: {f}" for f in p.b.run_async(read("page_checks.js"))]
                    if mode:
                        p.b.click("[data-tool=pen]" if "tool" in mode else mode)
            p.b.run("document.querySelector('#more').open = false; window.scrollTo(0, 0)")
            p.shot(f"page-{width}-{scheme}")
    assert not found, "\n  ".join(["accessibility:"] + sorted(set(found)))
    assert p.b.run("return getComputedStyle(document.querySelector('#go')).transitionDuration") in ("0s", "0s, 0s")
    for dialog in ("keys", "dropped", "prepared"):
        p.b.run("document.getElementById(arguments[0]).showModal()", dialog)
        inside = p.b.run_async(read("page_checks.js"))
        assert not inside, f"{dialog}: {inside}"
        p.b.run("document.getElementById(arguments[0]).close()", dialog)
    # Thumbs on a phone: the theme's own button, and back.
    for name in ("light", "dark", None):
        p.b.click("#theme")
        assert p.b.run("return document.documentElement.dataset.theme ?? null") == name


def test_nothing_from_outside(p):
    names = p.b.run("return performance.getEntriesByType('resource').map((e) => e.name)")
    assert names and all(n.startswith(p.url) for n in names), names
    size = sum(os.path.getsize(os.path.join(root, f)) for root, _, files in os.walk(os.path.join(HERE, "../../server/www")) for f in files)
    assert size <= 150 * 1024, f"the page has {size} bytes, more than 150 KB"


def test_key(p):
    """A server that wants a key: asked for once, then kept for the visit."""
    if p.program is None:
        return
    server, url = start_server(p.program, "--api-key", "open-sesame-open-sesame")
    try:
        p.b.go(url)
        wait_for("the question", lambda: p.b.run("return document.querySelector('#ask-key').open"))
        p.b.type("#api-key", "open-sesame-open-sesame")
        p.b.keys(ENTER)
        wait_for("the settings", lambda: p.b.run("return document.querySelector('#recipe').options.length") > 1)
        p.b.go(url)
        wait_for("the settings again", lambda: p.b.run("return document.querySelector('#recipe').options.length") > 1)
        assert not p.b.run("return document.querySelector('#ask-key').open")
    finally:
        server.terminate()
        server.wait(PATIENCE)


def test_server_goes(p, server):
    """The last one: the server ends while the page is open, cleanly, and the page says so."""
    p.draw_apple()
    server.send_signal(signal.SIGTERM)
    assert server.wait(PATIENCE) == 0, f"the server ended with {server.returncode}"
    p.b.click("#go")
    wait_for("a complaint", p.error)
    assert "server" in p.error(), p.error()
    p.b.stroke("#paper", STALK)  # the drawing goes on


def measure(p):
    """Times in the page, from the click on Draw; then the refreshes of live mode under one long line, and under short strokes."""
    p.fresh(recipe=None)
    p.draw_apple()
    p.b.run("""window.at = {};
        new MutationObserver(() => { if (!document.querySelector(".preview").hidden) at.preview ??= performance.now(); })
          .observe(document.querySelector(".preview"), { attributes: true });
        new MutationObserver(() => { at.picture ??= performance.now(); }).observe(document.querySelector("#entries"), { childList: true });
        document.querySelector("#go").addEventListener("click", () => { window.at = { click: performance.now() }; }, true);""")
    previews, pictures = [], []
    for _ in range(7):
        p.press_draw()
        click, preview, picture = p.b.run("return [at.click, at.preview, at.picture]")
        previews.append(preview - click)
        pictures.append(picture - click)
    print(f"first preview: median {sorted(previews)[3]:.0f} ms of {[round(v) for v in previews]}")
    print(f"picture:       median {sorted(pictures)[3]:.0f} ms of {[round(v) for v in pictures]}")
    p.b.click("#clear")
    p.b.click("#live")
    p.b.run("""window.shown = { pictures: 0, previews: 0 };
        new MutationObserver((list) => { shown.pictures += list.length; }).observe(document.querySelector("#picture"), { attributes: true, attributeFilter: ["src"] });
        const c = document.querySelector(".preview").getContext("2d"), real = c.drawImage.bind(c);
        c.drawImage = (...args) => { shown.previews++; real(...args); };""")
    spiral = [(0.5 + (0.1 + i / 2000) * math.cos(i / 16), 0.5 + (0.1 + i / 2000) * math.sin(i / 16)) for i in range(500)]
    for what, lines in (("one long line", [spiral]), ("short strokes", [[(0.05 + 0.08 * i, 0.1), (0.1 + 0.08 * i, 0.2)] for i in range(11)])):
        p.b.run("shown.pictures = shown.previews = 0")
        started = time.monotonic()
        for line in lines:
            p.b.stroke("#paper", line)
            time.sleep(0.4)
        seconds = time.monotonic() - started
        pictures, previews = p.b.run("return [shown.pictures, shown.previews]")
        print(f"live, {what}: {seconds:.1f} s, {pictures / seconds:.1f} pictures/s and {previews / seconds:.1f} previews/s")


def start_server(program, *options):
    port = free_port()
    server = subprocess.Popen([program, "serve", "--port", str(port), *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    url = f"http://127.0.0.1:{port}/"

    def answers():
        import urllib.request
        if server.poll() is not None:
            raise AssertionError("the server ended: " + server.stderr.read().decode())
        try:
            return urllib.request.urlopen(url + "healthz", timeout=5).status == 200
        except OSError:
            return False
    wait_for("the server", answers, 60)
    return server, url


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/cli/masksketch")
    parser.add_argument("--pictures", default="browser-pictures")
    parser.add_argument("--only", default="")
    parser.add_argument("--url")
    parser.add_argument("--measure", action="store_true")
    options = parser.parse_args()
    os.makedirs(options.pictures, exist_ok=True)
    tests = [(n, f) for n, f in globals().items() if n.startswith("test_") and re.search(options.only, n)]
    passed, failed, server, browser = 0, [], None, None
    try:
        url = options.url
        if not url:
            server, url = start_server(options.program)
        browser = Browser()
        page = Page(browser, url, options.pictures)
        page.program = None if options.url else options.program
        if options.measure:
            measure(page)
            return 0
        for name, test in tests:
            if name == "test_server_goes" and server is None:
                continue
            started = time.monotonic()
            try:
                page.fresh()
                browser.console()
                if name == "test_server_goes":
                    test(page, server)
                else:
                    test(page)
                    # Refusals that a test provokes are logged by the browser as failed loads; anything else is a fault of the page.
                    severe = [m["message"] for m in browser.console() if m["level"] == "SEVERE" and "Failed to load resource" not in m["message"]]
                    assert not severe, f"the browser's console: {severe}"
                passed += 1
                print(f"ok      {name}  ({time.monotonic() - started:.1f} s)", flush=True)
            except Exception as error:
                failed.append(name)
                print(f"FAILED  {name}: {error}", flush=True)
                if not isinstance(error, AssertionError):
                    traceback.print_exc()
                try:
                    page.shot(f"failed-{name}")
                except Exception:
                    pass
    finally:
        if browser:
            browser.close()
        if server and server.poll() is None:
            server.terminate()
            server.wait(30)
    print(f"{passed} passed, {len(failed)} failed, 0 skipped" + (f": {' '.join(failed)}" if failed else ""))
    print(f"screenshots: {options.pictures}")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
