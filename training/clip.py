# SPDX-License-Identifier: Apache-2.0
"""The small CLIP that comes with the program: both towers in Hugging Face's layout, trained from nothing on rendered objects.

    python clip.py train WORK [--preset cpu|gpu|test] [--set name=value ...]    renders, trains (resumes after a kill), measures, writes WORK/clip
    python clip.py measure WORK | export WORK | golden WORK FOLDER        of the checkpoint as it is; golden: pictures and cosines for the C tests

Three stages. First the picture tower without its last layer learns what lies where (clip_trunk.py). Then that trunk rests, its tokens of all
pictures are kept, and the last layer, the projections and the text tower learn on them, many steps a second. Last, and longest, both towers learn
together on pictures displaced anew. Two losses on one space. Texts: every
picture (photo or drawing) against texts that are true or untrue of it; several may be true, so the target is spread over them, and what cannot be
said (a second colour) is left out. Drawings: every drawing against all photos of the batch, of which most are of its own class, for the program
ranks candidates of one class. Aids that leave no trace in the export: class, colour and silhouette from the embedding itself, the last of which
makes cosines fall as shapes differ.
"""
import argparse
import json
import math
import os
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image

import clip_data
import clip_net
import clip_trunk
import clip_words
import config as configs
import muon
import runtime
from clip_net import Clip
from clip_words import COLOURS, PHOTO, SKETCH

HERE = os.path.dirname(os.path.abspath(__file__))
EXTRA_TEXTS = 40  # of no picture in a batch
TWO = 2  # drawings of an object among the tokens


class Aids(nn.Module):
    """What this stage needs beside the towers."""

    def __init__(self, dimensions):
        super().__init__()
        self.shape = nn.Sequential(nn.Linear(dimensions, 256), nn.GELU(), nn.Linear(256, 256))
        self.names = nn.Linear(dimensions, len(configs.OBJECTS) + len(COLOURS))
        self.sketch_scale = nn.Parameter(torch.tensor(math.log(20.0)))

    def forward(self, vectors, silhouette, label, colour):
        """silhouette N x 256; colour -1: unknown. -> cross-entropies of a 16 x 16 silhouette and of the names."""
        names, classes = 10 * self.names(vectors), len(configs.OBJECTS)
        known = (colour >= 0).sum().clamp_min(1)
        named = F.cross_entropy(names[:, :classes], label) + F.cross_entropy(names[:, classes:], colour, ignore_index=-1, reduction="sum") / known
        return F.binary_cross_entropy_with_logits(self.shape(vectors), silhouette), named


# ---- losses ----

def _truth(items, label, colour, colours, kind):
    """Texts (text, class, colour, kinds) against pictures (arrays) -> true, ignored: pictures x texts, bool."""
    _, t_label, t_colour, t_kinds = (np.array(column) for column in zip(*items))
    same = (label[:, None] == t_label) & ((kind[:, None] & t_kinds) != 0)
    fits = (t_colour < 0) | (colour[:, None] == t_colour)
    second = (t_colour >= 0) & ~fits & ((colours[:, None] >> np.maximum(t_colour, 0)) & 1).astype(bool)
    return same & fits, same & second


def _spread(logits, true, ignored):
    """Cross-entropy against the true ones in equal shares, row by row; rows without a true one do not count."""
    logp = logits.masked_fill(ignored, -1e4).log_softmax(-1)
    share = true.float()
    rows = share.sum(-1) > 0
    return -((logp * share).sum(-1) / share.sum(-1).clamp_min(1))[rows].mean()


def _disturb(x):
    """Photos a little blurred, tinted and spotted: generated ones look like that."""
    r = lambda *shape: torch.rand(len(x), *shape, 1, 1, device=x.device)
    x = torch.lerp(x, F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1), r(1) * (r(1) < 0.5))
    spots = F.interpolate(torch.randn(len(x), 3, 12, 12, device=x.device) * (torch.rand(len(x), 1, 12, 12, device=x.device) < 0.12), x.shape[-2:], mode="nearest")
    return x * (0.9 + 0.2 * r(1)) + 0.06 * (r(3) - 0.5) * 2 + 0.3 * r(1) * (r(1) < 0.3) * spots


