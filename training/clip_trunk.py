# SPDX-License-Identifier: Apache-2.0
"""The small CLIP's first training stage: all layers of the picture tower but the last learn what lies where, patch by patch.

Contrast alone teaches a ViT little in minutes: its class token says nearly the same of every picture for hundreds of steps. What the renderer
knows of every patch (the parts in each of its cells, the same for a photo and for its drawings) is a dense target and is learned at once.
"""
import os
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import config as configs
import muon
import runtime
from clip_words import COLOURS

CELLS = 4  # of a patch's side


class Aids(nn.Module):
    """Read-outs that are thrown away: the parts in every cell of a patch; class and colour from the mean of all patches."""

    def __init__(self, width):
        super().__init__()
        self.norm, self.parts = nn.LayerNorm(width), nn.Linear(width, CELLS * CELLS * 8)
        self.names = nn.Sequential(nn.Linear(width, 128), nn.GELU(), nn.Linear(128, len(configs.OBJECTS) + len(COLOURS)))

    def forward(self, patches, parts, label, colour):
        """patches N x P x width; parts N x S/2 x S/2 ids; colour -1: unknown. -> the two cross-entropies."""
        n, side = len(parts), int(patches.shape[1] ** 0.5)
        cells = side * CELLS
        small = F.interpolate(parts[:, None].float(), (cells, cells), mode="nearest")[:, 0].long().clamp(max=7)
        target = small.view(n, side, CELLS, side, CELLS).transpose(2, 3).reshape(n, side * side, CELLS * CELLS)
        h = self.norm(patches)
        logits = self.parts(h).view(n, side * side, CELLS * CELLS, 8)
        names, classes = self.names(h.mean(1)).float(), len(configs.OBJECTS)
        known = (colour >= 0).sum().clamp_min(1)
        named = F.cross_entropy(names[:, :classes], label) + F.cross_entropy(names[:, classes:], colour, ignore_index=-1, reduction="sum") / known
        return F.cross_entropy(logits.flatten(0, 2).float(), target.flatten()), named


def train(net, config, work, batches, prepare):
    """net: the whole CLIP, whose picture tower's last layer is left as it is. prepare(batch) -> pixels, parts, label, colour of photos and drawings.
    Resumes from work/clip-trunk.pt."""
    device, path, state = config["device"], os.path.join(work, "clip-trunk.pt"), runtime.load(os.path.join(work, "clip-trunk.pt"))
    vision, aids, step = net.vision_model, Aids(config["clip_width"]), 0
    if state:
        vision.load_state_dict(state["vision"]), aids.load_state_dict(state["aids"])
        step = state["step"]
    clock = runtime.Clock(config["clip_trunk_seconds"], state["seconds"] if state else 0.0)
    if clock.fraction() >= 1:
        return
    vision, aids = vision.to(device), aids.to(device)
    learned = [p for p in [*vision.embeddings.parameters(), *vision.pre_layrnorm.parameters(), *vision.encoder.layers[:-1].parameters(), *aids.parameters()] if p.requires_grad]
    hidden = [p for layer in vision.encoder.layers[:-1] for p in layer.parameters() if p.ndim == 2]
    rates = 3 * config["clip_lr"], config["clip_lr"]
    optimisers = muon.with_adam(learned, hidden, rates, 0.02, (0.9, 0.98))
    if state:
        for optimiser, moments in zip(optimisers, state["moments"]):
            optimiser.load_state_dict(moments)
    logged = saved = time.time()
    classes = len(configs.OBJECTS)  # all of them: nothing here wants many of one class
    each, total, since = max(1, config["clip_groups"] * config["clip_each"] // classes), np.zeros(2), step
    while True:
        done = clock.fraction() >= 1
        if done or time.time() - saved > config["save_every"]:
            with clock.paused():
                runtime.save(path, dict(vision=vision.state_dict(), aids=aids.state_dict(), moments=[o.state_dict() for o in optimisers], step=step, seconds=clock.spent))
                saved = time.time()
        if (done or time.time() - logged > config["clip_log"]) and step > since:
            parts, names = (total / (step - since)).tolist()
            print(f"clip trunk step {step} parts {parts:.3f} names {names:.3f} {clock.left()}", flush=True)
            runtime.note(work, stage="clip trunk", step=step, seconds=clock.seconds(), parts=parts, names=names)
            total, since, logged = np.zeros(2), step, time.time()
        if done:
            return
        for optimiser, rate in zip(optimisers, rates):
            for group in optimiser.param_groups:
                group["lr"] = clock.rate(rate, step, 40, 0.05)
        pixels, parts, label, colour = (t.to(device) for t in prepare(batches.draw(classes, each)))
        with runtime.autocast(device):
            losses = aids(vision.trunk(pixels)[:, 1:], parts, label, colour)
        (losses[0] + losses[1]).backward()
        nn.utils.clip_grad_norm_(learned, 1.0)
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad()
        total, step = total + [float(v.detach()) for v in losses], step + 1
