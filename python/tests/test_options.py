# SPDX-License-Identifier: Apache-2.0
"""What the command line can be asked, Python can be asked too, or the reason why not stands here: every option of every
command, and every key of a SPEC of train, is held against the package's own signatures."""

import inspect
import re

from conftest import ROOT, run

import masksketch
from masksketch import Clip, DrawOptions, EditOptions, GenerateOptions, Model, Photos

PRINTS = "how a program of its own tells or keeps something"
SHELL = "a shell's business: Python has the value itself, and writes what it likes where it likes"
MEMORY = "told to whoever sits at the terminal"

# An option's name where it is another one in Python; a dot leads to what is asked instead.
MODEL = {"model": "Model.path", "precision": "Model.precision", "decode-precision": "Model.decode_precision", "threads": "Model.threads", "isa": "Model.isa",
         "device": "Model.device", "adapter": "Model.adapters"}
RESULTS = {"output": "Result.save.path", "quality": "Result.save.quality", "no-metadata": "Result.save.metadata", "tokens-out": "Result.tokens",
           "trace": "on_trace", "preview": "preview_every", "lambda": "lambda_structure", "class": "class_"}
RENAMED = {
    "draw": {**MODEL, **RESULTS, "candidates": "Model.candidates.count", "clip": "Model.candidates.clip"},
    "generate": {**MODEL, **RESULTS},
    "edit": {**MODEL, **RESULTS},
    "attention": {**MODEL, "class": "class_"},
    "tokenize": {**MODEL, "latents": "Model.latents"},
    "detokenize": MODEL,
    "classes": MODEL,
    "score": {"clip": "Clip.folder", "threads": "Clip.threads", "isa": "Clip.isa", "device": "Clip.device", "classes": "Model.guess", "model": "Model.path"},
    "distance": {"judge": "Judge.path", "clip": "Clip.folder", "threads": "Judge.threads", "isa": "Judge.isa", "device": "Judge.device"},
    "teach": {"class": "class_name"},
    "convert": {"adapter": "adapters"},
    "train": {},
}
CALLS = {"draw": [DrawOptions, Model.draw, Model.candidates], "generate": [GenerateOptions, Model.generate], "edit": [EditOptions, Model.edit],
         "attention": [Model.attention], "tokenize": [Model.tokenize], "detokenize": [Model.detokenize], "classes": [Model.classes],
         "score": [Clip.score], "distance": [masksketch.distance], "teach": [masksketch.teach], "train": [masksketch.train], "convert": [masksketch.convert]}
# numbers that teach and train take by the names of the library's structures
NUMBERS = {"teach": {"seed", "full", "rank", "layers", "steps", "batch", "crops", "replay", "rate", "threads"}, "train": {"threads"}}
EVERYWHERE = {"help": PRINTS, "version": PRINTS, "json": PRINTS, "quiet": PRINTS, "force": SHELL}
LEFT_OUT = {
    "draw": {"film": PRINTS, "shard": SHELL, "sheet": PRINTS, "memory": MEMORY, "set": "each key is a keyword"},
    "generate": {"sheet": PRINTS, "memory": MEMORY, "set": "each key is a keyword"},
    "edit": {"sheet": PRINTS, "memory": MEMORY, "set": "each key is a keyword"},
    "attention": {"at": "a picture of the maps, which Python has", "output": SHELL},
    "tokenize": {"output": SHELL},
    "detokenize": {"output": SHELL, "quality": PRINTS},
    "score": {"class": "stands in a text, which Python formats", "weight-text": "a sum of two numbers", "weight-sketch": "a sum of two numbers"},
    "teach": {"memory": MEMORY},
    "train": {"memory": MEMORY},
}
# Commands that make files and services around what the package has.
COMMANDS = {"replay": "Model's calls with what Result.metadata says", "sheet": PRINTS, "serve": SHELL, "krita": SHELL, "info": "Model.info, Result.metadata",
            "pull": SHELL, "eval": SHELL, "npz": "a line of NumPy", "bench": SHELL, "help": PRINTS, "completions": SHELL}
# Keys of train's SPEC.
SPEC = {"photos": "Photos", "crops": "Photos.crops", "size": "Photos.image_size"}
WORLD = {"kinds", "style", "world_seed", "held_out_seed", "stages"}  # the rendered world is the program's, and stages are calls


