# SPDX-License-Identifier: Apache-2.0
"""Looking at pictures: CLIP, the judge, and how far apart two sets of pictures are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterable, NamedTuple, Sequence

from ._classes import MODELS, encode_path
from ._engine import ffi, lib
from ._errors import ArgumentError, call, text_of
from ._pictures import Picture, floats_of

if TYPE_CHECKING:
    from ._pictures import FloatArray, PictureLike

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


class Score(NamedTuple):
    """Cosines of CLIP's embeddings; None: was not asked for."""

    text: float | None
    sketch: float | None


class Distance(NamedTuple):
    frechet: float
    kernel: float


class Look(NamedTuple):
    """``classes``: count x classes, probabilities. ``silhouettes``: count x H x W, probability of each
    pixel to be the object's. ``features``: count x dimensions."""

    classes: FloatArray
    silhouettes: FloatArray
    features: FloatArray


def _read(pictures: Iterable[PictureLike], field: str) -> tuple[list[Picture], Any]:
    read = [Picture.read(picture, lib.MSK_ALPHA_WHITE, field) for picture in pictures]
    return read, ffi.new("msk_image[]", [picture.pointer[0] for picture in read])


class Clip:
    """A CLIP in Hugging Face's layout; without a folder the small one that comes along. One thread at a time."""

    def __init__(self, folder: str | os.PathLike[str] | None = None, *, threads: int = 0) -> None:
        options = ffi.new("msk_clip_options *")
        lib.msk_clip_options_init(options)
        options.threads = threads
        pointer = ffi.new("msk_clip **")
        call(lib.msk_clip_open, pointer, encode_path(folder or MODELS / "clip"), options, field="clip")
        self._pointer = ffi.gc(pointer[0], lib.msk_clip_close)
        info = ffi.new("msk_clip_info *")
        lib.msk_clip_get_info(self._pointer, info)
        self.dimensions: int = info.dimensions

    def _texts(self, texts: Sequence[str]) -> Any:
        words = [ffi.new("char[]", text.encode()) for text in texts]
        out = ffi.new("float[]", len(words) * self.dimensions)
        call(lib.msk_clip_embed_texts, self._pointer, ffi.new("char const *[]", words), len(words), out, ffi.NULL, field="text")
        return out

    def _images(self, pictures: Iterable[PictureLike], field: str) -> Any:
        read, images = _read(pictures, field)
        out = ffi.new("float[]", len(read) * self.dimensions)
        call(lib.msk_clip_embed_images, self._pointer, images, len(read), out, field=field)
        return out

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """count x dimensions, each of length 1."""
        return floats_of(bytes(ffi.buffer(self._texts(texts))), (len(texts), self.dimensions), "embeddings")

    def embed_images(self, pictures: Sequence[PictureLike]) -> FloatArray:
        """count x dimensions, each of length 1; pictures of any size."""
        return floats_of(bytes(ffi.buffer(self._images(pictures, "pictures"))), (len(pictures), self.dimensions), "embeddings")

    def score(self, picture: PictureLike, *, text: str | None = None, sketch: PictureLike | None = None) -> Score:
        """How well a picture fits a text and a sketch, as ``masksketch score`` says it."""
        if text is None and sketch is None:
            raise ArgumentError("there is nothing to hold the picture against, expected text or sketch", "text")
        seen = self._images([picture], "picture")
        with_text = None if text is None else lib.msk_clip_cosine(seen, self._texts([text]), self.dimensions)
        with_sketch = None if sketch is None else lib.msk_clip_cosine(seen, self._images([sketch], "sketch"), self.dimensions)
        return Score(with_text, with_sketch)


class Judge:
    """A network that says what pictures of the default model's world show. One thread at a time."""

    def __init__(self, path: str | os.PathLike[str] | None = None, *, threads: int = 0) -> None:
        options = ffi.new("msk_judge_options *")
        lib.msk_judge_options_init(options)
        options.threads = threads
        pointer = ffi.new("msk_judge **")
        call(lib.msk_judge_open, pointer, encode_path(path or MODELS / "judge.safetensors"), options, field="judge")
        self._pointer = ffi.gc(pointer[0], lib.msk_judge_close)
        info = ffi.new("msk_judge_info *")
        lib.msk_judge_get_info(self._pointer, info)
        self.image_size: int = info.image_size
        self.feature_count: int = info.feature_count
        self.classes = [text_of(lib.msk_judge_class_name(self._pointer, i)) or "" for i in range(info.class_count)]

    def features_of(self, pictures: Iterable[PictureLike]) -> Any:
        read, images = _read(pictures, "pictures")
        out = ffi.new("float[]", len(read) * self.feature_count)
        call(lib.msk_judge_look, self._pointer, images, len(read), ffi.NULL, ffi.NULL, out)
        return out

    def look(self, pictures: Sequence[PictureLike]) -> Look:
        read, images = _read(pictures, "pictures")
        shapes = ((len(read), len(self.classes)), (len(read), self.image_size, self.image_size), (len(read), self.feature_count))
        rooms = [ffi.new("float[]", shape[0] * shape[1] * (shape[2] if len(shape) > 2 else 1)) for shape in shapes]
        call(lib.msk_judge_look, self._pointer, images, len(read), *rooms)
        return Look(*(floats_of(bytes(ffi.buffer(room)), shape, "look") for room, shape in zip(rooms, shapes)))


def _listed(pictures: str | os.PathLike[str] | Sequence[PictureLike]) -> Sequence[PictureLike]:
    """A folder's pictures in order of their names, or a list as it is."""
    if not isinstance(pictures, (str, os.PathLike)):
        return pictures
    return sorted(path for path in Path(pictures).iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)


def distance(
    a: str | os.PathLike[str] | Sequence[PictureLike],
    b: str | os.PathLike[str] | Sequence[PictureLike],
    *,
    features: Judge | Clip | None = None,
) -> Distance:
    """How far apart two sets of pictures (folders, or lists) are; by the judge's features if not said."""
    eye = features if features is not None else Judge()
    sets, kept = [], []
    for pictures in (_listed(a), _listed(b)):
        # one at a time: a folder may be larger than memory
        dimensions = eye.feature_count if isinstance(eye, Judge) else eye.dimensions
        values = ffi.new("float[]", max(1, len(pictures) * dimensions))
        for i, picture in enumerate(pictures):
            row = eye.features_of([picture]) if isinstance(eye, Judge) else eye._images([picture], "pictures")
            ffi.memmove(values + i * dimensions, row, 4 * dimensions)
        kept.append(values)
        sets.append(ffi.new("msk_features *", (values, len(pictures), dimensions)))
    frechet, kernel = ffi.new("double *"), ffi.new("double *")
    call(lib.msk_features_frechet, sets[0], sets[1], frechet, ffi.NULL)
    call(lib.msk_features_kernel, sets[0], sets[1], kernel)
    return Distance(frechet[0], kernel[0])
