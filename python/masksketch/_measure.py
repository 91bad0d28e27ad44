# SPDX-License-Identifier: Apache-2.0
"""Looking at pictures: CLIP, the judge, and how far apart two sets of pictures are."""

from __future__ import annotations

import math
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterable, NamedTuple, Sequence, Union

from ._classes import MODELS, Texts, encode_path, set_machine
from ._engine import ffi, lib
from ._errors import ArgumentError, MaskSketchWarning, call, text_of
from ._pictures import Picture, floats_of, need_numpy

if TYPE_CHECKING:
    import numpy.typing as npt

    from ._pictures import FloatArray, PictureLike

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


class Score(NamedTuple):
    """Cosines of CLIP's embeddings; None: was not asked for."""

    text: float | None
    sketch: float | None


class Guess(NamedTuple):
    """``score``: cosine of the drawing and "a sketch of a ...". ``share``: of the likelihood among all classes."""

    class_id: int
    name: str
    score: float
    share: float


class Distance(NamedTuple):
    frechet: float
    kernel: float


class Look(NamedTuple):
    """``classes``: count x classes, probabilities. ``silhouettes``: count x H x W, probability of each
    pixel to be the object's. ``wholes``: how whole each object is, 0 to 1. ``features``: count x
    dimensions."""

    classes: FloatArray
    silhouettes: FloatArray
    wholes: FloatArray
    features: FloatArray


def plain_sum(terms: Iterable[float]) -> float:
    """As the command adds: sum() compensates for rounding from Python 3.12 on."""
    total = 0.0
    for term in terms:
        total += term
    return total


def _read(pictures: Iterable[PictureLike], field: str) -> tuple[list[Picture], Any]:
    read = [Picture.read(picture, lib.MSK_ALPHA_WHITE, field) for picture in pictures]
    return read, ffi.new("msk_image[]", [picture.pointer[0] for picture in read])


class Eye:
    """What has a warning that may be another one after each use: where a GPU failed, the CPU goes on."""

    _told: str | None = None

    def _tell(self, warning: Any) -> None:
        text = text_of(warning)
        if text is not None and text != self._told:
            warnings.warn(text, MaskSketchWarning, stacklevel=4)
        self._told = text


class Clip(Eye):
    """A CLIP in Hugging Face's layout; without a folder the small one that comes along. ``device``: as a ``Model`` has
    it. One thread at a time."""

    def __init__(self, folder: str | os.PathLike[str] | None = None, *, isa: str | None = None, device: str | None = None, threads: int = 0) -> None:
        options = ffi.new("msk_clip_options *")
        lib.msk_clip_options_init(options)
        text = Texts()
        set_machine(options, text, isa, device, threads)
        pointer = ffi.new("msk_clip **")
        call(lib.msk_clip_open, pointer, encode_path(folder or MODELS / "clip"), options, field="clip")
        self._pointer = ffi.gc(pointer[0], lib.msk_clip_close)
        info = ffi.new("msk_clip_info *")
        lib.msk_clip_get_info(self._pointer, info)
        self.dimensions: int = info.dimensions
        self.logit_scale: float = info.logit_scale
        self.device: str = text_of(info.device) or ""
        self._tell(lib.msk_clip_warning(self._pointer))

    def _texts(self, texts: Sequence[str]) -> Any:
        words = [ffi.new("char[]", text.encode()) for text in texts]
        out = ffi.new("float[]", len(words) * self.dimensions)
        call(lib.msk_clip_embed_texts, self._pointer, ffi.new("char const *[]", words), len(words), out, ffi.NULL, field="text")
        self._tell(lib.msk_clip_warning(self._pointer))
        return out

    def _images(self, pictures: Iterable[PictureLike], field: str) -> Any:
        read, images = _read(pictures, field)
        return self._embedded(images, len(read), field)

    def _embedded(self, images: Any, count: int, field: str) -> Any:
        out = ffi.new("float[]", count * self.dimensions)
        call(lib.msk_clip_embed_images, self._pointer, images, count, out, field=field)
        self._tell(lib.msk_clip_warning(self._pointer))
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


class Guesser:
    """Which of a model's classes a drawing shows, as a CLIP sees it."""

    def __init__(self, clip: Clip, classes: dict[int, str]) -> None:
        self.clip, self.classes = clip, classes
        # one by one, as the command does
        self._texts = [clip._texts([f"a sketch of a {name.split(',')[0]}"]) for name in classes.values()]

    def look(self, drawing: Picture) -> list[Guess]:
        seen = self.clip._embedded(drawing.pointer, 1, "sketch")
        cosines = [lib.msk_clip_cosine(seen, text, self.clip.dimensions) for text in self._texts]
        rows = sorted(zip(self.classes.items(), cosines), key=lambda row: (-row[1], row[0][0]))
        shares = [math.exp(self.clip.logit_scale * (cosine - rows[0][1])) for _, cosine in rows]
        total = plain_sum(shares)
        return [Guess(class_id, name, cosine, share / total) for ((class_id, name), cosine), share in zip(rows, shares)]


