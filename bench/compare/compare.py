# SPDX-License-Identifier: Apache-2.0
"""This program beside others on the same networks (published sizes, random weights), the same machine, the same threads. One process
of each and runs of `masksketch bench` take turns, round by round; while one works, the others are stopped. The times of a round are neighbours, so
that their ratio holds on a machine whose speed changes. Each takes 1 to 3 GB; where memory is short, `--kinds torch,jax` measures some of them, and
the results gather in a JSON file, from which the table is made.

A step here is two passes over the whole transformer, at batch 2 and at batch 1: what every program is given to do. masksketch's own step is a
drawing's: the second pass stops at the keys of layer 22, reads attention out and scores it, and tokens are sampled."""
import argparse
import importlib.metadata
import json
import os
import signal
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ITEMS = ("forward", "step", "encode", "decode")
KINDS = {
    "jax": "the authors' code (JAX, jitted)",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "openvino-bf16": "OpenVINO, bf16",
    "torch": "PyTorch, eager, channels last",
    "torch-compile": "PyTorch, torch.compile",
    "onnxruntime-int8": "ONNX Runtime, dynamic int8",
    "openvino-int8": "OpenVINO, static int8 (NNCF)",
    "torch-int8": "PyTorch, dynamic int8",
}


def own_times(arguments, precision):
    """One process of masksketch bench: {item: seconds}, and the peaks that it measured."""
    command = [arguments.program, "bench", *ITEMS, "--json", "--quiet", "--size", arguments.model, "--rounds", "1", "--seconds", "2",
               "--threads", str(arguments.threads), "--precision", precision]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    times = {item: answer["results"][item][precision]["ms"] / 1e3 for item in ITEMS}
    return times, answer


