# SPDX-License-Identifier: Apache-2.0
"""The whole chain in two minutes, with assertions: losses fall, a killed stage resumes, the export means what it should.

    python test_chain.py FOLDER [MASKSKETCH]    FOLDER is emptied; with a program given, it must convert the export too
"""
import json
import os
import shutil
import subprocess
import sys

import torch

import attention
import config as configs
import norm
import runtime
import train


def _curve(work, stage, name):
    with open(os.path.join(work, "curves.jsonl")) as f:
        return [row[name] for row in map(json.loads, f) if row["stage"] == stage]


def main():
    work = sys.argv[1]
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    config = configs.load("test")
    torch.set_num_threads(config["threads"])
    norm.build(work)
    attention.build(work)
    train.run(dict(config, tokenizer_seconds=config["tokenizer_seconds"] * 0.6), work, "tokenizer")
    before = runtime.load(os.path.join(work, "tokenizer.pt"))["step"]
    tokenizer, transformer = train.run(config, work)
    after = runtime.load(os.path.join(work, "tokenizer.pt"))["step"]
    assert after > before > 0, f"the tokenizer did not resume: step {before}, then {after}"
    for stage, name in (("tokenizer", "loss"), ("transformer", "train_ce"), ("transformer", "bce")):
        values = _curve(work, stage, name)
        assert len(values) > 1 and values[-1] < values[0], f"{stage}: {name} did not fall: {values}"
        print(f"{stage} {name}: {values[0]:.3f} -> {values[-1]:.3f}")
    folder = os.path.join(work, "export")
    names = sorted(os.listdir(folder))
    assert names == ["classes.txt", "defaults.json", "tokenizer_checkpoint", "transformer_checkpoint"], names
    if len(sys.argv) > 2:
        path = lambda n: os.path.join(folder, n)
        subprocess.run([sys.argv[2], "convert", "--tokenizer", path("tokenizer_checkpoint"), "--transformer", path("transformer_checkpoint"),
                        "--classes", path("classes.txt"), "--defaults", path("defaults.json"), "--dtype", "f16",
                        "-o", os.path.join(work, "model.safetensors")], check=True)
    print("training chain: all assertions hold")


if __name__ == "__main__":
    main()
