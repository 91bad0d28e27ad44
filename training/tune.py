# SPDX-License-Identifier: Apache-2.0
"""Quick look at sampling settings: shape IoU, specificity and class accuracy of generated tokens, by a probe that reads tokens.

    python tune.py WORK [COUNT] name=value,name=value ...     one line a setting, `layer=2` among them; `plain` is no structure, `truth` the photo's own tokens
The probe (a minute's convolutional net on cached tokens) ranks settings; the judge and `./run quality` give the figures to report.
Specificity: IoU with the own object's shape minus mean IoU with the other shapes of the class; 0 means no control at all.
"""
import json
import os
import sys
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import attention
import cache
import config as configs
import norm
import runtime
import sample
import transformer_train
from pairs import PARTS


class Probe(nn.Module):
    def __init__(self, codes, classes):
        super().__init__()
        conv = lambda i, o: nn.Sequential(nn.Conv2d(i, o, 3, 1, 1), nn.BatchNorm2d(o), nn.ReLU())
        self.word, self.body = nn.Embedding(codes, 48), nn.Sequential(conv(48, 96), conv(96, 96), conv(96, 96))
        self.mask, self.label = nn.Conv2d(96, 1, 1), nn.Linear(96 * 16, classes)

    def forward(self, ids):
        side = int(ids.shape[1] ** 0.5)
        h = self.body(self.word(ids).transpose(1, 2).unflatten(-1, (side, side)))
        return self.mask(h).flatten(1), self.label(F.adaptive_avg_pool2d(h, 4).flatten(1))


def coverage(tokens):
    """Share of the object in every patch, n x N float."""
    d = tokens["describe"].reshape(len(tokens["label"]), -1, 4, PARTS + 1)
    return 1 - d[..., 0].mean(-1) / 255.0


def probe(work, train, codes, seconds=60):
    path = os.path.join(work, "probe.pt")
    net, state = Probe(codes, len(configs.OBJECTS)), runtime.load(path)
    if state:
        net.load_state_dict(state)
        return net.eval()
    cover, optimiser, start = coverage(train), torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=0.05), time.time()
    rng = np.random.default_rng(0)
    while time.time() - start < seconds:
        i = rng.integers(len(cover), size=64)
        ids = train["photo"][i].astype(np.int64)
        mask, label = net(torch.from_numpy(ids))
        loss = F.binary_cross_entropy_with_logits(mask, torch.from_numpy(cover[i]).float()) * 2 + F.cross_entropy(label, torch.from_numpy(train["label"][i]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    runtime.save(path, net.state_dict())
    return net.eval()


@torch.no_grad()
def figures(net, ids, label, cover):
    """ids n x N; label n; cover n x N -> IoU, specificity, class accuracy."""
    mask, guess = net(ids)
    got, true = (mask > 0).numpy(), cover > 0.5
    iou = (got[:, None] & true[None]).sum(-1) / np.maximum((got[:, None] | true[None]).sum(-1), 1)
    same = (label[:, None] == label[None]) & ~np.eye(len(label), dtype=bool)
    own = iou.diagonal()
    others = (iou * same).sum(1) / np.maximum(same.sum(1), 1)
    return own.mean(), (own - others).mean(), (guess.argmax(1).numpy() == label).mean()


def main():
    work, count = sys.argv[1], int(sys.argv[2])
    torch.set_num_threads(int(os.environ.get("THREADS", "1")))
    norm.build(work)
    attention.build(work)
    state = runtime.load(os.path.join(work, "transformer.pt"))
    config, stamp = state["config"], runtime.load(os.path.join(work, "tokenizer.pt"))["step"]
    net = transformer_train.build(config).eval()
    net.load_state_dict(state["average"])
    train, test = (cache.build(None, str(stamp), work, os.path.join(work, "data", n), "cpu", config["hands_each"]) for n in ("train", "test"))
    judge = probe(work, train, config["codes"])
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(test["label"]) // 2)[:count]
    label, cover = test["label"][rows], coverage(test)[rows]
    sketch, photo = (torch.from_numpy(a.astype(np.int64)) for a in (test["hands"][rows, 0], test["photo"][rows]))
    for text in sys.argv[3:]:
        start = time.time()
        settings = dict(item.split("=") for item in text.split(",") if "=" in item)
        settings = {k: v if k == "unconditional" else json.loads(v) for k, v in settings.items()}
        layer = settings.pop("layer", None)
        layers = config["structure_layers"] if layer is None else (layer,)
        if text == "truth":
            ids = photo
        else:
            ids = sample.draw(net, layers, torch.from_numpy(label), None if text.startswith("plain") else sketch, 1, **settings)
        print("%-60s IoU %.3f specificity %.3f class %.2f   %.0f s" % (text, *figures(judge, ids, label, cover), time.time() - start), flush=True)


if __name__ == "__main__":
    main()
