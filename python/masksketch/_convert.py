# SPDX-License-Identifier: Apache-2.0
"""Model files from published checkpoints, from a model and what is melted into it, and checkpoints from a model file."""

from __future__ import annotations

import os
import pathlib
from typing import Sequence

from ._classes import AdapterLike, Adapters, Texts, find_model
from ._engine import ffi, lib
from ._errors import ArgumentError, call

TYPES = {"f32": lib.MSK_DTYPE_F32, "f16": lib.MSK_DTYPE_F16, "bf16": lib.MSK_DTYPE_BF16}


def convert(
    output: str | os.PathLike[str],
    *,
    tokenizer: str | os.PathLike[str] | None = None,
    transformer: str | os.PathLike[str] | None = None,
    merge: str | os.PathLike[str] | None = None,
    flax: str | os.PathLike[str] | None = None,
    adapters: Sequence[AdapterLike] = (),
    classes: str | os.PathLike[str] | None = None,
    defaults: str | os.PathLike[str] | None = None,
    name: str | None = None,
    dtype: str = "f32",
    int8: bool = False,
) -> None:
    """Makes a model file as ``masksketch convert`` does: of the checkpoints ``tokenizer`` and ``transformer``, or of the
    model ``merge`` and the ``adapters`` that are melted into it. ``classes``: a file with a name a line. With ``flax``, a
    model file, ``output`` is a folder, and gets its networks as the authors publish theirs."""
    if dtype not in TYPES:
        raise ArgumentError(f"dtype was given {dtype!r}, expected one of: {', '.join(TYPES)}", "dtype")
    if flax is not None:
        if any((tokenizer, transformer, merge, adapters, classes, defaults, name, int8)) or dtype != "f32":
            raise ArgumentError("flax goes with output alone: the authors' files have one form, and no names", "flax")
        _export(find_model(flax), pathlib.Path(output))
        return
    if (merge is None) == (tokenizer is None or transformer is None) or (merge is None) != (not adapters):
        raise ArgumentError("expected either tokenizer and transformer, or merge and adapters", "merge" if merge is not None else "tokenizer")
    options, text, added = ffi.new("msk_convert_options *"), Texts(), Adapters(adapters)
    lib.msk_convert_options_init(options)
    whole = None if merge is None else find_model(merge)
    options.tokenizer_path, options.transformer_path = text.path(whole or tokenizer), text.path(whole or transformer)
    options.classes_path, options.defaults_path, options.output_path = text.path(classes), text.path(defaults), text.path(output)
    options.name, options.dtype, options.int8 = text(name), TYPES[dtype], int8
    options.adapters, options.adapter_count = added.choices, added.count
    call(lib.msk_convert, options)


def _export(model: str | os.PathLike[str], folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = Texts()
    files = ("tokenizer_checkpoint", "transformer_checkpoint", "classes.txt", "defaults.json")
    call(lib.msk_export_flax, text.path(model), *(text.path(folder / file) for file in files), ffi.NULL)
