# SPDX-License-Identifier: Apache-2.0
"""The judge: what measures generated pictures. Strided convolutions with skips: class, silhouette, features for a Frechet distance.

It never touches the generator: other seeds (config judge_seed), other architecture (batch norm, strided convolutions, skips), other
resolution (128 px). Blur, colour, noise, displacement, turning and scaling while training keep it from reading render noise.
The program runs it (src/model/judge.c): what is said there and here about sizes, padding and the area mean must agree; tests/judge holds
them together.
    python judge.py WORK [SECONDS]   renders its own objects, trains (goes on after a kill), reports figures on unseen renders
"""
import json
import os
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import config as configs
import render
import runtime

SIZE, WIDTHS, SHARD, UNSEEN = 128, (24, 48, 96, 128, 128), 200, 200
PEAK, BATCH, GENTLE = 2e-3, 32, 0.8  # GENTLE: the last fifth sees pictures nearly as they are, for the silhouettes' finest parts
STYLES = ("plain", "plain", "plain", "rich")  # of its objects: the generator's world, and some of a richer one lest it clings to studio colours


class Level(nn.Module):
    """Halves: 3 x 3 with stride 2 padded behind (XLA's SAME), then 3 x 3."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.down, self.down_norm = nn.Conv2d(inputs, outputs, 3, 2, bias=False), nn.BatchNorm2d(outputs)
        self.same, self.same_norm = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)

    def forward(self, x):
        x = F.relu(self.down_norm(self.down(F.pad(x, (0, 1, 0, 1)))))
        return F.relu(self.same_norm(self.same(x)))


class Rise(nn.Module):
    """A 3 x 3 convolution over the upsampled level below and the level beside, as the sum of two."""

    def __init__(self, below, outputs):
        super().__init__()
        self.below, self.beside = nn.Conv2d(below, outputs, 3, 1, 1, bias=False), nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, below, beside):
        return F.relu(self.norm(self.below(F.interpolate(below, scale_factor=2, mode="nearest")) + self.beside(beside)))


class Judge(nn.Module):
    def __init__(self, classes=len(configs.OBJECTS), widths=WIDTHS):
        super().__init__()
        self.levels = nn.ModuleList(Level(i, o) for i, o in zip((3,) + tuple(widths), widths))
        self.rises = nn.ModuleList(Rise(b, o) for b, o in zip(widths[1:], widths))
        self.label, self.mask = nn.Linear(widths[-1], classes), nn.Conv2d(widths[0], 4, 1)

    def forward(self, x):
        """N x 3 x S x S in [-1,1] -> class logits, silhouette logits N x 1 x S x S, features."""
        skips, h = [], x
        for level in self.levels:
            h = level(h)
            skips.append(h)
        features = h.mean((2, 3))
        for rise, skip in zip(reversed(self.rises), skips[-2::-1]):
            h = rise(h, skip)
        return self.label(features), F.pixel_shuffle(self.mask(h), 2), features


def overlaps(side, size):
    """size x side: which part of output cell i every source cell is; rows add up to 1."""
    i, j = np.arange(size)[:, None], np.arange(side)[None]
    return np.clip(np.minimum((i + 1) * side, (j + 1) * size) - np.maximum(i * side, j * size), 0, None) / side


def area_mean(pictures, size=SIZE):
    """N x H x W x C u8 -> N x size x size x C float64 in 0..255: the mean of what lies under every pixel."""
    rows, columns = overlaps(pictures.shape[1], size), overlaps(pictures.shape[2], size)
    return np.einsum("yh,nhwc,xw->nyxc", rows, pictures, columns, optimize=True)


def as_input(pictures, size=SIZE):
    """u8 N x H x W x 3 -> what the network sees."""
    small = area_mean(pictures, size) if pictures.shape[1:3] != (size, size) else pictures
    return torch.from_numpy(np.ascontiguousarray(small, np.float32)).permute(0, 3, 1, 2) / 127.5 - 1


# ---- its own objects ----


def _object(lib, label, seed, size, style):
    photo, cover = np.empty((size, size, 3), np.uint8), np.empty((size, size), np.uint8)
    pointer = lambda a: a.ctypes.data_as(render._BYTES)
    if lib.world_render(label, seed, size, render.STYLES[style], render._Views(photo=pointer(photo), silhouette=pointer(cover))):
        raise RuntimeError(f"world_render({label}, {seed}, {size}) failed")
    return photo, cover


def _shard(lib, folder, first_seed, number, count, size, styles):
    """-> photos, silhouettes, labels of one shard; rendered unless it is on disk."""
    path = os.path.join(folder, f"{size}-{number:05d}.npz")
    if not os.path.exists(path):
        pairs = [_object(lib, k % render.CLASSES, first_seed + k, size, styles[k // render.CLASSES % len(styles)]) for k in range(number * count, (number + 1) * count)]
        labels = np.arange(number * count, (number + 1) * count) % render.CLASSES
        with open(path + ".part", "wb") as f:
            np.savez(f, photo=np.stack([p for p, _ in pairs]), cover=np.stack([c for _, c in pairs]), label=labels)
        os.replace(path + ".part", path)
        print(f"rendered {(number + 1) * count} objects at {size} px", flush=True)
    with np.load(path) as a:
        return a["photo"], a["cover"], a["label"]


def objects(work, first_seed, count, size, styles):
    """`styles` take turns, a dozen objects at a time."""
    folder, lib = os.path.join(work, "judge", str(first_seed)), render.library()
    os.makedirs(folder, exist_ok=True)
    shards = [_shard(lib, folder, first_seed, n, min(SHARD, count), size, styles) for n in range(-(-count // SHARD))]
    return tuple(np.concatenate([s[k] for s in shards])[:count] for k in range(3))


# ---- training ----


def _affine(x, mask, r, strength):
    """Mirrored; `strength` of them turned by up to 15 degrees, 0.65 to 1.15 times as large, moved; the border's colour goes on beyond it."""
    n = len(x)
    moved = (r(0, 1) < strength).float()
    angle, scale, flip = r(-0.26, 0.26) * (r(0, 1) < 0.5) * moved, 1 + (1 / r(0.65, 1.15) - 1) * moved, torch.where(r(0, 1) < 0.5, -1.0, 1.0)
    row = lambda a, b, c: torch.cat([a, b, c], 1)
    theta = torch.stack([row(flip * scale * angle.cos(), -scale * angle.sin(), r(-0.2, 0.2)),
                         row(flip * scale * angle.sin(), scale * angle.cos(), r(-0.2, 0.2))], 1)
    grid = F.affine_grid(theta, (n, 1) + x.shape[2:], align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False), F.grid_sample(mask, grid, align_corners=False)


