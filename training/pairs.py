# SPDX-License-Identifier: Apache-2.0
"""The pair loss: what makes attention carry structure from a drawing to a photo.

For a photo P, a drawing S of the same object and a mixture M (P with some tokens replaced), the decoder's own score
s_i = -symKL(A_S[i], A_M[i]), averaged over heads and structure layers, must tell right tokens from structurally wrong ones:
class-balanced BCE(exp(a) s_i + b). (The feasibility study added a small pull symKL(A_S, A_P): alone it collapses, beside the BCE it
gave little, and it costs a third pass.) The maps learn within minutes, so the loss is taken every `pair_every` steps only.
Right and wrong come from what the renderer knows: the parts and contour ink of every quarter of a token's patch.
Replacements: another object of the class (half), an object of any class, or the photo's own tokens displaced by one to three
cells: the last are the hard ones, for only the place is wrong.
"""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from attention import distance, pair_distance

PARTS = 8


def describe(parts, contour, side):
    """What lies in each quarter patch. parts S/2 x S/2 ids, contour S x S (dark lines) -> u8 4side*side... x (PARTS + 1).

    Result: (side, side, 4, PARTS + 1) u8: share of every part id (id 0 = background; ids beyond 7 count as 7) and ink.
    """
    def quarters(a):  # any (2 side k)^2 map -> (side, side, 4) means
        k = a.shape[0] // (2 * side)
        return a.reshape(side, 2, k, side, 2, k).mean((2, 5)).transpose(0, 2, 1, 3).reshape(side, side, 4)
    clipped = np.minimum(parts, PARTS - 1)
    shares = [quarters((clipped == p).astype(np.float32)) for p in range(PARTS)]
    ink = np.minimum(1.0, 3 * quarters((255 - contour).astype(np.float32) / 255))
    return (np.stack(shares + [ink], -1) * 255).astype(np.uint8)


def difference(a, b, same_class):
    """Structural difference of patches, 0 to 1: a, b B x N x 4 x (PARTS + 1) u8, same_class B bool.

    Part ids mean the same thing only inside a class; elsewhere only object against background counts.
    """
    a, b = a.astype(np.float32) / 255, b.astype(np.float32) / 255
    d = np.abs(a - b)
    parts, cover = 0.5 * d[..., :PARTS].sum(-1).mean(-1), d[..., 0].mean(-1)
    ink = d[..., PARTS].mean(-1)
    return np.where(same_class[:, None], np.maximum(parts, 0.5 * ink), np.maximum(cover, 0.5 * ink))


class PairBatches:
    """Draws (photo, drawing, mixture, verdict) from cached tokens; see tokens.py for the cache."""

    def __init__(self, cache, seed=0):
        self.cache, self.rng = cache, np.random.default_rng(seed)
        self.members = {c: np.flatnonzero(cache["label"] == c) for c in np.unique(cache["label"])}
        self.side = int(np.sqrt(cache["photo"].shape[1]))

    def draw(self, n, index=None):
        """verdict: 1 structurally wrong, 0 right, -1 ignore. All n x N; ids without the label position. Also the labels."""
        rng, c, side = self.rng, self.cache, self.side
        i = rng.integers(len(c["label"]), size=n) if index is None else index
        kind = rng.random(n)
        own_class = kind < 0.5
        j = np.array([rng.choice(self.members[c["label"][k]]) if own_class[m] else rng.integers(len(c["label"])) for m, k in enumerate(i)])
        displaced = kind >= 0.75
        j[displaced] = i[displaced]
        other, there = c["photo"][j].reshape(n, side, side), c["describe"][j].reshape(n, side, side, 4, PARTS + 1)
        for m in np.flatnonzero(displaced):
            dy, dx = 0, 0
            while dy == 0 and dx == 0:
                dy, dx = rng.integers(-3, 4, 2)
            other[m] = np.roll(other[m], (dy, dx), (0, 1))
            there[m] = np.roll(there[m], (dy, dx), (0, 1))
        photo, here = c["photo"][i], c["describe"][i].reshape(n, side * side, 4, PARTS + 1)
        same = c["label"][i] == c["label"][j]
        d = difference(here, there.reshape(here.shape), same)
        swapped = rng.random(photo.shape) < rng.uniform(0.1, 0.9, (n, 1))
        mix = np.where(swapped, other.reshape(n, -1), photo)
        verdict = np.where(~swapped, 0, np.where(d > 0.2, 1, np.where((d < 0.05) & same[:, None], 0, -1)))
        hand = rng.integers(c["hands"].shape[1], size=n)
        return photo, c["hands"][i, hand], mix, verdict, c["label"][i]


def scores(a, b):
    """The decoder's structure score -symKL of two lists of attention logits (B x H x N x N each) -> B x (N-1), label position left out."""
    return -sum(distance(x, y) for x, y in zip(a, b))[:, 1:] / len(a)


class PairLoss(nn.Module):
    """Scale and offset of the score are learned; they are training aids and leave no trace in the exported model."""

    def __init__(self, layers):
        super().__init__()
        self.layers = tuple(layers)
        self.log_scale, self.offset = nn.Parameter(torch.zeros(())), nn.Parameter(torch.ones(()))

    def forward(self, net, drawing, mix, verdict):
        """Token ids with the label first, B x N; verdict B x (N-1). -> class-balanced BCE."""
        maps = net.attention(torch.cat([drawing, mix]), self.layers)
        z = self.offset - self.log_scale.exp() * sum(pair_distance(m) for m in maps)[:, 1:] / len(maps)
        right, wrong = verdict == 0, verdict == 1
        return 0.5 * ((F.softplus(-z) * right).sum() / (right.sum() + 1.0) + (F.softplus(z) * wrong).sum() / (wrong.sum() + 1.0))


def _auc(score, good):
    order = np.argsort(score)
    rank = np.empty(len(score))
    rank[order] = np.arange(len(score))
    n1 = good.sum()
    return (rank[good].sum() - n1 * (n1 - 1) / 2) / (n1 * (len(good) - n1))


@torch.no_grad()
def diagnose(net, layers, cache, per_class=12, seed=0, device="cpu"):
    """Retrieval of the own photo among per_class of its class, and token AUC, over held-out objects: the curves to watch."""
    batches, hits, tried, aucs = PairBatches(cache, seed), 0, 0, []
    put = lambda label, ids: torch.tensor(np.concatenate([net.codes + label[:, None], ids], 1).astype(np.int64), device=device)
    for members in batches.members.values():
        i = members[:per_class]
        if len(i) < 2:
            continue
        photo, drawing, mix, verdict, label = batches.draw(len(i), i)
        p, s, m = (net.attention(put(label, x), layers) for x in (photo, drawing, mix))
        for k in range(len(i)):
            row = scores([a[k:k + 1].expand_as(b) for a, b in zip(s, p)], p).mean(1)
            hits, tried = hits + int(row.argmax() == k), tried + 1
        z = scores(s, m).cpu().numpy()
        for k in range(len(i)):
            known = verdict[k] >= 0
            if 4 < (verdict[k] == 1).sum() and 4 < (verdict[k] == 0).sum():
                aucs.append(_auc(z[k][known], verdict[k][known] == 0))
    return hits / max(1, tried), float(np.mean(aucs)) if aucs else float("nan")
