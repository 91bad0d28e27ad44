# SPDX-License-Identifier: Apache-2.0
"""The drawing's tools: shapes, the selection, two fingers, the hand beside the pen, smoothing, examples, the two layers."""
import math
import os
import time

from page import CONTROL, ENTER, DOWN, PATIENCE, RIGHT, SHIFT, SPACE, png
from webdriver import wait_for


def ink_at(p, *places):
    return p.b.run("const c = document.querySelector('.ink').getContext('2d'); return arguments[0].map(([x, y]) => c.getImageData(x * 1024, y * 1024, 1, 1).data[3] > 100)", list(places))


def ink_box(p):
    """[left, top, right, bottom] of the ink, of 1024."""
    return p.b.run("""const c = document.querySelector(".ink"), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
        let l = 1024, r = 0, t = 1024, b = 0;
        for (let i = 3; i < d.length; i += 4) if (d[i] > 100) { const x = (i >> 2) % 1024, y = (i >> 2) >> 10; l = Math.min(l, x); r = Math.max(r, x); t = Math.min(t, y); b = Math.max(b, y); }
        return [l, t, r, b];""")


def near(a, b, far=14):
    return all(abs(x - y) <= far for x, y in zip(a, b))


def drag(p, tool, start, end):
    p.b.click(f"[data-tool={tool}]")
    p.b.stroke("#paper", [start, ((start[0] + end[0]) / 2, start[1]), end])


def test_shapes(p):
    drag(p, "line", (0.1, 0.1), (0.9, 0.5))
    assert ink_at(p, (0.5, 0.3), (0.3, 0.1), (0.1, 0.5)) == [True, False, False], "a line is straight, and its way is forgotten"
    p.b.click("#clear")
    drag(p, "rect", (0.2, 0.3), (0.8, 0.7))
    assert ink_at(p, (0.2, 0.3), (0.8, 0.3), (0.8, 0.7), (0.2, 0.7), (0.5, 0.3), (0.2, 0.5)) == [True] * 6, "corners and sides"
    assert ink_at(p, (0.5, 0.5)) == [False], "nothing inside"
    assert near(ink_box(p), (199, 301, 825, 723))
    p.b.keys((CONTROL, "z"))
    assert p.ink()[0] == 0, "a shape is one step"
    p.b.run("document.querySelector('#paper').blur()")
    p.b.keys("o")
    assert p.b.run("return document.querySelector('[data-tool=ellipse]').ariaPressed") == "true", "its key"
    drag(p, "ellipse", (0.2, 0.3), (0.8, 0.7))
    assert ink_at(p, (0.2, 0.5), (0.8, 0.5), (0.5, 0.3), (0.5, 0.7)) == [True] * 4
    assert ink_at(p, (0.22, 0.32), (0.5, 0.5)) == [False, False]
    # From the keyboard, and with Shift as high as wide.
    p.b.click("#clear")
    p.b.click("[data-tool=rect]")
    p.b.run("document.querySelector('#paper').focus()")
    p.b.keys(SPACE, *[RIGHT] * 12, *[DOWN] * 6, SPACE)
    left, top, right, bottom = ink_box(p)
    assert 180 < right - left < 230 and 90 < bottom - top < 125, ink_box(p)


def grip(p, css, by):
    """Drags an element of the frame by (x, y) of the paper."""
    x, y, side = p.b.run("const b = document.querySelector(arguments[0]).getBoundingClientRect(), p = document.querySelector('#paper').getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2, p.width]", css)
    steps = [{"type": "pointerMove", "duration": 0, "x": round(x), "y": round(y)}, {"type": "pointerDown", "button": 0},
             {"type": "pointerMove", "duration": 20, "x": round(x + by[0] * side / 2), "y": round(y + by[1] * side / 2)},
             {"type": "pointerMove", "duration": 20, "x": round(x + by[0] * side), "y": round(y + by[1] * side)}, {"type": "pointerUp", "button": 0}]
    p.b.actions({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps})


