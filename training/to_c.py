# SPDX-License-Identifier: Apache-2.0
"""Hands a run of transformer_train.py over to `masksketch train`: its checkpoint with all moments, and the tokens made so far.

    python to_c.py WORK MODEL.safetensors OUT     WORK: the Python run's folder; MODEL: whose codes it uses; OUT: the C run's folder

OUT gets transformer.checkpoint, train.tokens and held-out.tokens; the spec's style, seeds and size must be those of the run.
"""
import glob
import hashlib
import json
import os
import struct
import sys

import numpy as np
import torch

import runtime
from export import transformer_tree
from pairs import PARTS
from transformer_train import build

QUARTERS, VIEWS = 4, PARTS + 1


def write_safetensors(path, tensors, metadata):
    """All float32, by name, as the program's own writer does it."""
    header, at = {"__metadata__": metadata}, 0
    for name in sorted(tensors):
        size = tensors[name].nbytes
        header[name] = {"dtype": "F32", "shape": list(tensors[name].shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-(len(text) + 8) % 64)
    with open(path + ".part", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name in sorted(tensors):
            f.write(tensors[name].tobytes())
    os.replace(path + ".part", path)


def flat(tree, prefix=""):
    found = {}
    for name, value in tree.items():
        found.update(flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value})
    return found


def named(config, values):
    """Tensors of a network's parameters, in order of named_parameters(), under the names of the weight table."""
    net = build(config)
    with torch.no_grad():
        for p, value in zip(net.parameters(), values):
            p.copy_(value if value is not None else torch.zeros_like(p))
    return flat(transformer_tree(net)["params"])


def moments(config, state):
    """Adam's first and second moments and Muon's momentum, in order of named_parameters(); the pair loss's own; its number of steps."""
    net = build(config)
    items = list(net.named_parameters())
    hidden = [name for name, p in items if name.startswith("layers.") and p.ndim == 2] + ["head.weight"]
    rest = [(name, p) for name, p in items if name not in hidden]
    order = [name for name, p in rest if p.ndim > 1] + [name for name, p in rest if p.ndim <= 1] + ["log_scale", "offset"]
    adam, muon = (optimiser["state"] for optimiser in state["optimisers"])
    first = {name: adam[i]["exp_avg"] for i, name in enumerate(order) if i in adam}
    second = {name: adam[i]["exp_avg_sq"] for i, name in enumerate(order) if i in adam}
    first.update({name: muon[i]["momentum"] for i, name in enumerate(hidden) if i in muon})
    pair = [[float(m.get(name, 0)) for name in ("log_scale", "offset")] for m in (first, second)]
    steps = int(adam[len(order) - 1]["step"]) if len(order) - 1 in adam else 0
    names = [name for name, _ in items]
    return [first.get(n) for n in names], [second.get(n) for n in names], pair, steps


def checkpoint(work, out):
    state = runtime.load(os.path.join(work, "transformer.pt"))
    config = state["config"]
    net = build(config)
    first, second, pair, pair_steps = moments(config, state)
    tensors = {}
    for prefix, values in (("net.", [state["net"][n] for n, _ in net.named_parameters()]),
                           ("average.", [state["average"][n] for n, _ in net.named_parameters()]), ("first.", first), ("second.", second)):
        found = named(config, values)
        tensors.update({prefix + name: value for name, value in found.items() if prefix != "second." or not name.endswith(".kernel")})
    numbers = [float(state["pair"]["log_scale"]), float(state["pair"]["offset"])]
    tensors["pair"] = np.array(numbers + pair[0] + pair[1], np.float32)
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(tensors[name].tobytes())
    write_safetensors(os.path.join(out, "transformer.checkpoint"), tensors,
                      {"format": "masksketch training 1", "step": str(state["step"]), "pair_step": str(pair_steps), "sha256": digest.hexdigest()})
    print(f"step {state['step']}, {state['step'] * config['transformer_batch']} sequences, {pair_steps} steps of the pair loss")
    return config


def fingerprint(model, description):
    """As src/api/run_training.c makes it: the tokenizer's tensors by name, then the world."""
    digest = hashlib.sha256()
    with open(model, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    for name in sorted(n for n in header if n.startswith("tokenizer.")):
        first, last = header[name]["data_offsets"]
        digest.update(data[first:last])
    digest.update(description.encode())
    return digest.hexdigest()


def checksums(records):
    """FNV-1a of each row of bytes."""
    hashes = np.full(len(records), 0xCBF29CE484222325, np.uint64)
    with np.errstate(over="ignore"):
        for column in records.T:
            hashes = (hashes ^ column.astype(np.uint64)) * np.uint64(0x100000001B3)
    return hashes


def record_bytes(shard):
    """A shard's objects, each as it is and mirrored, as rows of the tokens' file (src/train/tokens.c)."""
    count, hands, cells = shard["hands"].shape
    order = np.arange(count).reshape(2, -1).T.reshape(-1)  # a shard holds all plain ones, then all mirrored
    rows = lambda a, kind: np.ascontiguousarray(a[order].astype(kind)).reshape(count, -1).view(np.uint8)
    padding = np.zeros((count, -(1 + hands) % 2), np.uint8)
    parts = [rows(shard["label"][:, None], np.uint8), rows(shard["hand"], np.uint8), padding, rows(shard["photo"], "<u2"), rows(shard["hands"], "<u2"),
             rows(shard["describe"], np.uint8)]
    width = sum(p.shape[1] for p in parts)
    body = np.concatenate(parts + [np.zeros((count, -width % 8), np.uint8)], 1)
    return np.concatenate([body, checksums(body).view(np.uint8).reshape(count, 8)], 1), hands, cells


def tokens(work, out, name, target, model, description):
    stamp = runtime.fingerprint(model)
    files = sorted(glob.glob(os.path.join(work, "tokens", name, f"*.{stamp}.npz")))
    path, objects = os.path.join(out, target), 0
    with open(path + ".part", "wb") as f:
        for number, file in enumerate(files):
            if int(os.path.basename(file).split(".")[0]) != number:  # the program goes on where the file ends: no gaps
                break
            records, hands, cells = record_bytes(np.load(file))
            if number == 0:
                f.write(f"masksketch tokens 1\ncells {cells} hands {hands}\n{fingerprint(model, description)}\n".encode().ljust(256, b"\0"))
            f.write(records.tobytes())
            objects += len(records) // 2
    os.replace(path + ".part", path)
    print(f"{target}: {objects} objects")


def main():
    work, model, out = sys.argv[1:4]
    os.makedirs(out, exist_ok=True)
    config = checkpoint(work, out)
    for name, target, seed in (("train", "train.tokens", config["seed"]), ("test", "held-out.tokens", config["test_seed"])):
        tokens(work, out, name, target, model, f"world {config['style']} seed {seed} size {config['size']}")


if __name__ == "__main__":
    main()
