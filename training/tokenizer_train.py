# SPDX-License-Identifier: Apache-2.0
"""Trains the tokenizer (and, first, the perceptual network). Recipe and its reasons: README.md, "Tokenizer".

Crops first, whole pictures later; an autoencoder first, then the quantiser, started by k-means; looks-linear start.
"""
import os
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

import config as configs
import data
import runtime
from perceptual import Perceptual
from start import start
from tokenizer import Tokenizer


def _dx(t):
    return t[..., 1:] - t[..., :-1]


def _dy(t):
    return t[..., 1:, :] - t[..., :-1, :]


def chroma(t):
    """Red-green and blue-yellow differences: small saturated parts lose their colour without a loss of their own."""
    return torch.stack([t[:, 0] - t[:, 1], t[:, 2] - 0.5 * (t[:, 0] + t[:, 1])], 1)


def reconstruction(x, y):
    """L1 + 2 L2 + gradients + chroma + Laplacian bands of the error."""
    d = y - x
    loss = d.abs().mean() + 2 * (d ** 2).mean() + 0.5 * (_dx(d).abs().mean() + _dy(d).abs().mean()) + chroma(d).abs().mean()
    band = d
    for _ in range(4):
        low = F.avg_pool2d(band, 2)
        high = band - F.interpolate(low, scale_factor=2, mode="bilinear", align_corners=False)
        loss = loss + 0.3 * (2 * high.abs().mean() + 0.5 * low.abs().mean())
        band = low
    return loss


def build(config):
    return Tokenizer(config["stem"], config["filters"], config["multipliers"], config["blocks"], config["code_dim"], config["codes"])


def train_perceptual(config, work, folders):
    """A minute or two; skipped when its file is there."""
    path, device = os.path.join(work, "perceptual.pt"), config["device"]
    net = Perceptual(len(configs.OBJECTS)).to(device, memory_format=torch.channels_last)
    if os.path.exists(path):
        net.load_state_dict(runtime.load(path))
        return net.requires_grad_(False)
    source, clock, step = data.Pictures(*folders, seed=5), runtime.Clock(config["perceptual_seconds"]), 0
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3)
    while clock.fraction() < 1:
        for group in optimiser.param_groups:
            group["lr"] = clock.rate(2e-3, step, 20)
        x, label, line, mask = (t.to(device) for t in source.labelled(16))
        with runtime.autocast(device):
            loss, accuracy = net.loss(x, label, line, mask)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        step += 1
        if step % 40 == 0:
            print(f"perceptual step {step} loss {float(loss.detach()):.3f} accuracy {float(accuracy):.2f} {clock.left()}", flush=True)
    runtime.save(path, net.state_dict())
    return net.requires_grad_(False)


@torch.no_grad()
def evaluate(net, config, folder, quantised, count=24, sheet=None):
    """dB (over all pixels), sharpness and colour error on held-out photos and drawings; codes used and their perplexity."""
    device, result = config["device"], {}
    photos, hands = data.stack(folder, "photo", count), data.stack(folder, "hands", count)
    rows, used = [], torch.zeros(net.codes)
    for name, pixels in (("photo", photos), ("drawing", hands[torch.arange(len(hands)), torch.arange(len(hands)) % hands.shape[1]][..., None])):
        x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(255).expand(-1, 3, -1, -1).contiguous()
        out = []
        for chunk in x.split(16):
            with runtime.autocast(device):
                z = net.encode(chunk.to(device))
                if quantised:
                    index = net.nearest(z)[0]
                    used += torch.bincount(index.cpu(), minlength=net.codes)
                    z = net.lookup(index, z.shape)
                out.append(net.decode(z).clamp(0, 1).cpu())
        y = torch.cat(out)
        d = y - x
        result[name] = dict(db=round(float(-10 * torch.log10((d ** 2).mean())), 2), chroma=round(float(chroma(d).abs().mean()) * 255, 1),
                            sharp=round(float(_dx(y).abs().mean() / _dx(x).abs().mean()), 3))
        rows += [runtime.to_bytes(x[:12]), runtime.to_bytes(y[:12])]
    share = used / used.sum().clamp_min(1)
    result["perplexity"] = round(float(torch.exp(-(share * (share + 1e-9).log()).sum())))
    result["used"] = int((used > 0).sum())
    if sheet:
        runtime.sheet(rows, sheet)
    return result


def _start_quantiser(net, source, config):
    with torch.no_grad(), runtime.autocast(config["device"]):
        features = [net.encode(source.batch(8, config["size"], config["photo_share"]).to(config["device"])) for _ in range(8)]
    net.start_codebook(torch.cat([f.permute(0, 2, 3, 1).reshape(-1, net.code_dim).float() for f in features]))


