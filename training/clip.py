# SPDX-License-Identifier: Apache-2.0
"""The small CLIP that comes with the program: both towers in Hugging Face's layout, trained from nothing on rendered objects.

    python clip.py train WORK [--preset cpu|gpu|test] [--set name=value ...]    renders, trains (resumes after a kill), measures, writes WORK/clip
    python clip.py measure WORK | export WORK | golden WORK FOLDER        of the checkpoint as it is; golden: pictures and cosines for the C tests

Two losses on one space. Texts: every picture (photo or drawing) against texts that are true or untrue of it; several may be true, so the
target is spread over them, and what cannot be said (a second colour) is left out. Drawings: every drawing against all photos of the batch,
of which most are of its own class, for the program ranks candidates of one class. Training aids that leave no trace in the export: the parts
under every patch; class, colour and silhouette from the embedding itself, the last of which makes cosines fall as shapes differ.
"""
import argparse
import json
import math
import os
import struct
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image

import clip_data
import clip_words
import config as configs
import runtime
from clip_words import ANY, COLOURS, PHOTO, SKETCH

HERE = os.path.dirname(os.path.abspath(__file__))
EXTRA_TEXTS, CELLS = 40, 4  # texts of no picture in a batch; cells of a patch's side whose parts are guessed


class _Attention(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x):
        three = self.q_proj, self.k_proj, self.v_proj
        joined = F.linear(x, torch.cat([p.weight for p in three]), torch.cat([p.bias for p in three]))
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in joined.chunk(3, -1))
        return self.out_proj(F.scaled_dot_product_attention(q, k, v, is_causal=self.causal).transpose(1, 2).flatten(2))


class _Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        h = self.fc1(x)
        return self.fc2(h * torch.sigmoid(1.702 * h))


class _Layer(nn.Module):
    def __init__(self, width, heads, causal):
        super().__init__()
        self.self_attn, self.mlp = _Attention(width, heads, causal), _Mlp(width)
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x):
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class _Encoder(nn.Module):
    def __init__(self, layers, width, heads, causal):
        super().__init__()
        self.layers = nn.ModuleList(_Layer(width, heads, causal) for _ in range(layers))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


class _TextEmbeddings(nn.Module):
    def __init__(self, vocabulary, positions, width):
        super().__init__()
        self.token_embedding, self.position_embedding = nn.Embedding(vocabulary, width), nn.Embedding(positions, width)

    def forward(self, ids):
        return self.token_embedding(ids) + self.position_embedding.weight[:ids.shape[1]]


class _Text(nn.Module):
    def __init__(self, vocabulary, positions, layers, width, heads):
        super().__init__()
        self.embeddings, self.encoder = _TextEmbeddings(vocabulary, positions, width), _Encoder(layers, width, heads, True)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, ids, ends):
        x = self.encoder(self.embeddings(ids))
        return self.final_layer_norm(x[torch.arange(len(x), device=x.device), ends])