def keywords_of(call):
    return set(call.__annotations__) if hasattr(call, "__total__") else set(inspect.signature(call).parameters)


def exists(path):
    """Whether "Model.candidates.clip" leads somewhere: attributes, then a parameter."""
    found, names = masksketch, path.split(".")
    for place, name in enumerate(names):
        if hasattr(found, name):
            found = getattr(found, name)
        else:
            return place == len(names) - 1 and name in inspect.signature(found).parameters
    return True


def options_of(command):
    return set(re.findall(r"^(?:  -\w, |      )--([a-z][a-z0-9-]*)", run("help", command).decode(), flags=re.M))


def test_every_command():
    commands = set(re.findall(r"^  ([a-z]+)  ", run("help").decode(), flags=re.M))
    assert commands == set(CALLS) | set(COMMANDS) and len(commands) > 15


def test_every_option():
    checked = 0
    for command, calls in CALLS.items():
        renamed, left_out = RENAMED.get(command, {}), {**EVERYWHERE, **LEFT_OUT.get(command, {})}
        keywords = set().union(*map(keywords_of, calls)) | NUMBERS.get(command, set())
        options = options_of(command)
        for option in options - set(left_out):
            name = renamed.get(option, option.replace("-", "_"))
            assert name in keywords or ("." in name and exists(name)), f"{command} --{option}: Python has no {name}"
            checked += 1
        stale = (set(LEFT_OUT.get(command, {})) | set(renamed) - set(MODEL) - set(RESULTS)) - options
        assert not stale, f"{command} has no {stale}"
    assert checked > 100


def test_every_key_of_training():
    text = (ROOT / "cli" / "train_spec.c").read_text()
    keys = set(re.findall(r'^ +\{"(\w+)", KEY_', text, flags=re.M)) | set(re.findall(r'strcmp\(name, "(\w+)"\) == 0', text)) | {"stages"}
    numbers = {name for name, field in masksketch._ffi.typeof("msk_train_options").fields if field.type.kind == "primitive"}
    for key in keys - WORLD:
        name = SPEC.get(key, key)
        assert name in keywords_of(masksketch.train) | numbers or exists(name), f"train's SPEC has {key}, and Python has not"
    assert len(keys) > 30 and {"structure_layers", "stage", "photos"} <= keys


def test_the_library_has_no_more():
    """Members of the structures that are filled for a request and a model are set by some keyword."""
    has = {"msk_request": {"size", "job", "recipe", "picture", "picture_tokens", "class_id", "no_pictures"},
           "msk_model_options": {"size", "allocator", "adapter_count", "device_cache"}, "msk_convert_options": {"size", "allocator", "adapter_count"},
           "msk_teach_options": {"size", "user", "photo_count", "on_memory"}, "msk_train_options": {"size", "user", "on_memory", "structure_layer_count", "ranks"},  # ranks: mpirun starts the command
           "msk_photo_source_options": {"size", "user", "photo_count", "class_count", "on_left_out", "on_progress"}}
    other = {"rng_layout": "rng", "edit_mask": "mask", "edit_box": "box", "guidance_scales": "scales", "guidance_count": "scales",
             "confidence_weight": "weight_confidence", "callbacks": "on_step", "model_path": "model", "output_path": "output", "tokenizer_path": "tokenizer",
             "transformer_path": "transformer", "classes_path": "classes", "defaults_path": "defaults", "work_path": "work", "start_path": "start",
             "photos": "classes", "drawings": "classes", "class_names": "classes", "checkpoint_path": "checkpoint"}
    calls = {"msk_request": [DrawOptions, EditOptions, Model.draw, Model.candidates], "msk_model_options": [Model], "msk_convert_options": [masksketch.convert],
             "msk_teach_options": [masksketch.teach], "msk_train_options": [masksketch.train], "msk_photo_source_options": [Photos]}
    for structure, ours in calls.items():
        keywords = set().union(*map(keywords_of, ours))
        for name, field in masksketch._ffi.typeof(structure).fields:
            by_name = "settings" in keywords and field.type.kind == "primitive"
            known = name in has[structure] or by_name or name in keywords or other.get(name) in keywords
            assert known, f"{structure}.{name} is out of Python's reach"
