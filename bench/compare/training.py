# SPDX-License-Identifier: Apache-2.0
"""A step of training beside PyTorch's: forward, backward and update of a transformer with masked tokens, the same sizes, batch and threads.

    training.py --program MASKSKETCH [--size default|official] [--batch N] [--threads N] [--rounds N] [--kinds eager,compile,eager-bf16,compile-bf16]

Runs of `masksketch bench train` and PyTorch's steps take turns, so that their ratio holds on a machine whose speed changes. Both have the head on
masked places alone (2 / pi of all), behind the last layer's attention nothing but these, Muon in five rounds for the matrices between hidden layers
and AdamW for the rest. PyTorch computes attention by scaled_dot_product_attention; `compile` is torch.compile of the network, the update stays eager.
Kinds that end in bf16 are held against masksketch's bf16: there PyTorch has the network under torch.autocast, and Muon's rounds in bfloat16."""
import argparse
import contextlib
import json
import math
import os
import statistics
import subprocess
import time

SIZES = {"default": dict(layers=6, width=256, heads=8, codes=512, vocabulary=531), "official": dict(layers=24, width=768, heads=16, codes=1024, vocabulary=2025)}
TOKENS = 257


def make_network(torch, layers, width, heads, codes, vocabulary):
    nn, functional = torch.nn, torch.nn.functional

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
            self.norms = nn.ModuleList(nn.LayerNorm(width, eps=1e-12) for _ in range(2))

        def forward(self, x, chosen=None):
            batch = x.shape[0]
            split = lambda y: y.view(batch, TOKENS, heads, width // heads).transpose(1, 2)
            y = functional.scaled_dot_product_attention(split(self.query(x)), split(self.key(x)), split(self.value(x)))
            y = y.transpose(1, 2).reshape(batch, TOKENS, width)
            if chosen is not None:
                x, y = x.reshape(-1, width)[chosen], y.reshape(-1, width)[chosen]
            x = self.norms[0](self.out(y) + x)
            return self.norms[1](self.down(functional.gelu(self.up(x), approximate="tanh")) + x)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(vocabulary, width)
            self.positions = nn.Parameter(0.02 * torch.randn(TOKENS, width))
            self.layers = nn.ModuleList(Layer() for _ in range(layers))
            self.dense, self.norms = nn.Linear(width, width), nn.ModuleList(nn.LayerNorm(width, eps=1e-12) for _ in range(2))
            self.bias = nn.Parameter(torch.zeros(codes))

        def forward(self, tokens, chosen, targets):
            x = self.norms[0](self.words(tokens) + self.positions)
            for i, layer in enumerate(self.layers):
                x = layer(x, chosen if i + 1 == layers else None)
            x = self.norms[1](functional.gelu(self.dense(x), approximate="tanh"))
            return functional.cross_entropy(x @ self.words.weight[:codes].T + self.bias, targets)

    return Network()


def orthogonal(x):
    """Muon's five rounds (Jordan 2024) on the side that is shorter."""
    turned = x.shape[0] > x.shape[1]
    x = x.T if turned else x
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        m = x @ x.T
        x = 3.4445 * x + (-4.7750 * m + 2.0315 * m @ m) @ x
    return x.T if turned else x


class Stepper:
    def __init__(self, kind, size, batch, threads):
        import torch

        torch.set_num_threads(threads)
        torch.manual_seed(1)
        self.torch, sizes = torch, SIZES[size]
        network = make_network(torch, **sizes)
        hidden = [p for layer in network.layers for n, p in layer.named_parameters() if p.ndim == 2]
        known = {id(p) for p in hidden}
        self.hidden, self.momenta = hidden, [torch.zeros_like(p) for p in hidden]
        self.parameters = list(network.parameters())
        self.adam = torch.optim.AdamW([p for p in self.parameters if id(p) not in known], lr=1e-3, betas=(0.9, 0.96), fused=True)
        form, _, precision = kind.partition("-")
        self.network = torch.compile(network) if form == "compile" else network
        self.type = torch.bfloat16 if precision == "bf16" else torch.float32
        tokens = torch.randint(0, sizes["codes"], (batch, TOKENS))
        mask = torch.rand(batch * TOKENS) < 2 / math.pi
        self.chosen = mask.nonzero().flatten()
        self.targets = tokens.flatten()[self.chosen]
        self.tokens = torch.where(mask.view(batch, TOKENS), sizes["vocabulary"] - 1, tokens)

    def step(self):
        started = time.perf_counter()
        narrow = self.type == self.torch.bfloat16
        with self.torch.autocast("cpu", self.type) if narrow else contextlib.nullcontext():
            loss = self.network(self.tokens, self.chosen, self.targets)
        loss.backward()
        self.torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.adam.step()
        with self.torch.no_grad():
            for p, m in zip(self.hidden, self.momenta):
                m.lerp_(p.grad, 0.05)
                p.mul_(1 - 3e-5).add_(orthogonal(p.grad.lerp(m, 0.95).to(self.type)), alpha=-1e-3)
        for p in self.parameters:
            p.grad = None
        return time.perf_counter() - started


def own_step(arguments, precision):
    command = [arguments.program, "bench", "train", "--json", "--quiet", "--size", arguments.size, "--rounds", "1", "--batch", str(arguments.batch),
               "--threads", str(arguments.threads)]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return answer["results"]["train"][precision], answer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True, help="the built masksketch")
    parser.add_argument("--size", default="default", choices=SIZES)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kinds", default="eager,compile", help="of eager, compile, eager-bf16 and compile-bf16")
    arguments = parser.parse_args()
    for kind in arguments.kinds.split(","):
        stepper = Stepper(kind, arguments.size, arguments.batch, arguments.threads)
        stepper.step()  # compiles, and touches all memory for the first time, as the first of masksketch's does
        precision = kind.partition("-")[2] or "fp32"
        own, other, shares = [], [], []
        for _ in range(arguments.rounds):
            result, answer = own_step(arguments, precision)
            own.append(result["ms"] / 1e3)
            shares.append(result["share"])
            other.append(stepper.step())
        ratio = statistics.median(b / a for a, b in zip(own, other))
        print(f"{arguments.size}, batch {arguments.batch}, {arguments.threads} threads: masksketch ({answer['isa']}) {min(own):.3f} s, "
              f"{max(shares):.2f} of the peak; PyTorch {stepper.torch.__version__}, {kind}: {min(other):.3f} s, {ratio:.2f} times as long (median)")


main()
