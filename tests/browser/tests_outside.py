# SPDX-License-Identifier: Apache-2.0
"""Pictures from outside: saved ones, photos, foreign and hostile files."""
import base64
import json
import math
import os
import time

from page import CIRCLE, CONTROL, PATIENCE, png
from webdriver import wait_for


def test_png_restores_everything(p):
    p.choose("mug")
    p.draw_apple()
    p.b.click("[data-tool=guide]")
    p.b.stroke("#paper", [(0.3, 0.3), (0.3, 0.7)])
    p.set_value("#lambda", 0.8, "input")
    p.set_value("#seed", "4711")
    p.expert()
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
