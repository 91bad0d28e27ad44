# SPDX-License-Identifier: Apache-2.0
"""Never run: mypy --strict reads it as it reads a user's program, and the lines that are wrong have to
be found (a needless "type: ignore" is an error too)."""

from typing import List

import numpy as np

from masksketch import Model, Result, Step, distance


def tell(step: Step) -> None:
    print(step.masked)


model = Model("default", threads=2)
one: Result = model.draw("sketch.png", "teapot", seed=7, on_step=tell, guidance=1.5, layers=[0, 2])
several: List[Result] = model.generate(3, count=2, steps=8)
edited: Result = model.edit(one.image, "mug", box=(0, 0, 8, 8))
best: List[Result] = model.candidates(np.zeros((8, 8), np.uint8), "mug", count=4, keep=2, fit="pad")
size: int = one.array.shape[0]
far: float = distance("a", [edited.png]).frechet

model.draw("sketch.png", "teapot", colour="red")  # type: ignore[call-overload]
model.draw("sketch.png", "teapot", seed="seven")  # type: ignore[call-overload]
wrong: Result = model.generate(3, count=2)  # type: ignore[assignment]