class _VisionEmbeddings(nn.Module):
    def __init__(self, side, patch, width):
        super().__init__()
        self.class_embedding = nn.Parameter(0.02 * torch.randn(width))
        self.patch_embedding = nn.Conv2d(3, width, patch, patch, bias=False)
        self.position_embedding = nn.Embedding((side // patch) ** 2 + 1, width)
        self.position_embedding.weight.data.copy_(_grid(side // patch, width))

    def forward(self, pixels):
        x = self.patch_embedding(pixels).flatten(2).transpose(1, 2)
        return torch.cat([self.class_embedding.to(x.dtype).expand(len(x), 1, -1), x], 1) + self.position_embedding.weight


def _grid(side, width):
    """Smooth 2-D features to start positions from; row 0, of the class token, is zero."""
    place, waves = torch.arange(side) / side, 2 * math.pi * 0.5 * (1 + torch.arange(width // 4))
    wave = torch.cat([torch.sin(place[:, None] * waves), torch.cos(place[:, None] * waves)], 1)
    y, x = wave[:, None].expand(-1, side, -1), wave[None].expand(side, -1, -1)
    rows = F.pad(torch.cat([y, x], -1).reshape(side * side, -1), (0, width - 4 * (width // 4)))
    return 0.5 * torch.cat([torch.zeros(1, width), rows])


class _Vision(nn.Module):
    def __init__(self, side, patch, layers, width, heads):
        super().__init__()
        self.embeddings, self.encoder = _VisionEmbeddings(side, patch, width), _Encoder(layers, width, heads, False)
        self.pre_layrnorm, self.post_layernorm = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, pixels):
        """-> the class token behind the last norm, the patches before it."""
        x = self.encoder(self.pre_layrnorm(self.embeddings(pixels)))
        return self.post_layernorm(x[:, 0]), x[:, 1:]


class Clip(nn.Module):
    """Parameters have Hugging Face's names."""

    def __init__(self, config, vocabulary):
        super().__init__()
        c = config
        self.text_model = _Text(vocabulary, c["clip_positions"], c["clip_text_layers"], c["clip_text_width"], c["clip_text_heads"])
        self.vision_model = _Vision(c["clip_side"], c["clip_patch"], c["clip_layers"], c["clip_width"], c["clip_heads"])
        self.visual_projection = nn.Linear(c["clip_width"], c["clip_dimensions"], bias=False)
        self.text_projection = nn.Linear(c["clip_text_width"], c["clip_dimensions"], bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(10.0)))
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=module.in_features ** -0.5 * (0.5 if module.out_features == module.in_features else 1))
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        # Bytes start at zero, and those that no training text has stay there: an unknown word then says next to nothing.
        nn.init.normal_(self.text_model.embeddings.token_embedding.weight, std=0.1)
        self.text_model.embeddings.token_embedding.weight.data[:512] = 0
        nn.init.normal_(self.text_model.embeddings.position_embedding.weight, std=0.03)

    def pictures(self, pixels):
        """N x 3 x S x S -> unit vectors, patches."""
        x, patches = self.vision_model(pixels)
        return F.normalize(self.visual_projection(x).float(), dim=-1), patches

    def texts(self, ids, ends):
        return F.normalize(self.text_projection(self.text_model(ids, ends)).float(), dim=-1)


class Aids(nn.Module):
    """What training needs beside the towers."""

    def __init__(self, config):
        super().__init__()
        width, dimensions = config["clip_width"], config["clip_dimensions"]
        self.norm, self.parts = nn.LayerNorm(width), nn.Linear(width, CELLS * CELLS * 8)
        self.shape = nn.Sequential(nn.Linear(dimensions, 256), nn.GELU(), nn.Linear(256, 256))
        self.names = nn.Linear(dimensions, len(configs.OBJECTS) + len(COLOURS))
        self.sketch_scale = nn.Parameter(torch.tensor(math.log(10.0)))

    def losses(self, vectors, patches, parts, label, colour):
        """parts: N x S/2 x S/2 ids; colour -1: unknown. -> cross-entropies of the parts, of a 16 x 16 silhouette from the embedding, of the names."""
        n, side = len(parts), int(patches.shape[1] ** 0.5)
        cells = side * CELLS
        small = F.interpolate(parts[:, None].float(), (cells, cells), mode="nearest")[:, 0].long().clamp(max=7)
        target = small.view(n, side, CELLS, side, CELLS).transpose(2, 3).reshape(n, side * side, CELLS * CELLS)
        logits = self.parts(self.norm(patches)).view(n, side * side, CELLS * CELLS, 8)
        silhouette = F.interpolate((parts > 0).float()[:, None], (16, 16), mode="area").flatten(1)
        names = 10 * self.names(vectors).float()
        named = F.cross_entropy(names[:, :len(configs.OBJECTS)], label) + 0.5 * F.cross_entropy(names[:, len(configs.OBJECTS):], colour, ignore_index=-1)
        return F.cross_entropy(logits.flatten(0, 2).float(), target.flatten()), F.binary_cross_entropy_with_logits(self.shape(vectors).float(), silhouette), named


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


def _step_losses(net, aids, batch, texts, words, objects, device):
    photos, drawings, kinds, parts, index = batch
    n = len(index)
    grey = kinds == SKETCH
    label, both = objects.label[index], lambda a, b: np.concatenate([a, b])
    colour, colours = both(objects.colour[index], np.where(grey, -1, objects.colour[index])), both(objects.colours[index], np.where(grey, 0, objects.colours[index]))
    label, kind = both(label, label), both(np.full(n, PHOTO), kinds)
    items = [texts.make(label[k], colour[k], kind[k]) for k in range(2 * n)]
    items += [texts.make(texts.rng.integers(len(configs.OBJECTS)), texts.rng.integers(len(COLOURS))) for _ in range(EXTRA_TEXTS)]
    true, ignored = (torch.from_numpy(a).to(device) for a in _truth(items, label, colour, colours, kind))
    ids, ends = (torch.from_numpy(a).to(device) for a in words.batch([i[0] for i in items]))
    pixels = torch.from_numpy(clip_data.normalise(both(photos, drawings))).to(device)
    pixels[:n] = _disturb(pixels[:n])
    with runtime.autocast(device):
        vectors, patches = net.pictures(pixels)
        spoken = net.texts(ids, ends)
        place, shape, named = aids.losses(vectors, patches, *(torch.from_numpy(a).to(device) for a in (both(parts, parts), label, colour)))
    logits = net.logit_scale.exp() * vectors @ spoken.t()
    text = 0.5 * (_spread(logits, true, ignored) + _spread(logits.t(), true.t(), ignored.t()))
    pairs, own = aids.sketch_scale.exp() * vectors[n:] @ vectors[:n].t(), torch.arange(n, device=device)
    sketch = 0.5 * (F.cross_entropy(pairs, own) + F.cross_entropy(pairs.t(), own))
    return dict(text=text, sketch=sketch, parts=place, shape=shape, names=named)


# ---- measuring ----

@torch.no_grad()
def embed(net, pictures, side, device="cpu"):
    """A list of u8 pictures -> unit vectors n x D, float32."""
    out = []
    for k in range(0, len(pictures), 48):
        pixels = clip_data.normalise(np.stack([clip_data.prepare(p, side) for p in pictures[k:k + 48]]))
        out.append(net.pictures(torch.from_numpy(pixels).to(device))[0].cpu().numpy())
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


def train(config, work):
    """Takes the rendered objects of work/data/train, renders what else it wants, resumes from work/clip.pt, measures, exports. Returns the averaged network."""
    device, folder = config["device"], lambda name: os.path.join(work, "data", "clip-" + name)
    styles = ("rich",) if config["style"] == "rich" else ("plain", "plain", "rich")
    clip_data.make(folder("test"), config["clip_test_seed"], config["clip_test_objects"], config["clip_render"], (config["style"],))
    clip_data.make(folder("train"), config["clip_seed"], config["clip_objects"], config["clip_render"], styles, config["clip_side"])
    clip_data.shrink(os.path.join(work, "data", "train"), folder("main"), config["clip_side"], config["clip_main"])
    objects, unseen, words = clip_data.Objects(folder("main"), folder("train")), clip_data.Objects(folder("test")), tokenizer()
    print(f"clip: {len(objects)} objects, {sum(p.numel() for p in Clip(config, len(words.vocabulary)).parameters())} parameters", flush=True)
    net, aids = Clip(config, len(words.vocabulary)), Aids(config)
    average, state, step = Clip(config, len(words.vocabulary)), runtime.load(_checkpoint(work)), 0
    average.load_state_dict(net.state_dict())
    if state:
        net.load_state_dict(state["net"]), aids.load_state_dict(state["aids"]), average.load_state_dict(state["average"])
        step = state["step"]
    net, aids, average = net.to(device), aids.to(device), average.to(device).requires_grad_(False).eval()
    weights = [p for p in net.parameters() if p.ndim > 1] + [p for p in aids.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1] + [p for p in aids.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW([dict(params=weights, weight_decay=0.05), dict(params=others, weight_decay=0.0)], config["clip_lr"], betas=(0.9, 0.98))
    if state:
        optimiser.load_state_dict(state["optimiser"])
    clock = runtime.Clock(config["clip_seconds"], state["seconds"] if state else 0.0)
    batches, texts = clip_data.Batches(objects, config["clip_side"], 11 + step), clip_words.Texts(np.random.default_rng(12 + step))
    logged = saved = time.time()
    totals, since = {}, step
    while True:
        done = clock.fraction() >= 1
        if done or time.time() - saved > config["save_every"]:
            with clock.paused():
                runtime.save(_checkpoint(work), dict(net=net.state_dict(), aids=aids.state_dict(), average=average.state_dict(), optimiser=optimiser.state_dict(),
                                                     step=step, seconds=clock.spent, config=config))
                saved = time.time()
        if (done or time.time() - logged > config["clip_log"]) and step > since:
            with clock.paused():
                result = measure(average, words, unseen, config["clip_side"], device, range(len(clip_data.DRAWINGS)) if done else range(0, 5, 2))
                mean = {k: v / (step - since) for k, v in totals.items()}
                print(f"clip step {step}", *(f"{k} {v:.3f}" for k, v in mean.items()), result, clock.left(), flush=True)
                runtime.note(work, stage="clip", step=step, seconds=clock.spent, **{k: v for k, v in {**mean, **{"found_" + k: v for k, v in result.items()}}.items() if not isinstance(v, list)})
                totals, since, logged = {}, step, time.time()
        if done:
            break
        for group in optimiser.param_groups:
            group["lr"] = clock.rate(config["clip_lr"], step, 100, 0.02)
        losses = _step_losses(net, aids, batches.draw(config["clip_groups"], config["clip_each"]), texts, words, objects, device)
        (losses["text"] + losses["sketch"] + 0.5 * losses["parts"] + losses["shape"] + 0.5 * losses["names"]).backward()
        nn.utils.clip_grad_norm_(list(net.parameters()) + list(aids.parameters()), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        with torch.no_grad():
            net.logit_scale.clamp_(max=math.log(100)), aids.sketch_scale.clamp_(max=math.log(100))
            torch._foreach_lerp_(list(average.parameters()), list(net.parameters()), max(0.005, 1 / (step + 1)))
        totals, step = {k: totals.get(k, 0.0) + float(v.detach()) for k, v in losses.items()}, step + 1
    export(average.cpu(), words, config, os.path.join(work, "clip"))
    return average


# ---- export ----

def _save_tensors(path, tensors):
    """safetensors: u64 length, JSON header padded to 8, data; F16."""
    header, at, parts = {}, 0, []
    for name, tensor in tensors.items():
        data = tensor.detach().to(torch.float16).contiguous().numpy().tobytes()
        header[name] = {"dtype": "F16", "shape": list(tensor.shape), "data_offsets": [at, at + len(data)]}
        parts.append(data)
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".part", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(parts))
    os.replace(path + ".part", path)


def hugging_face_config(config, words):
    def tower(kind, layers, width, heads, **more):
        return dict(model_type=f"clip_{kind}_model", hidden_act="quick_gelu", layer_norm_eps=1e-5, num_hidden_layers=layers, hidden_size=width,
                    intermediate_size=4 * width, num_attention_heads=heads, projection_dim=config["clip_dimensions"], **more)
    c = config
    return dict(architectures=["CLIPModel"], model_type="clip", projection_dim=c["clip_dimensions"], torch_dtype="float16",
                text_config=tower("text", c["clip_text_layers"], c["clip_text_width"], c["clip_text_heads"], max_position_embeddings=c["clip_positions"],
                                  vocab_size=len(words.vocabulary), bos_token_id=words.start, eos_token_id=words.end, pad_token_id=words.end),
                vision_config=tower("vision", c["clip_layers"], c["clip_width"], c["clip_heads"], image_size=c["clip_side"], patch_size=c["clip_patch"], num_channels=3))


def export(net, words, config, folder):
    os.makedirs(folder, exist_ok=True)
    clip_words.write(words, folder)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(hugging_face_config(config, words), f, indent=1)
        f.write("\n")
    _save_tensors(os.path.join(folder, "model.safetensors"), net.state_dict())


def shipped(work):
    """The network as the program reads it: F16 weights, float32 arithmetic."""
    net, words, config = load(work)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(p.half().float())
    return net, words, config


def golden(work, folder):
    """Pictures of unseen objects and their cosines, for tests/clip/test_clip_shipped.c: the first object of each class (of apples the first red
    one), and the first six teapots."""
    net, words, config = shipped(work)
    objects = clip_data.Objects(os.path.join(work, "data", "clip-test"))
    os.makedirs(folder, exist_ok=True)
    chosen = {name: objects.members[c][0] for c, name in enumerate(configs.OBJECTS)}
    chosen["apple"] = next(k for k in objects.members[0] if objects.colour[k] == COLOURS.index("red"))
    chosen.update({f"teapot{k}": member for k, member in enumerate(objects.members[configs.OBJECTS.index("teapot")][:6])})
    pictures = {}
    for name, k in chosen.items():
        pictures[f"photo-{name}.png"], pictures[f"sketch-{name}.png"] = objects[k]["photo"], objects[k]["hands"][0]
    for name, picture in pictures.items():
        Image.fromarray(np.ascontiguousarray(picture)).save(os.path.join(folder, name), optimize=True)
    texts = [clip_words.plain("photo", c) for c in range(len(configs.OBJECTS))] + ["a photo of a red apple", "a photo of a zebra", "a line drawing of 2 chairs!"]
    names, vectors, spoken = list(pictures), embed(net, list(pictures.values()), config["clip_side"]), embed_texts(net, words, texts)
    with open(os.path.join(folder, "cosines.tsv"), "w") as f:
        for k, name in enumerate(names):
            for text in (texts[k % 12], texts[(5 * k + 1) % 12], texts[12 + k % 3]):
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
        return export(net, words, config, os.path.join(options.work, "clip"))
    for name in sorted(os.listdir(os.path.join(options.work, "data"))):
        if name.startswith("clip-test"):
            print(name, json.dumps(measure(net, words, clip_data.Objects(os.path.join(options.work, "data", name)), config["clip_side"])), flush=True)


if __name__ == "__main__":
    main()
