# SPDX-License-Identifier: Apache-2.0
"""Rendered objects on disk, and batches of them.

A data set is a folder of finished shards: NNNNN/{photo,hands,parts,label}.npy
  photo n x S x S x 3 u8; hands n x 5 x S x S u8 (drawings in five hands, grey, dark on light);
  parts n x S/2 x S/2 u8 (0 = background); label n u8.
Shards appear one by one while the renderer runs; Pictures looks again now and then, so training need not wait for the last.
"""
import os
import time

import numpy as np
import torch

NAMES = ("photo", "hands", "parts", "label")


def write_shard(folder, number, arrays):
    """Atomic: the shard's folder appears whole."""
    final, part = os.path.join(folder, f"{number:05d}"), os.path.join(folder, f".{number:05d}.{os.getpid()}")
    os.makedirs(part, exist_ok=True)
    for name in NAMES:
        np.save(os.path.join(part, name + ".npy"), arrays[name])
    os.rename(part, final)


def shards(*folders):
    found = []
    for folder in folders:
        if os.path.isdir(folder):
            found += [os.path.join(folder, s) for s in sorted(os.listdir(folder)) if s.isdigit()]
    return found


class Pictures:
    """Random training pictures from all finished shards of some folders."""

    def __init__(self, *folders, seed=0):
        self.folders, self.rng, self.open, self.looked = folders, np.random.default_rng(seed), {}, 0.0
        self.look()

    def look(self):
        if time.time() - self.looked < 20 and self.open:
            return
        self.looked = time.time()
        for path in shards(*self.folders):
            if path not in self.open:
                self.open[path] = {n: np.load(os.path.join(path, n + ".npy"), mmap_mode="r") for n in NAMES}
        self.list = list(self.open.values())

    def __len__(self):
        return sum(len(s["label"]) for s in self.list)

    def batch(self, n, crop, photo_share):
        """n pictures 3 x crop x crop in [0,1], photos or drawings, at random places, some mirrored. channels_last."""
        self.look()
        out = np.empty((n, crop, crop, 3), np.uint8)
        for k in range(n):
            s = self.list[self.rng.integers(len(self.list))]
            i = self.rng.integers(len(s["label"]))
            photo = self.rng.random() < photo_share
            size = s["photo"].shape[1]
            y, x = self.rng.integers(0, size - crop + 1, 2)
            if photo:
                p = s["photo"][i, y:y + crop, x:x + crop]
            else:
                p = s["hands"][i, self.rng.integers(s["hands"].shape[1]), y:y + crop, x:x + crop, None]
            out[k] = p[:, ::-1] if self.rng.random() < 0.5 else p
        return torch.from_numpy(out).permute(0, 3, 1, 2).float().div_(255)

    def labelled(self, n):
        """For the perceptual network: crops of half size (35 % drawings) with label, contour darkness, silhouette."""
        self.look()
        xs, lines, masks, labels = [], [], [], []
        for _ in range(n):
            s = self.list[self.rng.integers(len(self.list))]
            i, crop = self.rng.integers(len(s["label"])), s["photo"].shape[1] // 2
            y, x = 2 * self.rng.integers(0, crop // 2 + 1, 2)
            window = (slice(y, y + crop), slice(x, x + crop))
            hands = s["hands"][i]
            drawing = self.rng.random() < 0.35
            xs.append(np.repeat(hands[self.rng.integers(len(hands))][window][..., None], 3, -1) if drawing else s["photo"][i][window])
            lines.append(255 - hands[0][window])
            masks.append(np.kron(s["parts"][i] > 0, np.ones((2, 2), bool))[window])
            labels.append(int(s["label"][i]))
        t = lambda a: torch.from_numpy(np.stack(a)).float()
        return t(xs).permute(0, 3, 1, 2) / 255, torch.tensor(labels), t(lines)[:, None] / 255, t(masks)[:, None]


def stack(folder, name, limit=None):
    """One array of a whole (small) data set."""
    parts, n = [], 0
    for path in shards(folder):
        a = np.load(os.path.join(path, name + ".npy"), mmap_mode="r")
        parts.append(np.asarray(a[: None if limit is None else limit - n]))
        n += len(parts[-1])
        if limit is not None and n >= limit:
            break
    return np.concatenate(parts)
