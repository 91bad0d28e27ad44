# SPDX-License-Identifier: Apache-2.0
"""The weights that every program gets: the model file that `masksketch bench -o` made, as float32 arrays by the authors' names."""
import json

import numpy

TYPES = {"F32": numpy.float32, "F16": numpy.float16}


def load(path):
    """{"tokenizer": {name: array}, "transformer": {name: array}}"""
    data = numpy.memmap(path, mode="r", dtype=numpy.uint8)
    length = int(data[:8].view(numpy.uint64)[0])
    header = json.loads(bytes(data[8 : 8 + length]))
    networks = {"tokenizer": {}, "transformer": {}}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        first, last = entry["data_offsets"]
        array = data[8 + length + first : 8 + length + last].view(TYPES[entry["dtype"]]).reshape(entry["shape"])
        network, rest = name.split(".", 1)
        networks[network][rest] = array.astype(numpy.float32)
    return networks


def nested(flat):
    """Names with dots -> Flax's nested dictionaries."""
    tree = {}
    for name, array in flat.items():
        node = tree
        *parents, last = name.split(".")
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = array
    return tree


def inputs(batch, seed=0):
    """Tokens as in the middle of a drawing (class first, -1 masked), a picture, codes: the same for everybody."""
    generator = numpy.random.default_rng(seed)
    tokens = generator.integers(0, 1024, (batch, 257)).astype(numpy.int32)
    tokens[:, 0] = 1024 + numpy.arange(batch)
    tokens[:, 1:][generator.random((batch, 256)) < 0.6] = -1
    picture = generator.random((1, 256, 256, 3)).astype(numpy.float32)
    codes = generator.integers(0, 1024, (1, 16, 16)).astype(numpy.int32)
    return tokens, picture, codes
