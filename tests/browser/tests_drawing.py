# SPDX-License-Identifier: Apache-2.0
"""Drawing: tools, undo, the guide brush, live pictures."""
import time

from page import CIRCLE, CONTROL, PATIENCE, SHIFT, read, ring, spread
from webdriver import wait_for


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
    assert p.ink()[0] == 0, "the hand beside the pen draws"
    p.b.click("#fingers")
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
