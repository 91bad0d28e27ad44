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

from attention import distance

PARTS = 8


def describe(parts, contour, side):
    """What lies in each quarter patch: n x side*side*4*(PARTS + 1) u8.

    parts n x S/2 x S/2 ids, contour n x S x S (dark lines). Of every quarter the share of each part id (id 0 = background; ids beyond 7 count as 7) and of ink.
    """
    def quarters(a):  # n x (2 side k)^2 -> n x side x side x 4 means
        k = a.shape[-1] // (2 * side)
        return a.reshape(-1, side, 2, k, side, 2, k).mean((3, 6), dtype=np.float32).transpose(0, 1, 3, 2, 4).reshape(-1, side, side, 4)
    clipped = np.minimum(parts, PARTS - 1)
    shares = [quarters(clipped == p) for p in range(PARTS)]
    ink = np.minimum(1.0, 3 * quarters(255 - contour) / 255)
    return (np.stack(shares + [ink], -1) * 255).astype(np.uint8).reshape(len(parts), -1)


def difference(a, b, same_class):
    """Structural difference of patches, 0 to 1: a, b B x N x 4 x (PARTS + 1) u8, same_class B bool.

    Part ids mean the same thing only inside a class; elsewhere only object against background counts.
    """
    d = (a.float() - b.float()).abs() / 255
    parts, cover = 0.5 * d[..., :PARTS].sum(-1).mean(-1), d[..., 0].mean(-1)
    ink = 0.5 * d[..., PARTS].mean(-1)
    return torch.where(same_class[:, None], torch.maximum(parts, ink), torch.maximum(cover, ink))


class Batches:
    """What draws batches from cached tokens (cache.py), on the device where they lie."""

    def __init__(self, cache, seed):
        self.cache, self.device = cache, cache["label"].device
        self.generator = torch.Generator(self.device).manual_seed(seed)

    def _random(self, *shape):
        return torch.rand(shape, generator=self.generator, device=self.device)

    def _below(self, bound, *shape):
        return torch.randint(bound, shape, generator=self.generator, device=self.device)


class PairBatches(Batches):
    """Draws (photo, drawing, mixture, verdict)."""

    def __init__(self, cache, seed=0):
        super().__init__(cache, seed)
        self.order = cache["label"].argsort(stable=True)  # objects by class: class c has count[c] of them from first[c] on
        self.count = torch.bincount(cache["label"])
        self.first = self.count.cumsum(0) - self.count
        self.side = int(cache["photo"].shape[1] ** 0.5)

    def _displacements(self, displaced):
        """n x N: the cell whose content comes to each cell; one to three cells away where displaced, else itself."""
        cell = torch.arange(self.side, device=self.device)
        k = self._below(48, len(displaced))
        k = torch.where(displaced, k + (k >= 24), 24)  # of 7 x 7 shifts all but the middle one, which is none
        y = (cell[None, :] - (k // 7 - 3)[:, None]) % self.side
        x = (cell[None, :] - (k % 7 - 3)[:, None]) % self.side
        return (y[:, :, None] * self.side + x[:, None, :]).flatten(1)

    def draw(self, n, index=None):
        """verdict: 1 structurally wrong, 0 right, -1 ignore. All n x N; ids without the label position. Also the labels."""
        c = self.cache
        i = self._below(len(c["label"]), n) if index is None else index
        kind, label = self._random(n), c["label"][i]
        own = self.order[self.first[label] + (self._random(n) * self.count[label]).long()]
        j = torch.where(kind < 0.5, own, torch.where(kind < 0.75, self._below(len(c["label"]), n), i))
        source = self._displacements(kind >= 0.75)
        cells = lambda k: c["describe"][k].view(n, self.side * self.side, 4, PARTS + 1)
        photo, other = c["photo"][i].long(), c["photo"][j].long().gather(1, source)
        there = cells(j)[torch.arange(n, device=self.device)[:, None], source]
        same = label == c["label"][j]
        d = difference(cells(i), there, same)
        swapped = self._random(*photo.shape) < 0.1 + 0.8 * self._random(n, 1)
        mix = torch.where(swapped, other, photo)
        near = torch.where((d < 0.05) & same[:, None], 0, -1)
        verdict = torch.where(swapped, torch.where(d > 0.2, 1, near), 0)
        return photo, c["hands"][i, self._below(c["hands"].shape[1], n)].long(), mix, verdict, label


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
        z = self.offset - self.log_scale.exp() * sum(distance(*m.chunk(2)) for m in maps)[:, 1:] / len(maps)
        right, wrong = verdict == 0, verdict == 1
        return 0.5 * ((F.softplus(-z) * right).sum() / (right.sum() + 1.0) + (F.softplus(z) * wrong).sum() / (wrong.sum() + 1.0))


def _auc(score, good):
    order = np.argsort(score)
    rank = np.empty(len(score))
    rank[order] = np.arange(len(score))
    n1 = good.sum()
    return (rank[good].sum() - n1 * (n1 - 1) / 2) / (n1 * (len(good) - n1))


@torch.no_grad()
def diagnose(net, layers, cache, per_class=12, seed=0):
    """Retrieval of the own photo among per_class of its class, and token AUC, over held-out objects: the curves to watch."""
    batches, hits, tried, aucs = PairBatches(cache, seed), 0, 0, []
    put = lambda label, ids: torch.cat([net.codes + label[:, None], ids], 1)
    for label in cache["label"].unique():
        i = (cache["label"] == label).nonzero()[:per_class, 0]
        if len(i) < 2:
            continue
        photo, drawing, mix, verdict, labels = batches.draw(len(i), i)
        p, s, m = (net.attention(put(labels, x), layers) for x in (photo, drawing, mix))
        for k in range(len(i)):
            row = scores([a[k:k + 1].expand_as(b) for a, b in zip(s, p)], p).mean(1)
            hits, tried = hits + int(row.argmax() == k), tried + 1
        z, verdict = scores(s, m).cpu().numpy(), verdict.cpu().numpy()
        for k in range(len(i)):
            known = verdict[k] >= 0
            if 4 < (verdict[k] == 1).sum() and 4 < (verdict[k] == 0).sum():
                aucs.append(_auc(z[k][known], verdict[k][known] == 0))
    return hits / max(1, tried), float(np.mean(aucs)) if aucs else float("nan")
