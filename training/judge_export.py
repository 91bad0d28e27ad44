# SPDX-License-Identifier: Apache-2.0
"""The judge as the file that the program opens: F16 safetensors with batch norms folded in, names as src/model/judge.c wants them.

    python judge_export.py WORK FILE       the trained judge, with its figures on unseen renders in the metadata
    python judge_export.py golden FOLDER   a tiny random judge and what it must say, for tests/judge
"""
import json
import os
import struct
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import config as configs
import judge


def _folded(conv, norm):
    """Kernel HWIO and bias of a convolution with its batch norm."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return (conv.weight * scale[:, None, None, None]).permute(2, 3, 1, 0), norm.bias - norm.running_mean * scale


@torch.no_grad()
def tensors(net):
    t = {}
    for l, level in enumerate(net.levels):
        t[f"level_{l}.down.kernel"], t[f"level_{l}.down.bias"] = _folded(level.down, level.down_norm)
        t[f"level_{l}.same.kernel"], t[f"level_{l}.same.bias"] = _folded(level.same, level.same_norm)
    for l, rise in enumerate(net.rises):
        t[f"rise_{l}.below.kernel"], t[f"rise_{l}.bias"] = _folded(rise.below, rise.norm)
        t[f"rise_{l}.beside.kernel"], _ = _folded(rise.beside, rise.norm)
    t["silhouette.kernel"], t["silhouette.bias"] = net.mask.weight.permute(2, 3, 1, 0), net.mask.bias
    t["damage.kernel"], t["damage.bias"] = net.hurt.weight.permute(2, 3, 1, 0), net.hurt.bias
    t["label.kernel"], t["label.bias"] = net.label.weight.T, net.label.bias
    return {name: np.ascontiguousarray(value.float().numpy(), np.float16) for name, value in t.items()}


def write(path, arrays, size, classes, **more):
    metadata = dict(format="masksketch judge 2", size=str(size), classes=",".join(classes), licence="Apache-2.0", **more)
    header, at, names = {"__metadata__": metadata}, 0, sorted(arrays)
    for name in names:
        header[name] = dict(dtype="F16", shape=list(arrays[name].shape), data_offsets=[at, at + arrays[name].nbytes])
        at += arrays[name].nbytes
    text = json.dumps(header).encode()
    text += b" " * (-(len(text) + 8) % 64)
    with open(path + ".part", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(arrays[name].tobytes() for name in names))
    os.replace(path + ".part", path)


def export(work, path):
    net = judge.load(work)
    figures = judge.figures(net, *judge.unseen(work))
    write(path, tensors(net), judge.SIZE, configs.OBJECTS, figures=json.dumps(figures))
    print(f"{path}: {os.path.getsize(path)} bytes, {json.dumps(figures)}")


def plain(arrays, x):
    """The network once more, in float64 from the file's tensors and from the definition (skips laid side by side)."""
    t = {name: torch.from_numpy(a.astype(np.float64)) for name, a in arrays.items()}
    kernel = lambda name: t[name].permute(3, 2, 0, 1)
    skips, h = [], x.double()
    while f"level_{len(skips)}.down.kernel" in t:
        level = f"level_{len(skips)}."
        h = F.conv2d(F.pad(h, (0, 1, 0, 1)), kernel(level + "down.kernel"), t[level + "down.bias"], 2).clamp_min(0)
        h = F.conv2d(h, kernel(level + "same.kernel"), t[level + "same.bias"], 1, 1).clamp_min(0)
        skips.append(h)
    features = h.mean((2, 3))
    for l in range(len(skips) - 2, -1, -1):
        both = torch.cat([h.repeat_interleave(2, 2).repeat_interleave(2, 3), skips[l]], 1)
        h = F.conv2d(both, torch.cat([kernel(f"rise_{l}.below.kernel"), kernel(f"rise_{l}.beside.kernel")], 1), t[f"rise_{l}.bias"], 1, 1).clamp_min(0)
        if l == judge.HURT:
            hurt = F.conv2d(h, kernel("damage.kernel"), t["damage.bias"])
    shape = F.pixel_shuffle(F.conv2d(h, kernel("silhouette.kernel"), t["silhouette.bias"], 1, 1), 2)
    return features @ t["label.kernel"] + t["label.bias"], shape, hurt, features


def _whole(shape, hurt):
    """From the definition, cell by cell."""
    broken, everything = 0.0, 0.0
    for y, x in np.ndindex(*hurt.shape[2:]):
        there = shape[0, 0, y * judge.CELL:(y + 1) * judge.CELL, x * judge.CELL:(x + 1) * judge.CELL].sigmoid().mean()
        broken, everything = broken + hurt[0, 0, y, x].sigmoid(), everything + max(there, hurt[0, 0, y, x].sigmoid())
    return 1 - (broken / everything)[None, None]


@torch.no_grad()
def golden(folder, size=32, widths=(8, 12, 16, 24), classes=("ball", "cube", "cone")):
    torch.manual_seed(5)
    net, rng = judge.Judge(len(classes), widths).eval(), np.random.default_rng(7)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.uniform_(0.5, 1.5), module.bias.uniform_(-0.5, 0.5)
            module.running_mean.uniform_(-0.3, 0.3), module.running_var.uniform_(0.05, 0.2)
    arrays = tensors(net)
    write(os.path.join(folder, "judge.safetensors"), arrays, size, classes)
    for name, (h, w) in dict(same=(32, 32), double=(64, 64), odd=(23, 37), small=(5, 9)).items():
        picture = rng.integers(0, 256, (1, h, w, 3), np.uint8)
        area = judge.area_mean(picture, size)
        x = torch.from_numpy(area).permute(0, 3, 1, 2) / 127.5 - 1
        label, shape, hurt, features = plain(arrays, x)
        for a, b in zip((label, shape, hurt, features), net(x.float())):  # the folding is right, but for F16's rounding
            assert float((a - b).abs().max()) < 0.01 * float(1 + a.abs().max())
        found = dict(picture=picture, area=area, classes=label.softmax(1), silhouette=shape.sigmoid()[:, 0], whole=_whole(shape, hurt), features=features)
        for part, value in found.items():
            np.save(os.path.join(folder, f"{name}_{part}.npy"), np.ascontiguousarray(value[0], np.uint8 if part == "picture" else np.float32))


if __name__ == "__main__":
    golden(sys.argv[2]) if sys.argv[1] == "golden" else export(*sys.argv[1:3])
