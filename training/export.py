# SPDX-License-Identifier: Apache-2.0
"""Writes the networks as Flax msgpack checkpoints, as the authors published theirs, with class names and defaults beside them.

Owns the names and layouts of reference/formats.md: kernels HWIO (convolution) and in x out (dense), attention kernels
(D, heads, width) and (heads, width, D); an array is ext type 1 whose payload is msgpack (shape, dtype name, bytes).
"""
import json
import os

import msgpack
import numpy as np

import config as configs
from tokenizer import ResBlock, Upsample

EXT_ARRAY = 1


def _array(tensor):
    return np.ascontiguousarray(tensor.detach().float().cpu().numpy())


def pack(tree):
    def default(a):
        if isinstance(a, np.ndarray):
            return msgpack.ExtType(EXT_ARRAY, msgpack.packb((a.shape, a.dtype.name, a.tobytes()), use_bin_type=True))
        raise TypeError(type(a))
    return msgpack.packb(tree, default=default, strict_types=True)


def unpack(data):
    def hook(code, payload):
        if code != EXT_ARRAY:
            raise ValueError(f"ext type {code}")
        shape, dtype, raw = msgpack.unpackb(payload, raw=False)
        return np.frombuffer(raw, np.dtype(dtype)).reshape(shape)
    return msgpack.unpackb(data, ext_hook=hook, raw=False, strict_map_key=False)


def _conv(conv):
    result = {"kernel": _array(conv.weight.permute(2, 3, 1, 0))}
    if conv.bias is not None:
        result["bias"] = _array(conv.bias)
    return result


def _norm(norm):
    return {"scale": _array(norm.weight), "bias": _array(norm.bias)}


def _res(block):
    result = {"GroupNorm_0": _norm(block.norm0), "Conv_0": _conv(block.conv0), "GroupNorm_1": _norm(block.norm1), "Conv_1": _conv(block.conv1)}
    if block.conv2 is not None:
        result["Conv_2"] = _conv(block.conv2)
    return result


def _half(net):
    """Encoder or decoder: Conv_k and ResBlock_k are numbered in order of use."""
    tree, convs, blocks = {"Conv_0": _conv(net.first)}, 1, 0
    for layer in net.body:
        if isinstance(layer, ResBlock):
            tree[f"ResBlock_{blocks}"] = _res(layer)
            blocks += 1
        elif isinstance(layer, Upsample):
            tree[f"Conv_{convs}"] = _conv(layer.conv)
            convs += 1
    tree["GroupNorm_0"], tree[f"Conv_{convs}"] = _norm(net.norm), _conv(net.last)
    return tree


def tokenizer_tree(net):
    return {"params": {"encoder": _half(net.encoder), "decoder": _half(net.decoder), "quantizer": {"codebook": _array(net.codebook)}}}


def _dense(linear):
    return {"kernel": _array(linear.weight.t()), "bias": _array(linear.bias)}


def transformer_tree(net):
    width = net.word.weight.shape[1]
    params = {"Embed_0": {"word_embeddings": {"embedding": _array(net.word.weight)}, "position_embeddings": {"embedding": _array(net.position.weight)},
                          "embeddings_ln": _norm(net.norm)}}
    for index, layer in enumerate(net.layers):
        heads = layer.heads
        split = lambda l: {"kernel": _array(l.weight.t()).reshape(width, heads, width // heads), "bias": _array(l.bias).reshape(heads, width // heads)}
        attention = {"query": split(layer.query), "key": split(layer.key), "value": split(layer.value),
                     "out": {"kernel": _array(layer.out.weight.t()).reshape(heads, width // heads, width), "bias": _array(layer.out.bias)}}
        params[f"TransformerLayer_{index}"] = {
            "Attention_0": {"self_attention": attention, "attention_output_ln": _norm(layer.norm0)},
            "Mlp_0": {"intermediate_output": _dense(layer.up), "layer_output": _dense(layer.down), "layer_output_ln": _norm(layer.norm1)}}
    params["MlmLayer_0"] = {"mlm_dense": _dense(net.head), "mlm_ln": _norm(net.head_norm), "mlm_bias": {"bias": _array(net.bias)}}
    return {"params": params}


def defaults(config, recipe, provenance):
    """What `masksketch convert --defaults` puts into the model's metadata."""
    null = len(configs.OBJECTS)
    return {"name": "MaskSketch studio", "licence": "Apache-2.0", "provenance": provenance,
            "structure_layers": list(config["structure_layers"]), "null_class": null, "hidden_classes": list(range(null, len(configs.LABELS))),
            "start_from_sketch": False, "recipe": {f"draw.{key}": value for key, value in recipe.items()}}


def write(folder, tokenizer, transformer, config, recipe, provenance):
    os.makedirs(folder, exist_ok=True)
    files = {"tokenizer_checkpoint": pack(tokenizer_tree(tokenizer)), "transformer_checkpoint": pack(transformer_tree(transformer)),
             "classes.txt": ("\n".join(configs.LABELS) + "\n").encode(),
             "defaults.json": (json.dumps(defaults(config, recipe, provenance)) + "\n").encode()}
    for name, content in files.items():
        part = os.path.join(folder, name + ".part")
        with open(part, "wb") as f:
            f.write(content)
        os.replace(part, os.path.join(folder, name))