def _prepare(objects, device):
    """A batch of pictures -> pixels of photos and drawings, their parts, labels and colours."""
    def prepare(batch):
        photos, drawings, kinds, parts, index = batch
        n, both = len(index), lambda a, b: np.concatenate([a, b])
        pixels = torch.from_numpy(clip_data.normalise(both(photos, drawings))).to(device)
        pixels[:n] = _disturb(pixels[:n])
        colour = both(objects.colour[index], np.where(kinds == SKETCH, -1, objects.colour[index]))
        return pixels, *(torch.from_numpy(a) for a in (both(parts, parts), both(objects.label[index], objects.label[index]), colour))
    return prepare


def _silhouettes(parts):
    return F.interpolate((parts > 0).float()[:, None], (16, 16), mode="area").flatten(1)


@torch.no_grad()
def _tokens(net, batches, objects, config, work):
    """The trunk's tokens of every object: photo, and TWO drawings. Kept in work/clip-tokens.pt. -> dictionary of tensors, first index the object."""
    path, device = os.path.join(work, "clip-tokens.pt"), config["device"]
    kept = runtime.load(path)
    if kept:
        return kept
    n, found = len(objects), dict(tokens=[], kinds=[], silhouette=[])
    prepare, start = _prepare(objects, device), time.time()
    for first in range(0, n, 32):
        index = np.arange(first, min(n, first + 32))
        tokens, kinds = [], []
        for pixels, silhouette, kind in _views(batches, prepare, index):
            with runtime.autocast(device):
                tokens.append(net.vision_model.trunk(pixels).to(torch.bfloat16).cpu())
            kinds.append(kind)
        found["tokens"].append(torch.cat(tokens).unflatten(0, (1 + TWO, len(index))).transpose(0, 1))
        found["kinds"].append(torch.stack(kinds, 1))
        found["silhouette"].append(silhouette)
        if first // 32 % 64 == 63:
            left = (time.time() - start) / (first + 32) * (n - first - 32)
            print(f"clip: tokens of {first + 32} of {n} objects, {int(left // 60)}:{int(left % 60):02d} left", flush=True)
    found = {k: torch.cat(v) for k, v in found.items()}
    runtime.save(path, found)
    return found


def _views(batches, prepare, index):
    """Photos with a drawing each, then the others of TWO drawings, displaced alike."""
    state = batches.rng.bit_generator.state
    for k in range(TWO):
        batches.rng.bit_generator.state = state
        batch = batches.of(index, k)
        pixels, parts, _, _ = prepare(batch)
        yield pixels[len(index):] if k else pixels, _silhouettes(parts[:len(index)]), torch.from_numpy(batch[2])


@torch.no_grad()
def _start_regions(net, tokens):
    """The last layer's heads begin as a net of regions: head k of the class token looks at the k-th place of a grid, whatever is there. Where a
    token stands is read from it by least squares."""
    vision, layer = net.vision_model, net.vision_model.encoder.layers[-1]
    heads, width = layer.self_attn.heads, layer.self_attn.q_proj.in_features
    side, grid = int((tokens.shape[1] - 1) ** 0.5), int(heads ** 0.5)
    x = layer.layer_norm1(tokens.float())
    place = torch.stack(torch.meshgrid(*(torch.arange(side) + 0.5,) * 2, indexing="ij"), -1).reshape(-1, 1, 2) / side
    centre = torch.stack(torch.meshgrid(*(torch.arange(grid) + 0.5,) * 2, indexing="ij"), -1).reshape(1, -1, 2) / grid
    wanted = -((place - centre) ** 2).sum(-1) / (2 * (0.55 / grid) ** 2)
    wanted = torch.cat([torch.full((1, grid * grid), float(wanted.min())), wanted]).clamp_min(-9)
    a = torch.cat([x, torch.ones_like(x[..., :1])], -1).flatten(0, 1).double()
    b = wanted.expand(len(x), -1, -1).flatten(0, 1).double()
    fit = torch.linalg.solve(a.T @ a + 1e-3 * len(a) * torch.eye(width + 1, dtype=torch.double), a.T @ b).float()
    print("clip: regions fitted, residual", float(((a.float() @ fit - b.float()) ** 2).mean() ** 0.5), flush=True)
    q, k, size = layer.self_attn.q_proj, layer.self_attn.k_proj, width // heads
    q.weight.mul_(0.1)
    for head in range(grid * grid):
        row = head * size
        q.bias[row], k.weight[row], k.bias[row] = size ** 0.5, fit[:-1, head], fit[-1, head]
    layer.self_attn.out_proj.weight.mul_(2)


