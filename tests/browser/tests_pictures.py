# SPDX-License-Identifier: Apache-2.0
"""The picture: candidates, history, exploring, repainting, the drawing laid over it."""
import os
import time
import zipfile

from page import CIRCLE, CONTROL, ENTER, ESCAPE, LEFT, MUSHROOM, PATIENCE, UP
from webdriver import wait_for


def test_page_rests_while_a_picture_is_made(p):
    """The processor is the server's then: between two events nothing on the page moves."""
    p.draw_apple()
    p.b.cdp("Performance.enable")
    before = p.b.layouts()
    events = p.b.run_async("""let events = 0;
        new MutationObserver(() => { events++; }).observe(document.querySelector("#progress"), { attributes: true });
        const shown = new Promise((go) => new MutationObserver(go).observe(document.querySelector("#entries"), { childList: true }));
        document.querySelector("#go").click(); await shown; return events;""")
    layouts = p.b.layouts() - before
    assert layouts <= 2 * events + 10, f"{layouts} layouts for {events} events"


def test_candidates_scores_history(p):
    p.draw_apple()
    p.set_value("#count", 3)
    p.press_draw()
    assert p.b.run("return document.querySelectorAll('#strip li').length") == 3
    first = p.picture()["hash"]
    p.b.click("#strip li:nth-child(2) button")
    second = wait_for("the second candidate", lambda: (lambda v: v and v["hash"] != first and v["hash"])(p.picture()))
    assert "picture 2" in p.b.run("return document.querySelector('#facts').textContent")
    p.expert()
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
    assert len(names) == 24 and "teapot" in names, names
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


def test_guesses(p):
    """The classes that the drawing may be are marked; which they are is the server's word. An empty pad is nothing."""
    likely = "return [...document.querySelectorAll('#chips .likely')].map((b) => [Number(b.value), b.title])"
    p.fresh()
    p.b.click("#clear")
    assert p.b.run(likely) == []
    for line in MUSHROOM:
        p.b.stroke("#paper", line)
    wait_for("a guess", lambda: p.b.run(likely), PATIENCE)
    asked = p.asked("/v1/guess")
    assert asked and set(asked[-1]) == {"sketch"}, asked
    answer = p.b.run_async("""const headers = { "Content-Type": "application/json" };
        return (await (await fetch("v1/guess", { method: "POST", headers, body: JSON.stringify(args[0]) })).json()).classes;""", asked[-1])
    wanted = sorted(c["id"] for c in answer[:3])
    assert [i for i, _ in p.b.run(likely)] == wanted and all(title for _, title in p.b.run(likely)), (p.b.run(likely), answer[:4])
    p.shot("guesses-1440")
    p.b.click("#clear")
    assert p.b.run(likely) == [], "an empty pad is taken for something"


def test_zip_and_share(p):
    """All candidates in one file that other programs read; what is shared is what is shown."""
    p.draw_mushroom()
    p.set_value("#count", 2)
    p.set_value("#seed", "5")
    p.press_draw()
    p.b.click("#zip-these")
    path = os.path.join(p.b.downloads, "masksketch.zip")
    wait_for("the file", lambda: os.path.exists(path))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["mushroom-5.png", "mushroom-5-1.png"], archive.namelist()
        assert all(b"masksketch-page" in archive.read(name) for name in archive.namelist()), "without the drawing"
    os.remove(path)
    p.set_value("#count", 1)
    p.b.click("#go")
    p.wait_entries(2)
    p.b.click("#zip")
    wait_for("the file", lambda: os.path.exists(path))
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == ["mushroom-5-1.png", "mushroom-5.png", "mushroom-5_2.png"], archive.namelist()
    p.b.run("document.querySelector('#share').hidden = false; navigator.share = async ({ files }) => { window.shared = [files[0].name, files[0].type, files[0].size > 10000]; }")
    p.b.click("#share")
    assert wait_for("sharing", lambda: p.b.run("return window.shared")) == ["mushroom-5.png", "image/png", True]


def test_variety(p):
    """The dial sets the keys that make for variety, where the recipe has them; keys set by hand go before."""
    p.draw_mushroom()
    p.set_value("#recipe", "balanced")
    p.b.run("document.querySelector('#go').scrollIntoView()")
    own = float(p.b.run_async("return (await (await fetch('/v1/recipes')).json()).recipes.find((r) => r.name === 'balanced').settings.draw.token_temperature"))
    wanted = {1: {"token_temperature": own / 2, "start_temperature": 0, "start_temperature_steps": 0}, 3: {}, 4: {"start_temperature": 1, "start_temperature_steps": 6}}
    for place, keys in wanted.items():
        p.set_value("#variety", place, "input")
        p.press_draw()
        assert p.asked("/v1/draw")[-1]["set"] == keys, (place, p.asked("/v1/draw")[-1]["set"])
    p.set_value("#variety", 5, "input")
    p.press_draw()
    assert p.asked("/v1/draw")[-1]["set"]["schedule"] == "pow2"
    p.expert()
    p.set_value("#key-start_temperature", "0.8")
    p.press_draw()
    assert p.asked("/v1/draw")[-1]["set"]["start_temperature"] == "0.8"


def test_what_is_shown(p):
    """In the making, the line below tells of the picture that comes, and a download waits for it; raw numbers are for experts."""
    p.draw_mushroom()
    p.press_draw()
    facts = "return document.querySelector('#facts').textContent"
    assert "mushroom" in p.b.run(facts) and "follows the drawing" in p.b.run(facts), p.b.run(facts)
    assert "structure" not in p.b.run(facts) and "steps" not in p.b.run(facts)
    p.expert()
    assert "structure" in p.b.run(facts) and "steps" in p.b.run(facts)
    p.fresh(keep=True)
    assert p.b.run("return !document.querySelector('#more').hidden"), "the expert view is forgotten"
    p.expert(False)
    p.choose("apple")
    p.set_value("#recipe", "thorough")
    p.set_value("#seed", "77")
    p.b.click("#go")
    wait_for("a preview", lambda: p.b.run("return !document.querySelector('.preview').hidden"), PATIENCE)
    making = p.b.run(facts)
    assert "apple" in making and "in the making" in making and "77" in making, making
    p.b.click("#download")
    path = os.path.join(p.b.downloads, "apple-77.png")
    wait_for("the picture that was coming", lambda: os.path.exists(path), PATIENCE)
    assert "in the making" not in p.b.run(facts)
    p.set_value("#seed", "78")
    p.b.click("#go")
    wait_for("a preview", lambda: p.b.run("return !document.querySelector('.preview').hidden"), PATIENCE)
    p.b.keys(ESCAPE)
    wait_for("the picture that was there", lambda: "77" in p.b.run(facts))
