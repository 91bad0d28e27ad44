# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser: draws with real pointer events, waits for pictures, and looks at pixels.

    browser.py --program build/cli/masksketch [--pictures FOLDER] [--only PATTERN] [--url ADDRESS] [--measure]

Starts `masksketch serve` with the default model on a free port (or takes the server at --url), drives Debian's Chromium through its
WebDriver, and leaves screenshots in FOLDER. No test depends on how long something takes, only that it comes within a generous limit;
--measure tests nothing and prints how long first previews and pictures take, and how often live mode refreshes.
"""
import argparse
import math
import os
import re
import signal
import sys
import time
import traceback

import tests_app
import tests_drawing
import tests_looks
import tests_outside
import tests_pictures
import tests_tools
import tests_words
from page import PATIENCE, STALK, Page, Skipped, start_server
from webdriver import Browser, wait_for

MODULES = (tests_drawing, tests_tools, tests_pictures, tests_outside, tests_words, tests_looks, tests_app)


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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/cli/masksketch")
    parser.add_argument("--pictures", default="browser-pictures")
    parser.add_argument("--only", default="")
    parser.add_argument("--url")
    parser.add_argument("--measure", action="store_true")
    options = parser.parse_args()
    os.makedirs(options.pictures, exist_ok=True)
    found = {n: f for module in MODULES for n, f in vars(module).items()} | {"test_server_goes": test_server_goes}
    tests = [(n, f) for n, f in found.items() if n.startswith("test_") and re.search(options.only, n)]
    passed, skipped, failed, server, browser = 0, 0, [], None, None
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
            except Skipped as reason:
                skipped += 1
                print(f"skipped {name}: {reason}", flush=True)
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
    print(f"{passed} passed, {len(failed)} failed, {skipped} skipped" + (f": {' '.join(failed)}" if failed else ""))
    print(f"screenshots: {options.pictures}")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
