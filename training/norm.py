# SPDX-License-Identifier: Apache-2.0
"""GroupNorm followed by SiLU, fused in C (norm.c) on a CPU in bf16, plain PyTorch everywhere else.

The C library is built on first use beside the other work files (never in the repository); without a compiler
training still runs, about three times slower.
"""
import ctypes
import os
import subprocess

import torch
import torch.nn.functional as F

_HERE = os.path.dirname(os.path.abspath(__file__))
_FLAGS = ["-O3", "-march=native", "-mprefer-vector-width=512", "-ffast-math", "-fopenmp", "-shared", "-fPIC"]
_lib = None


def compile_c(work, name):
    """Compile name.c of this folder into the work folder -> the loaded library, or None where that fails."""
    out, source = os.path.join(work, f"lib{name}.so"), os.path.join(_HERE, f"{name}.c")
    try:
        if not os.path.exists(out) or os.path.getmtime(out) < os.path.getmtime(source):
            os.makedirs(work, exist_ok=True)
            part = f"{out}.{os.getpid()}"
            subprocess.run(["cc", *_FLAGS, "-o", part, source, "-lm"], check=True, capture_output=True)
            os.replace(part, out)
        return ctypes.CDLL(out)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"{name}.c is not used ({error}); falling back to PyTorch")
        return None


def build(work):
    """Use norm.c from now on, where it compiles."""
    global _lib
    _lib = compile_c(work, "norm")


def _ptr(tensor):
    return ctypes.c_void_p(tensor.data_ptr())


def _nhwc(tensor):
    return tensor.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, b, groups, eps):
        x = _nhwc(x)
        n, c, h, v = x.shape
        y, stat = torch.empty_like(x), torch.empty(n, groups, 2)
        _lib.norm_forward(_ptr(x), _ptr(w), _ptr(b), _ptr(y), _ptr(stat), n, ctypes.c_long(h * v), c, groups, ctypes.c_float(eps))
        ctx.save_for_backward(x, w, b, stat)
        ctx.groups = groups
        return y

    @staticmethod
    def backward(ctx, gy):
        x, w, b, stat = ctx.saved_tensors
        gy = _nhwc(gy)
        n, c, h, v = x.shape
        gx, gw, gb, part = torch.empty_like(x), torch.empty(c), torch.empty(c), torch.empty(n, c, 2)
        _lib.norm_backward(_ptr(x), _ptr(w), _ptr(b), _ptr(gy), _ptr(stat), _ptr(gx), _ptr(gw), _ptr(gb), _ptr(part),
                           n, ctypes.c_long(h * v), c, ctx.groups)
        return gx, gw, gb, None, None


def norm_silu(norm, x):
    """silu(norm(x)) for a torch.nn.GroupNorm; x is N x C x H x W."""
    if _lib is not None and x.device.type == "cpu" and torch.is_autocast_enabled("cpu") and x.shape[1] <= 512:
        return _Fused.apply(x, norm.weight, norm.bias, norm.num_groups, norm.eps)
    return F.silu(norm(x))
