# SPDX-License-Identifier: Apache-2.0
"""Pictures on their way in and out: paths, bytes, Pillow images and arrays become msk_image by one
reader, the library's, so that alpha, 16 bits and rotation are treated as on the command line."""

from __future__ import annotations

import io
import os
import struct
import zlib
from typing import TYPE_CHECKING, Any, Iterable, Union

from ._classes import encode_path
from ._engine import ffi, lib
from ._errors import ArgumentError, call, take_memory, text_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    PictureLike = Union[str, os.PathLike[str], bytes, bytearray, memoryview, Image.Image, npt.NDArray[Any]]
    FloatArray = npt.NDArray[np.float32]
    TokenArray = npt.NDArray[np.int32]
    ByteArray = npt.NDArray[np.uint8]
    AnyArray = npt.NDArray[Any]


def need_numpy(what: str) -> Any:
    try:
        import numpy
    except ImportError:
        raise ImportError(f"{what} is a NumPy array: pip install 'masksketch[arrays]'") from None
    return numpy


def floats_of(raw: bytes, shape: tuple[int, ...], what: str) -> FloatArray:
    array: FloatArray = need_numpy(what).frombuffer(raw, dtype="<f4").reshape(shape)
    return array


# Of an msk_dtype; what JAX calls bfloat16 NumPy has not.
_KINDS = ("<f4", "<f2", None, "i1", "<i4", "<i8", "u1", "<u4", "?", "<f8")


def array_of(array: Any) -> AnyArray:
    """A copy of an msk_array."""
    shape = [array.shape[i] for i in range(array.rank)]
    values = need_numpy("a traced quantity").empty(shape, _KINDS[array.dtype])
    ffi.memmove(ffi.from_buffer("char[]", values, require_writable=True), array.data, values.nbytes)
    return values  # type: ignore[no-any-return]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png_of_array(array: Any, field: str) -> bytes:
    """H x W, H x W x 3 or H x W x 4; bytes, or floats and truths from 0 to 1."""
    numpy = need_numpy(field)
    kind = array.dtype.kind
    if kind == "f" and (not numpy.isfinite(array).all() or array.min() < 0 or array.max() > 1):
        raise ArgumentError(f"{field} holds floats outside 0 to 1, expected pixels from 0 to 1, or uint8", field)
    if kind in "fb":
        array = numpy.floor(array * numpy.float64(255) + 0.5).astype("u1")
    colours = {2: 0, 3: 2, 4: 6}
    channels = 2 if array.ndim == 2 else array.shape[-1]
    if array.dtype != numpy.uint8 or array.ndim not in (2, 3) or channels not in colours or (array.ndim == 3) == (channels == 2):
        raise ArgumentError(
            f"{field} is an array of {array.dtype} {array.shape}, expected uint8, bool or floats of H x W, H x W x 3 or H x W x 4", field)
    if array.size == 0:
        raise ArgumentError(f"{field} is an array without pixels", field)
    rows = array.reshape(array.shape[0], -1)
    filtered = numpy.concatenate([numpy.zeros((rows.shape[0], 1), "u1"), rows], axis=1)
    header = struct.pack(">IIBBBBB", array.shape[1], array.shape[0], 8, colours[channels], 0, 0, 0)
    body = zlib.compress(filtered.tobytes(), 1)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _file_of(picture: Any, field: str) -> bytes:
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return bytes(picture)
    if hasattr(picture, "__array_interface__") and hasattr(picture, "dtype"):
        return _png_of_array(picture, field)
    if hasattr(picture, "save") and hasattr(picture, "mode"):
        out = io.BytesIO()
        picture.save(out, "PNG", compress_level=1)
        return out.getvalue()
    raise ArgumentError(f"{field} is a {type(picture).__name__}, expected a path, bytes of a file, a Pillow image or an array", field)


