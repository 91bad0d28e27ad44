# SPDX-License-Identifier: Apache-2.0
"""Handles of the library, each closed after whoever uses it, and what is looked up by a name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, ClassVar, NamedTuple, Sequence, Union

from ._engine import ffi, lib
from ._errors import ArgumentError, DeviceError, FileError, call, text_of

AdapterLike = Union[str, "os.PathLike[str]", "tuple[str | os.PathLike[str], float]"]
MODELS = Path(__file__).parent / "models"


def encode_path(path: str | os.PathLike[str]) -> bytes:
    return os.fsencode(path)


def user_folder(variable: str, usual: str, below: str) -> Path | None:
    """``below`` in the folder that the variable names, else in ``usual`` below the user's own."""
    named, home = os.environ.get(variable, ""), os.environ.get("HOME", "")
    if named.startswith("/"):  # a relative one is to be ignored, says the specification
        return Path(named, below)
    return Path(home, usual, below) if home.startswith("/") else None


def find_model(wanted: str | os.PathLike[str] | None) -> Path:
    """As the command finds it: a file, or the name of a model that came along or was pulled; else
    $MASKSKETCH_MODEL, else the default model of this package."""
    name = wanted if wanted is not None else os.environ.get("MASKSKETCH_MODEL") or "default"
    path = Path(name)
    if path.exists():
        return path
    for folder in (MODELS, user_folder("XDG_DATA_HOME", ".local/share", "masksketch/models")):
        if folder is not None and path.name == str(path) and (found := folder / f"{path}.safetensors").exists():
            return found
    raise FileError(f"there is no model {name}, expected a file made by masksketch convert, 'default', or one that masksketch pull has fetched",
                    "model")


def name_index(names: Callable[[int], Any], wanted: str, field: str) -> int:
    """The value of an enumeration from its name."""
    known: list[str] = []
    while (name := text_of(names(len(known)))) is not None:
        known.append(name)
    if wanted not in known:
        raise ArgumentError(f"{field} was given {wanted!r}, expected one of: {', '.join(known)}", field)
    return known.index(wanted)


class Adapters:
    """Files of ``teach``, each with its weight or alone, as the library takes them."""

    def __init__(self, given: Sequence[AdapterLike]) -> None:
        pairs = [adapter if isinstance(adapter, tuple) else (adapter, 1.0) for adapter in given]
        self._files = [ffi.new("char[]", encode_path(file)) for file, _ in pairs]
        self.choices = ffi.new("msk_adapter_choice[]", [(file, weight) for file, (_, weight) in zip(self._files, pairs)])
        self.count = len(pairs)


class Texts:
    """C strings that live as long as this does; NULL for None."""

    def __init__(self) -> None:
        self._kept: list[Any] = []

    def __call__(self, text: str | bytes | None) -> Any:
        if text is None:
            return ffi.NULL
        self._kept.append(ffi.new("char[]", text.encode() if isinstance(text, str) else text))
        return self._kept[-1]

    def path(self, path: str | os.PathLike[str] | None) -> Any:
        return self(None if path is None else encode_path(path))


def set_machine(options: Any, text: Texts, isa: str | None, device: str | None, threads: int) -> None:
    """The members of options that say where and how a network computes."""
    options.isa, options.threads = text(isa), threads
    options.device = text(device if device is not None else os.environ.get("MASKSKETCH_DEVICE"))
    options.device_cache = text.path(user_folder("XDG_CACHE_HOME", ".cache", "masksketch/kernels"))


class ModelHandle:
    """An msk_model, closed after its sessions. Those hold on to it, and so does ``in_use`` while there are any: the finalizers of what
    is garbage in one circle are called in any order, but what ``in_use`` has is no garbage yet."""

    in_use: ClassVar[dict[int, ModelHandle]] = {}  # by the session that uses it

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
        ModelHandle.in_use[id(self)] = model

    def __del__(self) -> None:
        lib.msk_session_close(self.pointer)
        ModelHandle.in_use.pop(id(self), None)

    def fits(self, request: Any) -> bool:
        fits = ffi.new("int *")
        call(lib.msk_session_fits, fits, self.pointer, request)
        return bool(fits[0])


class Device(NamedTuple):
    """What OpenCL offers: ``Model(device=)`` takes its place in the list, from 1, or a part of "platform: name"."""

    name: str
    platform: str
    driver: str
    is_gpu: bool
    memory: int


def devices() -> list[Device]:
    """The GPUs of this machine, and processors that OpenCL runs on, as ``masksketch draw --device list`` has
    them; none where no OpenCL is installed."""
    found, count = ffi.new("msk_device_info **"), ffi.new("int *")
    try:
        call(lib.msk_device_list, found, count, ffi.NULL)
    except DeviceError:
        return []
    try:
        rows = [found[0][i] for i in range(count[0])]
        return [Device(text_of(row.name) or "", text_of(row.platform) or "", text_of(row.driver) or "", bool(row.is_gpu), row.memory) for row in rows]
    finally:
        lib.msk_free(ffi.NULL, found[0])
