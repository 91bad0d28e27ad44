# SPDX-License-Identifier: Apache-2.0
"""Trains the transformer on cached tokens: masked-token loss and the pair loss (pairs.py), both from the first step.

The schedule counts trained seconds, for a GPU is lent by the minute: a warm-up, a constant rate, and over the last `decay_seconds` a straight way to
nothing. All tokens lie on the device, and batches are drawn there.
"""
import math
import os
import time

import numpy as np
import torch
import torch.nn as nn

import config as configs
import runtime
from muon import with_adam
from pairs import Batches, PairBatches, PairLoss, diagnose
from transformer import Transformer, masked_loss, start


def build(config):
    side = config["size"] // (config["stem"] * 2 ** (len(config["multipliers"]) - 1))
    return Transformer(config["codes"], len(configs.LABELS), side * side + 1, config["layers"], config["width"], config["heads"])


class MaskedBatches(Batches):
    """Photos under their class label (some under `null`) and drawings under the label of their hand (a third under `null`).

    In a share of the photos (`hint_share`) a masked place shows, instead of the mask token, the token that a drawing of the same object has
    there: the network learns to read the drawing where it still has to paint (recipe key placeholder = sketch), which little compute
    learns far sooner than shape from attention alone. Photo tokens alone are predicted, so a drawing's token is never an answer.
    """

    def __init__(self, cache, config, seed):
        super().__init__(cache, seed)
        self.config = config

    def _tokens(self, n):
        """Codes, labels and drawings of n objects: n x N, n, n x N; whose codes are a drawing's, n bool."""
        c, null = self.cache, len(configs.OBJECTS)
        i = self._below(len(c["label"]), n)
        label = torch.where(self._random(n) < self.config["null_share"], null, c["label"][i])
        hand = self._below(c["hands"].shape[1], 2, n)
        styles = torch.where(self._random(n) < 0.3, null, null + 1 + c["hand"][i, hand[0]].long())
        drawn = self._random(n) < self.config["style_share"]
        ids = torch.where(drawn[:, None], c["hands"][i, hand[0]], c["photo"][i]).long()
        return ids, torch.where(drawn, styles, label), c["hands"][i, hand[1]].long(), drawn

    def draw(self, n):
        """-> what is true, what the network sees, what is masked: n x (1 + N), the label first."""
        codes, config = self.config["codes"], self.config
        ids, label, drawing, drawn = self._tokens(n)
        target = torch.cat([codes + label[:, None], ids], 1)
        mask = self._random(*target.shape) < torch.cos(self._random(n, 1) * math.pi / 2)
        mask[torch.arange(n, device=self.device), 1 + self._below(ids.shape[1], n)] = True
        mask[:, 0] = False
        shown = torch.where(mask, codes + len(configs.LABELS), target)[:, 1:]
        share = torch.where(self._random(n, 1) < 0.75, 1.0, self._random(n, 1))
        hinted = ((self._random(n) < config["hint_share"]) & ~drawn)[:, None] & (self._random(*ids.shape) < share)
        shown = torch.where(mask[:, 1:] & hinted, drawing, shown)
        other = self.cache["photo"][self._below(len(self.cache["label"]), n)].long()  # decoding shows its own mistakes, too
        wrong = (self._random(n, 1) < config["wrong_share"]) & (self._random(*ids.shape) < 0.2 * self._random(n, 1))
        shown = torch.where(~mask[:, 1:] & wrong, other, shown)
        return target, torch.cat([target[:, :1], shown], 1), mask


def _labelled(codes, label, ids):
    return torch.cat([codes + label[:, None], ids], 1)


@torch.no_grad()
def evaluate(net, config, test):
    net.eval()
    losses = {}
    with runtime.autocast(test["label"].device.type):
        for name, hint in (("ce", 0), ("ce_hinted", 1)):
            batches = MaskedBatches(test, dict(config, style_share=0, null_share=0, hint_share=hint), 7)
            losses[name] = round(float(np.mean([float(masked_loss(net, *batches.draw(32))[1]) for _ in range(4)])), 3)
        retrieval, auc = diagnose(net, config["structure_layers"], test)
    net.train()
    return dict(losses, retrieval=round(retrieval, 3), auc=round(auc, 3))