def _augment(x, mask, generator, strength):
    """x in [-1,1], strength 0 to 1. What a generator may do to a picture and must not matter: softness, colour, grain, small cells out of place."""
    n = len(x)
    r = lambda a, b: a + (b - a) * torch.rand(n, 1, generator=generator)
    wide = lambda a, b: r(a, b)[..., None, None]
    x, mask = _affine(x, mask, r, strength)
    blur = F.avg_pool2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), 5, 1)
    coarse = F.interpolate(F.avg_pool2d(x, 4), x.shape[2:], mode="bilinear", align_corners=False)
    x = torch.lerp(x, torch.where(wide(0, 1) < 0.3, coarse, blur), wide(0, strength))
    shift = torch.randint(-3, 4, (2,), generator=generator).tolist()
    cells = F.interpolate((torch.rand(n, 1, 16, 16, generator=generator) < 0.15).float() * (wide(0, 1) < 0.4 * strength), x.shape[2:], mode="nearest")
    x = torch.lerp(x, torch.roll(x, shift, (2, 3)), cells)
    x = x * wide(1 - 0.3 * strength, 1 + 0.2 * strength) + (torch.rand(n, 3, 1, 1, generator=generator) - 0.5) * 0.4 * strength
    grey = x.mean(1, keepdim=True)
    x = torch.lerp(x, grey, wide(0, 1) * (wide(0, 1) < 0.3 * strength))
    return (x + torch.randn(x.shape, generator=generator) * wide(0, 0.08 * strength)).clamp(-1, 1), mask


