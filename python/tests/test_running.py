# SPDX-License-Identifier: Apache-2.0
"""While it runs: steps, stops, threads, memory."""

import gc
import os
import signal
import threading
import time
import weakref

import numpy as np
import pytest
from conftest import GOLDEN

from masksketch import Cancelled, Model

SKETCH = GOLDEN / "input" / "sketch0.png"


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_steps_are_told(model, teapot):
    seen = []
    result = model.draw(teapot, "teapot", steps=4, on_step=seen.append, preview_every=2)
    count = seen[0].step_count
    assert [step.step for step in seen] == list(range(count)) and count >= 4
    side = model.info.image_size
    assert [step.preview is not None for step in seen] == [(step.step + 1) % 2 == 0 for step in seen]
    assert seen[1].preview.shape == (side, side, 3) and np.isfinite(seen[1].preview).all()
    assert np.array_equal(seen[-1].tokens[0], result.tokens)
    assert all(a.masked >= b.masked for a, b in zip(seen, seen[1:]))


def test_what_on_step_raises_comes_out(small):
    def stop(step):
        seen.append(step.step)
        if step.step == 2:
            raise Cancelled("enough")

    seen = []
    with pytest.raises(Cancelled, match="enough"):
        small.draw(SKETCH, 3, steps=8, on_step=stop)
    assert seen == [0, 1, 2]
    with pytest.raises(ZeroDivisionError):
        small.draw(SKETCH, 3, steps=8, on_step=lambda step: 1 // 0)
    assert small.draw(SKETCH, 3, steps=2).png.startswith(b"\x89PNG")


def test_what_on_trace_raises_comes_out(small):
    with pytest.raises(ZeroDivisionError):
        small.draw(SKETCH, 3, steps=8, on_trace=lambda name, step, values: 1 // 0)


def test_interrupt_stops_within_a_step(model, teapot):
    """The signal comes while the library computes, not while Python does."""
    taken = []

    def count(step):
        taken.append(step.step)
        if step.step == 2:
            threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT)).start()

    with pytest.raises(KeyboardInterrupt):
        model.draw(teapot, "teapot", steps=2000, on_step=count)
    # the signal may come just after the third step, or late on a busy machine, but steps do not run on
    assert 3 <= len(taken) <= 5
    assert model.draw(teapot, "teapot", steps=1).png.startswith(b"\x89PNG")


def test_interrupt_without_on_step(model, teapot):
    threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        model.draw(teapot, "teapot", steps=10000)


def test_python_runs_meanwhile(model, teapot):
    """The lock is released: another thread counts while the library computes within one step."""
    counted = [0]
    done = threading.Event()

    def count():
        while not done.is_set():
            counted[0] += 1
            time.sleep(0.001)

    counter = threading.Thread(target=count)
    counter.start()
    before = counted[0]
    model.tokenize(np.full((512, 512, 3), 255, "u1"))
    during = counted[0] - before
    done.set()
    counter.join()
    assert during > 2


def test_two_threads_with_two_sessions(small):
    wanted = [small.draw(SKETCH, 3, seed=seed, steps=6).png for seed in (1, 2)]
    gate = threading.Barrier(2)
    found = {1: [], 2: []}

    def draw(seed):
        for _ in range(10):
            gate.wait()
            # both are inside at the same time: each step waits for the other's
            found[seed].append(small.draw(SKETCH, 3, seed=seed, steps=6, on_step=lambda step: gate.wait()).png)

    threads = [threading.Thread(target=draw, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {1: [wanted[0]] * 10, 2: [wanted[1]] * 10}
    assert len(small._idle) == 2


def test_a_thousand_draws_in_flat_memory(small):
    raw = SKETCH.read_bytes()
    for _ in range(100):
        small.draw(raw, 3, steps=2, on_step=lambda step: None)
    before = resident()
    for _ in range(1000):
        small.draw(raw, 3, steps=2, on_step=lambda step: None)
    # 1000 pictures are 48 MB as bytes and 196 MB as floats: none of them may stay
    assert resident() - before < 4 << 20


def test_garbage_of_one_circle(small_file):
    model = Model(small_file, threads=1)
    model.draw(SKETCH, 3, steps=1)
    model.itself = model  # nobody but the collector lets go of the model and its session
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
