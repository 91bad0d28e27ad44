# SPDX-License-Identifier: Apache-2.0
"""The bidirectional transformer in the authors' layout (reference/model-and-sampling.md, section 2).

Post-LN BERT: tanh GELU, LayerNorm epsilon 1e-12, scale 1/sqrt(head width), learned positions, tied output embedding.
Vocabulary = codes + labels + mask, the mask last; position 0 holds the label.
"""
import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from attention import attend


def _norm(width):
    return nn.LayerNorm(width, eps=1e-12)


def _linear(inputs, outputs, gain=1.0):
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, 0, gain / math.sqrt(inputs))
    nn.init.zeros_(layer.bias)
    return layer


class Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (_linear(width, width, 0.8) for _ in range(3))
        self.out, self.norm0 = _linear(width, width, 0.5), _norm(width)
        self.up, self.down, self.norm1 = _linear(width, 4 * width), _linear(4 * width, width, 0.5), _norm(width)

    def _split(self, x):
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def attention_logits(self, x):
        """B x N x D -> B x H x N x N scaled attention logits, float32."""
        q, k = self._split(self.query(x)).float(), self._split(self.key(x)).float()
        with torch.autocast(x.device.type, enabled=False):
            return (q / math.sqrt(q.shape[-1])) @ k.transpose(-1, -2)

    def forward(self, x, keep=None):
        """B x N x D -> B x N x D; with keep (B x N bool) only those rows of the result, K x D."""
        inputs = (self.query, self.key, self.value)
        joined = F.linear(x, torch.cat([l.weight for l in inputs]), torch.cat([l.bias for l in inputs]))
        a = attend(*(self._split(t) for t in joined.split(x.shape[-1], -1))).transpose(1, 2).flatten(-2)
        if keep is not None:
            a, x = a[keep], x[keep]
        x = self.norm0(x + self.out(a))
        return self.norm1(x + self.down(F.gelu(self.up(x), approximate="tanh")))


class Transformer(nn.Module):
    def __init__(self, codes, labels, positions, layers, width, heads):
        super().__init__()
        self.codes, self.labels, self.vocabulary = codes, labels, codes + labels + 1
        self.mask = self.vocabulary - 1
        self.word, self.position = nn.Embedding(self.vocabulary, width), nn.Embedding(positions, width)
        nn.init.normal_(self.word.weight, 0, 0.02)
        nn.init.normal_(self.position.weight, 0, 0.02)
        self.norm = _norm(width)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.head, self.head_norm = _linear(width, width), _norm(width)
        self.bias = nn.Parameter(torch.zeros(self.vocabulary))

    def embed(self, ids):
        return self.norm(self.word(ids) + self.position.weight[: ids.shape[1]])

    def hidden(self, ids):
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x)
        return x

    def forward(self, ids):
        """B x N token ids -> B x N x codes logits."""
        return self.logits(self.hidden(ids))

    def logits(self, x):
        x = self.head_norm(F.gelu(self.head(x), approximate="tanh"))
        return F.linear(x, self.word.weight[: self.codes], self.bias[: self.codes])

    def attention(self, ids, layers):
        """Attention logits of the chosen layers, a list of B x H x N x N float32; nothing behind the last of them is computed."""
        x, maps = self.embed(ids), []
        for index, layer in enumerate(self.layers):
            if index in layers:
                maps.append(layer.attention_logits(x))
            if index == max(layers):
                return maps
            x = layer(x)
        raise ValueError(f"structure layers {layers} lie beyond the last of {len(self.layers)} layers")


@torch.no_grad()
def start(net, codebook, seed=3):
    """Token embeddings start from the codebook, positions from smooth 2-D features: worth 0.8 nats after 4,000 pictures."""
    rng = np.random.default_rng(seed)
    width, side = net.word.weight.shape[1], math.isqrt(net.position.weight.shape[0] - 1)
    c = codebook.double().numpy()
    u, _, _ = np.linalg.svd(c - c.mean(0), full_matrices=False)
    e = u * np.sqrt(len(u)) @ rng.normal(size=(u.shape[1], width)) / np.sqrt(u.shape[1])
    net.word.weight[: net.codes] = torch.tensor(0.02 * e, dtype=torch.float32) + 0.3 * net.word.weight[: net.codes]
    features = []
    for axis in np.divmod(np.arange(side * side), side):
        features += [np.cos(np.pi * w * (axis + 0.5) / side) for w in range(1, side + 1)]
        features += [np.exp(-0.5 * ((axis - c) / 0.8) ** 2) * 1.5 - 0.4 for c in range(side)]
    f = np.stack(features, 1)
    p = 0.028 * f @ rng.normal(size=(f.shape[1], width)) / np.sqrt(f.shape[1])
    net.position.weight[1:] = torch.tensor(p, dtype=torch.float32)


def masked_loss(net, ids, shown, mask, smoothing=0.0):
    """Cross-entropy of the masked codes. ids: what is true, shown: what the network sees, both B x N with the label first; mask B x N bool. -> loss with smoothing, plain mean."""
    x = net.embed(shown)
    for layer in net.layers[:-1]:
        x = layer(x)
    log = F.log_softmax(net.logits(net.layers[-1](x, mask)).float(), -1)
    plain = -log.gather(1, ids[mask][:, None])[:, 0].mean()
    return (1 - smoothing) * plain - smoothing * log.mean() if smoothing else plain, plain
