# SPDX-License-Identifier: Apache-2.0
"""Renders training objects into shards with the world renderer (render/libworld.so, through ctypes).

Object k of a set has the seed first_seed + k and the class k mod CLASSES: a set is the same on every machine, and may be extended.
    python render.py FOLDER FIRST_SEED OBJECTS SIZE SHARD [WORKER WORKERS [STYLE]]      STYLE: plain (default), rich or wide
"""
import ctypes
import os
import subprocess
import sys
import time

import numpy as np

import config as configs
import data

_HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "render")
CLASSES, HANDS = len(configs.OBJECTS), 5
STYLES = {"rich": 0, "plain": 1, "wide": 2}  # enum world_style
_BYTES = ctypes.POINTER(ctypes.c_uint8)


class _Views(ctypes.Structure):
    _fields_ = [("photo", _BYTES), ("silhouette", _BYTES), ("parts", _BYTES), ("normals", _BYTES), ("hands", _BYTES * HANDS),
                ("cartoon", _BYTES), ("shade", _BYTES), ("coloured_pencil", _BYTES)]


def library(path=None):
    """The loaded renderer; render/Makefile's, brought up to date, unless another is named. Its `kinds` are the world's indices of configs.OBJECTS."""
    path = path or os.environ.get("MSK_WORLD")
    if not path:
        path = os.path.join(_HERE, "libworld.so")
        subprocess.run(["make", "-s", "-C", _HERE, "libworld.so"], check=True)
    lib = ctypes.CDLL(path)
    lib.world_render.argtypes = [ctypes.c_int, ctypes.c_uint64, ctypes.c_int, ctypes.c_int, ctypes.POINTER(_Views)]
    lib.world_class_find.argtypes = [ctypes.c_char_p]
    lib.world_class_synonyms.argtypes, lib.world_class_synonyms.restype = [ctypes.c_int], ctypes.c_char_p
    lib.kinds = [lib.world_class_find(name.encode()) for name in configs.OBJECTS]
    return lib


def synonyms(lib, label):
    """What else people call a class of configs.OBJECTS."""
    return lib.world_class_synonyms(lib.kinds[label]).decode().split(", ")[1:]


def render(lib, label, seed, size, style="plain"):
    """-> photo S x S x 3, hands 5 x S x S, parts S x S, all u8."""
    photo, hands, parts = np.empty((size, size, 3), np.uint8), np.empty((HANDS, size, size), np.uint8), np.empty((size, size), np.uint8)
    pointer = lambda a: a.ctypes.data_as(_BYTES)
    views = _Views(photo=pointer(photo), parts=pointer(parts), hands=(_BYTES * HANDS)(*(pointer(h) for h in hands)))
    if lib.world_render(lib.kinds[label], seed, size, STYLES[style], ctypes.byref(views)):
        raise RuntimeError(f"world_render({label}, {seed}, {size}) failed")
    return photo, hands, parts


def shard(lib, folder, first_seed, number, count, size, style="plain"):
    """Render one shard unless it is there."""
    if os.path.isdir(os.path.join(folder, f"{number:05d}")):
        return False
    arrays = dict(photo=np.empty((count, size, size, 3), np.uint8), hands=np.empty((count, HANDS, size, size), np.uint8),
                  parts=np.empty((count, size // 2, size // 2), np.uint8), label=np.empty(count, np.uint8))
    for k in range(count):
        index = number * count + k
        photo, hands, parts = render(lib, index % CLASSES, first_seed + index, size, style)
        arrays["photo"][k], arrays["hands"][k], arrays["parts"][k], arrays["label"][k] = photo, hands, parts[::2, ::2], index % CLASSES
    data.write_shard(folder, number, arrays)
    return True


def main():
    folder, first_seed, objects, size, per_shard = sys.argv[1], *map(int, sys.argv[2:6])
    worker, workers = (int(v) for v in sys.argv[6:8]) if len(sys.argv) > 6 else (0, 1)
    style = sys.argv[8] if len(sys.argv) > 8 else "plain"
    lib, total, start, made = library(), -(-objects // per_shard), time.time(), 0
    for number in range(worker, total, workers):
        made += shard(lib, folder, first_seed, number, per_shard, size, style)
        if made:
            left = (time.time() - start) / made * ((total - number - 1) // workers)
            print(f"rendered shard {number + 1} of {total}, {int(left // 60)}:{int(left % 60):02d} left", flush=True)


if __name__ == "__main__":
    main()
