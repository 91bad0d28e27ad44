# SPDX-License-Identifier: Apache-2.0
"""The judge: what measures generated pictures. Strided convolutions with skips: class, silhouette, what is broken, features for a Frechet distance.

It never touches the generator: other seeds (config judge_seed), other architecture (batch norm, strided convolutions, skips), other
resolution (128 px). Blur, colour, noise, turning and scaling while training keep it from reading render noise. What it knows of damage it has from
damage.py (tokens exchanged, decoded) and from patches of one picture in another.
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
import damage
import model_file
import render
import runtime

SIZE, WIDTHS, SHARD, UNSEEN = 128, (32, 48, 96, 128, 128), 200, 200
HURT, CELL = 2, 8  # the rise that says which cells are broken; pixels a side of such a cell
PEAK, BATCH, GENTLE = 2e-3, 32, 0.8  # GENTLE: the last fifth sees pictures nearly as they are, for the silhouettes' finest parts
STYLES = ("plain", "wide", "plain", "rich")  # of its objects: the generator's world, and some of a richer one lest it clings to studio colours
OBJECTS, EACH = 200 * len(configs.OBJECTS), 2  # damaged pictures of every object
TOKENIZER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "models", "default.safetensors")


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
        self.label, self.mask, self.hurt = nn.Linear(widths[-1], classes), nn.Conv2d(widths[0], 4, 3, 1, 1), nn.Conv2d(widths[HURT], 1, 1)

    def forward(self, x):
        """N x 3 x S x S in [-1,1] -> class logits, silhouette logits N x 1 x S x S, logits of damage N x 1 x S/CELL x S/CELL, features."""
        skips, h = [], x
        for level in self.levels:
            h = level(h)
            skips.append(h)
        features = h.mean((2, 3))
        for level in reversed(range(len(self.rises))):
            h = self.rises[level](h, skips[level])
            if level == HURT:
                hurt = self.hurt(h)
        return self.label(features), F.pixel_shuffle(self.mask(h), 2), hurt, features


def whole(shape, hurt):
    """Logits of silhouette and damage -> N: the share of the object, and of what is broken beside it, that is not broken; by cells."""
    there, broken = F.avg_pool2d(shape.sigmoid(), CELL), hurt.sigmoid()
    return 1 - broken.sum((1, 2, 3)) / torch.maximum(there, broken).sum((1, 2, 3))


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
    if lib.world_render(lib.kinds[label], seed, size, render.STYLES[style], render._Views(photo=pointer(photo), silhouette=pointer(cover))):
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


def _small(pictures):
    """u8 N x S x S (x 3) -> u8 at SIZE."""
    return area_mean(pictures.reshape(*pictures.shape[:3], -1)).round().astype(np.uint8).reshape(len(pictures), SIZE, SIZE, *pictures.shape[3:])


def tokenizer():
    return model_file.tokenizer(TOKENIZER, configs.CPU).to(memory_format=torch.channels_last)


def pictures(work, first_seed, count, styles):
    """What training sees of `count` objects, u8 at SIZE: photo and through (its tokens decoded) N x S x S x 3, damaged N x EACH x S x S x 3, hurt (where it is)
    N x EACH x S x S, cover N x S x S; label N. Made a shard at a time and kept."""
    shards, net = [], tokenizer()
    photos, covers, labels = objects(work, first_seed, count, 2 * SIZE, styles)
    for start in range(0, count, SHARD):
        path, part = os.path.join(work, "judge", str(first_seed), f"seen-{start:05d}.npz"), slice(start, start + SHARD)
        if not os.path.exists(path):
            through, damaged, hurt = damage.make(net, photos[part], covers[part], labels[part], first_seed + start, EACH)
            with open(path + ".part", "wb") as f:
                np.savez(f, photo=_small(photos[part]), through=_small(through), cover=_small(covers[part]), label=labels[part],
                         damaged=np.stack([_small(damaged[:, k]) for k in range(EACH)], 1), hurt=np.stack([_small(hurt[:, k]) for k in range(EACH)], 1))
            os.replace(path + ".part", path)
            print(f"damaged {start + len(labels[part])} objects", flush=True)
        with np.load(path) as a:
            shards.append(dict(a))
    return {name: np.concatenate([s[name] for s in shards]) for name in shards[0]}


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
    """x in [-1,1], strength 0 to 1. What a generator may do to a picture and must not matter: softness, colour, grain."""
    n = len(x)
    r = lambda a, b: a + (b - a) * torch.rand(n, 1, generator=generator)
    wide = lambda a, b: r(a, b)[..., None, None]
    x, mask = _affine(x, mask, r, strength)
    blur = F.avg_pool2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), 5, 1)
    coarse = F.interpolate(F.avg_pool2d(x, 4), x.shape[2:], mode="bilinear", align_corners=False)
    x = torch.lerp(x, torch.where(wide(0, 1) < 0.3, coarse, blur), wide(0, strength))
    x = x * wide(1 - 0.3 * strength, 1 + 0.2 * strength) + (torch.rand(n, 3, 1, 1, generator=generator) - 0.5) * 0.4 * strength
    grey = x.mean(1, keepdim=True)
    x = torch.lerp(x, grey, wide(0, 1) * (wide(0, 1) < 0.3 * strength))
    return (x + torch.randn(x.shape, generator=generator) * wide(0, 0.08 * strength)).clamp(-1, 1), mask


def _patched(x, cover, hurt, generator):
    """A third of the pictures get patches of their neighbours in and around the object; hurt says where that is seen."""
    n = len(x)
    noise = F.interpolate(torch.rand(n, 1, 8, 8, generator=generator), x.shape[2:], mode="bilinear", align_corners=False)
    least = 0.6 + 0.35 * torch.rand(n, 1, 1, 1, generator=generator) + (torch.rand(n, 1, 1, 1, generator=generator) < 0.67)
    near = F.interpolate(F.max_pool2d(F.avg_pool2d(cover, CELL), 3, 1, 1), x.shape[2:], mode="nearest")
    patch = (noise > least).float() * (near > 0)
    y = torch.lerp(x, x.roll(1, 0), F.avg_pool2d(patch, 3, 1, 1))
    change = F.avg_pool2d((y - x).abs().amax(1, keepdim=True) / 2, 5, 1, 2)
    return y, torch.maximum(hurt, ((change - 0.05) / 0.12).clamp(0, 1))


def _batch(seen, i, generator):
    """-> pictures in [-1,1], what is the object's, what is broken: N x 3, 1, 1 x SIZE x SIZE. Three in ten are photos, as many their tokens, four damaged."""
    way = torch.rand(len(i), generator=generator).numpy()
    each = (way * 1000).astype(int) % EACH
    x = np.where((way < 0.3)[:, None, None, None], seen["photo"][i], np.where((way < 0.6)[:, None, None, None], seen["through"][i], seen["damaged"][i, each]))
    hurt = np.where((way < 0.6)[:, None, None], 0, seen["hurt"][i, each])
    cover, hurt = (torch.from_numpy(m).float()[:, None] / 255 for m in (seen["cover"][i], hurt))
    x, hurt = _patched(as_input(x), cover, hurt, generator)
    return x, cover, hurt


