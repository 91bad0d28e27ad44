# SPDX-License-Identifier: Apache-2.0
"""The picture: candidates, history, exploring, repainting, the drawing laid over it."""
import os
import time

from page import CIRCLE, CONTROL, ENTER, ESCAPE, LEFT, MUSHROOM, PATIENCE, UP
from webdriver import wait_for


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
    p.b.run("window.overs = 0; const c = document.querySelector('.over').getContext('2d'), real = c.drawImage.bind(c); c.drawImage = (...a) => { overs++; real(...a); }")
    for strength in (10, 30, 0, 60):
        p.set_value("#over", strength, "input")
    assert p.b.run("return [overs, document.querySelector('.over').style.opacity]") == [0, "0.6"], "the slider draws the overlay anew"
    shown = p.picture()["cells"]
    p.shot("over-1440")
    p.b.stroke("#paper", CIRCLE, "pen")
    assert not p.b.run("return document.querySelector('#pressure').hidden"), "pressure is not offered to a pen"
    time.sleep(0.5)
    p.fresh(keep=True)
    assert p.picture()["cells"] == shown, "the newest picture is not there after a reload"
