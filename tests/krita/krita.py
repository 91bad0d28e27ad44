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


def main():
    program, folder = (os.path.abspath(path) for path in sys.argv[1:3])
    here = os.path.dirname(os.path.abspath(__file__))
    shutil.rmtree(folder, ignore_errors=True)
    plugins, config = (os.path.join(folder, *p) for p in (("data", "krita", "pykrita"), ("config",)))
    os.makedirs(plugins)
    os.makedirs(os.path.join(config, "masksketch"))
    runtime = os.path.join(folder, "runtime")
    os.makedirs(runtime, mode=0o700)
    subprocess.run([program, "krita", "--install", plugins], check=True)
    for name in ("masksketch_checks.desktop", "masksketch_checks"):
        source = os.path.join(here, name)
        copy = shutil.copytree if os.path.isdir(source) else shutil.copy
        copy(source, os.path.join(plugins, name))
    with open(os.path.join(config, "kritarc"), "w") as file:
        file.write("[python]\nenable_masksketch=true\nenable_masksketch_checks=true\n")
    with open(os.path.join(config, "masksketch", "krita.conf"), "w") as file:
        file.write(f"[General]\naddress=http://127.0.0.1:{free_port()}\n")
    bin_folder = os.path.join(folder, "bin")
    os.makedirs(bin_folder)
    os.symlink(program, os.path.join(bin_folder, "masksketch"))
    environment = dict(os.environ, HOME=folder, XDG_CONFIG_HOME=config, MSK_CHECKS=folder,
                       XDG_DATA_HOME=os.path.join(folder, "data"), XDG_RUNTIME_DIR=runtime,
                       MSK_PROGRAM=program, PATH=bin_folder + ":/usr/bin:/bin",  # Krita's Python is the system's
                      
                       PYTHONDONTWRITEBYTECODE="1", PYTHONFAULTHANDLER="1")
    with open(os.path.join(folder, "krita.log"), "wb") as log:
        krita = subprocess.Popen(["xvfb-run", "-a", "krita", "--nosplash"], env=environment,
                                 stdout=log, stderr=log, start_new_session=True)
        try:
            krita.wait(900)
        except subprocess.TimeoutExpired:
            print("krita.py: Krita was too slow, or hung", file=sys.stderr)
        finally:
            try:
                os.killpg(krita.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    try:
        with open(os.path.join(folder, "report.json")) as file:
            report = json.load(file)
    except OSError:
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
