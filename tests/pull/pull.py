# SPDX-License-Identifier: Apache-2.0
"""`masksketch pull` against servers that cut, lie, redirect and dawdle. What must hold: the model that
comes of it is the one that `convert` makes of the same files; a wrong byte never gets its final name;
any kill can be taken up. Usage: pull.py PROGRAM GOLDEN_FOLDER; ends with 77 where something is missing."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM, GOLDEN = sys.argv[1], Path(sys.argv[2])
HERE = Path(__file__).parent
FILES = {"tokenizer": "tokenizer_imagenet128_checkpoint", "transformer": "maskgit_imagenet128_checkpoint"}


class Bench:
    """A server, and a data folder that each case has for itself."""

    def __init__(self, work):
        self.work = work
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost", "-keyout", work / "key.pem", "-out", work / "certificate.pem"], check=True, capture_output=True)
        self.server = subprocess.Popen([sys.executable, HERE / "server.py", work / "certificate.pem", work / "key.pem", GOLDEN, work / "log"],
                                       stdout=subprocess.PIPE)
        self.port = int(self.server.stdout.readline())
        self.case = 0
        subprocess.run([PROGRAM, "convert", "--tokenizer", GOLDEN / FILES["tokenizer"], "--transformer", GOLDEN / FILES["transformer"], "--name", "small",
                        "-o", work / "wanted.safetensors", "--quiet"], check=True)
        self.wanted = (work / "wanted.safetensors").read_bytes()

    def begin(self, how, hashes=True, sizes=True, scheme="https"):
        self.case += 1
        self.data = self.work / f"case{self.case}"
        self.models = self.data / "masksketch" / "models"
        model = {"name": "small", "about": "a test"}
        for role, name in FILES.items():
            raw = (GOLDEN / name).read_bytes()
            # the second file comes as it should
            file = model[role] = {"url": f"{scheme}://localhost:{self.port}/{how if role == 'tokenizer' else 'good'}/{name}"}
            if hashes:
                file["sha256"] = hashlib.sha256(raw).hexdigest()
            if sizes:
                file["bytes"] = len(raw)
        self.manifest = self.work / f"manifest{self.case}.json"
        self.manifest.write_text(json.dumps({"models": [model]}))
        (self.work / "log").write_text("")

    def start(self, *arguments, authorities=True):
        environment = dict(os.environ, XDG_DATA_HOME=str(self.data))
        environment.pop("CURL_CA_BUNDLE", None)
        if authorities:
            environment["CURL_CA_BUNDLE"] = str(self.work / "certificate.pem")
        return subprocess.Popen([PROGRAM, "pull", "small", "--manifest", self.manifest, *arguments], env=environment, stderr=subprocess.PIPE, text=True)

    def pull(self, *arguments, **options):
        process = self.start(*arguments, **options)
        told = process.communicate()[1]
        return process.returncode, told

    def log(self):
        return [line.split(" ") for line in (self.work / "log").read_text().splitlines()]

    def made(self):
        return (self.models / "small.safetensors").read_bytes() == self.wanted

    def named(self):
        """Files that have their final names."""
        return sorted(path.name for path in self.models.rglob("*") if path.is_file() and path.suffix not in (".part", ".tag", ".txt")) if self.models.exists() else []


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def good(bench):
    bench.begin("good")
    code, told = bench.pull()
    check(code == 0 and bench.made(), told)
    check(bench.named() == ["small.safetensors"], bench.named())
    found = subprocess.run([PROGRAM, "info", "small"], env=dict(os.environ, XDG_DATA_HOME=str(bench.data)), capture_output=True, text=True, check=False)
    draw = subprocess.run([PROGRAM, "generate", "--class", "1", "--model", "small", "--steps", "1", "--quiet", "-o", bench.data / "a.png"],
                          env=dict(os.environ, XDG_DATA_HOME=str(bench.data)), capture_output=True, text=True, check=False)
    check(draw.returncode == 0, draw.stderr + found.stderr)
    code, told = bench.pull()
    check(code == 2 and "--force" in told, told)


def mended(bench):
    """What goes wrong on the way is put right."""
    for how in ("cutting", "whole", "busy", "beyond", "tagless"):
        bench.begin(how)
        code, told = bench.pull("--patience", "10")
        check(code == 0 and bench.made(), f"{how}: {told}")
        ranges = [line[1] for line in bench.log() if how in line[0]]
        check(how in ("busy",) or any(given.startswith("bytes=") for given in ranges), f"{how}: {ranges}")
    bench.begin("pausing")
    code, told = bench.pull("--patience", "1")
    check(code == 0 and bench.made(), told)
    check(any(line[1] != "-" and line[2] != "-" for line in bench.log()), bench.log())


def refused(bench):
    for how, word in (("html", "web page"), ("redirect", "redirects are not followed"), ("plain", "redirects are not followed"), ("long", "expected"),
                      ("unannounced", "more than"), ("short", "expected"), ("wrong", "SHA-256"), ("gone", "404"), ("misplaced", "another part")):
        bench.begin(how)
        code, told = bench.pull("--tries", "2", "--patience", "5")
        check(code == 3 and word in told and told.count("\n") <= 2, f"{how}: {code} {told}")
        check(bench.named() == [], f"{how}: {bench.named()}")
    bench.begin("silent")
    code, told = bench.pull("--tries", "1", "--patience", "1")
    check(code == 3 and bench.named() == [], told)


def only_https(bench):
    bench.begin("good", scheme="http")
    code, told = bench.pull()
    check(code == 3 and "https" in told and bench.log() == [], told)
    bench.begin("good")
    code, told = bench.pull(authorities=False)
    check(code == 3 and bench.log() == [] and bench.named() == [], told)


def pinned(bench):
    """Without a hash in the manifest: what was seen first is what is taken later."""
    bench.begin("good", hashes=False, sizes=False)
    code, told = bench.pull()
    check(code == 0 and bench.made() and "pinned at first sight" in told, told)
    pins = (bench.models / "pins.txt").read_text().splitlines()
    check(sorted(pin.split(" ")[0] for pin in pins) == sorted(hashlib.sha256((GOLDEN / name).read_bytes()).hexdigest() for name in FILES.values()), pins)
    lines = [pin.replace(pin[:64], "0" * 64) if "tokenizer" in pin else pin for pin in pins]
    (bench.models / "pins.txt").write_text("\n".join(lines) + "\n")
    code, told = bench.pull("--force")
    check(code == 3 and "SHA-256" in told, told)


def killed(bench):
    """Killed at any time, again and again: what is there is taken up, and the end is right."""
    chance = random.Random(7)
    for hashes in (True, False):
        bench.begin("slow", hashes=hashes)
        for _ in range(6):
            process = bench.start("--quiet")
            time.sleep(0.1 + 0.4 * chance.random())
            process.send_signal(signal.SIGKILL)
            process.communicate()
            wanted = dict({name: (GOLDEN / name).read_bytes() for name in FILES.values()}, **{"small.safetensors": bench.wanted})
            for path in bench.models.rglob("*"):
                check(path.name not in wanted or path.read_bytes() == wanted[path.name], f"{path.name} is wrong after a kill")
        code, told = bench.pull("--force")
        check(code == 0 and bench.made(), told)
    bench.begin("slow")
    process = bench.start("--quiet")
    time.sleep(0.6)
    process.send_signal(signal.SIGINT)
    told = process.communicate()[1]
    check(process.returncode in (0, 130), told)


def lists(bench):
    bench.begin("good")
    listed = subprocess.run([PROGRAM, "pull"], env=dict(os.environ, XDG_DATA_HOME=str(bench.data)), capture_output=True, text=True, check=True)
    check("imagenet256" in listed.stdout and "imagenet512" in listed.stdout, listed.stdout)
    for text, word in (("{}", "models"), ('{"models":[{"name":"../x"}]}', "name"), ("nonsense", "JSON"),
                       ('{"models":[{"name":"x","tokenizer":{"url":"https://a","sha256":"12"}}]}', "sha256")):
        bench.manifest.write_text(text)
        code, told = bench.pull()
        check(code == 3 and word in told, told)


def main():
    if shutil.which("openssl") is None:
        print("skipped: there is no openssl")
        return 77
    built = subprocess.run([PROGRAM, "pull", "x", "--manifest", "/dev/null"], capture_output=True, text=True, check=False)
    if "without libcurl" in built.stderr:
        print("skipped: built without libcurl")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        try:
            for case in (good, lists, mended, refused, only_https, pinned, killed):
                case(bench)
                print(f"{case.__name__}: as it should be", flush=True)
        finally:
            bench.server.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
