# SPDX-License-Identifier: Apache-2.0
"""Clock, checkpoints, autocast and contact sheets: what every training stage shares.

A stage's schedule runs on trained seconds, which are kept in its checkpoint: a killed run goes on where it was. With MSK_TRAINING_CLOCK=processor
these are seconds of processor time a thread, so that on a crowded machine the same work is done, only later.
"""
import hashlib
import json
import math
import os
import time

import numpy as np
import torch
from PIL import Image


_PROCESSOR = os.environ.get("MSK_TRAINING_CLOCK") == "processor"


def now():
    return time.process_time() / torch.get_num_threads() if _PROCESSOR else time.time()


def _processor():
    try:
        with open("/proc/cpuinfo") as f:
            return f.read()
    except OSError:
        return ""


_PROCESSOR_FLAGS = _processor()


def autocast(device, needs="amx_bf16"):
    """bf16; on a processor only with the instructions without which it does not pay: transformers need tiles (elsewhere float32 trains 1.65 times as fast)."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=device != "cpu" or needs in _PROCESSOR_FLAGS)


def save(path, state):
    """Atomic: a kill leaves the old file or the new one."""
    torch.save(state, path + ".part")
    os.replace(path + ".part", path)


def load(path):
    return torch.load(path, map_location="cpu", weights_only=False) if os.path.exists(path) else None


def fingerprint(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()[:12]


def note(work, **values):
    """Append one line to the curves file, which is all that plots need."""
    with open(os.path.join(work, "curves.jsonl"), "a") as f:
        f.write(json.dumps(values) + "\n")


class Clock:
    """Seconds trained, against a budget. Evaluation and saving are not counted: wrap them in `with clock.paused():`."""

    def __init__(self, budget, spent=0.0):
        self.budget, self.spent, self._since = budget, spent, now()

    def seconds(self):
        return self.spent + (now() - self._since if self._since is not None else 0.0)

    def fraction(self):
        return min(1.0, self.seconds() / self.budget)

    def left(self):
        s = max(0, self.budget - self.seconds())
        return f"{int(s // 60)}:{int(s % 60):02d} left"

    def paused(self):
        return _Pause(self)

    def rate(self, peak, step, warmup, floor=0.05):
        """Cosine learning rate over the budget behind a linear warm-up in steps."""
        return peak * min(1.0, (step + 1) / warmup) * (floor + (1 - floor) * (0.5 + 0.5 * math.cos(math.pi * self.fraction())))


class _Pause:
    def __init__(self, clock):
        self.clock = clock

    def __enter__(self):
        self.clock.spent, self.clock._since = self.clock.seconds(), None

    def __exit__(self, *_):
        self.clock._since = now()


def sheet(columns, path, gap=3):
    """Columns: a list of uint8 arrays n x H x W x 3 (or n x H x W) -> one PNG, a row an item."""
    rows = []
    for i in range(len(columns[0])):
        cells = [np.repeat(c[i][..., None], 3, -1) if c[i].ndim == 2 else c[i] for c in columns]
        rows.append(np.concatenate([np.pad(c, ((gap, gap), (gap, gap), (0, 0)), constant_values=128) for c in cells], 1))
    Image.fromarray(np.concatenate(rows, 0)).save(path)


def to_bytes(x):
    """Pictures N x 3 x H x W in [0,1] -> uint8 N x H x W x 3."""
    return (x.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
