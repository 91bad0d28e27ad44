# SPDX-License-Identifier: Apache-2.0
"""The package's PNGs are the command's, byte for byte, metadata included."""

import io
import json

import numpy as np
import pytest
from conftest import SKETCHES, run
from PIL import Image

from masksketch import Clip, Judge, distance

STEPS = 3


def by_command(tmp_path, *arguments):
    out = tmp_path / "command.png"
    run(*arguments, "--steps", STEPS, "--threads", 1, "--quiet", "--force", "-o", out)
    return out


def test_draw(model, teapot, tmp_path):
    wanted = by_command(tmp_path, "draw", teapot, "--class", "teapot", "--seed", 7).read_bytes()
    result = model.draw(teapot, "teapot", seed=7, steps=STEPS)
    assert result.png == wanted
    assert result._repr_png_() == wanted
    result.save(tmp_path / "saved.png")
    assert (tmp_path / "saved.png").read_bytes() == wanted


@pytest.mark.parametrize("given", ["bytes", "str", "pillow", "array", "grey", "rgba", "floats"])
def test_every_way_to_give_a_sketch(model, teapot, tmp_path, given):
    with Image.open(teapot) as opened:
        picture = opened.convert("RGB")
    grey = picture.convert("L")
    clear = picture.convert("RGBA")
    clear.putalpha(Image.eval(grey, lambda value: 255 - value))
    saved = {"rgba": clear, "grey": grey, "floats": grey}.get(given, picture)
    saved.save(tmp_path / "given.png")
    sketch = {
        "bytes": (tmp_path / "given.png").read_bytes(),
        "str": str(tmp_path / "given.png"),
        "pillow": picture,
        "array": np.asarray(picture),
        "grey": np.asarray(grey),
        "rgba": np.asarray(clear),
        "floats": np.asarray(grey) / 255.0,
    }[given]
    wanted = by_command(tmp_path, "draw", tmp_path / "given.png", "--class", "teapot").read_bytes()
    assert model.draw(sketch, "teapot", steps=STEPS).png == wanted


def test_draw_with_everything(model, teapot, tmp_path):
    paper = SKETCHES / "apple-pen.png"
    wanted = by_command(tmp_path, "draw", teapot, "--class", "mug", "--fit", "pad", "--invert", "no", "--photo-of-paper", "yes", "--lambda-map", paper,
                        "--recipe", "varied", "--set", "layers=0,2", "--lambda", "0.4", "--first-item", 5, "--rng", "partitionable").read_bytes()
    result = model.draw(teapot, "mug", fit="pad", invert="no", photo_of_paper="yes", lambda_map=paper, recipe="varied", layers=[0, 2],
                        lambda_structure=0.4, first_item=5, rng="partitionable", steps=STEPS)
    assert result.png == wanted
    assert (result.item, result.metadata["rng"], result.metadata["recipe"]["layers"]) == (5, "partitionable", "0,2")


def test_several(model, teapot, tmp_path):
    run("draw", teapot, "--class", "teapot", "--count", 3, "--steps", STEPS, "--threads", 1, "--quiet", "-o", tmp_path / "many.png")
    made = model.draw(teapot, "teapot", count=3, steps=STEPS)
    assert [one.item for one in made] == [0, 1, 2]
    for number, one in enumerate(made, 1):
        assert one.png == (tmp_path / f"many-{number}.png").read_bytes()


def test_official_batch(small, small_file, teapot, tmp_path):
    run("draw", teapot, "--class", 3, "--recipe", "official", "--set", "layers=0,2,3", "--count", 2, "--seed", 4, "--steps", STEPS, "--model", small_file,
        "--quiet", "-o", tmp_path / "many.png")
    made = small.draw(teapot, 3, recipe="official", layers=[0, 2, 3], count=2, seed=4, steps=STEPS)
    for number, one in enumerate(made, 1):
        assert one.png == (tmp_path / f"many-{number}.png").read_bytes()


def test_generate(model, tmp_path):
    wanted = by_command(tmp_path, "generate", "--class", "house", "--seed", 2**64 - 1).read_bytes()
    assert model.generate("house", seed=2**64 - 1, steps=STEPS).png == wanted


