# SPDX-License-Identifier: Apache-2.0
"""How the page looks and is reached: sizes, themes, the keyboard, errors, keys."""
import os
import subprocess
import time

from page import CONTROL, DOWN, ENTER, ESCAPE, HERE, LEFT, PATIENCE, RIGHT, SHIFT, SPACE, TAB, UP, Skipped, read, start_server
from webdriver import wait_for

WWW = os.path.join(HERE, "../../server/www")


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
    p.b.keys(*"fis")
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
    for word, first in {"sun": "sun", "bikes": "bicycle", "Sailing B": "sailboat"}.items():
        p.b.keys((CONTROL, "a"), *word)
        wait_for(f"what {word} is", lambda: p.b.run("return document.querySelector('#class-list li')?.textContent") == first)
    p.b.keys((CONTROL, "a"), *"zzz")
    wait_for("the word that nothing fits", lambda: "zzz" in p.b.run("return document.querySelector('#class-list').textContent"))
    p.b.click("#go")
    wait_for("a complaint", lambda: "zzz" in p.error_at("ask"))
    assert p.b.run("return document.querySelector('#class').getAttribute('aria-invalid')") == "true"
    assert not p.b.run("return window.asked.length"), "a job was sent without a class"


def test_errors_and_cancel(p):
    p.draw_apple()
    p.expert()
    p.set_value("#key-steps", "many")
    p.b.click("#go")
    wait_for("what the server says", lambda: "steps" in p.error_at("settings") or "many" in p.error_at("settings"))
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
        everything = ("#paper", "#stage", "#go", "#live", "#chips", "#class", "#lambda", "#seed", "#recipe", "#expert")
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
                p.expert(more)
                for mode in (None, "#edit", "#explore", "[data-tool=guide]"):
                    if more and mode:
                        continue
                    if mode:
                        p.b.click(mode)
                        time.sleep(0.2)
                    found += [f"{width} {scheme} {mode or ''}: {f}" for f in p.b.run_async(read("page_checks.js"))]
                    if mode:
                        p.b.click("[data-tool=pen]" if "tool" in mode else mode)
            p.expert(False)
            p.b.run("window.scrollTo(0, 0)")
            p.shot(f"page-{width}-{scheme}")
    assert not found, "\n  ".join(["accessibility:"] + sorted(set(found)))
    assert p.b.run("return getComputedStyle(document.querySelector('#go')).transitionDuration") in ("0s", "0s, 0s")
    for dialog in ("keys", "dropped", "prepared", "example-box"):
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
    # All that a reader loads in any of the languages: of their tables one.
    sizes = {f: os.path.getsize(os.path.join(WWW, f)) for f in os.listdir(WWW)}
    words = [size for f, size in sizes.items() if f.startswith("words-")]
    size = sum(sizes.values()) - sum(words) + max(words)
    assert size <= 150 * 1024, f"the page has {size} bytes, more than 150 KB"


def test_devices(p):
    """A server with the model on two devices: the page lets choose, and remembers."""
    if p.program is None:
        raise Skipped("a server of its own")
    if "\n1 " not in subprocess.run([p.program, "draw", "--device", "list"], capture_output=True, text=True, check=True).stdout:
        raise Skipped("no device of OpenCL")
    assert p.b.run("return document.querySelector('#device').hidden && document.querySelector('#model').textContent.endsWith(' cpu')")
    server, url = start_server(p.program, "--also-device", "1")
    try:
        p.b.go(url)
        wait_for("both devices", lambda: p.b.run("return document.querySelector('#device').options.length") == 2)
        p.b.run("const d = document.querySelector('#device'); d.selectedIndex = 1; d.dispatchEvent(new Event('change'))")
        p.draw_apple()
        p.press_draw()
        name = p.b.run("return document.querySelector('#device').value")
        made = p.b.run_async("""const names = performance.getEntriesByType("resource").map((e) => e.name);
            return (await (await fetch(names.find((n) => n.endsWith("/events")).replace(/.events$/, ""))).json()).device""")
        assert name != "cpu" and made == name, (name, made)
        p.shot("devices")
        p.b.go(url)
        wait_for("both devices again", lambda: p.b.run("return document.querySelector('#device').options.length") == 2)
        assert p.b.run("return document.querySelector('#device').value") == name
    finally:
        server.terminate()
        server.wait(PATIENCE)


def test_key(p):
    """A server that wants a key: asked for once, then kept for the visit."""
    if p.program is None:
        raise Skipped("a server of its own")
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