class Judge(Eye):
    """A network that says what pictures of the default model's world show. ``device``: as a ``Model`` has it. One
    thread at a time."""

    def __init__(self, path: str | os.PathLike[str] | None = None, *, isa: str | None = None, device: str | None = None, threads: int = 0) -> None:
        options = ffi.new("msk_judge_options *")
        lib.msk_judge_options_init(options)
        text = Texts()
        set_machine(options, text, isa, device, threads)
        pointer = ffi.new("msk_judge **")
        call(lib.msk_judge_open, pointer, encode_path(path or MODELS / "judge.safetensors"), options, field="judge")
        self._pointer = ffi.gc(pointer[0], lib.msk_judge_close)
        info = ffi.new("msk_judge_info *")
        lib.msk_judge_get_info(self._pointer, info)
        self.image_size: int = info.image_size
        self.feature_count: int = info.feature_count
        self.classes = [text_of(lib.msk_judge_class_name(self._pointer, i)) or "" for i in range(info.class_count)]
        self.device: str = text_of(info.device) or ""
        self._tell(lib.msk_judge_warning(self._pointer))

    def features_of(self, pictures: Iterable[PictureLike]) -> Any:
        read, images = _read(pictures, "pictures")
        out = ffi.new("float[]", len(read) * self.feature_count)
        call(lib.msk_judge_look, self._pointer, images, len(read), ffi.NULL, ffi.NULL, ffi.NULL, out)
        self._tell(lib.msk_judge_warning(self._pointer))
        return out

    def look(self, pictures: Sequence[PictureLike]) -> Look:
        read, images = _read(pictures, "pictures")
        count, side = len(read), self.image_size
        shapes: tuple[tuple[int, ...], ...] = ((count, len(self.classes)), (count, side, side), (count,), (count, self.feature_count))
        rooms = [ffi.new("float[]", math.prod(shape)) for shape in shapes]
        call(lib.msk_judge_look, self._pointer, images, len(read), *rooms)
        self._tell(lib.msk_judge_warning(self._pointer))
        return Look(*(floats_of(bytes(ffi.buffer(room)), shape, "look") for room, shape in zip(rooms, shapes)))


SetLike = Union[str, "os.PathLike[str]", "Sequence[PictureLike]", "npt.NDArray[Any]"]


def _listed(pictures: SetLike) -> Sequence[PictureLike]:
    """A folder's pictures in order of their names, or a list as it is."""
    if not isinstance(pictures, (str, os.PathLike)):
        return list(pictures)
    return sorted(path for path in Path(pictures).iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)


def _given_features(pictures: SetLike) -> Any:
    """An array of features, a row a picture, or the file of one; else None."""
    if isinstance(pictures, (str, os.PathLike)) and Path(pictures).suffix == ".npy":
        pictures = need_numpy("features").load(pictures)
    if getattr(pictures, "ndim", 0) != 2:
        return None
    return need_numpy("features").ascontiguousarray(pictures, dtype="<f4")


def _features(pictures: SetLike, given: Any, eye: Judge | Clip | None) -> tuple[Any, int, int]:
    """Values, rows, dimensions."""
    if given is not None:
        return ffi.from_buffer("float[]", given), *given.shape
    look, listed = eye if eye is not None else Judge(), _listed(pictures)
    dimensions = look.feature_count if isinstance(look, Judge) else look.dimensions
    values = ffi.new("float[]", max(1, len(listed) * dimensions))
    for i, picture in enumerate(listed):  # one at a time: a folder may be larger than memory
        row = look.features_of([picture]) if isinstance(look, Judge) else look._images([picture], "pictures")
        ffi.memmove(values + i * dimensions, row, 4 * dimensions)
    return values, len(listed), dimensions


def distance(a: SetLike, b: SetLike, *, features: Judge | Clip | None = None) -> Distance:
    """How far apart two sets of pictures (folders, or lists) are, by the judge's features if not said; or two
    arrays of features of one's own, a row a picture (or their .npy files)."""
    kept = [_features(pictures, _given_features(pictures), features) for pictures in (a, b)]
    sets = [ffi.new("msk_features *", row) for row in kept]
    frechet, kernel = ffi.new("double *"), ffi.new("double *")
    call(lib.msk_features_frechet, sets[0], sets[1], frechet, ffi.NULL)
    call(lib.msk_features_kernel, sets[0], sets[1], kernel)
    return Distance(frechet[0], kernel[0])