class Worker:
    """Makes its files before it starts: one kind after another, as some share them."""

    def __init__(self, arguments, kind):
        environment = dict(os.environ)
        # Set on some machines for old OpenBLAS builds; it slows a current numpy.
        for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            environment.pop(variable, None)
        log = open(os.path.join(os.path.dirname(arguments.model), f"{kind}.log"), "w")
        self.failure = f"{kind} does not start; {log.name} says why"
        command = [sys.executable, os.path.join(HERE, "worker.py"), kind, arguments.model, str(arguments.threads)]
        if subprocess.run([*command, "files"], stdout=log, stderr=log, env=environment).returncode:
            sys.exit(self.failure)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)

    def wait_until_ready(self):
        for line in self.process.stdout:
            if line.strip() == "ready":
                return
        sys.exit(self.failure)

    def ask(self, word):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        self.process.send_signal(signal.SIGSTOP)
        return answer

    def close(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        self.process.wait()


def wait_for(path):
    while path and not os.path.exists(path):
        time.sleep(0.2)


def measure(arguments, kinds, results):
    """All of them in one rotation: own process, then each worker, item by item."""
    workers = {kind: Worker(arguments, kind) for kind in kinds}
    for worker in workers.values():
        worker.wait_until_ready()
    checks = {kind: worker.ask("check") for kind, worker in workers.items()}
    print("all are ready", file=sys.stderr)
    wait_for(arguments.after)
    entries = {kind: {"own": {item: [] for item in ITEMS}, "other": {item: [] for item in ITEMS}, "peaks": [], "check": checks[kind],
                      "release": importlib.metadata.version(kind.split("-")[0])} for kind in kinds}
    precision_of = {kind: "int8" if kind.endswith("int8") else "fp32" for kind in kinds}
    for _ in range(arguments.rounds):
        own = {precision: own_times(arguments, precision) for precision in sorted(set(precision_of.values()))}
        for kind, worker in workers.items():
            entry, (times, answer) = entries[kind], own[precision_of[kind]]
            entry["isa"], entry["version"], entry["own_memory"] = answer["isa"], answer["version"], answer["peak_memory"]
            entry["peaks"].append([answer["peak_gflops"], answer["peak_int8_gops"]])
            entry["gflop"] = {item: answer["results"][item][precision_of[kind]]["gflop"] for item in ITEMS}
            for item in ITEMS:
                other = worker.ask(item)
                entry["own"][item].append(times[item])
                entry["other"][item].append(None if other == "none" else float(other))
        results.update(entries)
        json.dump(results, open(arguments.results, "w"), indent=1)
    for kind, worker in workers.items():
        entries[kind]["memory"] = int(worker.ask("memory"))
        worker.close()
    json.dump(results, open(arguments.results, "w"), indent=1)


def cell(entry, item):
    if entry["other"][item][0] is None:
        return "-"
    other, ratios = min(entry["other"][item]), [b / a for a, b in zip(entry["own"][item], entry["other"][item])]
    return f"{1e3 * other:.0f} ({statistics.median(ratios):.2f})"


def row(name, entry):
    cells = " | ".join(cell(entry, item) for item in ITEMS)
    return f"| {name} | {cells} | {entry.get('memory', 0) / 1e6:.0f} |"


def own_row(name, entries, precision):
    best = {item: min(min(e["own"][item]) for e in entries) for item in ITEMS}
    peak = max(p[precision == "int8"] for e in entries for p in e["peaks"])
    share = {item: entries[0]["gflop"][item] / best[item] / peak for item in ITEMS}
    cells = " | ".join(f"**{1e3 * best[item]:.0f}** [{share[item]:.2f}]" for item in ITEMS)
    return f"| **masksketch, {name}** | {cells} | {max(e['own_memory'] for e in entries) / 1e6:.0f} |"


def table(results):
    lines = ["| program | forward | step | encode | decode | memory, MB |", "|---|---|---|---|---|---|"]
    for precision in ("fp32", "int8"):
        kinds = [k for k in KINDS if k in results and k.endswith("int8") == (precision == "int8")]
        if not kinds:
            continue
        lines.append(own_row(precision, [results[k] for k in kinds], precision))
        lines += [row(KINDS[k], results[k]) for k in kinds]
    lines.append("")
    releases = {kind.split("-")[0]: entry["release"] for kind, entry in results.items()}
    lines.append("Releases: " + ", ".join(f"{package} {release}" for package, release in sorted(releases.items())) + ".")
    lines.append("Milliseconds, the least of all rounds; (how many times as long as masksketch beside it: median over rounds); [share of the measured peak].")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="the built masksketch")
    parser.add_argument("--model", required=True, help="model file of random weights; made if it is not there")
    parser.add_argument("--results", required=True, help="JSON file that gathers what was measured")
    parser.add_argument("--kinds", default=",".join(KINDS), help="which programs, with commas between them")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--after", help="set everything up, then wait for this file before measuring (for a reserved quiet time)")
    parser.add_argument("--table", help="Markdown file for the table")
    arguments = parser.parse_args()
    arguments.model = os.path.abspath(arguments.model)
    results = json.load(open(arguments.results)) if os.path.exists(arguments.results) else {}
    if not os.path.exists(arguments.model):
        subprocess.run([arguments.program, "bench", "forward", "--rounds", "1", "--seconds", "1", "-o", arguments.model], check=True,
                       stdout=subprocess.DEVNULL)
    kinds = [kind for kind in arguments.kinds.split(",") if kind]
    for kind in kinds:
        if kind not in KINDS:
            sys.exit(f"there is no kind {kind}, expected some of {', '.join(KINDS)}")
    if "jax" in kinds and "MASKSKETCH_JAX" not in os.environ:
        print("the authors' code is left out: MASKSKETCH_JAX names no clone of it", file=sys.stderr)
        kinds.remove("jax")
    if kinds:
        measure(arguments, kinds, results)
    text = table(results)
    if arguments.table:
        open(arguments.table, "w").write(text + "\n")
    print(text)


main()
