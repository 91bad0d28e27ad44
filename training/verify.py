# SPDX-License-Identifier: Apache-2.0
"""An independent forward pass in numpy from the exported files: shows that they mean what the written specification says.

    python verify.py FOLDER            exported checkpoints against themselves: shapes, finite values
Written from reference/model-and-sampling.md, not from the training code; train.py compares the two after every export.
"""
import math
import os
import sys

import numpy as np

from export import unpack


def _gelu(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def _layer_norm(x, p):
    m = x.mean(-1, keepdims=True)
    return (x - m) / np.sqrt(((x - m) ** 2).mean(-1, keepdims=True) + 1e-12) * p["scale"] + p["bias"]


def _softmax(s):
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def transformer(tree, ids):
    """ids N -> logits N x codes+labels+1, attention of every layer (heads x N x N)."""
    p = tree["params"]
    e, maps = p["Embed_0"], []
    word = e["word_embeddings"]["embedding"]
    x = _layer_norm(word[ids] + e["position_embeddings"]["embedding"][: len(ids)], e["embeddings_ln"])
    for index in range(sum(k.startswith("TransformerLayer_") for k in p)):
        layer = p[f"TransformerLayer_{index}"]
        a, mlp = layer["Attention_0"]["self_attention"], layer["Mlp_0"]
        q, k, v = (np.einsum("nd,dhe->hne", x, a[n]["kernel"]) + a[n]["bias"][:, None] for n in ("query", "key", "value"))
        maps.append(_softmax(q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1])))
        o = np.einsum("hne,hed->nd", maps[-1] @ v, a["out"]["kernel"]) + a["out"]["bias"]
        x = _layer_norm(x + o, layer["Attention_0"]["attention_output_ln"])
        h = _gelu(x @ mlp["intermediate_output"]["kernel"] + mlp["intermediate_output"]["bias"])
        x = _layer_norm(x + h @ mlp["layer_output"]["kernel"] + mlp["layer_output"]["bias"], mlp["layer_output_ln"])
    head = p["MlmLayer_0"]
    x = _layer_norm(_gelu(x @ head["mlm_dense"]["kernel"] + head["mlm_dense"]["bias"]), head["mlm_ln"])
    return x @ word.T + head["mlm_bias"]["bias"], maps