def _losses(label, shape, hurt, true, cover, broken):
    """Class, silhouette (only where nothing is broken: nobody knows it there) and damage."""
    known = 1 - broken
    inside = shape.sigmoid()
    overlap = (inside * cover * known).sum((2, 3)) / ((inside + cover - inside * cover) * known).sum((2, 3)).clamp_min(1)
    silhouette = 2 * F.binary_cross_entropy_with_logits(shape, cover, known) + 0.5 * (1 - overlap.mean())
    damaged = 3 * F.binary_cross_entropy_with_logits(hurt, F.avg_pool2d(broken, CELL))  # few cells are
    return F.cross_entropy(label, true, label_smoothing=0.02) + silhouette + damaged


def _step(net, seen, i, generator, strength=1.0):
    x, cover, broken = _batch(seen, i, generator)
    x, masks = _augment(x, torch.cat([cover, broken], 1), generator, strength)
    with runtime.autocast("cpu", "avx512_bf16"):  # convolutions: 1.7 times as fast as float32 (Zen 4)
        label, shape, hurt, _ = net(x.to(memory_format=torch.channels_last))
    return _losses(label.float(), shape.float(), hurt.float(), torch.from_numpy(seen["label"][i]), masks[:, :1], masks[:, 1:])


class _CpuClock(runtime.Clock):
    """Counts seconds of this process's own work, so that a busy machine trains longer, not less."""

    def seconds(self):
        return self.spent + time.process_time() - self._start

    def __init__(self, budget, spent=0.0):
        super().__init__(budget, spent)
        self._start = time.process_time()


