# SPDX-License-Identifier: Apache-2.0
"""Trains the decoder on, with encoder and codes frozen: tokens stay what they are, so this may run beside the transformer,
after it, or months later, and only ever makes pictures better.

From cached tokens, photos alone (the program never needs a drawing back), whole pictures. A perceptual term only with a perceptual network
that has had minutes of its own: a poor one (80 s on a busy machine) made checkered highlights at once.
From `adversary_from` of the time on an adversary (adversary.py) joins, which sharpens edges.
"""
import os
import time

import numpy as np
import torch
import torch.nn as nn

import adversary
import cache
import data
import runtime
from tokenizer_train import build, evaluate, reconstruction, train_perceptual


class TokenPictures:
    """Random (tokens, photo) pairs of the shards that have cached tokens."""

    def __init__(self, work, folder, stamp, seed):
        self.rng, self.shards = np.random.default_rng(seed), []
        for path in data.shards(folder):
            tokens = cache.file_of(work, folder, path, stamp)
            if os.path.exists(tokens):
                self.shards.append((np.load(tokens)["photo"], np.load(os.path.join(path, "photo.npy"), mmap_mode="r")))

    def batch(self, n):
        ids, pictures = [], []
        for _ in range(n):
            tokens, photos = self.shards[self.rng.integers(len(self.shards))]
            k = self.rng.integers(len(tokens))  # the second half of the tokens belongs to the mirrored photos
            p = photos[k % len(photos)]
            ids.append(tokens[k])
            pictures.append(p[:, ::-1] if k >= len(photos) else p)
        x = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float().div_(255)
        return torch.from_numpy(np.stack(ids).astype(np.int64)), x


def train(config, work, folders, test_folder, stamp):
    """Resumes from work/decoder.pt. Returns the tokenizer with the better decoder."""
    device, path = config["device"], os.path.join(work, "decoder.pt")
    net = build(config)
    net.load_state_dict(runtime.load(os.path.join(work, "tokenizer.pt"))["net"])
    state = runtime.load(path)
    if state and state["stamp"] != stamp:
        state = None
    if state:
        net.decoder.load_state_dict(state["decoder"])
    net = net.to(device, memory_format=torch.channels_last).requires_grad_(False)
    if state and state["seconds"] >= config["decoder_seconds"]:
        return net
    perceptual = train_perceptual(config, work, folders) if config["decoder_perceptual"] else None
    decoder = net.decoder.requires_grad_(True)
    optimiser = torch.optim.AdamW(decoder.parameters(), config["decoder_lr"], betas=(0.9, 0.98), weight_decay=1e-4)
    step = 0
    if state:
        optimiser.load_state_dict(state["optimiser"])
        step = state["step"]
    duel = adversary.Duel(device, config["decoder_lr"], state and state.get("duel")) if config["decoder_adversary"] else None
    source = TokenPictures(work, folders[0], stamp, 21 + step)
    side, size = config["size"] // net.patch, config["decoder_batch"]
    clock = runtime.Clock(config["decoder_seconds"], state["seconds"] if state else 0.0)
    logged = saved = time.time()
    total, since, verdict = 0.0, step, float("nan")
    while True:
        done = clock.fraction() >= 1
        if done or time.time() - saved > config["save_every"]:
            with clock.paused():
                runtime.save(path, dict(decoder=decoder.state_dict(), optimiser=optimiser.state_dict(), step=step, seconds=clock.spent, stamp=stamp,
                                        duel=duel and duel.state()))
                saved = time.time()
        if done or time.time() - logged > config["tokenizer_log"]:
            with clock.paused():
                result = evaluate(net, config, test_folder, True, sheet=os.path.join(work, "decoder.png"))
                loss = total / max(1, step - since)
                print(f"decoder step {step} pictures {step * size} loss {loss:.4f} adversary {verdict:.2f} {result} {clock.left()}", flush=True)
                runtime.note(work, stage="decoder", step=step, seconds=clock.spent, loss=loss, **result)
                total, since, logged = 0.0, step, time.time()
        if done:
            return net.requires_grad_(False)
        for group in optimiser.param_groups:
            group["lr"] = clock.rate(config["decoder_lr"], step, 50, 0.03)
        ids, x = (t.to(device) for t in source.batch(size))
        with runtime.autocast(device):
            y = net.pictures(ids, side)
        free = y.detach().requires_grad_(True)
        loss = reconstruction(x, free)
        if perceptual is not None:
            with runtime.autocast(device):
                loss = loss + config["decoder_perceptual"] * perceptual.distance(x, free)
        gradient, = torch.autograd.grad(loss, free)
        if duel and clock.fraction() >= config["adversary_from"]:
            verdict = duel.learn(x, y)
            ramp = min(1.0, (clock.fraction() - config["adversary_from"]) / 0.1)
            gradient = adversary.blend(gradient, duel.gradient(y), ramp * config["decoder_adversary"])
        y.backward(gradient)
        nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        total, step = total + float(loss.detach()), step + 1
