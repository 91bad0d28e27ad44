# SPDX-License-Identifier: Apache-2.0
"""What a run tells: its steps while it lasts, its pictures afterwards. Both own copies of what they
show, so that they outlive the session."""

from __future__ import annotations

import io
import json
import os
from typing import TYPE_CHECKING, Any

from ._classes import encode_path
from ._engine import ffi, lib
from ._errors import ArgumentError, call, text_of
from ._pictures import Picture, floats_of, need_numpy

if TYPE_CHECKING:
    from PIL import Image

    from ._pictures import ByteArray, FloatArray, TokenArray


def open_pillow(png: bytes) -> Image.Image:
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(".image is a Pillow image: pip install 'masksketch[pictures]'") from None
    return Image.open(io.BytesIO(png))


def tokens_of(raw: bytes, shape: tuple[int, ...]) -> TokenArray:
    array: TokenArray = need_numpy("tokens").frombuffer(raw, dtype="<i4").reshape(shape)
    return array


class Step:
    """A step that has been taken, as ``on_step`` is told of it."""

    def __init__(self, info: Any, tokens_each: int, side: int) -> None:
        self.step: int = info.step
        self.step_count: int = info.step_count
        self.item: int = info.item
        self.item_count: int = info.item_count
        self.masked: int = info.masked
        self.seconds: float = info.seconds
        self._side = side
        self._shape = (info.item_count, tokens_each)
        self._tokens = bytes(ffi.buffer(info.tokens, 4 * info.item_count * tokens_each))
        self._preview = None if info.preview == ffi.NULL else bytes(ffi.buffer(info.preview, 12 * side * side))

    @property
    def tokens(self) -> TokenArray:
        """items x N, class token first, masked places filled as the step proposes."""
        return tokens_of(self._tokens, self._shape)

    @property
    def preview(self) -> FloatArray | None:
        """The first item so far, H x W x 3 in [0,1], unclamped; None but every ``preview_every`` steps."""
        return None if self._preview is None else floats_of(self._preview, (self._side, self._side, 3), "preview")

    def __repr__(self) -> str:
        return f"<Step {self.step + 1} of {self.step_count}, {self.masked} masked>"


class Result:
    """A picture, and how it came about.

    ``scores``: "structure" where there is a sketch; of candidates also "confidence", "text", "sketch" and
    "score", their weighted sum. ``times``: seconds by stage. ``warnings``: what is odd about it.
    """

    def __init__(self, pixels: bytes, side: int, tokens: bytes, text: str) -> None:
        self._pixels = pixels
        self._side = side
        self._tokens = tokens
        self._text = text
        self._png: bytes | None = None
        self.job = ""
        self.class_id = 0
        self.class_name: str | None = None
        self.seed = 0
        self.item = 0
        self.guidance = 0.0
        self.step_count = 0
        self.scores: dict[str, float] = {}
        self.times: dict[str, float] = {}
        self.warnings: tuple[str, ...] = ()

    def _encoded(self, image_format: int, quality: int, metadata: bool) -> bytes:
        picture = Picture.of_floats(self._pixels, self._side, self._side)
        return picture.encoded(image_format, quality, self._text.encode() if metadata else None)

    @property
    def png(self) -> bytes:
        """The file that the command writes, byte for byte; ``masksketch replay`` makes it again."""
        if self._png is None:
            self._png = self._encoded(lib.MSK_FORMAT_PNG, 0, True)
        return self._png

    def _repr_png_(self) -> bytes:
        return self.png

    @property
    def image(self) -> Image.Image:
        return open_pillow(self.png)

    @property
    def pixels(self) -> FloatArray:
        """H x W x 3 in [0,1], unclamped, as the decoder made them."""
        return floats_of(self._pixels, (self._side, self._side, 3), "pixels")

    @property
    def array(self) -> ByteArray:
        """H x W x 3, uint8: the picture's pixels."""
        raw = Picture.of_floats(self._pixels, self._side, self._side).pixels()
        array: ByteArray = need_numpy("array").frombuffer(raw, dtype="u1").reshape(self._side, self._side, 3)
        return array

    @property
    def tokens(self) -> TokenArray:
        """N, class token first: int32."""
        return tokens_of(self._tokens, (-1,))

    @property
    def metadata(self) -> dict[str, Any]:
        """What the PNG says of how it was made."""
        found: dict[str, Any] = json.loads(self._text)
        return found

    def save(self, path: str | os.PathLike[str], quality: int = 0, *, metadata: bool = True) -> None:
        """PNG, JPEG or WebP by the name's suffix, whole or not at all; ``quality`` 1 to 100 of the latter.
        Without ``metadata`` a PNG does not say how it was made."""
        name = encode_path(path)
        image_format = lib.msk_format_of_path(name)
        if image_format == lib.MSK_FORMAT_AUTO:
            raise ArgumentError(f"{os.fspath(path)} names no format, expected a name that ends in .png, .jpg, .jpeg or .webp", "path")
        raw = self._encoded(image_format, quality, metadata)
        call(lib.msk_file_write, name, raw, len(raw), field="path")

    def __repr__(self) -> str:
        return f"<Result {self.job} {self.class_name or self.class_id}, seed {self.seed}, item {self.item}, {self._side} x {self._side}>"


def times_of(times: Any) -> dict[str, float]:
    return {name: float(getattr(times, name)) for name, _ in ffi.typeof("msk_times").fields}


def warning_of(result: Any) -> str | None:
    return text_of(result.warning)
