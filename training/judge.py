# SPDX-License-Identifier: Apache-2.0
"""The judge: what measures generated pictures. A residual network with a decoder: class, silhouette, features for a Frechet distance.

It never touches the generator: other seeds (config judge_seed), other architecture (batch norm, strided convolutions, skips), other
resolution (128 px). Blur, colour shift, noise and displacement while training keep it from reading render noise.
    python judge.py train WORK [SECONDS]       renders its own objects, trains, reports accuracy and IoU on unseen renders
    python judge.py score WORK PICTURES.npy LABELS.npy [MASKS.npy]   u8 n x S x S x 3; prints one JSON line
"""
import json
import os
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import config as configs
import data
import render
import runtime

SIZE = 128


def _block(inputs, outputs, stride=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Judge(nn.Module):
    def __init__(self, classes=len(configs.OBJECTS), widths=(32, 64, 96, 128, 160)):
        super().__init__()
        self.down = nn.ModuleList(nn.Sequential(_block(i, o, 2), _block(o, o)) for i, o in zip((3,) + widths, widths))
        self.up = nn.ModuleList(_block(a + b, b) for a, b in zip(widths[:0:-1], widths[-2::-1]))
        self.label, self.mask = nn.Linear(widths[-1], classes), nn.Conv2d(widths[0], 4, 1)

    def forward(self, x):
        """N x 3 x 128 x 128 in [0,1] -> class logits, silhouette logits N x 1 x 128 x 128, features N x 160."""
        skips, h = [], x * 2 - 1
        for level in self.down:
            h = level(h)
            skips.append(h)
        features = h.mean((2, 3))
        for level, skip in zip(self.up, skips[-2::-1]):
            h = level(torch.cat([F.interpolate(h, scale_factor=2, mode="nearest"), skip], 1))
        return self.label(features), F.pixel_shuffle(self.mask(h), 2), features


def _small(photos):
    x = torch.from_numpy(np.ascontiguousarray(photos)).permute(0, 3, 1, 2).float().div_(255)
    return F.interpolate(x, (SIZE, SIZE), mode="area")


def _augment(x, mask, generator):
    n = len(x)
    r = lambda a, b: a + (b - a) * torch.rand(n, 1, 1, 1, generator=generator)
    blur = F.avg_pool2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), 5, 1)
    x = torch.lerp(x, blur, r(0, 1)) * r(0.8, 1.2) + (torch.rand(n, 3, 1, 1, generator=generator) - 0.5) * 0.15
    x = x + torch.randn(x.shape, generator=generator) * r(0, 0.04)
    flip = torch.rand(n, generator=generator) < 0.5
    x[flip], mask[flip] = x[flip].flip(-1), mask[flip].flip(-1)
    dy, dx = torch.randint(-12, 13, (2,), generator=generator).tolist()
    shift = lambda t: F.pad(t, (12, 12, 12, 12), mode="replicate")[..., 12 + dy:12 + dy + SIZE, 12 + dx:12 + dx + SIZE]
    return shift(x).clamp(0, 1), shift(mask)


def _iou(logits, mask):
    a, b = logits > 0, mask > 0.5
    return ((a & b).sum((1, 2, 3)) / (a | b).sum((1, 2, 3)).clamp_min(1)).cpu().numpy()


def train(work, seconds, objects=2400, size=SIZE):
    folder, lib, config = os.path.join(work, "data", "judge"), render.library(), configs.CPU
    os.makedirs(folder, exist_ok=True)
    for number in range(objects // 200):
        render.shard(lib, folder, config["judge_seed"], number, 200, size)
    photos, parts, labels = (data.stack(folder, n) for n in ("photo", "parts", "label"))
    held = len(labels) // 10
    net, generator = Judge(), torch.Generator().manual_seed(1)
    optimiser, clock, step = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=0.02), runtime.Clock(seconds), 0
    masks = torch.from_numpy(parts > 0).float()[:, None]
    while clock.fraction() < 1:
        i = torch.randint(held, len(labels), (32,), generator=generator).numpy()
        x, m = _augment(_small(photos[i]), F.interpolate(masks[i], (SIZE, SIZE), mode="nearest"), generator)
        for group in optimiser.param_groups:
            group["lr"] = clock.rate(2e-3, step, 50)
        with runtime.autocast("cpu"):
            label, mask, _ = net(x)
        loss = F.cross_entropy(label.float(), torch.from_numpy(labels[i]).long()) + 2 * F.binary_cross_entropy_with_logits(mask.float(), m)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 100 == 0:
            print(f"judge step {step} loss {float(loss.detach()):.3f} {clock.left()}", flush=True)
    runtime.save(os.path.join(work, "judge.pt"), net.state_dict())
    net.eval()
    label, iou, _ = look(net, photos[:held], masks[:held])
    print(json.dumps(dict(accuracy=float((label.argmax(1) == labels[:held]).mean()), iou=float(iou.mean()), unseen=held)))


@torch.no_grad()
def look(net, photos, masks=None):
    """-> class probabilities, IoU with the masks (or the silhouettes themselves, bool), features."""
    probabilities, shapes, features = [], [], []
    for k in range(0, len(photos), 32):
        label, mask, feature = net(_small(photos[k:k + 32]))
        probabilities.append(label.softmax(1).numpy())
        m = None if masks is None else F.interpolate(masks[k:k + 32], (SIZE, SIZE), mode="nearest")
        shapes.append((mask > 0)[:, 0].numpy() if m is None else _iou(mask, m))
        features.append(feature.numpy())
    return np.concatenate(probabilities), np.concatenate(shapes), np.concatenate(features)


def frechet(a, b):
    """Frechet distance of two sets of features."""
    mean = ((a.mean(0) - b.mean(0)) ** 2).sum()
    ca, cb = np.cov(a.T), np.cov(b.T)
    values = np.linalg.eigvals(ca @ cb)
    return float(mean + np.trace(ca) + np.trace(cb) - 2 * np.sqrt(np.maximum(values.real, 0)).sum())


def load(work):
    net = Judge()
    net.load_state_dict(runtime.load(os.path.join(work, "judge.pt")))
    return net.eval()


def main():
    word, work = sys.argv[1], sys.argv[2]
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    if word == "train":
        return train(work, float(sys.argv[3]) if len(sys.argv) > 3 else 600.0)
    photos, labels = np.load(sys.argv[3]), np.load(sys.argv[4])
    masks = torch.from_numpy(np.load(sys.argv[5]) > 0).float()[:, None] if len(sys.argv) > 5 else None
    probabilities, shapes, _ = look(load(work), photos, masks)
    result = dict(count=len(labels), accuracy=float((probabilities.argmax(1) == labels).mean()))
    if masks is not None:
        result["iou"] = float(shapes.mean())
    print(json.dumps(result))


if __name__ == "__main__":
    main()
