# SPDX-License-Identifier: Apache-2.0
"""What a person does on the page and what can be seen there, for the tests; and the server that shows it."""
import math
import os
import struct
import subprocess
import urllib.request
import zlib

from webdriver import free_port, wait_for

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


class Skipped(Exception):
    """What a test needs is not there; says what."""


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
        return self.b.run("return [...document.querySelectorAll('.error')].map((e) => e.textContent).join('')")

    def error_at(self, place):
        return self.b.run("return document.querySelector(`.error[data-at=${arguments[0]}]`).textContent", place)

    def expert(self, on=True):
        """Raw keys and numbers are shown, or not."""
        if self.b.run("return document.querySelector('#expert').ariaChecked === 'true'") != on:
            self.b.run("document.querySelector('#expert').click()")

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


def start_server(program, *options):
    port = free_port()
    server = subprocess.Popen([program, "serve", "--port", str(port), *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    url = f"http://127.0.0.1:{port}/"

    def answers():
        if server.poll() is not None:
            raise AssertionError("the server ended: " + server.stderr.read().decode())
        try:
            return urllib.request.urlopen(url + "healthz", timeout=5).status == 200
        except OSError:
            return False
    wait_for("the server", answers, 60)
    return server, url
