# SPDX-License-Identifier: Apache-2.0
"""A small task network on renders (class, silhouette, line drawing); its features make the tokenizer's perceptual loss.

It sharpens edges, drawings above all. It is not the judge: the judge has another architecture and other seeds.
"""
import torch
import torch.nn as nn
import torch.nn.functional as F


def _conv(inputs, outputs, stride):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.GroupNorm(8, outputs), nn.ReLU())


class Perceptual(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.a = nn.Sequential(_conv(3, 32, 2), _conv(32, 32, 1))
        self.b = nn.Sequential(_conv(32, 64, 2), _conv(64, 64, 1))
        self.c = nn.Sequential(_conv(64, 96, 2), _conv(96, 96, 1))
        self.d = nn.Sequential(_conv(96, 128, 2), _conv(128, 128, 1))
        self.line, self.mask, self.label = nn.Conv2d(32, 1, 1), nn.Conv2d(128, 1, 1), nn.Linear(128, classes)

    def features(self, x):
        a = self.a(x * 2 - 1)
        b = self.b(a)
        c = self.c(b)
        return a, b, c, self.d(c)

    def distance(self, x, y):
        """Relative L1 distance of the features, summed over the scales; gradient to y only."""
        with torch.no_grad():
            fx = self.features(x)
        return sum((u.float() - v.float()).abs().mean() / (u.float().abs().mean() + 1e-3) for u, v in zip(fx, self.features(y)))

    def loss(self, x, label, line, mask):
        """x N x 3 x S x S crops; line N x 1 x S x S darkness of the contour drawing; mask N x 1 x S x S silhouette. -> loss, accuracy."""
        a, _, _, d = self.features(x)
        bce = F.binary_cross_entropy_with_logits
        logits = self.label(d.mean((2, 3))).float()
        loss = 2 * bce(self.line(a).float(), F.max_pool2d(line, 2)) + bce(self.mask(d).float(), F.avg_pool2d(mask, 16))
        return loss + 0.3 * F.cross_entropy(logits, label), (logits.argmax(1) == label).float().mean()