def _conv2d(x, p):
    kernel = p["kernel"]
    k = kernel.shape[0]
    x = np.pad(x, ((k // 2, k // 2), (k // 2, k // 2), (0, 0)))
    h, w = x.shape[0] - k + 1, x.shape[1] - k + 1
    y = sum(x[i:i + h, j:j + w] @ kernel[i, j] for i in range(k) for j in range(k))
    return y + p.get("bias", 0)


def _norm_swish(x, p):
    h, w, c = x.shape
    g = x.reshape(h * w, 32, c // 32)
    g = (g - g.mean((0, 2), keepdims=True)) / np.sqrt(g.var((0, 2), keepdims=True) + 1e-6)
    y = g.reshape(h, w, c) * p["scale"] + p["bias"]
    return y / (1 + np.exp(-y))


def _res_block(x, p):
    h = _conv2d(_norm_swish(x, p["GroupNorm_0"]), p["Conv_0"])
    h = _conv2d(_norm_swish(h, p["GroupNorm_1"]), p["Conv_1"])
    return h + (_conv2d(h, p["Conv_2"]) if "Conv_2" in p else x)


def _counts(p, levels_in_decoder):
    blocks = sum(k.startswith("ResBlock_") for k in p)
    return blocks // (levels_in_decoder + 1), blocks


def encode(tree, picture):
    """H x W x 3 in [0,1] -> token ids, raw encoder output."""
    p, dec = tree["params"]["encoder"], tree["params"]["decoder"]
    levels = sum(k.startswith("Conv_") for k in dec) - 1
    per, total = _counts(p, levels)
    r = math.isqrt(p["Conv_0"]["kernel"].shape[2] // 3)
    h, w, _ = picture.shape
    x = picture.reshape(h // r, r, w // r, r, 3).transpose(0, 2, 1, 3, 4).reshape(h // r, w // r, 3 * r * r)
    x = _conv2d(x, p["Conv_0"])
    for b in range(total):
        x = _res_block(x, p[f"ResBlock_{b}"])
        if (b + 1) % per == 0 and (b + 1) // per < levels:
            x = x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2, -1).mean((1, 3))
    z = _conv2d(_norm_swish(x, p["GroupNorm_0"]), p["Conv_1"])
    codebook = tree["params"]["quantizer"]["codebook"].astype(np.float64)
    flat = z.reshape(-1, z.shape[-1])
    return ((flat ** 2).sum(1)[:, None] - 2 * flat @ codebook.T + (codebook ** 2).sum(1)).argmin(1), z


def decode(tree, tokens, side):
    p = tree["params"]["decoder"]
    levels = sum(k.startswith("Conv_") for k in p) - 1
    per, total = _counts(p, levels)
    x = _conv2d(tree["params"]["quantizer"]["codebook"][tokens].reshape(side, side, -1), p["Conv_0"])
    up = 1
    for b in range(total):
        x = _res_block(x, p[f"ResBlock_{b}"])
        done = (b + 1) // per - 1  # levels finished; the first `per` blocks are the middle
        if (b + 1) % per == 0 and 1 <= done < levels:
            x = _conv2d(x.repeat(2, 0).repeat(2, 1), p[f"Conv_{up}"])
            up += 1
    x = _conv2d(_norm_swish(x, p["GroupNorm_0"]), p[f"Conv_{up}"])
    r = math.isqrt(x.shape[-1] // 3)
    h, w, _ = x.shape
    return x.reshape(h, w, r, r, 3).transpose(0, 2, 1, 3, 4).reshape(h * r, w * r, 3)


def load(folder):
    trees = []
    for name in ("tokenizer_checkpoint", "transformer_checkpoint"):
        with open(os.path.join(folder, name), "rb") as f:
            trees.append(unpack(f.read()))
    return trees


def compare(folder, tokenizer, transformer_net, picture):
    """Exported files against the PyTorch networks on one picture (H x W x 3 in [0,1]); asserts. Returns the largest differences."""
    import torch
    tok, tra = load(folder)
    x = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        ours = tokenizer.cpu().tokens(x)[0].numpy()
        ids, _ = encode(tok, picture)
        side = picture.shape[0] // tokenizer.patch
        image = decode(tok, ours, side)
        d_image = np.abs(image - tokenizer.pictures(torch.from_numpy(ours)[None], side)[0].permute(1, 2, 0).numpy()).max()
        sequence = np.concatenate([[transformer_net.codes], ours])
        logits, maps = transformer(tra, sequence)
        t = torch.from_numpy(sequence)[None]
        d_logits = np.abs(logits[:, : transformer_net.codes] - transformer_net.cpu()(t)[0].numpy()).max()
        last = len(maps) - 1
        d_map = np.abs(maps[last] - transformer_net.attention(t, (last,))[0][0].softmax(-1).numpy()).max()
    same = float((ids == ours).mean())
    assert same > 0.99 and d_image < 1e-2 and d_logits < 1e-2 and d_map < 1e-3, (same, d_image, d_logits, d_map)
    return dict(tokens_equal=same, image=float(d_image), logits=float(d_logits), attention=float(d_map))


if __name__ == "__main__":
    tok, tra = load(sys.argv[1])
    size = 256
    ids, z = encode(tok, np.random.default_rng(0).random((size, size, 3)))
    logits, _ = transformer(tra, np.concatenate([[tok["params"]["quantizer"]["codebook"].shape[0]], ids]))
    image = decode(tok, ids, z.shape[0])
    print("tokens", ids.shape, "logits", logits.shape, "picture", image.shape, "finite", bool(np.isfinite(image).all() and np.isfinite(logits).all()))
