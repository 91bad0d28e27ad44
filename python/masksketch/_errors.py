# SPDX-License-Identifier: Apache-2.0
"""Errors of the library as exceptions, and what callbacks raise while the library runs."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Callable

from ._engine import ffi, lib


class MaskSketchError(Exception):
    """What the library refused or could not do.

    ``field`` names the one value that was wrong, where it is one: an argument ("seed"), or a key of
    the recipe ("guidance").
    """

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class ArgumentError(MaskSketchError, ValueError):
    """A value out of range, an unknown key, a combination that makes no sense."""


class FileError(MaskSketchError, OSError):
    """An input that cannot be read, is damaged, too large, or of another kind."""


class OutputError(MaskSketchError, OSError):
    """An output that cannot be written."""


class OutOfMemory(MaskSketchError, MemoryError):
    """Memory was refused."""


class Cancelled(MaskSketchError):
    """Raise it in ``on_step`` or ``on_progress`` to stop there."""


class UnsupportedError(MaskSketchError, RuntimeError):
    """This build or machine cannot do it."""


class DeviceError(MaskSketchError, RuntimeError):
    """A GPU: there is none of that name, or it failed; the CPU would do."""


class MaskSketchWarning(UserWarning):
    """Something is odd about a picture; the result is there all the same."""


_KINDS: dict[int, type[MaskSketchError]] = {
    lib.MSK_ERROR_ARGUMENT: ArgumentError,
    lib.MSK_ERROR_FILE: FileError,
    lib.MSK_ERROR_OUTPUT: OutputError,
    lib.MSK_ERROR_MEMORY: OutOfMemory,
    lib.MSK_ERROR_CANCELLED: Cancelled,
    lib.MSK_ERROR_UNSUPPORTED: UnsupportedError,
    lib.MSK_ERROR_DEVICE: DeviceError,
}


def text_of(chars: Any) -> str | None:
    """A C string; None for NULL."""
    return None if chars == ffi.NULL else ffi.string(chars).decode("utf-8", "replace")


class _Raised(threading.local):
    """What a callback of this thread raised, until the call that ran it has returned."""

    error: BaseException | None = None


_raised = _Raised()


def keep_raised(kind: type, error: BaseException, where: TracebackType | None) -> None:
    """``onerror`` of every callback: Ctrl-C arrives here too, since Python raises it in the callback.
    The callback then returns its error value, which stops the library."""
    _raised.error = error


def call(function: Callable[..., int], *arguments: Any, field: str | None = None) -> None:
    """Calls a function that takes an msk_error last. ``field`` stands in for one that the library
    does not name."""
    error = ffi.new("msk_error *")
    _raised.error = None
    status = function(*arguments, error)
    raised, _raised.error = _raised.error, None
    if raised is not None:
        raise raised
    if status != lib.MSK_OK:
        raise _KINDS[status](text_of(error.message) or "", text_of(error.field) or field)


def take_memory(pointer: Any, byte_count: int) -> bytes:
    """Copies what the library has allocated, and gives it back."""
    try:
        return bytes(ffi.buffer(pointer, byte_count))
    finally:
        lib.msk_free(ffi.NULL, pointer)
