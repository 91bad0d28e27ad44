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


class _Distances(torch.autograd.Function):
    """Logits 3B x H x N x N of photo, drawing, mixture -> distances drawing-photo and drawing-mixture, B x N each."""

    @staticmethod
    def forward(ctx, maps):
        ctx.save_for_backward(maps)
        b, heads, n = len(maps) // 3, *maps.shape[1:3]
        pull, score = torch.zeros(b, n), torch.zeros(b, n)
        photo, drawing, mix = maps.split(b)
        _lib.distance_forward(_p(drawing), _p(photo), _p(pull), b, heads, n)
        _lib.distance_forward(_p(drawing), _p(mix), _p(score), b, heads, n)
        return pull, score

    @staticmethod
    def backward(ctx, g_pull, g_score):
        maps, = ctx.saved_tensors
        b, heads, n = len(maps) // 3, *maps.shape[1:3]
        out = torch.zeros_like(maps)
        (photo, drawing, mix), (gp, gd, gm) = maps.split(b), out.split(b)
        g_pull, g_score = g_pull.contiguous(), g_score.contiguous()
        _lib.distance_backward(_p(drawing), _p(photo), _p(g_pull), _p(gd), _p(gp), b, heads, n)
        _lib.distance_backward(_p(drawing), _p(mix), _p(g_score), _p(gd), _p(gm), b, heads, n)
        return out


def distances(maps):
    """See _Distances; maps are float32."""
    if _lib is not None and maps.device.type == "cpu":
        return _Distances.apply(maps.contiguous())
    photo, drawing, mix = maps.chunk(3)
    return _distance(drawing, photo), _distance(drawing, mix)


def distance(x, y):
    """Symmetric KL of two maps' rows (float32 logits B x H x N x N), averaged over heads -> B x N. No gradient through the C path."""
    if _lib is not None and x.device.type == "cpu" and not torch.is_grad_enabled():
        x, y = x.contiguous(), y.contiguous()
        out = torch.zeros(len(x), x.shape[2])
        _lib.distance_forward(_p(x), _p(y), _p(out), len(x), x.shape[1], x.shape[2])
        return out
    return _distance(x, y)