def _follow(average, net, step):
    rate = max(1 / (step + 1), 0.002)
    with torch.no_grad():
        torch._foreach_lerp_([p.data for p in average.parameters()], [p.data for p in net.parameters()], rate)


def _optimisers(net, pair, config):
    """Muon for the hidden matrices; AdamW for embeddings, norms, biases and the pair loss's two numbers."""
    hidden = [p for name, p in net.named_parameters() if name.startswith("layers.") and p.ndim == 2] + [net.head.weight]
    rates = config["muon_lr"], config["transformer_lr"]
    return list(zip(with_adam([*net.parameters(), *pair.parameters()], hidden, rates, 0.03, (0.9, 0.96)), rates))


def _rate(config, seconds):
    """The share of the peak rate after that many trained seconds."""
    return max(0.0, min(1.0, (seconds + 1) / config["warmup_seconds"], (config["transformer_seconds"] - seconds) / config["decay_seconds"]))


def train(config, work, cache, test, codebook, picture=None, more=None):
    """Resumes from work/transformer.pt. cache, test: from cache.build. picture(net): called at every log, draws a sheet.
    more(): a larger cache if there is one by now, or None; asked at every log.

    Returns the averaged network, which is what is exported.
    """
    device, path = config["device"], os.path.join(work, "transformer.pt")
    torch.manual_seed(config["seed"] + 1)
    net, average, pair = build(config), build(config), PairLoss(config["structure_layers"])
    start(net, codebook.cpu())
    average.load_state_dict(net.state_dict())
    net, average, pair = net.to(device), average.to(device), pair.to(device)
    optimisers, step, seconds = _optimisers(net, pair, config), 0, 0.0
    state = runtime.load(path)
    if state:
        net.load_state_dict(state["net"])
        average.load_state_dict(state["average"])
        pair.load_state_dict(state["pair"])
        for (optimiser, _), saved in zip(optimisers, state["optimisers"]):
            optimiser.load_state_dict(saved)
        step, seconds = state["step"], state["seconds"]
    masked, pairs = MaskedBatches(cache, config, 11 + step), PairBatches(cache, 12 + step)
    clock = runtime.Clock(config["transformer_seconds"], seconds)
    batch, logged, saved, since = config["transformer_batch"], time.time(), time.time(), clock.seconds()
    sums, first = np.zeros(3), step
    while True:
        done = clock.fraction() >= 1
        if done or time.time() - saved > config["save_every"]:
            with clock.paused():
                runtime.save(path, dict(net=net.state_dict(), average=average.state_dict(), pair=pair.state_dict(), step=step,
                                        optimisers=[o.state_dict() for o, _ in optimisers], seconds=clock.spent, config=config))
                saved = time.time()
        if done or time.time() - logged > config["transformer_log"]:
            with clock.paused():
                result = evaluate(average, config, test)
                ce, bce = sums[0] / max(1, step - first), sums[1] / max(1, sums[2])
                speed = (step - first) * batch / max(1e-9, clock.spent - since)
                print(f"transformer step {step} sequences {step * batch} ce {ce:.3f} bce {bce:.3f} held out {result} {speed:.1f} sequences/s", flush=True)
                runtime.note(work, stage="transformer", step=step, sequences=step * batch, seconds=clock.spent, train_ce=ce, bce=bce, **result)
                if picture and step > 0:
                    picture(average)
                larger = more() if more and not done else None
                if larger:
                    masked, pairs = MaskedBatches(larger, config, 11 + step), PairBatches(larger, 12 + step)
            sums, first, logged, since = np.zeros(3), step, time.time(), clock.seconds()
        if done:
            return average
        for optimiser, peak in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = peak * _rate(config, clock.seconds())
            optimiser.zero_grad()
        with runtime.autocast(device):
            loss, ce = masked_loss(net, *masked.draw(batch))
        loss.backward()
        if step % config["pair_every"] == 0:
            _, drawing, mix, verdict, label = pairs.draw(config["pair_batch"])
            with runtime.autocast(device):
                bce = pair(net, *(_labelled(net.codes, label, x) for x in (drawing, mix)), verdict)
            (config["pair_weight"] * bce).backward()
            sums += [0, float(bce.detach()), 1]
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for optimiser, _ in optimisers:
            optimiser.step()
        _follow(average, net, step)
        sums[0] += float(ce.detach())
        step += 1
