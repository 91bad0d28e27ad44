# SPDX-License-Identifier: Apache-2.0
"""A class is taught as the command teaches it; a model is trained from a source in Python."""

import json

import numpy as np
import pytest
from conftest import SKETCHES, run

from masksketch import ArgumentError, Cancelled, MaskSketchWarning, Model, Photos, teach, train

MINI = {"steps": 2, "crops": 1, "replay": 2, "batch": 2, "threads": 1}


def test_teach(tmp_path):
    photos = sorted(SKETCHES.glob("*.png"))[:5]
    phases = []
    teach(tmp_path / "mine.safetensors", "scribble", photos, on_progress=lambda p: phases.append(p.phase), **MINI)
    words = [word for name, value in MINI.items() for word in (f"--{name}", value)]
    run("teach", "default", "--class", "scribble", *photos, *words, "--seed", 1, "--quiet", "-o", tmp_path / "theirs.safetensors")
    assert (tmp_path / "mine.safetensors").read_bytes() == (tmp_path / "theirs.safetensors").read_bytes()
    assert {"photos", "replay", "training"} == set(phases)
    model = Model(adapters=[(tmp_path / "mine.safetensors", 0.5)], threads=1)
    assert model.draw(photos[0], "scribble", steps=1).metadata["adapters"][0]["weight"] == 0.5


def test_teach_stops(tmp_path):
    def stop(progress):
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        teach(tmp_path / "a.safetensors", "x", sorted(SKETCHES.glob("*.png"))[:5], on_progress=stop, **MINI)
    assert not (tmp_path / "a.safetensors").exists()
    with pytest.raises(ArgumentError) as caught:
        teach(tmp_path / "a.safetensors", "x", [], speed=3)
    assert caught.value.field == "speed"


class Squares:
    """A square in the middle, dark or light, of the first two classes."""

    name = "squares"
    image_size, classes, hands = 128, 8, 1  # one label more, and one a hand: as many as the golden model has

    def render(self, held_out, index):
        kind, side, half = index % 2, self.image_size, 20 + index % 17
        parts = np.zeros((side, side), "u1")
        parts[64 - half : 64 + half, 64 - half : 64 + half] = 1
        photo = np.where(parts[..., None] == 1, 40 + 150 * kind, 230).astype("u1").repeat(3, axis=2)
        edge = parts ^ np.roll(parts, 1, 0) | parts ^ np.roll(parts, 1, 1)
        return kind, photo, np.where(edge, 0, 255).astype("u1")[None], parts


def test_train(small_file, tmp_path):
    told = []

    def progress(p):
        told.append(p)
        if p.step >= 2:
            raise Cancelled("enough")

    (tmp_path / "work").mkdir()
    with pytest.raises(Cancelled):
        train(tmp_path / "model.safetensors", tmp_path / "work", Squares(), tokenizer=small_file, on_progress=progress, layers=4, width=32, heads=2,
              batch=2, pair_batch=1, sequences=1000, objects=8, held_out_objects=4, first_objects=4, threads=1, precision="bf16")
    assert told[-1].step >= 2 and told[-1].all_sequences == 1000 and told[-1].precision == "bf16"
    assert list((tmp_path / "work").iterdir())


TINY = {"layers": 4, "width": 32, "heads": 2, "batch": 2, "pair_batch": 1, "pair_every": 1, "sequences": 8, "warmup_sequences": 2, "decay_sequences": 4,
        "held_out_objects": 2, "first_objects": 2, "threads": 1}


def test_train_from_photos(small_file, tmp_path):
    """A model trained from photos is the command's, byte for byte, and other structure layers make another."""
    every = sorted(SKETCHES.glob("*.png"))
    lists = {"former": every[:5], "latter": every[5:10]}
    for name, paths in lists.items():
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for number, path in enumerate(paths):
            for suffix in (".png", ".sketch.png"):
                (folder / f"{number}{suffix}").write_bytes(path.read_bytes())
    spec = {"photos": "photos", "crops": 2, "size": 128, "tokenizer": str(small_file), "work": "theirs", "output": "model.safetensors", "structure_layers": [1]}
    (tmp_path / "spec.json").write_text(json.dumps({**spec, **{name: value for name, value in TINY.items() if name != "threads"}}))
    run("train", tmp_path / "spec.json", "--threads", 1, "--quiet")
    made = {"theirs": (tmp_path / "model.safetensors").read_bytes()}
    for layers in ([1], [2]):
        (tmp_path / f"work{layers[0]}").mkdir()
        source = Photos({name: [(folder / f"{number}.png", folder / f"{number}.sketch.png") for number in range(5)]
                         for name in lists for folder in [tmp_path / "photos" / name]}, image_size=128, crops=2)
        train(tmp_path / "model.safetensors", tmp_path / f"work{layers[0]}", source, tokenizer=small_file, structure_layers=layers, **TINY)
        made[layers[0]] = (tmp_path / "model.safetensors").read_bytes()
    assert made[1] == made["theirs"] != made[2]
    assert set(Model(tmp_path / "model.safetensors").classes().values()) == set(lists)


def test_photos_that_cannot_be_read(tmp_path):
    photos = sorted(SKETCHES.glob("*.png"))
    (tmp_path / "damaged.png").write_bytes(b"damaged")
    with pytest.warns(MaskSketchWarning, match="damaged.png"):
        Photos({"one": photos[:5] + [tmp_path / "damaged.png"], "two": [(photo, photo) for photo in photos[5:10]]}, image_size=128)
    with pytest.raises(ArgumentError):
        Photos({"one": photos[:5]})


@pytest.mark.parametrize("field, asked", [
    ("structure_layers", {"structure_layers": [1.5]}), ("structure_layers", {"structure_layers": range(100)}), ("class_names", {"class_names": ["one"]}),
    ("structure_layer_count", {"structure_layer_count": 1}), ("stage", {"stage": "all"}), ("precision", {"precision": "int8"})])
def test_wrong_settings(small_file, tmp_path, field, asked):
    with pytest.raises(ArgumentError) as caught:
        train(tmp_path / "model.safetensors", tmp_path, Squares(), tokenizer=small_file, **asked)
    assert caught.value.field == field


def test_a_source_that_fails(small_file, tmp_path):
    class Broken(Squares):
        def render(self, held_out, index):
            raise OSError("the disk is gone")

    (tmp_path / "work").mkdir()
    with pytest.raises(OSError, match="the disk is gone"):
        train(tmp_path / "model.safetensors", tmp_path / "work", Broken(), tokenizer=small_file, layers=4, width=32, heads=2, batch=2, objects=8,
              held_out_objects=4, first_objects=4, sequences=1000, threads=1)
