# SPDX-License-Identifier: Apache-2.0
"""The package's PNGs are the command's, byte for byte, metadata included."""

import io
import json
import zipfile

import msgpack
import numpy as np
import pytest
from conftest import GOLDEN, SKETCHES, run
from PIL import Image

from masksketch import ArgumentError, Clip, Judge, convert, distance

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


@pytest.mark.parametrize("fit", ["stretch", "crop"])
def test_edit_outside_the_frame(model, tmp_path, fit):
    photo = SKETCHES / "house-photographed.jpg"
    sides = (10, 0, 64, 700)
    wanted = by_command(tmp_path, "edit", photo, "--extend", ",".join(map(str, sides)), "--class", "apple", "--fit", fit).read_bytes()
    assert model.edit(photo, "apple", extend=sides, fit=fit, steps=STEPS).png == wanted


def test_trace(small, small_file, teapot, tmp_path):
    run("draw", teapot, "--class", 3, "--recipe", "official", "--set", "layers=0,2,3", "--steps", STEPS, "--threads", 1, "--model", small_file, "--trace",
        tmp_path / "trace", "--quiet", "-o", tmp_path / "command.png")
    told = {}
    small.draw(teapot, 3, recipe="official", layers=[0, 2, 3], steps=STEPS, on_trace=lambda name, step, values: told.setdefault(name, []).append(values))
    wanted = {path.stem: np.load(path) for path in (tmp_path / "trace").glob("*.npy")}
    assert set(told) == set(wanted) and len(told) > 10
    for name, values in told.items():
        found = np.stack(values) if len(values) > 1 or wanted[name].ndim > values[0].ndim else values[0]
        assert found.dtype == wanted[name].dtype and np.array_equal(found, wanted[name], equal_nan=found.dtype.kind == "f"), name


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


def test_latents(model, teapot, tmp_path):
    run("tokenize", teapot, "-o", tmp_path / "tokens.npy", "--latents", tmp_path / "latents.npy", "--threads", 1, "--quiet")
    latents = model.latents(teapot)
    wanted = np.load(tmp_path / "latents.npy")
    assert latents.shape == wanted.shape and np.array_equal(latents, wanted)


@pytest.mark.parametrize("layers", [None, [1, 3]])
def test_attention(model, teapot, tmp_path, layers):
    named = () if layers is None else ("--layers", ",".join(map(str, layers)))
    run("attention", teapot, "--class", "teapot", *named, "--fit", "stretch", "-o", tmp_path / "maps.npy", "--threads", 1, "--quiet")
    maps = model.attention(teapot, "teapot", layers)
    assert np.array_equal(maps, np.load(tmp_path / "maps.npy"))


def test_score(model, teapot, tmp_path):
    result = model.generate("teapot", steps=STEPS)
    result.save(tmp_path / "picture.png")
    told = json.loads(run("score", tmp_path / "picture.png", "--text", "a teapot", "--sketch", teapot, "--json", "--quiet"))[0]
    score = Clip().score(result.png, text="a teapot", sketch=teapot)
    assert (score.text, score.sketch) == pytest.approx((told["text"], told["sketch"]), abs=0, rel=1e-15)


def test_guess(model):
    """Chalk is light on dark, and is turned over as draw does."""
    for name in ("teapot-pen.png", "mushroom-chalk.png"):
        told = json.loads(run("score", SKETCHES / name, "--classes", "--json", "--threads", 1, "--quiet"))[0]["classes"]
        guesses = model.guess(SKETCHES / name)
        assert [(one.class_id, one.name) for one in guesses] == [(row["id"], row["name"]) for row in told]
        for one, row in zip(guesses, told):
            assert (one.score, one.share) == pytest.approx((row["score"], row["share"]), abs=0, rel=1e-12)
        assert sum(one.share for one in guesses) == pytest.approx(1) and len(guesses) == len(model.classes())
    kept = model._guesser
    model.guess(SKETCHES / "teapot-pen.png")
    assert model._guesser is kept
    eye = Clip(threads=1)
    assert [one.name for one in model.guess(SKETCHES / "mushroom-chalk.png", clip=eye)] == [one.name for one in guesses]
    assert model._guesser.clip is eye


