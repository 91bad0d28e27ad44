# SPDX-License-Identifier: Apache-2.0
"""The page on a tablet: `serve --lan`, its QR code, the app that can be installed; and what other people's checker says (axe-core)."""
import importlib.util
import os
import pty
import re
import subprocess

from page import ESCAPE, MUSHROOM, PATIENCE, Skipped, start_server
from webdriver import free_port, wait_for


def start_lan(program, *options, **streams):
    server = subprocess.Popen([program, "serve", "--lan", "--port", str(free_port()), *options], stdout=subprocess.PIPE, **streams)
    return server, server.stdout.readline().decode().strip()


def test_lan(p):
    """The address in the network carries the key; the page takes it out, and asks no more."""
    if p.program is None:
        raise Skipped("a server of its own")
    server, address = start_lan(p.program, stderr=subprocess.DEVNULL)
    try:
        assert re.fullmatch(r"http://[0-9.]+:\d+/#key=[0-9a-f]{32}", address), address
        p.b.go(address)
        wait_for("the settings", lambda: p.b.run("return document.querySelector('#recipe').options.length") > 1, PATIENCE)
        assert p.b.run("return [location.hash, location.href.includes('key'), document.querySelector('#ask-key').open]") == ["", False, False]
        p.b.go(address.split("#")[0])
        wait_for("the settings again", lambda: p.b.run("return document.querySelector('#recipe').options.length") > 1, PATIENCE)
        # Plain http in a network is no secure context; the browser says of one header that it has no effect there.
        assert all("Cross-Origin-Opener-Policy" in m["message"] for m in p.b.console() if m["level"] == "SEVERE")
    finally:
        server.terminate()
        server.wait(PATIENCE)


def test_qr_code_in_the_terminal(p):
    """What the terminal shows, read by a decoder of other hands, is the address."""
    if p.program is None:
        raise Skipped("a server of its own")
    if not importlib.util.find_spec("zxingcpp"):
        raise Skipped("zxing-cpp is not installed")
    import zxingcpp
    from PIL import Image
    terminal, inside = pty.openpty()
    server, address = start_lan(p.program, stderr=inside)
    os.close(inside)
    try:
        text = ""
        while "Ctrl-C" not in text:
            text += os.read(terminal, 65536).decode()
    finally:
        server.terminate()
        server.wait(PATIENCE)
        os.close(terminal)
    lines = re.findall(r"\x1b\[30;107m([ ▀▄█]+)\x1b\[0m", text)
    assert len(lines) > 10, text
    image = Image.new("L", (4 * len(lines[0]), 8 * len(lines)), 255)
    for y, line in enumerate(lines):
        for x, ch in enumerate(line):
            for half, dark in enumerate({" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}[ch]):
                if dark:
                    image.paste(0, (4 * x, 8 * y + 4 * half, 4 * x + 4, 8 * y + 4 * half + 4))
    assert [code.text for code in zxingcpp.read_barcodes(image)] == [address]


def test_app(p):
    """What a browser wants of an app is there, and without its server it says so."""
    if p.program is None:
        raise Skipped("a server of its own")
    server, url = start_server(p.program)
    try:
        p.b.go(url)
        sizes = p.b.run_async("""const app = await (await fetch(document.querySelector("link[rel=manifest]").href)).json();
            await navigator.serviceWorker.ready;
            const icon = await createImageBitmap(await (await fetch(app.icons[0].src)).blob());
            return [icon.width, app.display, app.start_url];""")
        assert sizes == [192, "standalone", "."], sizes
        wait_for("the worker", lambda: p.b.run("return navigator.serviceWorker.controller !== null"), PATIENCE)
    finally:
        server.terminate()
        server.wait(PATIENCE)
    p.b.go(url)
    assert "masksketch serve" in p.b.run("return document.body.textContent")


def test_axe(p):
    """axe-core finds nothing, empty and full, in both themes, with the expert view, in each dialog."""
    found = importlib.util.find_spec("axe_playwright_python")
    if not found:
        raise Skipped("axe-playwright-python, which brings axe-core, is not installed")
    with open(os.path.join(os.path.dirname(found.origin), "axe.min.js"), encoding="utf-8") as f:
        axe = f.read()
    findings = []

    def look(where):
        p.b.run(f"if (!window.axe) {{ {axe} }}")
        for v in p.b.run_async("return (await axe.run()).violations.map((v) => [v.id, v.nodes.map((n) => n.target.join(' '))])"):
            findings.append(f"{where}: {v}")
    look("empty")
    for line in MUSHROOM:
        p.b.stroke("#paper", line)
    p.set_value("#count", 2)
    p.press_draw()
    p.expert()
    for width, height in ((360, 740), (1366, 625)):
        p.b.size(width, height)
        for scheme in ("light", "dark"):
            p.b.media(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
            look(f"{width} {scheme}")
    for tool in ("guide", "select"):
        p.b.click(f"[data-tool={tool}]")
        look(tool)
    for mode in ("edit", "explore"):
        p.b.click(f"#{mode}")
        wait_for(mode, lambda: p.b.run("return !document.querySelector(`#${arguments[0]}-bar`).hidden", mode), PATIENCE)
        look(mode)
        p.b.click(f"#{mode}")
    for dialog in ("keys", "dropped", "prepared", "example-box", "ask-key"):
        p.b.run("document.getElementById(arguments[0]).showModal()", dialog)
        look(dialog)
        p.b.keys(ESCAPE)
    assert not findings, "\n  ".join(["axe-core:"] + findings)
