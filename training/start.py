# SPDX-License-Identifier: Apache-2.0
"""Start values of the tokenizer: a nearly linear network that already passes a blurred, truly coloured picture.

Why: GroupNorm with 32 groups takes each group's mean and scale out of the picture, so with one or two channels a group the
relation between hues is lost and training spends its first quarter hour on getting it back. Here every group holds a colour
feature u, its negative, and a reference r (brightness): their ratio survives every norm, and a convolution behind a SiLU reads
u as silu(u) - silu(-u). With 2 channels a group there is no reference, with 4 there is r and -r.
The read-outs (decoder.first from codes, decoder.last from features) are fitted by least squares on a few pictures.
"""
import math

import torch
import torch.nn.functional as F

from tokenizer import ResBlock, Upsample, norm_silu, shuffle_in

GROUPS = 32
_CENTRE = torch.tensor([[0, 0, 0], [0, 1.0, 0], [0, 0, 0]])
_SMOOTH = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16


def _spread(features, references):
    """Rows for the 32 features and 32 references (32 x anything) -> rows for all channels, group by group."""
    def rows(per_group):
        parts = [features, -features, references, -references][:per_group]
        return torch.stack(parts, 1).reshape(GROUPS * per_group, *features.shape[1:])
    return rows


def _read(matrix, per_group):
    """A matrix on the 32 features (o x 32) -> columns on all channels behind a SiLU: + on u, - on -u, 0 on references."""
    zero = torch.zeros_like(matrix)
    return torch.stack([matrix, -matrix, zero, zero][:per_group], 2).reshape(len(matrix), -1)


def _set(conv, weight, tap, noise):
    """weight (outputs x inputs) at one tap shape, plus noise of the given share of a normal start."""
    outputs, inputs, k, _ = conv.weight.shape
    w = weight[:, :, None, None] * (tap if k == 3 else torch.ones(1, 1))
    conv.weight.copy_(w + torch.randn_like(conv.weight) * noise / math.sqrt(k * k * inputs))


def _colours(stem):
    """Features and references of the first convolution: 32 x 3*stem*stem each. Most are opponent colours, the last ten are
    brightness differences between the stem's sub-pixels, which are lost on the way down but feed the first blocks."""
    luma = torch.tensor([0.3, 0.5, 0.2])
    base = torch.tensor([[1.0, -1.0, 0.0], [-0.5, -0.5, 1.0], [1.0, 0.0, -1.0], [0.6, 0.2, -0.8]])
    mixed = torch.cat([base * 1.5, F.normalize(torch.randn(GROUPS - 4, 3), dim=1)])
    mixed[4:] -= 0.7 * mixed[4:].mean(1, keepdim=True)
    cells = stem * stem
    features = (mixed[:, None] / cells).expand(GROUPS, cells, 3).clone()
    if cells > 1:
        pattern = torch.randn(10, cells)
        pattern -= pattern.mean(1, keepdim=True)
        features[-10:] = pattern[:, :, None] * luma
    references = (luma / cells).expand(GROUPS, cells, 3)
    return features.reshape(GROUPS, -1), references.reshape(GROUPS, -1)


def _fit(inputs, targets, ridge=1e-3):
    """Least squares targets ~ inputs @ W.T + b -> W, b."""
    x = torch.cat([inputs, torch.ones(len(inputs), 1)], 1).double()
    gram = x.t() @ x
    gram += ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    w = torch.linalg.solve(gram, x.t() @ targets.double()).t().float()
    return w[:, :-1], w[:, -1]


def _rows(maps):
    return maps.float().permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


@torch.no_grad()
def start(net, pictures, noise=0.1, residual=0.1):
    """Set the weights of a Tokenizer whose levels all have `filters` channels, 64, 96 or 128; others keep their random start.
    pictures: N x 3 x H x W. Returns whether it did."""
    channels = {m.num_channels for m in net.modules() if isinstance(m, torch.nn.GroupNorm)}
    per_group = max(channels) // GROUPS
    if len(channels) > 1 or per_group not in (2, 3, 4):
        return False
    for block in (m for m in net.modules() if isinstance(m, ResBlock)):
        for conv, norm, gain in ((block.conv0, block.norm0, 1.0), (block.conv1, block.norm1, residual)):
            mix = torch.randn(GROUPS, GROUPS) * gain / math.sqrt(GROUPS)
            quiet = torch.randn(GROUPS, GROUPS) * 0.3 * gain / math.sqrt(GROUPS)
            _set(conv, _spread(_read(mix, per_group), _read(quiet, per_group))(per_group), _CENTRE, noise * (1.0 if gain == 1.0 else residual))
            b = torch.randn(GROUPS) * 0.3
            norm.bias.copy_(_spread(b, torch.zeros(GROUPS))(per_group))
    features, references = _colours(net.stem)
    _set(net.encoder.first, _spread(features, references)(per_group), _CENTRE, noise * 0.3)
    net.encoder.last.weight.mul_(2.0)
    for up in (m for m in net.modules() if isinstance(m, Upsample)):
        _set(up.conv, torch.eye(up.conv.weight.shape[0]), _SMOOTH, noise)
    # the two read-outs
    z = net.encode(pictures)
    colour = F.avg_pool2d(pictures, net.patch)
    w, b = _fit(_rows(z), _rows(colour))
    flat = lambda f: f.reshape(GROUPS, -1, 3).sum(1) if net.stem == 1 else f[:, :3] * net.stem ** 2
    rows = _spread(flat(features), flat(references))(per_group)
    rows = torch.where(rows.abs().sum(1, keepdim=True) > 0, rows, rows)
    _set(net.decoder.first, rows @ w, _SMOOTH, noise * 0.3)
    net.decoder.first.bias.copy_(rows @ b)
    h = norm_silu(net.decoder.norm, net.decoder.body(net.decoder.first(z)))
    w, b = _fit(_rows(h)[::7], _rows(shuffle_in(pictures, net.stem))[::7], 1e-2)
    _set(net.decoder.last, w, _CENTRE, noise * 0.1)
    net.decoder.last.bias.copy_(b)
    return True
