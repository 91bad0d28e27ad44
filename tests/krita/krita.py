# SPDX-License-Identifier: Apache-2.0
"""krita.py PROGRAM FOLDER - the plug-in in the real Krita, under Xvfb: installs it by
`masksketch krita --install`, switches it on beside masksketch_checks, and tells how those ended."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def prepare(program, folder):
    """A home for Krita with both plug-ins switched on; returns the environment."""
    here = os.path.dirname(os.path.abspath(__file__))
    shutil.rmtree(folder, ignore_errors=True)
    plugins, config = (os.path.join(folder, *p) for p in (("data", "krita", "pykrita"), ("config",)))
    runtime, bin_folder = (os.path.join(folder, name) for name in ("runtime", "bin"))
    for path in (plugins, os.path.join(config, "masksketch"), bin_folder):
        os.makedirs(path)
    os.makedirs(runtime, mode=0o700)
    subprocess.run([program, "krita", "--install", plugins], check=True, stdout=subprocess.DEVNULL)
    for name in ("masksketch_checks.desktop", "masksketch_checks"):
        source = os.path.join(here, name)
        copy = shutil.copytree if os.path.isdir(source) else shutil.copy
        copy(source, os.path.join(plugins, name))
    with open(os.path.join(config, "kritarc"), "w") as file:
        file.write("[python]\nenable_masksketch=true\nenable_masksketch_checks=true\n")
    with open(os.path.join(config, "masksketch", "krita.conf"), "w") as file:
        file.write(f"[General]\naddress=http://127.0.0.1:{free_port()}\n")
    os.symlink(program, os.path.join(bin_folder, "masksketch"))
    return dict(os.environ, HOME=folder, XDG_CONFIG_HOME=config, MSK_CHECKS=folder,
                XDG_DATA_HOME=os.path.join(folder, "data"), XDG_RUNTIME_DIR=runtime,
                PATH=bin_folder + ":/usr/bin:/bin",  # Krita's Python is the system's
                MSK_PROGRAM=program, PYTHONDONTWRITEBYTECODE="1", PYTHONFAULTHANDLER="1")


def run_krita(program, folder):
    """The report that the checks write, or None where Krita ended without."""
    environment = prepare(program, folder)
    with open(os.path.join(folder, "krita.log"), "wb") as log:
        krita = subprocess.Popen(["xvfb-run", "-a", "krita", "--nosplash"], env=environment,
                                 stdout=log, stderr=log, start_new_session=True)
        try:
            krita.wait(600)
        except subprocess.TimeoutExpired:
            print("krita.py: Krita was too slow, or hung", file=sys.stderr)
        finally:
            try:
                os.killpg(krita.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    try:
        with open(os.path.join(folder, "report.json")) as file:
            return json.load(file)
    except OSError:
        return None


def main():
    program, folder = (os.path.abspath(path) for path in sys.argv[1:3])
    report = run_krita(program, folder)
    if report is None:  # Krita's own crashes are not ours to judge; a check that fails is not asked twice
        print("krita.py: Krita ended without a report: once more", file=sys.stderr)
        report = run_krita(program, folder)
    if report is None:
        sys.exit(f"krita.py: no report; {folder}/krita.log tells more")
    for name in report["passed"]:
        print("ok", name)
    for name, trace in report["failed"].items():
        print("FAILED", name, "\n", trace)
    for name, value in report.items():
        if name not in ("passed", "failed"):
            print(f"{name}: {value}")
    print(f"{len(report['passed'])} passed, {len(report['failed'])} failed")
    sys.exit(1 if report["failed"] or not report["passed"] else 0)


main()
