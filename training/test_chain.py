# SPDX-License-Identifier: Apache-2.0
"""The whole chain as a miniature, with assertions: losses fall, a stopped stage resumes, the exports load and draw in the program.

    python test_chain.py FOLDER PROGRAM    FOLDER is emptied; PROGRAM is a built masksketch

About two minutes of two cores. Its networks are far too small and too short trained for pictures worth looking at: what is shown is that
every stage runs, learns something and fits the next.
"""
import json
import math
import os
import shutil
import subprocess
import sys
import types

import numpy as np
import torch
from PIL import Image

import clip
import clip_data
import clip_trunk
import clip_words
import config as configs
import curves
import data
import decoder_train
import judge
import judge_export
import runtime
import tokenizer_train
import train
import transformer_train


def _falls(work, stage, name):
    with open(os.path.join(work, "curves.jsonl")) as f:
        values = [row[name] for row in map(json.loads, f) if row["stage"] == stage]
    assert len(values) > 1 and all(map(math.isfinite, values)) and values[-1] < values[0], f"{stage}: {name} did not fall: {values}"
    print(f"{stage} {name}: {values[0]:.3f} -> {values[-1]:.3f}", flush=True)


def _program(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, f"masksketch {' '.join(map(str, arguments))}: exit {done.returncode}: {done.stderr}"
    return done.stdout


def _converts_and_draws(program, work, config):
    """The export becomes a model; a rendered drawing becomes a picture of the model's size that is no plain colour; a seed gives it again."""
    path = lambda *names: os.path.join(work, *names)
    names = sorted(os.listdir(path("export")))
    assert names == ["classes.txt", "defaults.json", "tokenizer_checkpoint", "transformer_checkpoint"], names
    _program(program, "convert", "--tokenizer", path("export", "tokenizer_checkpoint"), "--transformer", path("export", "transformer_checkpoint"),
             "--classes", path("export", "classes.txt"), "--defaults", path("export", "defaults.json"), "--dtype", "f16", "-o", path("model.safetensors"))
    Image.fromarray(data.stack(path("data", "test"), "hands", 1)[0, 0]).save(path("sketch.png"))
    for name in ("one.png", "two.png"):
        _program(program, "draw", path("sketch.png"), "--model", path("model.safetensors"), "--class", configs.OBJECTS[0], "--seed", 7, "--quiet", "-o", path(name))
    one, two = (np.asarray(Image.open(path(name)).convert("RGB")) for name in ("one.png", "two.png"))
    assert one.shape == (config["size"], config["size"], 3) and (one == two).all() and one.std() > 2, (one.shape, one.std())
    print("the export converts and draws", flush=True)


def _scores(program, work):
    """The program's cosines with the small CLIP are PyTorch's."""
    path = lambda *names: os.path.join(work, *names)
    net, words, config = clip.shipped(work)
    record = clip_data.Objects(path("data", "clip-test"))[0]
    Image.fromarray(record["photo"]).save(path("photo.png"))
    Image.fromarray(record["hands"][0]).save(path("clip-sketch.png"))
    text = clip_words.plain("photo", 0, 0)
    photo, sketch = clip.embed(net, [record["photo"], record["hands"][0]], config["clip_side"])
    said = json.loads(_program(program, "score", path("photo.png"), "--text", text, "--sketch", path("clip-sketch.png"), "--clip", path("clip"), "--json"))[0]
    expected = dict(text=float(photo @ clip.embed_texts(net, words, [text])[0]), sketch=float(photo @ sketch))
    assert all(abs(said[k] - expected[k]) < 2e-5 for k in expected), (said, expected)
    print("the program's CLIP agrees:", expected, flush=True)


def _judges(work):
    """A miniature of the judge learns, and is exported."""
    judge.SHARD, judge.UNSEEN = 24, 12
    judge.train(work, 15, 24)
    seen = judge.pictures(work, configs.CPU["judge_seed"], 24, judge.STYLES)
    loss = lambda net: float(judge._step(net.train(), seen, np.arange(24), torch.Generator().manual_seed(3)).detach())
    before, after = loss(judge.Judge()), loss(judge.load(work))
    assert after < before, f"the judge's loss did not fall: {before}, then {after}"
    judge_export.export(work, os.path.join(work, "judge.safetensors"))
    print(f"judge loss: {before:.3f} -> {after:.3f}", flush=True)


def main():
    work, program = sys.argv[1:3]
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    config = configs.load("test")
    for stage in (tokenizer_train, decoder_train, transformer_train, clip_trunk, clip):  # measure and save by the same clock as they train
        stage.time = types.SimpleNamespace(time=runtime.now)
    torch.set_num_threads(config["threads"])
    train.run(dict(config, tokenizer_seconds=config["tokenizer_seconds"] * 0.6), work, "tokenizer")
    before = runtime.load(os.path.join(work, "tokenizer.pt"))["step"]
    train.run(config, work)
    after = runtime.load(os.path.join(work, "tokenizer.pt"))["step"]
    assert after > before > 0, f"the tokenizer did not resume: step {before}, then {after}"
    for stage, name in (("tokenizer", "loss"), ("transformer", "train_ce"), ("transformer", "bce"), ("clip trunk", "parts"), ("clip", "text"), ("clip", "sketch")):
        _falls(work, stage, name)
    _converts_and_draws(program, work, config)
    _scores(program, work)
    _judges(work)
    curves.draw(work)
    for name in ("tokenizer.png", "samples.png", "curves.svg"):
        assert os.path.getsize(os.path.join(work, name)) > 0, name
    print("training chain: all assertions hold")


if __name__ == "__main__":
    main()
