# SPDX-License-Identifier: Apache-2.0
"""Tokens of every rendered object, made once: what the transformer trains on.

For each shard a file work/tokens/<set>/NNNNN.npz, made again when the tokenizer has changed. Every object appears twice, as it
is and mirrored: photo 2n x N, hands 2n x K x N (K of the five hands as is, other K mirrored), label 2n, describe 2n x (N*4*9).
"""
import os
import threading
import time

import numpy as np
import torch

import data
from pairs import describe


@torch.no_grad()
def _encode(net, pixels, device):
    """u8 n x S x S x (3 or 1) -> n x N int16."""
    out = []
    for k in range(0, len(pixels), 32):
        x = torch.from_numpy(np.array(pixels[k:k + 32])).to(device).permute(0, 3, 1, 2).float().div_(255).expand(-1, 3, -1, -1)
        out.append(net.tokens(x).cpu())  # in float32, as the program reads pictures
    return torch.cat(out).numpy().astype(np.int16)


def _make(net, path, side, device, hands_each, rng):
    s = {n: np.load(os.path.join(path, n + ".npy"), mmap_mode="r") for n in data.NAMES}
    n, hands = len(s["label"]), s["hands"].shape[1]
    keep = min(hands_each, hands)
    result = dict(photo=[], hands=[], describe=[], label=np.concatenate([s["label"]] * 2).astype(np.int64))
    for mirrored in (False, True):
        turn = (lambda a: a[:, :, ::-1]) if mirrored else (lambda a: a)
        choice = np.stack([rng.permutation(hands)[:keep] for _ in range(n)])
        drawn = s["hands"][np.arange(n)[:, None], choice].reshape(n * keep, *s["hands"].shape[2:])[..., None]
        result["photo"].append(_encode(net, turn(s["photo"]), device))
        result["hands"].append(_encode(net, turn(drawn), device).reshape(n, keep, -1))
        result.setdefault("hand", []).append(choice.astype(np.int8))
        parts, contour = turn(np.asarray(s["parts"])), turn(np.asarray(s["hands"][:, 0]))
        result["describe"].append(describe(parts, contour, side))
    return {k: v if k == "label" else np.concatenate(v) for k, v in result.items()}


def file_of(work, folder, path, stamp):
    """Where the tokens of shard `path` of `folder` lie."""
    return os.path.join(work, "tokens", os.path.basename(folder), f"{os.path.basename(path)}.{stamp}.npz")


def _file(net, stamp, work, folder, path, device, hands_each):
    """The tokens of one shard, made unless they are there."""
    target = file_of(work, folder, path, stamp)
    if not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        side = np.load(os.path.join(path, "photo.npy"), mmap_mode="r").shape[1] // net.patch
        np.savez(target + ".part.npz", **_make(net, path, side, device, hands_each, np.random.default_rng(int(os.path.basename(path)))))
        os.replace(target + ".part.npz", target)
    return target


def _join(files, device):
    loaded = [np.load(f) for f in files]
    return {k: torch.from_numpy(np.concatenate([f[k] for f in loaded])).to(device) for k in ("photo", "hands", "hand", "describe", "label")}


def build(net, stamp, work, folder, device, hands_each):
    """Encode the shards that have no tokens of this tokenizer (stamp) yet; returns all tokens of the folder, joined, as tensors on the device."""
    net = net.to(device).eval()
    return _join([_file(net, stamp, work, folder, path, device, hands_each) for path in data.shards(folder)], device)


class Growing:
    """The tokens of a folder that is still being rendered: a thread of its own makes them as shards come."""

    def __init__(self, net, stamp, work, folder, device, hands_each):
        self.net, self.folder, self.device, self.files, self.given = net.to(device).eval(), folder, device, [], 0
        self.make = lambda path: _file(self.net, stamp, work, folder, path, device, hands_each)

    def follow(self, finished):
        """Starts the thread, which ends when finished() says that no shard will come. Returns once there are tokens of one."""
        def work():
            seen = set()
            while True:
                last = finished()
                for path in data.shards(self.folder):
                    if path not in seen:  # shards come in any order
                        seen.add(path)
                        self.files.append(self.make(path))
                if last:
                    return
                time.sleep(0.5)
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        while not self.files and thread.is_alive():
            time.sleep(0.1)
        if not self.files:
            raise SystemExit("no tokens could be made")

    def more(self):
        """All tokens there are, or None if there are no more than last time."""
        files = self.files[:]
        if len(files) == self.given:
            return None
        self.given = len(files)
        return _join(files, self.device)