def _step(net, photos, covers, labels, i, generator, strength=1.0):
    mask = torch.from_numpy(covers[i]).float()[:, None] / 255
    x, mask = _augment(as_input(photos[i]), mask, generator, strength)
    with runtime.autocast("cpu"):
        label, shape, _ = net(x.to(memory_format=torch.channels_last))
    return F.cross_entropy(label.float(), torch.from_numpy(labels[i]), label_smoothing=0.02) + 2 * F.binary_cross_entropy_with_logits(shape.float(), mask)


class _CpuClock(runtime.Clock):
    """Counts seconds of this process's own work, so that a busy machine trains longer, not less."""

    def seconds(self):
        return self.spent + time.process_time() - self._start

    def __init__(self, budget, spent=0.0):
        super().__init__(budget, spent)
        self._start = time.process_time()


def train(work, seconds, count=2400):
    config, path = configs.CPU, os.path.join(work, "judge", "judge.pt")
    photos, covers, labels = objects(work, config["judge_seed"], count, SIZE, STYLES)
    torch.manual_seed(1)
    net = Judge().to(memory_format=torch.channels_last)
    optimiser, state = torch.optim.AdamW(net.parameters(), PEAK, weight_decay=0.02), runtime.load(path)
    if state:
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
    clock, step = _CpuClock(seconds, state["spent"] if state else 0.0), state["step"] if state else 0
    generator = torch.Generator().manual_seed(1000 + step)
    save = lambda: runtime.save(path, dict(net=net.state_dict(), optimiser=optimiser.state_dict(), spent=clock.seconds(), step=step))
    while clock.fraction() < 1:
        i = torch.randint(len(labels), (BATCH,), generator=generator).numpy()
        for group in optimiser.param_groups:
            group["lr"] = clock.rate(PEAK, step, 50, floor=0.01)
        loss = _step(net, photos, covers, labels, i, generator, 1.0 if clock.fraction() < GENTLE else 0.3)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 50 == 0:
            print(f"judge step {step} loss {float(loss.detach()):.3f} {clock.left()}", flush=True)
        if step % 100 == 0:
            save()
    save()
    net.eval()
    print(json.dumps(dict(figures(net, *unseen(work)), steps=step, pictures=step * BATCH)))


@torch.no_grad()
def figures(net, photos, covers, labels):
    """Class accuracy and silhouette IoU on whole renders, seen as the program sees pictures: at twice the size, by area mean."""
    right, iou = [], []
    for k in range(0, len(photos), 40):
        label, shape, _ = net(as_input(photos[k:k + 40]))
        true = area_mean(covers[k:k + 40, ..., None])[..., 0] > 127.5
        found = shape[:, 0].numpy() > 0
        right += (label.argmax(1).numpy() == labels[k:k + 40]).tolist()
        iou += ((found & true).sum((1, 2)) / np.maximum((found | true).sum((1, 2)), 1)).tolist()
    return dict(unseen=len(right), accuracy=float(np.mean(right)), iou=float(np.mean(iou)), iou_worst=float(np.min(iou)))


def load(work):
    net = Judge()
    net.load_state_dict(runtime.load(os.path.join(work, "judge", "judge.pt"))["net"])
    return net.eval()


def unseen(work):
    return objects(work, configs.CPU["judge_seed"] + 10 ** 8, UNSEEN, 2 * SIZE, (configs.CPU["style"],))


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    train(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 480.0)