def _resting(data, rng):
    """Views of objects from the trunk's kept tokens: -> index: tokens of photos and then of a drawing each, its kinds, silhouettes of both."""
    def views(index):
        where, drawing = torch.from_numpy(index), torch.from_numpy(rng.integers(TWO, size=len(index)))
        tokens = torch.cat([data["tokens"][where, 0], data["tokens"][where, 1 + drawing]]).float()
        return tokens, data["kinds"][where, drawing].numpy(), data["silhouette"][where].repeat(2, 1)
    return views


def _learning(net, batches, objects, device):
    """The same from pictures, through the trunk."""
    prepare = _prepare(objects, device)

    def views(index):
        batch = batches.of(index)
        pixels, parts, _, _ = prepare(batch)
        return net.vision_model.trunk(pixels), batch[2], _silhouettes(parts)
    return views


def _step_losses(net, aids, views, index, texts, words, objects, device):
    """index: objects of the batch; views: as _resting has them."""
    n, both = len(index), lambda a, b: np.concatenate([a, b])
    with runtime.autocast(device):
        tokens, kinds, silhouette = views(index)
    grey, label = kinds == SKETCH, both(objects.label[index], objects.label[index])
    colour, colours = both(objects.colour[index], np.where(grey, -1, objects.colour[index])), both(objects.colours[index], np.where(grey, 0, objects.colours[index]))
    kind = both(np.full(n, PHOTO), kinds)
    items = [texts.make(label[k], colour[k], kind[k]) for k in range(2 * n)]
    items += [texts.make(texts.rng.integers(len(configs.OBJECTS)), texts.rng.integers(len(COLOURS))) for _ in range(EXTRA_TEXTS)]
    true, ignored = (torch.from_numpy(a).to(device) for a in _truth(items, label, colour, colours, kind))
    ids, ends = (torch.from_numpy(a).to(device) for a in words.batch([i[0] for i in items]))
    with runtime.autocast(device):
        vectors, spoken = net.project(tokens.to(device)), net.texts(ids, ends)
    shape, named = aids(vectors, silhouette.to(device), torch.from_numpy(label).to(device), torch.from_numpy(colour).to(device))
    logits = net.logit_scale.exp() * vectors @ spoken.t()
    text = 0.5 * (_spread(logits, true, ignored) + _spread(logits.t(), true.t(), ignored.t()))
    pairs, own = aids.sketch_scale.exp() * vectors[n:] @ vectors[:n].t(), torch.arange(n, device=device)
    sketch = 0.5 * (F.cross_entropy(pairs, own) + F.cross_entropy(pairs.t(), own))
    return dict(text=text, sketch=sketch, shape=shape, names=named)


# ---- measuring ----

@torch.no_grad()
def embed(net, pictures, side, device="cpu"):
    """A list of u8 pictures -> unit vectors n x D, float32."""
    out = []
    for k in range(0, len(pictures), 48):
        pixels = clip_data.normalise(np.stack([clip_data.prepare(p, side) for p in pictures[k:k + 48]]))
        out.append(net.pictures(torch.from_numpy(pixels).to(device)).cpu().numpy())
    return np.concatenate(out)


@torch.no_grad()
def embed_texts(net, words, texts, device="cpu"):
    ids, ends = words.batch(texts)
    return net.texts(torch.from_numpy(ids).to(device), torch.from_numpy(ends).to(device)).cpu().numpy()


