# SPDX-License-Identifier: Apache-2.0
"""The tokenizer: a VQGAN in the authors' layout behind a pixel-shuffle stem.

Owns the networks, the quantiser and the start values; tokenizer_train.py owns losses and schedule, export.py the file format.
Layout (reference/model-and-sampling.md, section 1): conv3x3; levels of ResBlocks with 2x2 average pooling between; ResBlocks;
GroupNorm(32, 1e-6), swish, conv1x1 to the code width. The decoder mirrors it. A ResBlock that changes the number of channels
adds conv1x1 of its *branch*, not of its input: the authors' quirk, kept.
Stem: with r = 2 a picture H x W x 3 becomes H/2 x W/2 x 12, channel = (dy*r + dx)*3 + colour; the decoder's last convolution puts
out 12 channels, which are laid out the same way. The importer knows the stem by the 12 input channels of encoder.Conv_0.
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def norm_silu(norm, x):
    """silu(norm(x)) for a torch.nn.GroupNorm; x is N x C x H x W."""
    return F.silu(norm(x))


def shuffle_in(x, r):
    """N x 3 x H x W -> N x 3rr x H/r x W/r, channel = (dy*r + dx)*3 + colour."""
    if r == 1:
        return x
    n, c, h, w = x.shape
    x = x.reshape(n, c, h // r, r, w // r, r).permute(0, 3, 5, 1, 2, 4)
    return x.reshape(n, c * r * r, h // r, w // r)


def shuffle_out(x, r):
    """The inverse of shuffle_in."""
    if r == 1:
        return x
    n, c, h, w = x.shape
    x = x.reshape(n, r, r, c // (r * r), h, w).permute(0, 3, 4, 1, 5, 2)
    return x.reshape(n, c // (r * r), h * r, w * r)


def _group_norm(channels):
    return nn.GroupNorm(32, channels, eps=1e-6)


def _conv(inputs, outputs, kernel=3, bias=False, gain=1.0):
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
    nn.init.normal_(conv.weight, 0, gain / math.sqrt(inputs * kernel * kernel))
    if bias:
        nn.init.zeros_(conv.bias)
    return conv


class ResBlock(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.norm0, self.conv0 = _group_norm(inputs), _conv(inputs, outputs, gain=1.3)
        self.norm1, self.conv1 = _group_norm(outputs), _conv(outputs, outputs, gain=0.5 if inputs == outputs else 1.3)
        self.conv2 = _conv(outputs, outputs, 1, gain=0.3) if inputs != outputs else None

    def forward(self, x):
        h = self.conv0(norm_silu(self.norm0, x))
        h = self.conv1(norm_silu(self.norm1, h))
        return h + (x if self.conv2 is None else self.conv2(h))


class Upsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = _conv(channels, channels, 3, True)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class Encoder(nn.Module):
    def __init__(self, stem, filters, multipliers, blocks, code_dim):
        super().__init__()
        channels, layers = filters, []
        self.first = _conv(3 * stem * stem, filters)
        for level, m in enumerate(multipliers):
            for _ in range(blocks):
                layers.append(ResBlock(channels, filters * m))
                channels = filters * m
            if level < len(multipliers) - 1:
                layers.append(nn.AvgPool2d(2))
        layers += [ResBlock(channels, channels) for _ in range(blocks)]
        self.body = nn.Sequential(*layers)
        self.norm, self.last = _group_norm(channels), _conv(channels, code_dim, 1, True)

    def forward(self, x):
        return self.last(norm_silu(self.norm, self.body(self.first(x))))


class Decoder(nn.Module):
    def __init__(self, stem, filters, multipliers, blocks, code_dim):
        super().__init__()
        channels = filters * multipliers[-1]
        self.first = _conv(code_dim, channels, 3, True)
        layers = [ResBlock(channels, channels) for _ in range(blocks)]
        for level in reversed(range(len(multipliers))):
            for _ in range(blocks):
                layers.append(ResBlock(channels, filters * multipliers[level]))
                channels = filters * multipliers[level]
            if level:
                layers.append(Upsample(channels))
        self.body = nn.Sequential(*layers)
        self.norm, self.last = _group_norm(channels), _conv(channels, 3 * stem * stem, 3, True, 0.3)
        nn.init.constant_(self.last.bias, 0.6)

    def forward(self, z):
        return self.last(norm_silu(self.norm, self.body(self.first(z))))


class Tokenizer(nn.Module):
    """Codes live at one norm, sqrt(code_dim); the encoder's output is normalised while training only: with all codes at one
    norm the nearest code of the raw output is the same, so the program normalises nothing."""

    def __init__(self, stem=2, filters=64, multipliers=(1, 1, 1, 1), blocks=1, code_dim=16, codes=1024, decoder_blocks=None):
        super().__init__()
        self.stem, self.code_dim, self.codes, self.radius = stem, code_dim, codes, math.sqrt(code_dim)
        self.patch = stem * 2 ** (len(multipliers) - 1)
        self.encoder = Encoder(stem, filters, multipliers, blocks, code_dim)
        self.decoder = Decoder(stem, filters, multipliers, decoder_blocks or blocks, code_dim)
        self.register_buffer("codebook", torch.zeros(codes, code_dim))
        self.register_buffer("ema_count", torch.ones(codes))
        self.register_buffer("ema_sum", torch.zeros(codes, code_dim))

    def encode(self, x):
        """Pictures N x 3 x H x W in [0,1] -> unit-radius features N x D x h x w, float32."""
        z = self.encoder(shuffle_in(x, self.stem).contiguous(memory_format=torch.channels_last))
        return F.normalize(z.float(), dim=1) * self.radius

    def decode(self, z):
        return shuffle_out(self.decoder(z).float(), self.stem)

    def nearest(self, z):
        """Features -> (indices, rows). Always float32: bf16 distances moved 9 to 30 % of the tokens."""
        rows = z.permute(0, 2, 3, 1).reshape(-1, self.code_dim).float()
        with torch.autocast(z.device.type, enabled=False):
            return (rows @ self.codebook.t() - 0.5 * (self.codebook ** 2).sum(1)).argmax(1), rows

    def lookup(self, index, shape):
        n, _, h, w = shape
        return self.codebook[index].view(n, h, w, self.code_dim).permute(0, 3, 1, 2)

    def tokens(self, x):
        """Pictures -> N x (h*w) token ids."""
        z = self.encode(x)
        return self.nearest(z)[0].view(len(x), -1)

    def pictures(self, tokens, side):
        """Token ids N x (side*side) -> pictures, unclamped."""
        return self.decode(self.lookup(tokens.reshape(-1), (len(tokens), 0, side, side)).contiguous())

    @torch.no_grad()
    def start_codebook(self, rows):
        """A few rounds of k-means over encoder outputs."""
        self.codebook.copy_(rows[torch.randperm(len(rows), device=rows.device)[: self.codes]])
        for _ in range(4):
            index = (rows @ self.codebook.t() - 0.5 * (self.codebook ** 2).sum(1)).argmax(1)
            count = torch.bincount(index, minlength=self.codes).float()
            self._set_codes(torch.zeros_like(self.codebook).index_add_(0, index, rows), count, rows)
        self.ema_count.fill_(1.0)
        self.ema_sum.copy_(self.codebook)

    def _set_codes(self, total, count, rows):
        codes = F.normalize(total / count.clamp_min(1e-6)[:, None], dim=1) * self.radius
        dead = count < 0.03 * count.mean()
        codes[dead] = rows[torch.randint(len(rows), (int(dead.sum()),), device=rows.device)]
        self.codebook.copy_(codes)
        return dead

    @torch.no_grad()
    def follow(self, rows, index, decay=0.97):
        """Moving averages of the rows that chose each code; codes nobody chooses restart on a row. Returns how many did."""
        count = torch.bincount(index, minlength=self.codes).float()
        total = torch.zeros_like(self.codebook).index_add_(0, index, rows)
        scale = (1 - decay) * self.codes / len(rows)
        self.ema_count.mul_(decay).add_(scale * count)
        self.ema_sum.mul_(decay).add_(scale * total)
        dead = self._set_codes(self.ema_sum, self.ema_count, rows)
        self.ema_count[dead] = 1.0
        self.ema_sum[dead] = self.codebook[dead]
        return int(dead.sum())