@pytest.mark.parametrize("fit", ["stretch", "crop"])
def test_edit(model, tmp_path, fit):
    photo = SKETCHES / "house-photographed.jpg"
    with Image.open(photo) as opened:
        width, height = opened.size
    box = (height // 3, width // 3, height // 4, width // 3)
    wanted = by_command(tmp_path, "edit", photo, "--box", ",".join(map(str, box)), "--class", "apple", "--fit", fit).read_bytes()
    assert model.edit(photo, "apple", box=box, fit=fit, steps=STEPS).png == wanted
    mask = SKETCHES / "apple-pen.png"
    wanted = by_command(tmp_path, "edit", photo, "--mask", mask, "--class", "apple", "--fit", fit).read_bytes()
    assert model.edit(photo, "apple", mask=mask, fit=fit, steps=STEPS).png == wanted


def test_candidates(model, teapot, tmp_path):
    arguments = ("--candidates", 2, "--keep", 3, "--guidance", "1,2.5", "--finish", 3)
    told = run("draw", teapot, "--class", "teapot", *arguments, "--steps", 4, "--threads", 1, "--json", "--quiet", "-o", tmp_path / "best.png")
    made = model.candidates(teapot, "teapot", count=2, keep=3, scales=[1, 2.5], finish=3, steps=4)
    rows = [json.loads(line) for line in told.splitlines()][:3]
    for number, (one, row) in enumerate(zip(made, rows), 1):
        assert one.png == (tmp_path / f"best-{number}.png").read_bytes()
        assert one.scores == row["scores"]
    assert len(made) == len(rows) == 3


def test_tokens_there_and_back(model, teapot, tmp_path):
    run("tokenize", teapot, "--fit", "pad", "-o", tmp_path / "tokens.npy", "--threads", 1, "--quiet")
    run("detokenize", tmp_path / "tokens.npy", "-o", tmp_path / "pixels.npy", "--threads", 1, "--quiet")
    tokens = model.tokenize(teapot, fit="pad")
    assert np.array_equal(tokens, np.load(tmp_path / "tokens.npy"))
    assert np.array_equal(model.detokenize(tokens), np.load(tmp_path / "pixels.npy"))


def test_attention(model, teapot, tmp_path):
    run("attention", teapot, "--class", "teapot", "--layers", "1,3", "--fit", "stretch", "-o", tmp_path / "maps.npy", "--threads", 1, "--quiet")
    maps = model.attention(teapot, "teapot", [1, 3])
    assert np.array_equal(maps, np.load(tmp_path / "maps.npy"))


def test_score(model, teapot, tmp_path):
    result = model.generate("teapot", steps=STEPS)
    result.save(tmp_path / "picture.png")
    told = json.loads(run("score", tmp_path / "picture.png", "--text", "a teapot", "--sketch", teapot, "--json", "--quiet"))[0]
    score = Clip().score(result.png, text="a teapot", sketch=teapot)
    assert (score.text, score.sketch) == pytest.approx((told["text"], told["sketch"]), abs=0, rel=1e-15)


def test_distance(tmp_path):
    sets = [tmp_path / "a", tmp_path / "b"]
    for folder, names in zip(sets, (("apple-pen.png", "teapot-pen.png", "fish-thin.png"), ("apple-pen.png", "mug-marker.png"))):
        folder.mkdir()
        for name in names:
            (folder / name).write_bytes((SKETCHES / name).read_bytes())
    for kind, eye in (("judge", Judge()), ("clip", Clip())):
        told = json.loads(run("distance", *sets, "--features", kind, "--json", "--quiet"))
        assert [told["frechet"], told["kernel"]] == pytest.approx(list(distance(*sets, features=eye)), rel=1e-12)


def test_what_a_result_shows(model, teapot, tmp_path):
    result = model.draw(teapot, "teapot", steps=STEPS)
    side = model.info.image_size
    assert np.array_equal(np.asarray(result.image), result.array)
    assert result.array.shape == result.pixels.shape == (side, side, 3)
    assert np.array_equal(np.floor(np.clip(result.pixels, 0, 1) * np.float32(255) + np.float32(0.5)).astype("u1"), result.array)
    assert result.tokens.shape == (model.info.tokens,)
    assert result.tokens[0] == model.info.codebook_size + result.class_id
    assert set(result.scores) == {"structure"} and result.times["total"] > 0
    result.save(tmp_path / "a.webp")
    with Image.open(tmp_path / "a.webp") as opened:
        assert np.array_equal(np.asarray(opened.convert("RGB")), result.array)
    assert Image.open(io.BytesIO(result.png)).text["masksketch"] == result._text
