# SPDX-License-Identifier: Apache-2.0
"""Handles of the library, each closed after whoever uses it, and what is looked up by a name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

from ._engine import ffi, lib
from ._errors import ArgumentError, FileError, call, text_of

MODELS = Path(__file__).parent / "models"


def encode_path(path: str | os.PathLike[str]) -> bytes:
    return os.fsencode(path)


def find_model(wanted: str | os.PathLike[str] | None) -> Path:
    """As the command finds it: a file, or the name of a model that came along; else
    $MASKSKETCH_MODEL, else the default model of this package."""
    name = wanted if wanted is not None else os.environ.get("MASKSKETCH_MODEL") or "default"
    path = Path(name)
    if path.exists():
        return path
    bundled = MODELS / f"{path}.safetensors"
    if path.name == str(path) and bundled.exists():
        return bundled
    raise FileError(f"there is no model {name}, expected a file made by masksketch convert, or 'default'", "model")


def name_index(names: Callable[[int], Any], wanted: str, field: str) -> int:
    """The value of an enumeration from its name."""
    known: list[str] = []
    while (name := text_of(names(len(known)))) is not None:
        known.append(name)
    if wanted not in known:
        raise ArgumentError(f"{field} was given {wanted!r}, expected one of: {', '.join(known)}", field)
    return known.index(wanted)


class ModelHandle:
    """An msk_model. Its sessions hold on to it, so that it is closed after them."""

    def __init__(self, pointer: Any) -> None:
        self.pointer = pointer

    def __del__(self) -> None:
        lib.msk_model_close(self.pointer)


class SessionHandle:
    """An msk_session: one thread at a time."""

    def __init__(self, model: ModelHandle, request: Any, threads: int) -> None:
        self.model = model
        self.pointer = ffi.NULL
        options = ffi.new("msk_session_options *")
        lib.msk_session_options_init(options)
        options.threads = threads or options.threads
        session = ffi.new("msk_session **")
        call(lib.msk_session_open, session, model.pointer, request, options)
        self.pointer = session[0]

    def __del__(self) -> None:
        lib.msk_session_close(self.pointer)

    def fits(self, request: Any) -> bool:
        fits = ffi.new("int *")
        call(lib.msk_session_fits, fits, self.pointer, request)
        return bool(fits[0])
