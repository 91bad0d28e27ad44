# SPDX-License-Identifier: Apache-2.0
"""Pictures for the small CLIP: rendered objects, the name of their colour, and batches prepared as the program prepares them.

A shard is one file NNNNN.npy of records (`kind`); it appears whole. Most come from the generator's own training objects, made small (`shrink`);
some are rendered for this (`make`) with every kind of drawing and in both styles of the world.
"""
import ctypes
import os
import time

import numpy as np
from PIL import Image

import data
import render
from clip_words import CARTOON, COLOURS, PENCIL, PHOTO, SKETCH

MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
DRAWINGS = [SKETCH] * render.HANDS + [CARTOON, PENCIL]  # kinds of the drawings of an object, in their order


def kind(size, every_drawing=True):
    coloured = [("cartoon", "u1", (size, size, 3)), ("pencil", "u1", (size, size, 3))] if every_drawing else []
    return np.dtype([("photo", "u1", (size, size, 3)), ("hands", "u1", (render.HANDS, size, size)), ("parts", "u1", (size // 2, size // 2)), ("label", "u1"),
                     ("colour", "i1"), ("colours", "u2")] + coloured)


def name_pixels(rgb):
    """u8 ... x 3 -> index into COLOURS for every pixel: by hue, and by saturation and brightness where those decide."""
    c = rgb.astype(np.float32) / 255
    high, low = c.max(-1), c.min(-1)
    chroma = high - low
    r, g, b = c[..., 0], c[..., 1], c[..., 2]
    safe = np.maximum(chroma, 1e-6)
    hue = 60 * np.where(high == r, (g - b) / safe % 6, np.where(high == g, (b - r) / safe + 2, (r - g) / safe + 4))
    saturation = chroma / np.maximum(high, 1e-6)
    #            red      orange    yellow    green      blue       purple     pink       red
    name = np.select([hue < 14, hue < 42, hue < 68, hue < 168, hue < 255, hue < 292, hue < 342], [0, 1, 2, 3, 4, 5, 6], 0)
    warm = (name == 1) | (name == 0) & (hue < 180) & (hue > 6) | (name == 2) & (hue < 52)
    name = np.where(warm & (high < 0.62) & (saturation > 0.25), 7, name)
    name = np.where(warm & (high < 0.8) & (saturation < 0.62) & (saturation > 0.25), 7, name)
    name = np.where((hue > 18) & (hue < 62) & (saturation < 0.62) & (high > 0.8), 11, name)
    name = np.where((name == 0) & (saturation < 0.55) & (high > 0.7), 6, name)
    dull = (saturation < 0.16) | (chroma < 0.06)
    name = np.where(dull, np.where(high > 0.74, 8, np.where(high > 0.3, 9, 10)), name)
    return np.where(high < 0.13, 10, name)


def name_colour(photo, parts):
    """-> the main colour's index or -1 where none rules, and a bit for every colour that covers a fifth. parts: half size."""
    inside = np.kron(parts > 0, np.ones((2, 2), bool))
    if inside.sum() < 30:
        return -1, 0
    share = np.bincount(name_pixels(photo[inside]), minlength=len(COLOURS)) / inside.sum()
    main = int(share.argmax())
    others = np.sort(share)[-2]
    return (main if share[main] > 0.5 or (share[main] > 0.38 and others < 0.22) else -1), int(sum(1 << k for k in range(len(COLOURS)) if share[k] > 0.2))


def _render(lib, label, seed, style, record, size):
    photo, cartoon, pencil = (np.empty((size, size, 3), np.uint8) for _ in range(3))
    hands, parts = np.empty((render.HANDS, size, size), np.uint8), np.empty((size, size), np.uint8)
    pointer = lambda a: a.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
    views = render._Views(photo=pointer(photo), parts=pointer(parts), hands=(ctypes.POINTER(ctypes.c_uint8) * render.HANDS)(*(pointer(h) for h in hands)),
                          cartoon=pointer(cartoon), coloured_pencil=pointer(pencil))
    if lib.world_render(lib.kinds[label], seed, size, render.STYLES[style], ctypes.byref(views)):
        raise RuntimeError(f"world_render({label}, {seed}, {size}) failed")
    small = parts[::2, ::2]
    colour, colours = name_colour(photo, small)
    record["photo"], record["hands"], record["cartoon"], record["pencil"], record["parts"] = photo, hands, cartoon, pencil, small
    record["label"], record["colour"], record["colours"] = label, colour, colours


def _write(path, records):
    with open(path + ".part", "wb") as f:
        np.save(f, records)
    os.replace(path + ".part", path)


def _small(record, size, every_drawing):
    """A record (or a dictionary like one) prepared at another size."""
    small, parts = np.zeros((), kind(size, every_drawing)), np.asarray(record["parts"])
    for name in ("photo", "cartoon", "pencil") if every_drawing else ("photo",):
        small[name] = prepare(record[name], size)
    small["hands"] = [prepare(h, size)[..., 0] for h in record["hands"]]
    small["parts"] = np.asarray(Image.fromarray(parts).resize((size // 2, size // 2), Image.Resampling.NEAREST))
    small["label"] = record["label"]
    small["colour"], small["colours"] = name_colour(small["photo"], small["parts"])
    return small


def shrink(source, folder, size, most):
    """Small records of the finished shards of a data set (data.py), up to `most` objects, where they are not there yet."""
    os.makedirs(folder, exist_ok=True)
    count = 0
    for shard in data.shards(source):
        if count >= most:
            break
        count += len(np.load(os.path.join(shard, "label.npy"), mmap_mode="r"))
        path = os.path.join(folder, os.path.basename(shard) + ".npy")
        if os.path.exists(path):
            continue
        large = {n: np.load(os.path.join(shard, n + ".npy"), mmap_mode="r") for n in data.NAMES}
        records = [_small({n: large[n][k] for n in data.NAMES}, size, False) for k in range(len(large["label"]))]
        _write(path, np.stack(records))


def make(folder, first_seed, objects, size, styles, stored=None, per_shard=120):
    """Renders the shards that are not there yet, at `size`; made smaller before they are stored if that is wanted. Every dozen of objects has
    the next of the styles."""
    os.makedirs(folder, exist_ok=True)
    lib, start, made, total = render.library(), time.time(), 0, -(-objects // per_shard)
    for number in range(total):
        path = os.path.join(folder, f"{number:05d}.npy")
        if os.path.exists(path):
            continue
        records = np.zeros(min(per_shard, objects), kind(size))
        for k in range(len(records)):
            index = number * per_shard + k
            _render(lib, index % render.CLASSES, first_seed + index, styles[index // render.CLASSES % len(styles)], records[k], size)
        _write(path, records if stored is None else np.stack([_small(r, stored, True) for r in records]))
        made += 1
        left = (time.time() - start) / made * (total - number - 1)
        print(f"clip: rendered shard {number + 1} of {total}, {int(left // 60)}:{int(left % 60):02d} left", flush=True)


class Objects:
    """All shards of some folders, by object."""

    def __init__(self, *folders):
        self.shards = [np.load(os.path.join(folder, f), mmap_mode="r") for folder in folders for f in sorted(os.listdir(folder)) if f.endswith(".npy")]
        self.place = [(s, k) for s in range(len(self.shards)) for k in range(len(self.shards[s]))]
        joined = lambda name: np.concatenate([s[name] for s in self.shards])
        self.label, self.colour, self.colours = joined("label").astype(int), joined("colour").astype(int), joined("colours").astype(int)
        self.members = [np.flatnonzero(self.label == c) for c in range(render.CLASSES)]

    def __len__(self):
        return len(self.place)

    def choose(self, rng, groups, each):
        """Indices of `each` objects of `groups` classes."""
        classes = rng.permutation(render.CLASSES)[:groups]
        return np.concatenate([rng.choice(self.members[c], min(each, len(self.members[c])), replace=False) for c in classes])

    def __getitem__(self, index):
        s, k = self.place[index]
        return self.shards[s][k]


def drawing(record, number):
    """Drawing 0 to 6 of an object, H x W or H x W x 3."""
    return record["hands"][number] if number < render.HANDS else record["cartoon"] if number == render.HANDS else record["pencil"]


def prepare(picture, side, box=None):
    """u8 H x W (x 3), square -> side x side x 3 u8, by Pillow's bicubic as CLIP has it."""
    small = np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize((side, side), Image.Resampling.BICUBIC, box))
    return np.repeat(small[..., None], 3, -1) if small.ndim == 2 else small


def normalise(pictures):
    """u8 n x S x S x 3 -> float n x 3 x S x S."""
    return ((pictures.astype(np.float32) / 255 - MEAN) / DEVIATION).transpose(0, 3, 1, 2)


class Batches:
    """Photo and drawing of `groups` classes x `each` objects: the others of a class are the hard negatives. Both are displaced and mirrored alike,
    but for a pixel."""

    def __init__(self, objects, side, seed):
        self.objects, self.side, self.rng = objects, side, np.random.default_rng(seed)
        assert all(s["photo"].shape[1] == side for s in objects.shards), "records of another size: remove data/clip-*"

    def draw(self, groups, each):
        return self.of(self.objects.choose(self.rng, groups, each))

    def of(self, index, skip=0):
        """-> photos, drawings (u8 n x side x side x 3), kinds of the drawings, parts (n x side/2 x side/2 ids, displaced alike), indices. skip: takes
        that many drawings on in their order, all else being as the generator says."""
        r, photos, drawings, kinds, parts = self.rng, [], [], [], []
        reach = self.side // 14
        for i in index:
            record, every = self.objects[i], "pencil" in self.objects[i].dtype.names
            number = (r.integers(render.HANDS, len(DRAWINGS)) if r.random() < 0.4 and every else r.integers(render.HANDS)) + skip
            number %= len(DRAWINGS) if every else render.HANDS
            place = 2 * (r.integers(-reach, reach + 1, 2) // 2) * (r.random() < 0.7)
            turn = (lambda a: a[:, ::-1]) if r.random() < 0.5 else (lambda a: a)
            picture = drawing(record, number)
            photos.append(_displaced(turn(record["photo"]), place))
            drawings.append(_displaced(turn(picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, -1)), place + r.integers(-1, 2, 2)))
            kinds.append(DRAWINGS[number])
            parts.append(_displaced(turn(record["parts"]), place // 2))
        return np.stack(photos), np.stack(drawings), np.array(kinds), np.stack(parts), index


def _displaced(a, place):
    """Moved by rows and columns; what comes in repeats the edge."""
    rows, columns = (np.clip(np.arange(a.shape[k]) - place[k], 0, a.shape[k] - 1) for k in (0, 1))
    return a[rows[:, None], columns]
