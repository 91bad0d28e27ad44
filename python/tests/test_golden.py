# SPDX-License-Identifier: Apache-2.0
"""The authors' own tokens and figures, recorded from their code."""

import json

import numpy as np
import pytest
from conftest import GOLDEN

CASES = json.loads((GOLDEN / "decode" / "cases.json").read_text())
SETTINGS = ("steps", "schedule", "guidance", "lambda_structure", "min_mask_rate", "max_mask_rate", "temperature_structure", "temperature_confidence")


@pytest.mark.parametrize("case", [case for case in CASES if case["steps"] <= 16], ids=lambda case: case["id"])
def test_tokens(small, case):
    asked = {name: case[name] for name in SETTINGS if name in case}
    asked.update(recipe="official", seed=case["seed"], count=case["batch"])
    if "temperature" in case:
        asked["choice_temperature"] = case["temperature"]
    if case.get("start_iter"):
        asked["start_step"] = case["start_iter"]
    if case["kind"] == "masksketch":
        made = small.draw(GOLDEN / case["sketch"], case["label"], layers=[0, 2, 3], **asked)
    elif case["kind"] == "edit":
        box = tuple(map(int, case["box_top_left_height_width"].split("_")))
        made = small.edit(GOLDEN / case["image_in"], case["label"], box=box, **asked)
    else:
        made = small.generate(case["label"], **asked)
    wanted = np.load(GOLDEN / "decode" / case["id"] / "tokens.npy")
    wanted = wanted if wanted.ndim == 2 else wanted[:, -1]
    assert np.array_equal(np.stack([one.tokens for one in made]), wanted)


def test_logits_and_attention(small):
    for kind in ("full", "masked"):
        folder = GOLDEN / "transformer" / kind
        arrays = {path.stem: np.load(path) for path in folder.glob("*.npy")}
        tokens = np.atleast_2d(next(array for name, array in arrays.items() if "token" in name or "ids" in name))
        logits = np.atleast_3d(arrays["logits"]).reshape(-1, small.info.tokens, arrays["logits"].shape[-1])
        sequence = np.where(tokens[0] >= small.info.codebook_size + small.info.class_count, -1, tokens[0])
        found = small.logits(sequence.astype("i4"))
        assert np.abs(found - logits[0][:, : small.info.codebook_size]).max() <= 2e-4
