# SPDX-License-Identifier: Apache-2.0
"""Structure-guided decoding in PyTorch, for sample sheets and for tuning settings while training. The program itself is in C.

Short form of reference/model-and-sampling.md, section 4, with the defects mended: every row has its own unconditional label,
confidence and structure masks joined, symmetric KL as distance, a tail that unmasks to the end.
"""
import torch

import config as configs
import runtime
from pairs import scores

# Structure chooses to the very end (last rate 0, no tail): a tail that goes by confidence paints drawn parts over with backdrop.
RECIPE = dict(steps=12, tail=0, lambda_structure=0.9, guidance=2.0, unconditional="null", token_temperature=0.4, min_mask_rate=0.0, max_mask_rate=0.95,
              placeholder="sketch")


def _unit(s):
    s = s - s.amin(-1, keepdim=True)
    return s / s.amax(-1, keepdim=True).clamp_min(1e-9)


def _lowest(s, count):
    return s.argsort(-1).argsort(-1) < count


def _rates(r):
    steps, tail, low, high = r["steps"], r["tail"], r["min_mask_rate"], r["max_mask_rate"]
    main = [low + (1 - (t + 1) / steps) * (high - low) for t in range(steps)]
    return main + [low * (1 - (t + 1) / tail) for t in range(tail)]


def _guided(net, label, tokens, r, generator):
    """Logits B x N of the label, pushed away from the null class or from a random other class."""
    ids = torch.cat([net.codes + label[:, None], tokens], 1)
    if not r["guidance"]:
        return net(ids)[:, 1:].float()
    other = torch.full_like(label, len(configs.OBJECTS))
    if r["unconditional"] == "random":
        other = (label + 1 + torch.randint(len(configs.OBJECTS) - 1, label.shape, generator=generator, device=label.device)) % len(configs.OBJECTS)
    c, u = net(torch.cat([ids, torch.cat([net.codes + other[:, None], tokens], 1)]))[:, 1:].float().chunk(2)
    return c + r["guidance"] * (c - u)


@torch.no_grad()
def draw(net, layers, label, sketch, seed=0, **recipe):
    """label B, sketch B x N token ids (or None: no structure) -> B x N token ids."""
    r, device = dict(RECIPE, **recipe), label.device
    generator = torch.Generator(device).manual_seed(seed)
    n = net.position.weight.shape[0] - 1
    tokens = torch.full((len(label), n), net.mask, device=device)
    with runtime.autocast(device.type):
        weight = r["lambda_structure"] if sketch is not None else 0.0
        target = net.attention(torch.cat([net.codes + label[:, None], sketch], 1), layers) if weight else None
        for rate in _rates(r):
            hinted = r["placeholder"] == "sketch" and sketch is not None
            shown = torch.where(tokens == net.mask, sketch, tokens) if hinted else tokens
            logits = _guided(net, label, shown, r, generator) / r["token_temperature"]
            p = logits.softmax(-1)
            noise = torch.rand(logits.shape, generator=generator, device=device).clamp_min(1e-9).log().neg().log().neg()
            full = torch.where(tokens == net.mask, (logits + noise).argmax(-1), tokens)
            count = int(n * rate)
            chosen = p.gather(-1, full[..., None])[..., 0]
            if not weight:  # without noise the choice keeps the flattest tokens and the picture becomes plain backdrop
                gumbel = torch.rand(chosen.shape, generator=generator, device=device).clamp_min(1e-9).log().neg().log().neg()
                chosen = chosen.clamp_min(1e-9).log() + 4.5 * rate * gumbel
            masked = _lowest(_unit(chosen), int(count * (1 - weight)))
            if weight:
                now = net.attention(torch.cat([net.codes + label[:, None], full], 1), layers)
                masked |= _lowest(scores(target, now), int(count * weight))
            tokens = torch.where(masked, net.mask, full)
    return full


def contact(net, layers, tokenizer, cache, pictures, path, per_class=1, settings=({},), seed=0):
    """Sheet: true photo | drawing | its reconstruction | one column a setting. cache holds test tokens, pictures = (photo, hands)."""
    rows = [int(k) for c in range(len(configs.OBJECTS)) for k in (cache["label"] == c).nonzero()[:per_class, 0]]
    device = next(net.parameters()).device
    side = int(cache["photo"].shape[1] ** 0.5)
    label, sketch = cache["label"][rows], cache["hands"][rows, 0].long()
    columns = [pictures[0][rows], pictures[1][rows, cache["hand"][rows, 0].cpu().numpy()]]
    show = lambda t: runtime.to_bytes(torch.cat([_decode(tokenizer, chunk, side) for chunk in t.split(8)]))
    columns.append(show(cache["photo"][rows].long()))
    for setting in settings:
        columns.append(show(draw(net, layers, label, None if setting.get("free") else sketch, seed,
                                 **{k: v for k, v in setting.items() if k != "free"})))
    runtime.sheet(columns, path)


@torch.no_grad()
def _decode(tokenizer, tokens, side):
    with runtime.autocast(tokens.device.type):
        return tokenizer.pictures(tokens, side)