def train(work, seconds, count=OBJECTS):
    path, seen = os.path.join(work, "judge", "judge.pt"), pictures(work, configs.CPU["judge_seed"], count, STYLES)
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
        i = torch.randint(count, (BATCH,), generator=generator).numpy()
        for group in optimiser.param_groups:
            group["lr"] = clock.rate(PEAK, step, 50, floor=0.01)
        loss = _step(net, seen, i, generator, 1.0 if clock.fraction() < GENTLE else 0.3)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 50 == 0:
            print(f"judge step {step} loss {float(loss.detach()):.3f} {clock.left()}", flush=True)
        if step % 100 == 0:
            save()
    save()
    print(json.dumps(dict(figures(net.eval(), *unseen(work)), steps=step, pictures=step * BATCH)))


@torch.no_grad()
def look(net, photos):
    """Whole pictures, seen as the program sees them: at twice the size, by area mean -> the class, the silhouette (bool), how whole."""
    parts = []
    for k in range(0, len(photos), 40):
        label, shape, hurt, _ = net(as_input(photos[k:k + 40]))
        parts.append((label.argmax(1).numpy(), shape[:, 0].numpy() > 0, whole(shape, hurt).numpy()))
    return tuple(np.concatenate(p) for p in zip(*parts))


def _ranks(values):
    """Ranks from 0; equals share theirs."""
    _, at, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count + 1) / 2)[at]


def _separation(less, more):
    """Share of pairs in which `more` is above `less` (area under the ROC curve)."""
    ranks = _ranks(np.concatenate([less, more]))[len(less):]
    return (ranks.sum() - len(more) * (len(more) - 1) / 2) / (len(less) * len(more))


def figures(net, photos, covers, labels):
    """Class accuracy and silhouette IoU of whole renders and of their tokens, decoded; how well both are told from damaged ones (by a twentieth of the object or
    more), and the correlation of the figure's ranks with those of the damage's extent."""
    number = lambda value: round(float(value), 4)
    through, damaged, hurt = damage.make(tokenizer(), photos, covers, labels, 1, EACH)
    true = area_mean(covers[..., None])[..., 0] > 127.5
    found, figures = {}, dict(unseen=len(photos))
    for name, pictures in dict(photo=photos, tokens=through).items():
        label, shape, found[name] = look(net, pictures)
        iou = (shape & true).sum((1, 2)) / np.maximum((shape | true).sum((1, 2)), 1)
        figures[name] = dict(accuracy=number(np.mean(label == labels)), iou=number(iou.mean()), iou_worst=number(iou.min()), whole=number(found[name].mean()))
    extent = (hurt.mean((2, 3)) / covers.mean((1, 2))[:, None]).ravel()
    _, _, broken = look(net, damaged.reshape(-1, *damaged.shape[2:]))
    clear = broken[extent >= 0.05]
    both = np.concatenate([found["photo"], found["tokens"]])
    figures["damaged"] = dict(count=len(clear), whole=number(clear.mean()), separation=number(_separation(clear, both)),
                              rank_correlation=number(np.corrcoef(_ranks(1 - extent), _ranks(broken))[0, 1]))
    return figures


def load(work):
    net = Judge()
    net.load_state_dict(runtime.load(os.path.join(work, "judge", "judge.pt"))["net"])
    return net.eval()


def unseen(work):
    return objects(work, configs.CPU["judge_seed"] + 10 ** 8, UNSEEN, 2 * SIZE, (configs.CPU["style"],))


if __name__ == "__main__":
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    train(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 1800.0)
