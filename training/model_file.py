# SPDX-License-Identifier: Apache-2.0
"""Reads a run-time model file of the program (safetensors) into the tokenizer of training/: export.py's inverse.

So a transformer can be trained for codes that exist (`train.py --tokenizer MODEL.safetensors`), with nothing else at hand.
"""
import json
import struct

import numpy as np
import torch

from tokenizer import ResBlock, Tokenizer, Upsample

_TYPES = {"F32": np.float32, "F16": np.float16}


def tensors(path):
    """{name: float32 tensor} of a safetensors file: 8 bytes of length, a JSON header, then the arrays."""
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data, found = f.read(), {}
    header.pop("__metadata__", None)
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        array = np.frombuffer(data[first:last], _TYPES[entry["dtype"]]).reshape(entry["shape"])
        found[name] = torch.from_numpy(array.astype(np.float32))
    return found


def _conv(conv, found, name):
    conv.weight.copy_(found[name + ".kernel"].permute(3, 2, 0, 1))
    if conv.bias is not None:
        conv.bias.copy_(found[name + ".bias"])


def _norm(norm, found, name):
    norm.weight.copy_(found[name + ".scale"])
    norm.bias.copy_(found[name + ".bias"])


def _half(net, found, prefix):
    """Encoder or decoder; Conv_k and ResBlock_k are numbered in order of use."""
    _conv(net.first, found, prefix + "Conv_0")
    convs, blocks = 1, 0
    for layer in net.body:
        if isinstance(layer, ResBlock):
            block = f"{prefix}ResBlock_{blocks}."
            _norm(layer.norm0, found, block + "GroupNorm_0")
            _conv(layer.conv0, found, block + "Conv_0")
            _norm(layer.norm1, found, block + "GroupNorm_1")
            _conv(layer.conv1, found, block + "Conv_1")
            if layer.conv2 is not None:
                _conv(layer.conv2, found, block + "Conv_2")
            blocks += 1
        elif isinstance(layer, Upsample):
            _conv(layer.conv, found, f"{prefix}Conv_{convs}")
            convs += 1
    _norm(net.norm, found, prefix + "GroupNorm_0")
    _conv(net.last, found, f"{prefix}Conv_{convs}")


@torch.no_grad()
def tokenizer(path, config):
    """The tokenizer of the model at `path`, which must have the sizes that config names."""
    found = tensors(path)
    blocks = sum(name.startswith("tokenizer.decoder.ResBlock_") and name.endswith(".Conv_0.kernel") for name in found)
    net = Tokenizer(config["stem"], config["filters"], config["multipliers"], config["blocks"], config["code_dim"],
                    len(found["tokenizer.quantizer.codebook"]), blocks // (len(config["multipliers"]) + 1))
    _half(net.encoder, found, "tokenizer.encoder.")
    _half(net.decoder, found, "tokenizer.decoder.")
    net.codebook.copy_(found["tokenizer.quantizer.codebook"])
    return net.eval()
