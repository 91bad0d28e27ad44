# SPDX-License-Identifier: Apache-2.0
"""What is wrong is told as an exception that names the field; nothing is adjusted in silence."""

import subprocess
import sys

import numpy as np
import pytest

import masksketch
from masksketch import ArgumentError, FileError, Model, UnsupportedError


@pytest.mark.parametrize("field, asked", [
    ("seed", {"seed": -1}),
    ("seed", {"seed": 2**64}),
    ("seed", {"recipe": "official", "seed": 2**32}),
    ("steps", {"steps": 0}),
    ("guidance", {"guidance": 101}),
    ("lambda_structure", {"lambda_structure": float("nan")}),
    ("recipe", {"recipe": "no such recipe"}),
    ("colour", {"colour": "red"}),
    ("fit", {"fit": "squeeze"}),
    ("rng", {"rng": "dice"}),
    ("preview_every", {"preview_every": -1}),
    ("first_item", {"recipe": "official", "first_item": 1}),
    ("count", {"count": 0}),
    ("layers", {"layers": [99]}),
])
def test_field_of_a_request(model, teapot, field, asked):
    with pytest.raises(ArgumentError) as caught:
        model.draw(teapot, "teapot", **asked)
    assert caught.value.field == field
    assert isinstance(caught.value, ValueError) and "\n" not in str(caught.value)


def test_unknown_class(model, teapot):
    with pytest.raises(ArgumentError, match="teapot") as caught:
        model.draw(teapot, "teepot")
    assert caught.value.field == "class_"


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (-1, 0, 5, 5), (0, 0, 10**6, 5)])
def test_box_outside(model, teapot, box):
    with pytest.raises(ArgumentError) as caught:
        model.edit(teapot, "teapot", box=box)
    assert caught.value.field == "box"


@pytest.mark.parametrize("field, asked", [
    ("box", {}), ("box", {"box": (0, 0, 8, 8), "extend": (1, 1, 1, 1)}), ("extend", {"extend": (0, 0, 0, 0)}), ("extend", {"extend": (-1, 0, 0, 8)}),
    ("extend", {"extend": (1, 2, 3)}), ("extend", {"extend": (2**40, 0, 0, 0)}), ("extend", {"extend": (0, 0, 10**8, 0)}), ("box", {"box": (1, 2)}),
    ("fit", {"extend": (1, 0, 0, 0), "fit": "pad"}), ("fit", {"box": (0, 0, 8, 8), "fit": "ink"})])
def test_edit_needs_one_area(model, teapot, field, asked):
    with pytest.raises(ArgumentError) as caught:
        model.edit(teapot, "teapot", **asked)
    assert caught.value.field == field


def test_a_map_has_no_place_on_ink(model, teapot):
    with pytest.raises(ArgumentError) as caught:
        model.draw(teapot, "teapot", fit="ink", lambda_map=teapot)
    assert caught.value.field == "lambda_map"


@pytest.mark.parametrize("sketch", [b"", b"no picture", "no/such/file.png"])
def test_bad_files(model, sketch):
    with pytest.raises(FileError) as caught:
        model.draw(sketch, "teapot")
    assert caught.value.field == "sketch" and isinstance(caught.value, OSError)


@pytest.mark.parametrize("sketch", [
    np.zeros((4, 4), "i8"), np.zeros((4, 4, 5), "u1"), np.zeros((4, 4, 2), "u1"), np.zeros((0, 4), "u1"), np.zeros(4, "u1"),
    np.full((4, 4), 1.5), np.full((4, 4), np.nan), 3.5, None])
def test_bad_objects(model, sketch):
    with pytest.raises(ArgumentError) as caught:
        model.draw(sketch, "teapot")
    assert caught.value.field == "sketch"


def test_models(tmp_path):
    with pytest.raises(FileError):
        Model("no such model")
    (tmp_path / "a.safetensors").write_bytes(b"damaged")
    with pytest.raises(FileError):
        Model(tmp_path / "a.safetensors")
    with pytest.raises(ArgumentError) as caught:
        Model(precision="int4")
    assert caught.value.field == "precision"


def test_devices(monkeypatch):
    """What there is depends on the machine; that the variable is heeded as the command heeds it does not."""
    assert all(device.memory >= 0 and device.name for device in masksketch.devices())
    monkeypatch.setenv("MASKSKETCH_DEVICE", "no such device")
    for network in (Model, masksketch.Clip, masksketch.Judge):
        with pytest.raises(masksketch.DeviceError):
            network()
    assert Model(device="cpu").info.device == masksketch.Clip(device="cpu").device == masksketch.Judge(device="cpu").device == "cpu"
    monkeypatch.setenv("MASKSKETCH_DEVICE", "cpu")
    assert Model().info.device == "cpu"


def test_a_pulled_model_is_found(small_file, tmp_path, monkeypatch):
    folder = tmp_path / "masksketch" / "models"
    folder.mkdir(parents=True)
    (folder / "mine.safetensors").write_bytes(small_file.read_bytes())
    with pytest.raises(FileError):
        Model("mine")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Model("mine").info.image_size == 128


def test_saving(model, tmp_path):
    result = model.generate("teapot", steps=1)
    with pytest.raises(ArgumentError):
        result.save(tmp_path / "picture.gif")
    with pytest.raises(masksketch.OutputError):
        result.save(tmp_path / "no folder" / "picture.png")


def test_bad_tokens(model):
    with pytest.raises(ArgumentError):
        model.detokenize([[10**6]])
    with pytest.raises(ArgumentError):
        model.logits(np.zeros(3, "i4"))
    with pytest.raises(masksketch.MaskSketchError):
        model.logits(np.full(model.info.tokens, 10**6, "i4"))


def test_an_empty_sketch_is_drawn_with_a_warning(model):
    with pytest.warns(masksketch.MaskSketchWarning):
        result = model.draw(np.full((64, 64), 255, "u1"), "teapot", steps=1)
    assert len(result.warnings) == 1


def test_settings_are_those_of_the_library():
    known = {key for job in ("draw", "generate", "edit") for key in masksketch.keys(job)}
    assert known == set(masksketch.Settings.__annotations__)
    assert "balanced" in masksketch.recipes() and "official" in masksketch.recipes()


def test_without_numpy_and_pillow(teapot):
    program = """
import sys
sys.modules["numpy"] = sys.modules["PIL"] = None
from masksketch import Model
result = Model(threads=1).draw(sys.argv[1], "teapot", steps=1)
assert result.png.startswith(b"\\x89PNG")
for name, wanted in (("array", "NumPy"), ("tokens", "NumPy"), ("image", "Pillow")):
    try:
        getattr(result, name)
    except ImportError as error:
        assert wanted in str(error), error
    else:
        raise AssertionError(name)
"""
    subprocess.run([sys.executable, "-c", program, str(teapot)], check=True)
    assert issubclass(UnsupportedError, RuntimeError)
