# SPDX-License-Identifier: Apache-2.0
"""Pictures damaged as generators damage them, for the judge's measure of wholeness: tokens of a photo exchanged, then decoded.

It uses a model's tokenizer, never its transformer. The tokenizer's own traces are no damage: what is said to be damaged is where the picture differs from
the same photo's tokens, decoded as they were.
"""
import numpy as np
import torch
import torch.nn.functional as F

import runtime

CELLS = 16  # tokens a side
_KINDS = ("backdrop", "same", "foreign", "shift", "shuffle", "scatter", "lump", "colour")
_VISIBLE, _PLAIN = 0.05, 0.17  # a change of colour (of 1) that begins to be seen; one that nobody overlooks


# ---- which tokens are exchanged, and for what ----


def _patch(rng, among, share):
    """Connected cells out of `among`, about `share` of them: an ellipse at any angle with a ragged border."""
    y, x = np.mgrid[:CELLS, :CELLS] - rng.permutation(np.argwhere(among))[0][:, None, None]
    angle, stretch = rng.uniform(0, np.pi), rng.uniform(1, 3)
    far = np.hypot(x * np.cos(angle) + y * np.sin(angle), stretch * (y * np.cos(angle) - x * np.sin(angle))) + rng.random((CELLS, CELLS)) * 1.5
    far[~among] = np.inf
    return far <= np.partition(far, count := max(1, round(share * among.sum())) - 1, None)[count]


def _centre(inside):
    return np.argwhere(inside).mean(0).round().astype(int)


def _around(inside):
    """The backdrop's cells beside the object."""
    wide = np.pad(inside, 2)
    return np.any([wide[2 + y:2 + y + CELLS, 2 + x:2 + x + CELLS] for y in range(-2, 3) for x in range(-2, 3)], 0) & ~inside


def _backdrop(tokens, inside):
    """For every cell the nearest token of its row that shows backdrop."""
    found, columns = tokens.copy(), np.arange(CELLS)
    for row in np.flatnonzero(~inside.all(1)):
        free = columns[~inside[row]]
        found[row] = tokens[row, free[np.abs(free[None] - columns[:, None]).argmin(1)]]
    return found


def _recoloured(rng, photo):
    turned = photo[..., rng.permutation([[1, 2, 0], [2, 0, 1], [2, 1, 0]])[0]]
    return 255 - turned if rng.random() < 0.4 else turned


def _exchange(rng, k, tokens, recoloured, inside, labels):
    """-> cells, and tokens for all cells, of one damage to object k."""
    own, at = tokens[k], inside[k]
    share = 10 ** rng.uniform(-1.5, -0.35)
    kind = rng.choice(_KINDS if k in recoloured else _KINDS[:-1])
    if kind == "colour":
        return _patch(rng, at, share), recoloured[k]
    if kind == "backdrop":
        return _patch(rng, at, share), _backdrop(own, at)
    if kind == "shift":
        return _patch(rng, at, share), np.roll(own, rng.permutation([rng.choice([-3, -2, -1, 1, 2, 3]), rng.integers(-2, 3)]), (0, 1))
    if kind == "shuffle":
        patch, found = _patch(rng, at, share), own.copy()
        found[patch] = rng.permutation(own[patch])
        return patch, found
    if kind == "lump":
        patch = _patch(rng, _around(at), share * 0.7)
        return patch, np.roll(own, _centre(patch) - _centre(at), (0, 1))
    other = rng.choice(np.flatnonzero((labels == labels[k]) == (kind == "same")))
    if kind == "scatter":
        found = rng.choice(tokens[other][inside[other]], (CELLS, CELLS))
        return at & (rng.random(at.shape) < share), found
    patch = _patch(rng, at, share)
    return patch, np.roll(tokens[other], _centre(at) - _centre(inside[other]), (0, 1))


def _damaged(rng, k, tokens, recoloured, inside, labels):
    found = tokens[k].copy()
    for _ in range(rng.choice([1, 1, 2])):
        patch, others = _exchange(rng, k, tokens, recoloured, inside, labels)
        found[patch] = others[patch]
    return found


# ---- pictures ----


def _batches(work, arrays, size=8):
    return np.concatenate([work(*(a[n:n + size] for a in arrays)) for n in range(0, len(arrays[0]), size)])


def _encode(net, photos):
    """N x S x S x 3 u8 -> N x CELLS x CELLS token ids."""
    return _batches(lambda p: net.tokens(torch.from_numpy(p).permute(0, 3, 1, 2) / 255.0).view(-1, CELLS, CELLS).numpy(), [photos])


def _decode(net, tokens):
    return _batches(lambda t: runtime.to_bytes(net.pictures(torch.from_numpy(t), CELLS)), [tokens])


def _difference(a, b):
    """Pictures u8 -> N x S x S u8: 0 where both look alike, 255 where anybody sees the change."""
    change = (torch.from_numpy(a).float() - torch.from_numpy(b).float()).abs().amax(3)[:, None] / 255
    return (((F.avg_pool2d(change, 9, 1, 4) - _VISIBLE) / (_PLAIN - _VISIBLE)).clamp(0, 1) * 255).round().byte()[:, 0].numpy()


@torch.no_grad()
def make(net, photos, covers, labels, seed, each):
    """Photos N x S x S x 3 and silhouettes of as many objects, S of the net's size -> the photos through their tokens (N x S x S x 3), `each` damaged ones
    of every photo (N x each x S x S x 3), and where those are damaged (N x each x S x S), all u8."""
    n, size, rng = len(photos), photos.shape[1], np.random.default_rng(seed)
    inside = covers.reshape(n, CELLS, size // CELLS, CELLS, size // CELLS).mean((2, 4)) > 40
    tokens, other = _encode(net, photos), rng.permutation(n)[:-(-n // 3)]  # the other colours of a third: encoding them takes time
    recoloured = dict(zip(other, _encode(net, np.stack([_recoloured(rng, p) for p in photos[other]]))))
    through = _decode(net, tokens)
    damaged = [_decode(net, np.stack([_damaged(rng, k, tokens, recoloured, inside, labels) for k in range(n)])) for _ in range(each)]
    return through, np.stack(damaged, 1), np.stack([_difference(d, through) for d in damaged], 1)
