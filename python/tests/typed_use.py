# SPDX-License-Identifier: Apache-2.0
"""Never run: mypy --strict reads it as it reads a user's program, and the lines that are wrong have to
be found (a needless "type: ignore" is an error too)."""

from typing import List

import numpy as np

from masksketch import Device, Guess, Model, Photos, Result, Step, convert, devices, distance, teach, train


def tell(step: Step) -> None:
    print(step.masked)


model = Model("default", threads=2)
one: Result = model.draw("sketch.png", "teapot", seed=7, on_step=tell, guidance=1.5, layers=[0, 2])
several: List[Result] = model.generate(3, count=2, steps=8)
edited: Result = model.edit(one.image, "mug", box=(0, 0, 8, 8))
wider: Result = model.edit("photo.jpg", "mug", extend=(0, 8, 0, 8), on_trace=lambda name, step, values: print(name, step, values.shape))
best: List[Result] = model.candidates(np.zeros((8, 8), np.uint8), "mug", count=4, keep=2, fit="pad")
size: int = one.array.shape[0]
far: float = distance("a", [edited.png]).frechet

far = distance(np.zeros((8, 4)), "b.npy").kernel
first: Guess = model.guess("sketch.png")[0]
places: List[Device] = devices()
teach("mug.safetensors", "mug", ["a.png"], drawings=["b.png"], isa="ref", steps=8)
photos = Photos({"mug": [("a.jpg", "a.png"), "b.jpg"], "jug": ["c.jpg"]}, crops=4)
train("model.safetensors", "work", photos, structure_layers=[1, 2], muon_rate=0.01)
convert("model.safetensors", tokenizer="a", transformer="b", dtype="f16")
one.save("bare.png", metadata=False)

model.edit("photo.jpg", "mug", extend="8")  # type: ignore[call-overload]
model.draw("sketch.png", "teapot", colour="red")  # type: ignore[call-overload]
model.draw("sketch.png", "teapot", seed="seven")  # type: ignore[call-overload]
wrong: Result = model.generate(3, count=2)  # type: ignore[assignment]