def test_selection(p):
    p.b.stroke("#paper", [(0.1, 0.9), (0.3, 0.9)])  # stays where it is
    drag(p, "rect", (0.2, 0.2), (0.4, 0.3))
    before = p.ink()
    drag(p, "select", (0.15, 0.15), (0.45, 0.35))
    assert p.ink() == before and p.b.run("return document.querySelector('.frame').classList.contains('held')")
    grip(p, ".frame", (0.3, 0.2))
    assert ink_at(p, (0.5, 0.45), (0.25, 0.2), (0.2, 0.9)) == [True, False, True], "moved, the rest stays"
    p.shot("selected-1440", whole=False)
    grip(p, "[data-grip=scale]", (0.15, 0.1))
    wide = ink_box(p)
    p.b.keys((CONTROL, "z"))
    assert p.ink() == before, "one step back takes the whole move"
    assert p.b.run("return document.querySelector('.frame').hidden")
    p.b.keys((CONTROL, SHIFT, "z"))
    assert ink_box(p) == wide
    p.b.click("#clear")
    # Turned by a quarter: what was wide is high.
    drag(p, "rect", (0.3, 0.45), (0.7, 0.55))
    drag(p, "select", (0.25, 0.3), (0.75, 0.7))
    far = p.b.run("const [f, t] = ['.frame', '[data-grip=turn]'].map((css) => document.querySelector(css).getBoundingClientRect()), side = document.querySelector('#paper').clientWidth; return ((f.y + f.bottom) / 2 - (t.y + t.bottom) / 2) / side")
    grip(p, "[data-grip=turn]", (far, far))
    left, top, right, bottom = ink_box(p)
    assert bottom - top > 380 and right - left < 180, ink_box(p)
    # The same by keys: a quarter is six times fifteen degrees; then away with it.
    p.b.run("document.querySelector('#paper').focus()")
    p.b.keys(*"......")
    left, top, right, bottom = ink_box(p)
    assert right - left > 380 and bottom - top < 180, ink_box(p)
    p.b.keys("\ue017")  # Delete
    assert p.ink()[0] < 60, p.ink()
    p.b.keys((CONTROL, "z"))
    assert p.ink()[0] > 3000
    # Chosen by keys.
    p.b.keys(SPACE, *[RIGHT] * 8, *[DOWN] * 8, SPACE)
    assert p.b.run("return document.querySelector('.frame').classList.contains('held')")
    p.b.keys(ENTER)
    assert p.b.run("return document.querySelector('.frame').hidden")


def fingers(p, *ways):
    """Several fingers at once, each from one place of the paper to another."""
    x, y, w, h = p.b.run("const b = document.querySelector('#paper').getBoundingClientRect(); return [b.x, b.y, b.width, b.height]")
    sources = []
    for n, ((x0, y0), (x1, y1)) in enumerate(ways):
        steps = [{"type": "pause", "duration": 0}] * n + [{"type": "pointerMove", "duration": 0, "x": round(x + x0 * w), "y": round(y + y0 * h)}, {"type": "pointerDown", "button": 0}]
        steps += [{"type": "pause", "duration": 0}] * (len(ways) - n)
        for i in range(1, 6):
            steps.append({"type": "pointerMove", "duration": 10, "x": round(x + (x0 + (x1 - x0) * i / 5) * w), "y": round(y + (y0 + (y1 - y0) * i / 5) * h)})
        sources.append({"type": "pointer", "id": f"finger{n}", "parameters": {"pointerType": "touch"}, "actions": steps + [{"type": "pointerUp", "button": 0}]})
    p.b.actions(*sources)


def test_two_fingers(p):
    """Two fingers bring the paper nearer and draw nothing; a line then lies where the pointer is."""
    p.b.stroke("#paper", [(0.1, 0.1), (0.2, 0.1)])
    before = p.ink()
    assert p.b.run("return document.querySelector('#unzoom').hidden")
    fingers(p, ((0.45, 0.5), (0.25, 0.5)), ((0.55, 0.5), (0.75, 0.5)))
    assert p.ink() == before, "two fingers drew"
    shown = p.b.run("return document.querySelector('#unzoom').textContent")
    assert 2.5 < float(shown.split()[0]) <= 8, shown
    p.shot("zoomed-1440", whole=False)
    box = p.b.run("const b = document.querySelector('.ink').getBoundingClientRect(), p = document.querySelector('#paper').getBoundingClientRect(); return [(p.x - b.x) / b.width, (p.y - b.y) / b.height, p.width / b.width]")
    p.b.stroke("#paper", [(0.3, 0.5), (0.7, 0.5)])
    x, y, share = box
    assert ink_at(p, (x + 0.5 * share, y + 0.5 * share)) == [True], box
    p.b.click("#unzoom")
    assert p.b.run("return [document.querySelector('#unzoom').hidden, document.querySelector('.view').style.transform]") == [True, ""]
    p.b.keys("+", "+")
    assert p.b.run("return document.querySelector('#unzoom').textContent") == "1.6 ×"
    p.b.keys("0")
    assert p.b.run("return document.querySelector('#unzoom').hidden")


