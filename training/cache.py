# SPDX-License-Identifier: Apache-2.0
"""Tokens of every rendered object, made once: what the transformer trains on.

For each shard a file work/tokens/<set>/NNNNN.npz, made again when the tokenizer has changed. Every object appears twice, as it
is and mirrored: photo 2n x N, hands 2n x K x N (K of the five hands as is, other K mirrored), label 2n, describe 2n x (N*4*9).
"""
import os

import numpy as np
import torch

import data
import runtime
from pairs import describe


@torch.no_grad()
def _encode(net, pixels, device):
    """u8 n x S x S x (3 or 1) -> n x N int16."""
    out = []
    for k in range(0, len(pixels), 16):
        x = torch.from_numpy(np.array(pixels[k:k + 16])).permute(0, 3, 1, 2).float().div_(255).expand(-1, 3, -1, -1)
        with runtime.autocast(device):
            out.append(net.tokens(x.to(device)).cpu())
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
        result["describe"].append(np.stack([describe(p, c, side).reshape(-1) for p, c in zip(parts, contour)]))
    return {k: v if k == "label" else np.concatenate(v) for k, v in result.items()}


def file_of(work, folder, path, stamp):
    """Where the tokens of shard `path` of `folder` lie."""
    return os.path.join(work, "tokens", os.path.basename(folder), f"{os.path.basename(path)}.{stamp}.npz")


def build(net, stamp, work, folder, device, hands_each, limit=None):
    """Encode the shards that have no tokens of this tokenizer (stamp) yet; returns all tokens of the folder, joined."""
    os.makedirs(os.path.join(work, "tokens", os.path.basename(folder)), exist_ok=True)
    net = net.to(device).eval() if net is not None else None
    files = []
    for path in data.shards(folder)[:limit]:
        target = file_of(work, folder, path, stamp)
        if not os.path.exists(target):
            side = np.load(os.path.join(path, "photo.npy"), mmap_mode="r").shape[1] // net.patch
            made = _make(net, path, side, device, hands_each, np.random.default_rng(int(os.path.basename(path))))
            np.savez(target + ".part.npz", **made)
            os.replace(target + ".part.npz", target)
            print(f"tokens of {path}: {len(np.unique(made['photo']))} codes in photos", flush=True)
        files.append(target)
    loaded = [np.load(f) for f in files]
    return {k: np.concatenate([f[k] for f in loaded]) for k in ("photo", "hands", "hand", "describe", "label")}
