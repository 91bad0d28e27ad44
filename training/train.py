# SPDX-License-Identifier: Apache-2.0
"""What trains by PyTorch: render, tokenizer, tokens, decoder, transformer, export, small CLIP. One command, resumable after a kill.

    python train.py [--preset cpu|gpu|test] [--work FOLDER] [--set name=value ...] [--stage all|render|tokenizer|tokens|decoder|transformer|clip]
                    [--tokenizer MODEL.safetensors]

With --tokenizer the codes of an existing model are kept and no tokenizer is trained; the transformer begins with the objects that are rendered
by then and takes in the others as they come. Work files (shards, checkpoints, curves.jsonl, curves.svg, tokenizer.png, samples.png, export/, clip/)
lie in --work, never in the repository.
"""
import argparse
import os
import subprocess
import sys
import time

import numpy as np
import torch

import cache
import clip
import config as configs
import curves
import data
import decoder_train
import export
import model_file
import runtime
import sample
import tokenizer_train
import transformer_train
import verify

HERE = os.path.dirname(os.path.abspath(__file__))


def _render(config, work):
    """Start the renderers (niced, in their own processes); wait only for the test set and the first shard."""
    worlds = (("test", config["test_seed"], config["test_objects"]), ("train", config["seed"], config["objects"]))
    running = []
    for name, seed, objects in worlds:
        folder = os.path.join(work, "data", name)
        os.makedirs(folder, exist_ok=True)
        per = min(config["shard"], objects)
        if len(data.shards(folder)) >= -(-objects // per):
            continue
        workers = config["render_workers"] if name == "train" else min(config["render_workers"], -(-objects // per))
        commands = [["nice", "-n", "10", sys.executable, os.path.join(HERE, "render.py"), folder, str(seed), str(objects), str(config["size"]),
                     str(per), str(w), str(workers), config["style"]] for w in range(workers)]
        started = [subprocess.Popen(c, stdout=None if k == 0 else subprocess.DEVNULL) for k, c in enumerate(commands)]
        if name == "test":
            if any(p.wait() for p in started):
                raise SystemExit("rendering the test set failed")
        running += started
    while not data.shards(os.path.join(work, "data", "train")):
        if running and all(p.poll() is not None for p in running):
            raise SystemExit("rendering stopped before its first shard")
        time.sleep(1)
    return running


def _stamp(config, work):
    state = runtime.load(os.path.join(work, "tokenizer.pt"))
    return f"{state['step']}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="cpu", choices=configs.PRESETS)
    parser.add_argument("--work", default=os.path.expanduser("~/.cache/masksketch-training"))
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--stage", default="all", choices=("all", "render", "tokenizer", "tokens", "decoder", "transformer", "clip"))
    parser.add_argument("--tokenizer", metavar="MODEL", help="keep this model's codes")
    options = parser.parse_args()
    config, work = configs.load(options.preset, options.set), options.work
    if config["device"] == "cuda" and not torch.cuda.is_available():
        raise SystemExit("no GPU that PyTorch can use was found: take --preset cpu, or try the settings with training/run.sh gpu --dry-run")
    os.makedirs(work, exist_ok=True)
    torch.set_num_threads(config["threads"])
    torch.backends.cudnn.allow_tf32 = False  # tokens must be those that the program reads; what may be rougher is in bf16 anyway
    if options.tokenizer:
        transformer_for(config, work, options.tokenizer)
    else:
        run(config, work, options.stage)
    if os.path.exists(os.path.join(work, "curves.jsonl")):
        curves.draw(work)


def transformer_for(config, work, model):
    """The transformer alone, for the codes of `model`, from as many objects as are rendered so far."""
    train_folder, test_folder, device = os.path.join(work, "data", "train"), os.path.join(work, "data", "test"), config["device"]
    tokenizer = model_file.tokenizer(model, config)
    config["codes"] = tokenizer.codes
    stamp = runtime.fingerprint(model)
    renderers = _render(config, work)
    test = cache.build(tokenizer, stamp, work, test_folder, device, config["hands_each"])
    pictures = data.stack(test_folder, "photo"), data.stack(test_folder, "hands")
    tokens = cache.Growing(tokenizer, stamp, work, train_folder, device, config["hands_each"])
    tokens.follow(lambda: all(p.poll() is not None for p in renderers))

    def show(net):
        settings = ({}, dict(placeholder="mask", guidance=4.0, token_temperature=1.0, steps=36), dict(free=True))
        sample.contact(net, config["structure_layers"], tokenizer, test, pictures, os.path.join(work, "samples.png"), settings=settings)
        export.write(os.path.join(work, "export"), tokenizer, net, config, sample.RECIPE, f"training/train.py, {config['objects']} rendered objects")

    net = transformer_train.train(config, work, tokens.more(), test, tokenizer.codebook, show, tokens.more)
    show(net)
    return net


def run(config, work, stage="all"):
    """All stages up to and including `stage`; "clip", which needs no other, alone. Returns (tokenizer, transformer), as far as they came."""
    if stage == "clip":
        clip.train(config, work)
        return None, None
    train_folder, test_folder, device = os.path.join(work, "data", "train"), os.path.join(work, "data", "test"), config["device"]
    renderers = _render(config, work)
    if stage == "render":
        return [p.wait() for p in renderers]
    tokenizer = tokenizer_train.train(config, work, [train_folder], test_folder)
    if stage == "tokenizer":
        return tokenizer, None
    for p in renderers:
        p.wait()
    stamp = _stamp(config, work)
    train = cache.build(tokenizer, stamp, work, train_folder, device, config["hands_each"])
    test = cache.build(tokenizer, stamp, work, test_folder, device, config["hands_each"])
    if stage == "tokens":
        return tokenizer, None
    if stage in ("all", "decoder"):
        tokenizer = decoder_train.train(config, work, [train_folder], test_folder, stamp)
    if stage == "decoder":
        return tokenizer, None
    pictures = data.stack(test_folder, "photo"), data.stack(test_folder, "hands")

    def show(net):
        """A sample sheet and an export after every log, with the decoder as far as it has come."""
        state = runtime.load(os.path.join(work, "decoder.pt"))
        if state and state["stamp"] == stamp:
            tokenizer.decoder.load_state_dict(state["decoder"])
        sample.contact(net, config["structure_layers"], tokenizer, test, pictures, os.path.join(work, "samples.png"), settings=({}, dict(placeholder="mask"), dict(free=True)))
        export.write(os.path.join(work, "export"), tokenizer, net, config, sample.RECIPE, f"training/train.py, {config['objects']} rendered objects")

    net = transformer_train.train(config, work, train, test, tokenizer.codebook, show)
    show(net)
    curves.draw(work)
    print("export", verify.compare(os.path.join(work, "export"), tokenizer, net, pictures[0][0] / np.float32(255)), flush=True)
    if stage == "all":
        clip.train(config, work)
    return tokenizer, net


if __name__ == "__main__":
    main()