def retrieval(drawings, photos, label, among=12):
    """How often a drawing's own photo is the nearest among `among` of its class (the next ones of that class)."""
    hits = []
    for c in np.unique(label):
        members = np.flatnonzero(label == c)
        for k in range(0, len(members) - among + 1, among):
            group = members[k:k + among]
            hits.append((drawings[group] @ photos[group].T).argmax(1) == np.arange(among))
    return float(np.concatenate(hits).mean()) if hits else float("nan")


def measure(net, words, objects, side, device="cpu", hands=range(len(clip_data.DRAWINGS))):
    """On unseen objects: own photo by drawing, class and colour by text."""
    records, label = [objects[i] for i in range(len(objects))], objects.label
    photos = embed(net, [r["photo"] for r in records], side, device)
    names = range(len(configs.OBJECTS))
    pick = lambda vectors, texts: (vectors @ embed_texts(net, words, texts, device).T).argmax(1)
    result = {"class": float((pick(photos, [clip_words.plain("photo", c) for c in names]) == label).mean())}
    known, right = np.flatnonzero(objects.colour >= 0), 0
    for c in names:
        rows = known[label[known] == c]
        if len(rows):
            right += (pick(photos[rows], [clip_words.plain("photo", c, k) for k in range(len(COLOURS))]) == objects.colour[rows]).sum()
    result["colour"] = float(right / max(1, len(known)))
    found, classes = [], []
    for h in hands:
        drawings = embed(net, [clip_data.drawing(r, h) for r in records], side, device)
        found.append(retrieval(drawings, photos, label))
        if h < clip_data.render.HANDS:
            classes.append((pick(drawings, [clip_words.plain("sketch", c) for c in names]) == label).mean())
    result["retrieval"], result["hands"], result["sketch_class"] = float(np.mean(found)), [round(f, 3) for f in found], float(np.mean(classes))
    return result


# ---- training ----

def tokenizer():
    return clip_words.reduce(clip_words.read(os.path.join(HERE, "..", "data", "clip")))


def _checkpoint(work):
    return os.path.join(work, "clip.pt")


def load(work):
    """-> averaged network, words, config of the checkpoint."""
    state, words = runtime.load(_checkpoint(work)), tokenizer()
    net = Clip(state["config"], len(words.vocabulary))
    net.load_state_dict(state["average"])
    return net.eval(), words, state["config"]


def _objects(config, work):
    """Renders what is missing. -> training objects, unseen objects."""
    folder = lambda name: os.path.join(work, "data", "clip-" + name)
    style = config["clip_style"]
    clip_data.make(folder("test"), config["clip_test_seed"], config["clip_test_objects"], config["clip_render"], (style,))
    clip_data.make(folder("train"), config["clip_seed"], config["clip_objects"], config["clip_render"], (style, style, "rich"), config["clip_side"])
    clip_data.shrink(os.path.join(work, "data", "train"), folder("main"), config["clip_side"], config["clip_main"])
    return clip_data.Objects(folder("main"), folder("train")), clip_data.Objects(folder("test"))


def train(config, work):
    """Takes the rendered objects of work/data/train, renders what else it wants, resumes from its checkpoints, measures, exports. Returns the
    averaged network."""
    device = config["device"]
    torch.manual_seed(11)
    (objects, unseen), words = _objects(config, work), tokenizer()
    run = _Run(config, work, objects, unseen, words)
    print(f"clip: {len(objects)} objects, {sum(p.numel() for p in run.net.parameters())} parameters", flush=True)
    batches = clip_data.Batches(objects, config["clip_side"], 11 + run.step)
    if run.stage == "resting":
        if run.step == 0:
            clip_trunk.train(run.net.to(device), config, work, batches, _prepare(objects, device))
            run.net.vision_model.load_state_dict(runtime.load(os.path.join(work, "clip-trunk.pt"))["vision"])
        data = _tokens(run.net, batches, objects, config, work)
        if run.step == 0:
            _start_regions(run.net.cpu(), data["tokens"][:200].flatten(0, 1))
            run.average.load_state_dict(run.net.state_dict())
        vision = run.net.vision_model
        run.go(config["clip_seconds"], _resting(data, run.texts.rng), (vision.encoder.layers[-1], vision.post_layernorm), config["clip_lr"])
        run.begin("learning")
    run.go(config["clip_whole_seconds"], _learning(run.net, batches, objects, device), (run.net.vision_model,), config["clip_whole_lr"])
    clip_net.export(run.average.cpu(), words, config, os.path.join(work, "clip"))
    return run.average