class Picture:
    """An msk_image that frees itself."""

    def __init__(self) -> None:
        self.pointer = ffi.new("msk_image *")

    def __del__(self) -> None:
        lib.msk_image_free(self.pointer)

    @classmethod
    def read(cls, source: PictureLike, alpha: int, field: str) -> Picture:
        made = cls()
        if isinstance(source, (str, os.PathLike)):
            call(lib.msk_image_load, made.pointer, encode_path(source), alpha, ffi.NULL, field=field)
            return made
        raw = _file_of(source, field)
        call(lib.msk_image_decode, made.pointer, raw, len(raw), alpha, field.encode(), ffi.NULL, field=field)
        return made

    @classmethod
    def of_floats(cls, raw: bytes, width: int, height: int) -> Picture:
        made = cls()
        call(lib.msk_image_from_float, made.pointer, ffi.from_buffer("float[]", raw), width, height, ffi.NULL)
        return made

    def extended(self, margins: tuple[int, int, int, int], side: int, fit: int) -> tuple[Picture, Picture]:
        """Wider by (top, left, bottom, right), and the mask that is white in the margins."""
        wide, mask = Picture(), Picture()
        place = ffi.new("msk_margins *", numbers_of(margins, 4, "extend"))
        try:
            call(lib.msk_image_extend, wide.pointer, mask.pointer, self.pointer, place, side, fit, ffi.NULL)
        except ArgumentError as error:
            error.field = "extend" if error.field == "margins" else error.field
            raise
        return wide, mask

    def prepared(self, side: int, options: Any) -> Picture:
        made = Picture()
        call(lib.msk_image_prepare, made.pointer, self.pointer, side, side, options, ffi.NULL)
        return made

    @property
    def width(self) -> int:
        return int(self.pointer.width)

    @property
    def height(self) -> int:
        return int(self.pointer.height)

    @property
    def warning(self) -> str | None:
        return text_of(self.pointer.warning)

    def pixels(self) -> bytes:
        return bytes(ffi.buffer(self.pointer.pixels, 3 * self.width * self.height))

    def encoded(self, image_format: int, quality: int, text: bytes | None) -> bytes:
        entry = ffi.new("msk_text *")
        key = ffi.new("char[]", b"masksketch")
        value = ffi.new("char[]", text or b"")
        entry.key, entry.value = key, value
        texts = 1 if text is not None and image_format == lib.MSK_FORMAT_PNG else 0
        out, count = ffi.new("void **"), ffi.new("size_t *")
        call(lib.msk_image_encode, self.pointer, image_format, quality, entry, texts, out, count, ffi.NULL)
        return take_memory(out[0], count[0])


def numbers_of(given: Iterable[int], count: int, field: str) -> tuple[int, ...]:
    """So many whole numbers that the library can hold."""
    numbers = tuple(given)
    if len(numbers) != count or any(not isinstance(number, int) or abs(number) >= 2**31 for number in numbers):
        raise ArgumentError(f"{field} was given {numbers}, expected {count} whole numbers", field)
    return numbers


def fit_map(source: PictureLike, side: int, fit: int, field: str) -> Picture:
    """A map or mask goes where its picture goes: scaled only where it is larger than the square."""
    read = Picture.read(source, lib.MSK_ALPHA_WHITE, field)
    if fit == lib.MSK_FIT_STRETCH and read.width <= side and read.height <= side:
        return read
    options = ffi.new("msk_prepare_options *")
    lib.msk_prepare_plain(options)
    options.fit = fit
    return read.prepared(side, options)


def place_box(box: Iterable[int], photo: Picture, side: int, fit: int) -> tuple[int, int, int, int]:
    """A box (top, left, height, width) in pixels of the photo -> in pixels of the square, grown to
    whole pixels."""
    top, left, height, width = box = numbers_of(box, 4, "box")
    if top < 0 or left < 0 or height < 1 or width < 1 or top + height > photo.height or left + width > photo.width:
        raise ArgumentError(
            f"box was given {box}, expected one inside the photo, which is {photo.height} high and {photo.width} wide: "
            "(top, left, height, width)", "box")
    shorter = min(photo.width, photo.height)

    def to_square(at: int, length: int) -> float:
        if fit != lib.MSK_FIT_CROP:
            return at * side / length
        return min(max((at - (length - shorter) // 2) * side / shorter, 0.0), float(side))

    first = int(to_square(top, photo.height)), int(to_square(left, photo.width))
    last = -int(-to_square(top + height, photo.height) // 1), -int(-to_square(left + width, photo.width) // 1)
    if last[0] <= first[0] or last[1] <= first[1]:
        raise ArgumentError(f"box was given {box}, which the fit crop cuts away: choose one in the photo's centre square", "box")
    return first[0], first[1], last[0] - first[0], last[1] - first[1]
