# SPDX-License-Identifier: Apache-2.0
"""What the page says: the six tables, which of them is taken, and a page that is written from right to left."""
import glob
import os
import re

from page import HERE, MUSHROOM, read
from webdriver import wait_for

WWW = os.path.join(HERE, "../../server/www")
CODES = ("de", "en", "es", "fr", "ja", "zh")


def source(name):
    with open(os.path.join(WWW, name), encoding="utf-8") as f:
        return f.read()


def table(code):
    body = source(f"words-{code}.js").split("`")[1].strip().split("\n")
    rows = [line.split(" ", 1) for line in body]
    assert len({r[0] for r in rows}) == len(rows), f"{code}: a key twice"
    return dict(rows)


def test_words_are_complete(p):
    """Every table has every key that the page uses, with the same places for values, and no other."""
    english = table("en")
    for code in CODES:
        words = table(code)
        assert set(words) == set(english), f"{code}: {set(words) ^ set(english)}"
        for key, text in words.items():
            assert text.strip() and "<" not in text, f"{code}: {key}"
            assert sorted(re.findall(r"\{\d\}", text)) == sorted(re.findall(r"\{\d\}", english[key])), f"{code}: {key}"
    scripts = [source(os.path.basename(f)) for f in glob.glob(os.path.join(WWW, "*.js")) if "words-" not in f]
    used = set(re.findall(r'data-(?:t|l|tip)="(\w+)"', source("index.html")))
    for script in scripts:
        used |= set(re.findall(r'"([a-zA-Z]+\d?)"', " ".join(re.findall(r"\b(?:t|named)\((.*)", script))))
    # What is put together: classes and recipes of the model, numbered words.
    classes = p.b.run_async("return (await (await fetch('/v1/classes')).json()).classes.map((c) => c.name.split(',')[0])")
    recipes = p.b.run_async("return (await (await fetch('/v1/recipes')).json()).recipes.map((r) => 'r-' + r.name)")
    numbered = [f"theme{i}" for i in range(3)] + [f"mirror{i}" for i in range(3)] + [f"fit{i}" for i in range(1, 6)]
    used |= set(classes) | set(recipes) | set(numbered) | {"editStage", "exploreStage"}
    assert set(english) <= used, f"never said: {sorted(set(english) - used)}"
    asked = set(re.findall(r'data-(?:t|l|tip)="(\w+)"', source("index.html")))
    for script in scripts:
        asked |= set(re.findall(r'\bt\("(\w+)"', script))
    assert asked <= set(english), f"without words: {sorted(asked - set(english))}"


def start_in(p, languages):
    agent = p.b.run("return navigator.userAgent")
    p.b.cdp("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage=languages)
    p.fresh(360, 740)


def test_languages(p):
    """The browser's language is taken, another one can be chosen and is kept; each fits 360 pixels and a laptop."""
    findings = []
    try:
        for code in CODES:
            start_in(p, f"{code}-XX,{code}")
            words = table(code)
            lang, go = p.b.run("return [document.documentElement.lang, document.querySelector('#go').textContent]")
            assert (lang, go) == (code, words["draw"]), (lang, go)
            assert p.b.run("return document.querySelector('#chips button').textContent") == words["apple"]
            findings += [f"{code} 360: {f}" for f in p.b.run_async(read("page_checks.js"))]
            p.shot(f"words-{code}-360")
            p.b.size(1280, 625)
            findings += [f"{code} 1280: {f}" for f in p.b.run_async(read("page_checks.js"))]
            for tools in ("#drawing .tools", "#photo .tools"):
                tops = p.b.run("return [...document.querySelectorAll(arguments[0] + ' button:not([hidden])')].map((b) => b.getBoundingClientRect().top)", tools)
                assert max(tops) - min(tops) < 1, (code, tools, tops)
            p.shot(f"words-{code}-1280", whole=False)
        assert not findings, "\n  ".join(["accessibility:"] + findings)
        start_in(p, "sw-KE,fr")  # the first that is known
        assert p.b.run("return document.documentElement.lang") == "fr"
        p.set_value("#language", "ja")
        wait_for("Japanese", lambda: p.b.run("return document.documentElement.lang === 'ja' && document.documentElement.dataset.ready === 'true'"))
        p.fresh(keep=True)
        assert p.b.run("return document.documentElement.lang") == "ja", "the choice is not kept"
        # A class is found by the reader's word and by the model's.
        p.choose("きのこ")
        for line in MUSHROOM:
            p.b.stroke("#paper", line)
        p.press_draw()
        assert p.asked("/v1/draw")[0]["class"] == 8
        assert table("ja")["mushroom"] in p.b.run("return document.querySelector('#facts').textContent")
    finally:
        p.b.cdp("Emulation.setUserAgentOverride", userAgent=p.b.run("return navigator.userAgent"), acceptLanguage="en-US,en")


def test_right_to_left(p):
    """The page turned round: tools and settings change sides, nothing leaves the window, the paper itself stays as it is."""
    for width, height in ((360, 740), (1366, 625)):
        p.fresh(width, height)
        before = p.b.run("return ['.strip-tools', '#paper', '#controls'].map((css) => document.querySelector(css).getBoundingClientRect().left)")
        p.b.run("document.documentElement.dir = 'rtl'")
        after = p.b.run("return ['.strip-tools', '#paper', '#controls'].map((css) => document.querySelector(css).getBoundingClientRect().left)")
        findings = p.b.run_async(read("page_checks.js"))
        assert not findings, findings
        if width > 1000:
            assert before[0] < before[1] < before[2] and after[0] > after[1] > after[2], (before, after)
            p.shot("right-to-left-1366", whole=False)
            p.b.stroke("#paper", [(0.1, 0.5), (0.3, 0.5)])
            left, right = p.b.run("const c = document.querySelector('.ink').getContext('2d'); return [0.2, 0.8].map((x) => c.getImageData(x * 1024, 512, 1, 1).data[3])")
            assert left > 200 and right == 0, "the drawing was turned round"