class _Run:
    """The stages that teach the embedding itself, and their one checkpoint."""

    def __init__(self, config, work, objects, unseen, words):
        self.config, self.work, self.objects, self.unseen, self.words = config, work, objects, unseen, words
        self.net, self.average = Clip(config, len(words.vocabulary)), Clip(config, len(words.vocabulary))
        self.aids, state = Aids(config["clip_dimensions"]), runtime.load(_checkpoint(work))
        self.begin("resting")
        if state:
            for name in ("net", "average", "aids"):
                getattr(self, name).load_state_dict(state[name])
            self.stage, self.step, self.seconds, self.moments = (state[name] for name in ("stage", "step", "seconds", "moments"))
        self.texts = clip_words.Texts(np.random.default_rng(12 + self.step))

    def begin(self, stage):
        self.stage, self.step, self.seconds, self.moments = stage, 0, 0.0, None

    def _save(self, clock, optimisers):
        self.seconds, self.moments = clock.spent, [o.state_dict() for o in optimisers]
        runtime.save(_checkpoint(self.work), dict({name: getattr(self, name).state_dict() for name in ("net", "average", "aids")}, config=self.config,
                                                  **{name: getattr(self, name) for name in ("stage", "step", "seconds", "moments")}))

    def _optimisers(self, parts, rate):
        """Muon for the matrices between hidden layers, AdamW for all else. -> both, and the rate of each at the peak."""
        net = self.net
        learned = [p for part in parts for p in part.parameters() if p.requires_grad] + [net.logit_scale]
        layers = [*net.vision_model.encoder.parameters(), *net.text_model.encoder.parameters()]
        rates = 3 * rate, rate
        return learned, muon.with_adam(learned, [p for p in layers if p.ndim == 2], rates, 0.05, (0.9, 0.98)), rates

    def go(self, seconds, views, parts, rate):
        """The present stage to its end; parts: what learns of the picture tower; rate: AdamW's at the peak."""
        config, device, net = self.config, self.config["device"], self.net
        for module in (net, self.aids, self.average):
            module.to(device)
        self.average.requires_grad_(False).eval()
        learned, optimisers, rates = self._optimisers((*parts, net.visual_projection, net.text_projection, net.text_model, self.aids), rate)
        if self.moments:
            for optimiser, moments in zip(optimisers, self.moments):
                optimiser.load_state_dict(moments)
        clock, logged, saved, totals, since = runtime.Clock(seconds, self.seconds), time.time(), time.time(), {}, self.step
        while True:
            done = clock.fraction() >= 1
            if done or time.time() - saved > config["save_every"]:
                with clock.paused():
                    self._save(clock, optimisers)
                    saved = time.time()
            if (done or time.time() - logged > config["clip_log"]) and self.step > since:
                with clock.paused():
                    self._report(clock, {k: v / (self.step - since) for k, v in totals.items()}, done)
                    totals, since, logged = {}, self.step, time.time()
            if done:
                return
            for optimiser, rate in zip(optimisers, rates):
                for group in optimiser.param_groups:
                    group["lr"] = clock.rate(rate, self.step, 60, 0.02)
            losses = _step_losses(net, self.aids, views, self.objects.choose(self.texts.rng, config["clip_groups"], config["clip_each"]), self.texts, self.words,
                                  self.objects, device)
            (losses["text"] + losses["sketch"] + losses["shape"] + losses["names"]).backward()
            nn.utils.clip_grad_norm_(learned, 1.0)
            for optimiser in optimisers:
                optimiser.step()
                optimiser.zero_grad()
            with torch.no_grad():
                net.logit_scale.clamp_(max=math.log(100)), self.aids.sketch_scale.clamp_(max=math.log(100))
                torch._foreach_lerp_(list(self.average.parameters()), list(net.parameters()), max(0.003, 1 / (self.step + 1)))
            totals, self.step = {k: totals.get(k, 0.0) + float(v.detach()) for k, v in losses.items()}, self.step + 1

    def _report(self, clock, mean, done):
        config, hands = self.config, range(len(clip_data.DRAWINGS)) if done else range(0, 5, 2)
        result = measure(self.average, self.words, self.unseen, config["clip_side"], config["device"], hands)
        print(f"clip {self.stage} step {self.step}", *(f"{k} {v:.3f}" for k, v in mean.items()), result, clock.left(), flush=True)
        found = {"found_" + k: v for k, v in result.items() if not isinstance(v, list)}
        runtime.note(self.work, stage="clip", step=self.step, seconds=clock.spent, **mean, **found)


