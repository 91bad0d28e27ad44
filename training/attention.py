# SPDX-License-Identifier: Apache-2.0
"""Attention and map distances: through attention.c on a CPU in bf16, in plain PyTorch elsewhere. Both say the same."""
import ctypes
import math

import torch
import torch.nn.functional as F

import norm

_lib = None


def build(work):
    global _lib
    _lib = norm.compile_c(work, "attention")


def _p(tensor):
    return ctypes.c_void_p(tensor.data_ptr())


class _Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, s, scale):
        s = s.contiguous()
        p, n = torch.empty_like(s), s.shape[-1]
        _lib.softmax_forward(_p(s), _p(p), ctypes.c_long(s.numel() // n), n, ctypes.c_float(scale))
        ctx.save_for_backward(p)
        ctx.scale = scale
        return p

    @staticmethod
    def backward(ctx, g):
        p, = ctx.saved_tensors
        g = g.to(torch.bfloat16).contiguous()
        gs, n = torch.empty_like(p), p.shape[-1]
        _lib.softmax_backward(_p(p), _p(g), _p(gs), ctypes.c_long(p.numel() // n), n, ctypes.c_float(ctx.scale))
        return gs, None


def attend(q, k, v):
    """B x H x N x E each -> softmax(q k / sqrt(E)) v."""
    if _lib is not None and q.dtype == torch.bfloat16 and q.device.type == "cpu":
        return _Softmax.apply(q @ k.transpose(-1, -2), 1 / math.sqrt(q.shape[-1])) @ v
    return F.scaled_dot_product_attention(q, k, v)


def _distance(x, y):
    a, b = F.log_softmax(x, -1), F.log_softmax(y, -1)
    return ((a.exp() - b.exp()) * (a - b)).sum(-1).mean(1)


class _Distance(torch.autograd.Function):
    """Logits of two maps stacked, 2B x H x N x N -> symmetric KL of their rows, averaged over heads, B x N."""

    @staticmethod
    def forward(ctx, maps):
        ctx.save_for_backward(maps)
        b, heads, n = len(maps) // 2, *maps.shape[1:3]
        x, y = maps.split(b)
        out = torch.zeros(b, n)
        _lib.distance_forward(_p(x), _p(y), _p(out), b, heads, n)
        return out

    @staticmethod
    def backward(ctx, g):
        maps, = ctx.saved_tensors
        b, heads, n = len(maps) // 2, *maps.shape[1:3]
        out, g = torch.zeros_like(maps), g.contiguous()
        (x, y), (gx, gy) = maps.split(b), out.split(b)
        _lib.distance_backward(_p(x), _p(y), _p(g), _p(gx), _p(gy), b, heads, n)
        return out


def pair_distance(maps):
    """See _Distance; maps are float32."""
    if _lib is not None and maps.device.type == "cpu":
        return _Distance.apply(maps.contiguous())
    return _distance(*maps.chunk(2))


def distance(x, y):
    """Symmetric KL of two maps' rows (float32 logits B x H x N x N), averaged over heads -> B x N. No gradient through the C path."""
    if _lib is not None and x.device.type == "cpu" and not torch.is_grad_enabled():
        x, y = x.contiguous(), y.contiguous()
        out = torch.zeros(len(x), x.shape[2])
        _lib.distance_forward(_p(x), _p(y), _p(out), len(x), x.shape[1], x.shape[2])
        return out
    return _distance(x, y)
