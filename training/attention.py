# SPDX-License-Identifier: Apache-2.0
"""Attention, and the distance of attention maps."""
import torch.nn.functional as F


def attend(q, k, v):
    """B x H x N x E each -> softmax(q k / sqrt(E)) v."""
    return F.scaled_dot_product_attention(q, k, v)


def distance(x, y):
    """Symmetric KL of two maps' rows (float32 logits B x H x N x N), averaged over heads -> B x N."""
    a, b = F.log_softmax(x, -1), F.log_softmax(y, -1)
    return ((a.exp() - b.exp()) * (a - b)).sum(-1).mean(1)