def shipped(work):
    """The network as the program reads it: F16 weights, float32 arithmetic."""
    net, words, config = load(work)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(p.half().float())
    return net, words, config


def _show_unseen(objects, folder):
    """Writes photo-NAME.png, and sketch-NAME.png of those that the test looks at. -> their names."""
    chosen = {name: objects.members[c][0] for c, name in enumerate(configs.OBJECTS)}
    chosen["apple"] = next(k for k in objects.members[0] if objects.colour[k] == COLOURS.index("red"))
    chosen.update({f"teapot{k}": member for k, member in enumerate(objects.members[configs.OBJECTS.index("teapot")][:6])})
    for name, k in chosen.items():
        drawn = [("sketch", objects[k]["hands"][0])] if name == "car" or name.startswith("teapot") else []
        for kind, picture in [("photo", objects[k]["photo"])] + drawn:
            Image.fromarray(np.ascontiguousarray(picture)).save(os.path.join(folder, f"{kind}-{name}.png"), optimize=True)
    return sorted(f for f in os.listdir(folder) if f.endswith(".png"))


def golden(work, folder):
    """Cosines of the pictures in the folder, for tests/clip/test_clip_shipped.c; where it is empty, pictures of unseen objects come first: the first
    object of each class (of apples the first red one), and the first six teapots."""
    net, words, config = shipped(work)
    os.makedirs(folder, exist_ok=True)
    names = sorted(f for f in os.listdir(folder) if f.endswith(".png"))
    if not names:
        names = _show_unseen(clip_data.Objects(os.path.join(work, "data", "clip-test")), folder)
    pictures = {name: np.asarray(Image.open(os.path.join(folder, name))) for name in names}
    count = len(configs.OBJECTS)
    texts = [clip_words.plain("photo", c) for c in range(count)] + ["a photo of a red apple", "a photo of a zebra", "a line drawing of 2 chairs!"]
    names, vectors, spoken = list(pictures), embed(net, list(pictures.values()), config["clip_side"]), embed_texts(net, words, texts)
    with open(os.path.join(folder, "cosines.tsv"), "w") as f:
        for k, name in enumerate(names):
            for text in (texts[k % count], texts[(5 * k + 1) % count], texts[count + k % 3]):
                f.write(f"{name}\t{text}\t{float(vectors[k] @ spoken[texts.index(text)]):.7f}\n")
            other = names[(k + 1) % len(names)]
            f.write(f"{name}\t{other}\t{float(vectors[k] @ vectors[names.index(other)]):.7f}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("word", choices=("train", "measure", "export", "golden"))
    parser.add_argument("work")
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--preset", default="cpu", choices=configs.PRESETS)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.word == "train":
        return train(configs.load(options.preset, options.set), options.work)
    if options.word == "golden":
        return golden(options.work, options.folder)
    net, words, config = load(options.work)
    if options.word == "export":
        return clip_net.export(net, words, config, os.path.join(options.work, "clip"))
    for name in sorted(os.listdir(os.path.join(options.work, "data"))):
        if name.startswith("clip-test"):
            print(name, json.dumps(measure(net, words, clip_data.Objects(os.path.join(options.work, "data", name)), config["clip_side"])), flush=True)


if __name__ == "__main__":
    main()