def test_hand_beside_the_pen(p):
    """Once a pen has drawn, a touch is the hand's: it draws only when asked to."""
    p.b.stroke("#paper", [(0.2, 0.2), (0.4, 0.2)], "touch")
    touched = p.ink()
    assert touched[0] > 500 and p.b.run("return document.querySelector('#fingers').hidden")
    p.b.stroke("#paper", [(0.2, 0.4), (0.4, 0.4)], "pen")
    drawn = p.ink()
    assert drawn[0] > touched[0] and not p.b.run("return document.querySelector('#fingers').hidden")
    time.sleep(3.2)
    p.b.stroke("#paper", [(0.2, 0.6), (0.4, 0.6)], "touch")
    assert p.ink() == drawn, "the palm drew"


def test_smoothing(p):
    zigzag = [(0.08, 0.5)] + [(0.1 + 0.02 * i, 0.5 + (0.04 if i % 2 else -0.04)) for i in range(40)] + [(0.9, 0.5)]
    p.b.stroke("#paper", zigzag)
    left, top, right, bottom = ink_box(p)
    p.b.click("#clear")
    p.b.click("#smooth-open")
    p.set_value("#smooth", 6, "input")
    p.shot("smooth-1440", whole=False)
    p.b.stroke("#paper", zigzag)
    smooth = ink_box(p)
    assert smooth[3] - smooth[1] < 0.75 * (bottom - top), (smooth, top, bottom)
    assert near((smooth[0], smooth[2]), (left, right)), "the line begins and ends where the hand does"
    p.fresh(keep=True)
    assert p.b.run("return document.querySelector('#smooth').value") == "6", "the dial is forgotten"


def test_examples(p):
    p.b.stroke("#paper", [(0.1, 0.1), (0.2, 0.1)])
    mine = p.ink()
    p.b.click("#examples")
    wait_for("the drawings", lambda: p.b.run("return document.querySelectorAll('#example-list li').length") == 24, PATIENCE)
    p.shot("examples-1440", whole=False)
    p.b.run("[...document.querySelectorAll('#example-list button')].find((b) => b.textContent === 'teapot').click()")
    wait_for("the teapot", lambda: p.ink()[0] > 5000, PATIENCE)
    assert p.b.run("return document.querySelector('#class').value") == "teapot"
    p.b.click("#undo")
    assert p.ink() == mine


def test_two_layers(p):
    """The drawing and the picture under it: each can be put out of sight, and is back after a reload."""
    path = os.path.join(p.b.folder, "under.png")
    with open(path, "wb") as f:
        f.write(png(100, 100, lambda x, y: (200, 30, 30) if math.hypot(x - 50, y - 50) < 30 else (255, 255, 255)))
    p.drop(path)
    wait_for("the question", lambda: p.b.run("return document.querySelector('#dropped').open"))
    p.b.click("#dropped [value=trace]")
    wait_for("the picture", lambda: p.b.run("return !document.querySelector('.trace').hidden"))
    p.b.stroke("#paper", [(0.2, 0.5), (0.8, 0.5)])
    seen = "return ['.ink', '.trace'].map((css) => getComputedStyle(document.querySelector(css)).visibility)"
    p.b.click("#ink-eye")
    assert p.b.run(seen) == ["hidden", "visible"]
    p.b.click("#ink-eye")
    p.b.click("#trace-eye")
    assert p.b.run(seen) == ["visible", "hidden"]
    p.shot("layers-1440", whole=False)
    p.press_draw()
    beside, = p.map_pixels(p.asked("/v1/draw")[0]["sketch"], [(0.5, 0.3)])
    assert beside == 255, "the picture under the paper was sent"