def _step(net, perceptual, x, quantise, device, weight):
    """Forward and backward of one batch; the picture loss is differentiated outside autocast. -> loss, commitment, restarted codes."""
    with runtime.autocast(device):
        z = net.encode(x)
    dead, commitment = 0, None
    if quantise:
        index, rows = net.nearest(z.detach())
        codes = net.lookup(index, z.shape)
        dead = net.follow(rows, index)
        commitment = ((z - codes) ** 2).mean()
        through = z + (codes - z).detach()
    else:
        through = z + 0.1 * torch.randn_like(z)
    with runtime.autocast(device):
        y = net.decode(through)
    free = y.detach().requires_grad_(True)
    loss = reconstruction(x, free)
    if perceptual is not None:
        with runtime.autocast(device):
            loss = loss + weight * perceptual.distance(x, free)
    gradient, = torch.autograd.grad(loss, free)
    torch.autograd.backward([y] if commitment is None else [y, 0.25 * commitment], [gradient] if commitment is None else [gradient, None])
    return float(loss.detach()), 0.0 if commitment is None else float(commitment.detach()), dead


def train(config, work, folders, test_folder):
    """Resumes from work/tokenizer.pt; leaves it there with done = True. Returns the network."""
    device, path = config["device"], os.path.join(work, "tokenizer.pt")
    torch.manual_seed(config["seed"])
    net = build(config)
    state = runtime.load(path)
    if state:
        net.load_state_dict(state["net"])
    else:
        start(net, data.Pictures(*folders, seed=3).batch(16, config["size"], config["photo_share"]))
    net = net.to(device, memory_format=torch.channels_last)
    if state and state["seconds"] >= config["tokenizer_seconds"]:
        return net.requires_grad_(False)
    perceptual = train_perceptual(config, work, folders) if config["perceptual_weight"] else None
    optimiser = torch.optim.AdamW(net.parameters(), config["tokenizer_lr"], betas=(0.9, 0.97), weight_decay=1e-4)
    step, seen, quantise = 0, 0.0, False
    if state:
        optimiser.load_state_dict(state["optimiser"])
        step, seen, quantise = state["step"], state["seen"], state["quantise"]
    source = data.Pictures(*folders, seed=config["seed"] + step)
    clock = runtime.Clock(config["tokenizer_seconds"], state["seconds"] if state else 0.0)
    logged = saved = time.time()
    total = commit = dead = 0.0
    since = step
    while True:
        fraction = clock.fraction()
        if fraction >= 1 or time.time() - saved > config["save_every"]:
            with clock.paused():
                runtime.save(path, dict(net=net.state_dict(), optimiser=optimiser.state_dict(), step=step, seen=seen, quantise=quantise,
                                        seconds=clock.spent, config=config))
                saved = time.time()
            if fraction >= 1:
                break
        for group in optimiser.param_groups:
            group["lr"] = clock.rate(config["tokenizer_lr"], step, 100, 0.04)
        if not quantise and fraction >= config["ae_share"]:
            _start_quantiser(net, source, config)
            quantise = True
        whole = fraction >= config["crops_until"]
        crop = config["size"] if whole else config["size"] // 2
        batch = config["tokenizer_batch"] * (1 if whole else 4)
        loss, c, d = _step(net, perceptual, source.batch(batch, crop, config["photo_share"]).to(device), quantise, device,
                              config["perceptual_weight"])
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        step, seen, total, commit, dead = step + 1, seen + batch * (crop / config["size"]) ** 2, total + loss, c, dead + d
        if time.time() - logged > config["tokenizer_log"]:
            with clock.paused():
                result = evaluate(net, config, test_folder, quantise, sheet=os.path.join(work, "tokenizer.png"))
                print(f"tokenizer step {step} pictures {seen:.0f} of {len(source)} objects, loss {total / (step - since):.4f} commit {commit:.3f} "
                      f"restarts {dead:.0f} {result} {clock.left()}", flush=True)
                runtime.note(work, stage="tokenizer", step=step, pictures=seen, seconds=clock.spent, loss=total / (step - since), **result)
                since, total, dead, logged = step, 0.0, 0.0, time.time()
    result = evaluate(net, config, test_folder, True, 240, os.path.join(work, "tokenizer.png"))
    runtime.note(work, stage="tokenizer done", step=step, pictures=seen, **result)
    print("tokenizer done", step, "steps", result, flush=True)
    return net.requires_grad_(False)