def test_distance_of_features(tmp_path):
    generator = np.random.default_rng(3)
    sets = [generator.normal(shift, 1, (40, 6)) for shift in (0, 0.5)]
    for name, values in zip("ab", sets):
        np.save(tmp_path / f"{name}.npy", values)
    told = json.loads(run("distance", tmp_path / "a.npy", tmp_path / "b.npy", "--json", "--quiet"))
    for given in (sets, [tmp_path / "a.npy", str(tmp_path / "b.npy")]):
        assert [told["frechet"], told["kernel"]] == pytest.approx(list(distance(*given)), rel=1e-12)


def test_npz(model, tmp_path):
    """The array for published evaluators is a line of NumPy, as docs/python.md has it."""
    made = model.generate("teapot", count=3, steps=1)
    for number, one in enumerate(made):
        one.save(tmp_path / f"{number}.png")
    run("npz", tmp_path, "-o", tmp_path / "theirs.npz", "--quiet")
    np.savez(tmp_path / "mine.npz", np.stack([one.array for one in made]))
    mine, theirs = (np.load(tmp_path / name)["arr_0"] for name in ("mine.npz", "theirs.npz"))
    assert mine.dtype == theirs.dtype == np.uint8 and np.array_equal(mine, theirs)
    # as a stream, which is how evaluators read what is larger than memory
    with zipfile.ZipFile(tmp_path / "theirs.npz") as archive, archive.open("arr_0.npy") as member:
        assert np.lib.format.read_magic(member) == (1, 0)
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(member)
        assert shape == mine.shape and not fortran_order
        for picture in mine:
            assert np.array_equal(np.frombuffer(member.read(picture.nbytes), dtype), picture.ravel())
        assert member.read() == b""


def test_convert(small_file, tmp_path):
    parts = {name: GOLDEN / f"{file}_imagenet128_checkpoint" for name, file in (("tokenizer", "tokenizer"), ("transformer", "maskgit"))}
    convert(tmp_path / "small.safetensors", **parts)
    assert (tmp_path / "small.safetensors").read_bytes() == small_file.read_bytes()
    words = [word for name, path in parts.items() for word in (f"--{name}", path)]
    run("convert", *words, "--dtype", "f16", "--int8", "--name", "half", "--quiet", "-o", tmp_path / "theirs.safetensors")
    convert(tmp_path / "mine.safetensors", dtype="f16", int8=True, name="half", **parts)
    assert (tmp_path / "mine.safetensors").read_bytes() == (tmp_path / "theirs.safetensors").read_bytes()
    run("convert", "--flax", tmp_path / "small.safetensors", "--quiet", "-o", tmp_path / "theirs")
    convert(tmp_path / "mine", flax=tmp_path / "small.safetensors")
    for file in sorted(path.name for path in (tmp_path / "theirs").iterdir()):
        assert (tmp_path / "mine" / file).read_bytes() == (tmp_path / "theirs" / file).read_bytes()
    with pytest.raises(ArgumentError):
        convert(tmp_path / "mine", flax=tmp_path / "small.safetensors", int8=True)
    for mine, published in (("tokenizer", "tokenizer"), ("transformer", "maskgit")):
        # maps, the order of whose keys says nothing; arrays as their bytes
        trees = [msgpack.unpackb(path.read_bytes()) for path in (tmp_path / "mine" / f"{mine}_checkpoint", GOLDEN / f"{published}_imagenet128_checkpoint")]
        assert trees[0] == trees[1] and len(trees[0]["params"]) > 1


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
    assert np.array_equal(np.floor(np.clip(result.pixels.astype("f8"), 0, 1) * 255 + 0.5).astype("u1"), result.array)
    assert result.tokens.shape == (model.info.tokens,)
    assert result.tokens[0] == model.info.codebook_size + result.class_id
    assert set(result.scores) == {"structure"} and result.times["total"] > 0
    result.save(tmp_path / "a.webp")
    result.save(tmp_path / "bare.png", metadata=False)
    run("draw", teapot, "--class", "teapot", "--steps", STEPS, "--threads", 1, "--no-metadata", "--quiet", "-o", tmp_path / "command.png")
    assert (tmp_path / "bare.png").read_bytes() == (tmp_path / "command.png").read_bytes()
    with Image.open(tmp_path / "a.webp") as opened:
        assert np.array_equal(np.asarray(opened.convert("RGB")), result.array)
    assert Image.open(io.BytesIO(result.png)).text["masksketch"] == result._text
