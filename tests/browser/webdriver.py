# SPDX-License-Identifier: Apache-2.0
"""A small WebDriver client (W3C) with the standard library alone: what browser.py needs to drive Debian's chromedriver."""
import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, work, seconds=30.0):
    """Repeats work() until it gives something true."""
    end = time.monotonic() + seconds
    while True:
        found = work()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.03)


class Browser:
    """One headless Chromium behind chromedriver. Profile and downloads lie in a folder that close() removes."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="masksketch-browser-")
        self.downloads = os.path.join(self.folder, "downloads")
        os.mkdir(self.downloads)
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self.session = None
        self.log = open(os.path.join(self.folder, "chromedriver.log"), "wb")
        self.driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=self.log, stderr=self.log)
        try:
            wait_for("chromedriver", self._is_up)
            # --no-sandbox: Chromium refuses to run as root with it, and continuous integration is root in a container.
            arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
                         "--force-color-profile=srgb", "--disable-background-networking", "--disable-component-update",
                         f"--user-data-dir={os.path.join(self.folder, 'profile')}"]
            options = {"args": arguments, "prefs": {"download.default_directory": self.downloads}}
            binary = shutil.which("chromium")
            if binary:
                options["binary"] = binary
            always = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            self.session = self._send("POST", "/session", {"capabilities": {"alwaysMatch": always}})["sessionId"]
            self._on("POST", "/timeouts", {"script": 60000, "pageLoad": 60000})
        except BaseException:
            self.close()
            raise

    def close(self):
        if self.session:
            try:
                self._on("DELETE", "")
            except Exception:  # it is going away in any case
                pass
        self.driver.terminate()
        try:
            self.driver.wait(10)
        except subprocess.TimeoutExpired:
            self.driver.kill()
            self.driver.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- Transport ----
    def _is_up(self):
        try:
            return self._send("GET", "/status")["ready"]
        except OSError:
            return False

    def _send(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise AssertionError(f"{value['error']}: {value['message'].splitlines()[0]}") from None

    def _on(self, method, path, body=None):
        return self._send(method, f"/session/{self.session}{path}", body)

    def cdp(self, command, **params):
        return self._on("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def layouts(self):
        """How often the page has been laid out."""
        return next(m["value"] for m in self.cdp("Performance.getMetrics")["metrics"] if m["name"] == "LayoutCount")

    # ---- The page ----
    def go(self, url):
        self._on("POST", "/url", {"url": url})

    def run(self, script, *args):
        return self._on("POST", "/execute/sync", {"script": script, "args": list(args)})

    def run_async(self, script, *args):
        """`script` is the body of an async function; its value comes back, what it throws fails the test."""
        wrapped = ("const done = arguments[arguments.length - 1]; const args = [...arguments].slice(0, -1);"
                   f"(async (...args) => {{ {script} }})(...args).then((v) => done({{ v }}), (e) => done({{ e: String(e && e.stack || e) }}));")
        answer = self._on("POST", "/execute/async", {"script": wrapped, "args": list(args)})
        if "e" in answer:
            raise AssertionError(answer["e"])
        return answer.get("v")

    def console(self):
        return self._on("POST", "/se/log", {"type": "browser"})

    def size(self, width, height):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def media(self, **features):
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": k.replace("_", "-"), "value": v} for k, v in features.items()])

    def screenshot(self, path, whole=True):
        picture = self.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=whole,
                           **({"clip": {**self._page_box(), "scale": 1}} if whole else {}))
        with open(path, "wb") as f:
            f.write(base64.b64decode(picture["data"]))

    def _page_box(self):
        width, height = self.run("return [document.documentElement.clientWidth, document.documentElement.scrollHeight]")
        return {"x": 0, "y": 0, "width": width, "height": height}

    # ---- Elements and input ----
    def find(self, css):
        return self._on("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]

    def click(self, css):
        self._on("POST", f"/element/{self.find(css)}/click", {})

    def type(self, css, text):
        self._on("POST", f"/element/{self.find(css)}/value", {"text": text})

    def actions(self, *sources):
        self._on("POST", "/actions", {"actions": list(sources)})
        self._on("DELETE", "/actions")

    def keys(self, *keys):
        """Presses keys one after the other; a tuple is a chord."""
        steps = []
        for key in keys:
            chord = key if isinstance(key, tuple) else (key,)
            steps += [{"type": "keyDown", "value": k} for k in chord] + [{"type": "keyUp", "value": k} for k in reversed(chord)]
        self.actions({"type": "key", "id": "keyboard", "actions": steps})

    def stroke(self, css, points, kind="mouse", pressures=None, lift=True):
        """A line through points (0..1 of the element), with real pointer events."""
        self.run("document.querySelector(arguments[0]).scrollIntoView({ block: 'center', behavior: 'instant' })", css)
        x, y, w, h = self.run("const b = document.querySelector(arguments[0]).getBoundingClientRect(); return [b.x, b.y, b.width, b.height]", css)
        at = [(round(x + px * w), round(y + py * h)) for px, py in points]
        extra = [{} if pressures is None else {"pressure": p} for p in (pressures or [0] * len(at))]
        steps = [{"type": "pointerMove", "duration": 0, "x": at[0][0], "y": at[0][1]}, {"type": "pointerDown", "button": 0, **extra[0]}]
        steps += [{"type": "pointerMove", "duration": 8, "x": px, "y": py, **e} for (px, py), e in zip(at[1:], extra[1:])]
        if lift:
            steps.append({"type": "pointerUp", "button": 0})
        source = {"type": "pointer", "id": kind, "parameters": {"pointerType": kind}, "actions": steps}
        self._on("POST", "/actions", {"actions": [source]})
        if lift:
            self._on("DELETE", "/actions")
