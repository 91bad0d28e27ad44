# SPDX-License-Identifier: Apache-2.0
"""The model: pictures from sketches and classes, and the networks' parts for research."""

from __future__ import annotations

import math
import os
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Iterator, NamedTuple, Sequence, overload

from ._classes import AdapterLike, Adapters, ModelHandle, SessionHandle, Texts, encode_path, find_model, name_index, set_machine
from ._engine import ffi, lib
from ._errors import ArgumentError, MaskSketchWarning, call, take_memory, text_of
from ._measure import Clip, Guess, Guesser, plain_sum
from ._order import DrawOptions, EditOptions, GenerateOptions, Order
from ._pictures import Picture, floats_of, need_numpy
from ._results import Result, tokens_of
from ._settings import values

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._pictures import FloatArray, PictureLike, TokenArray

ModelInfo = NamedTuple(
    "ModelInfo",
    [("name", str), ("hash", str), ("isa", str), ("device", str), ("precision", str), ("decode_precision", str), ("image_size", int),
     ("latent_size", int), ("tokens", int), ("codebook_size", int), ("class_count", int), ("null_class", int), ("layers", int),
     ("hidden", int), ("heads", int), ("intermediate", int), ("codebook_dim", int), ("filters", int), ("stem", int), ("parameters", int)])


class Model:
    """A model file, opened; without a path the one that comes along.

    ``precision``: "fp32" or "int8", else what the file has. ``adapters``: files of ``teach``, each with its
    weight or alone. ``device``: "cpu", "gpu", "auto", or what ``devices`` tells; else $MASKSKETCH_DEVICE, else "cpu".
    ``threads``: of each run; 0: all that the process may use. Any number of threads may draw from one model at once.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        precision: str | None = None,
        decode_precision: str | None = None,
        isa: str | None = None,
        device: str | None = None,
        adapters: Sequence[AdapterLike] = (),
        threads: int = 0,
    ) -> None:
        options = ffi.new("msk_model_options *")
        lib.msk_model_options_init(options)
        if precision is not None:
            options.precision = name_index(lib.msk_precision_name, precision, "precision")
        if decode_precision is not None:
            options.decode_precision = name_index(lib.msk_precision_name, decode_precision, "decode_precision")
        text, added = Texts(), Adapters(adapters)
        set_machine(options, text, isa, device, threads)
        options.adapters, options.adapter_count = added.choices, added.count
        pointer = ffi.new("msk_model **")
        call(lib.msk_model_open, pointer, encode_path(find_model(path)), options, field="model")
        warning = text_of(lib.msk_model_warning(pointer[0]))
        if warning is not None:
            warnings.warn(warning, MaskSketchWarning, stacklevel=2)
        self._handle = ModelHandle(pointer[0])
        self._info = ffi.new("msk_model_info *")
        lib.msk_model_get_info(pointer[0], self._info)
        self._threads = threads
        self._device = "cpu" if self.info.device == "cpu" else device  # of what looks at its pictures
        self._idle: list[SessionHandle] = []
        self._lock = threading.Lock()
        self._guesser: Guesser | None = None
        self._guessing = threading.Lock()  # a CLIP belongs to one thread at a time

    # ---- what it is ----

    @property
    def info(self) -> ModelInfo:
        found: dict[str, Any] = {name: getattr(self._info, name) for name in ModelInfo._fields}
        for name in ("precision", "decode_precision"):
            found[name] = text_of(lib.msk_precision_name(found[name]))
        for name in ("name", "hash", "isa", "device"):
            found[name] = text_of(found[name]) or ""
        return ModelInfo(**found)

    def classes(self, word: str | None = None) -> dict[int, str]:
        """Number -> name of the classes that match a word, best first; all if none is given."""
        ids = ffi.new("int[]", max(1, self._info.class_count))
        wanted = ffi.NULL if word is None else word.encode()
        count = lib.msk_model_class_search(self._handle.pointer, wanted, ids, len(ids))
        return {ids[i]: text_of(lib.msk_model_class_name(self._handle.pointer, ids[i])) or "" for i in range(count)}

    def find_class(self, text: int | str) -> int:
        """A class by its number, its name or the plural of it, or the beginning of one; synonyms count."""
        found = ffi.new("int *")
        call(lib.msk_model_class_find, self._handle.pointer, str(text).encode(), found, field="class_")
        return int(found[0])

    def recipe(self, name: str = "balanced", job: str = "draw") -> dict[str, str]:
        """A recipe's keys and values for this model and a job."""
        number = name_index(lib.msk_job_name, job, "job")
        recipe = ffi.new("msk_recipe *")
        call(lib.msk_recipe_find, recipe, self._handle.pointer, number, name.encode(), field="recipe")
        return values(recipe, number)

    # ---- sessions ----

    @contextmanager
    def _session(self, request: Any) -> Iterator[SessionHandle]:
        """An idle session that fits, or a new one. As many are kept as have run at the same time."""
        with self._lock:
            session = self._idle.pop() if self._idle else None
        if session is None or not session.fits(request):
            session = None  # closed before a larger one takes its memory
            session = SessionHandle(self._handle, request, self._threads)
        try:
            yield session
        finally:
            with self._lock:
                self._idle.append(session)

    @contextmanager
    def _parts(self) -> Iterator[SessionHandle]:
        request = ffi.new("msk_request *")
        call(lib.msk_request_init, request, self._handle.pointer, lib.MSK_JOB_GENERATE, b"balanced")
        with self._session(request) as session:
            yield session

    # ---- pictures ----

    def _order(self, job: int, class_: int | str, options: Any) -> Order:
        return Order(self._handle, self._info, job, self.find_class(class_), options)

    def _pictures(self, order: Order, count: int | None, options: Any) -> Any:
        order.request.count = 1 if count is None else count
        order.finish(options)
        made: list[Result] = []
        with self._session(order.next_request(0)) as session:
            for part, result in order.run(session):
                for place in range(result.count):
                    made.append(order.picture_at(result, place, part.first_item + place, part.recipe.guidance))
        return made[0] if count is None else made

    @overload
    def draw(self, sketch: PictureLike, class_: int | str, *, count: None = None, **options: Unpack[DrawOptions]) -> Result: ...
    @overload
    def draw(self, sketch: PictureLike, class_: int | str, *, count: int, **options: Unpack[DrawOptions]) -> list[Result]: ...
    def draw(self, sketch: PictureLike, class_: int | str, *, count: int | None = None, **options: Any) -> Any:
        """A sketch and what it shows -> a picture in its shape; with ``count`` a list of several.

        ``options``: seed, recipe, on_step, fit, ... (DrawOptions), and any key of the recipe.
        """
        order = self._order(lib.MSK_JOB_DRAW, class_, options)
        order.read_picture(sketch, options, "sketch")
        return self._pictures(order, count, options)

    @overload
    def generate(self, class_: int | str, *, count: None = None, **options: Unpack[GenerateOptions]) -> Result: ...
    @overload
    def generate(self, class_: int | str, *, count: int, **options: Unpack[GenerateOptions]) -> list[Result]: ...
    def generate(self, class_: int | str, *, count: int | None = None, **options: Any) -> Any:
        """A picture of a class, without a sketch."""
        return self._pictures(self._order(lib.MSK_JOB_GENERATE, class_, options), count, options)

    @overload
    def edit(self, photo: PictureLike, class_: int | str, *, count: None = None, **options: Unpack[EditOptions]) -> Result: ...
    @overload
    def edit(self, photo: PictureLike, class_: int | str, *, count: int, **options: Unpack[EditOptions]) -> list[Result]: ...
    def edit(self, photo: PictureLike, class_: int | str, *, count: int | None = None, **options: Any) -> Any:
        """Repaints a part of a photo: ``box`` or ``mask`` says which; or paints around it: ``extend``."""
        order = self._order(lib.MSK_JOB_EDIT, class_, options)
        order.read_picture(photo, options, "photo")
        return self._pictures(order, count, options)

    def candidates(
        self,
        sketch: PictureLike,
        class_: int | str,
        *,
        count: int = 8,
        keep: int = 1,
        scales: Sequence[float] = (),
        finish: int = 0,
        drop_from: float = 0.75,
        weight_confidence: float = 0.0,
        weight_structure: float = 1.0,
        weight_text: float = 1.0,
        weight_sketch: float = 1.0,
        text: str = "a photo of a {class}",
        clip: Clip | None = None,
        **options: Unpack[DrawOptions],
    ) -> list[Result]:
        """The best ``keep`` of ``count`` pictures (for each guidance scale of ``scales``), best first, as
        ``masksketch draw --candidates`` chooses them; with ``finish`` the weaker are dropped by and by."""
        asked: Any = options
        order = self._order(lib.MSK_JOB_DRAW, class_, asked)
        order.read_picture(sketch, asked, "sketch")
        request = order.request
        request.count, request.finish, request.drop_from = count, finish, drop_from
        request.confidence_weight = weight_confidence
        guidance = ffi.new("double[]", max(1, len(scales)))
        request.guidance_scales, request.guidance_count = guidance, len(guidance)
        if scales:
            guidance[0:len(scales)] = list(scales)
        elif "guidance" in asked:
            guidance[0] = float(asked["guidance"])
        else:
            guidance[0] = request.recipe.guidance
        order.finish(asked)
        finished = finish or count * len(guidance)
        if not 1 <= keep <= finished:
            raise ArgumentError(f"keep was given {keep}, expected 1 to the {finished} that are finished", "keep")
        with self._session(request) as session:
            made = [self._finished(order, part, result) for part, result in order.run(session)][0]
        word = (made[0].class_name or "thing").split(",")[0]
        eye = clip if clip is not None else Clip(device=self._device, threads=self._threads)
        for one in made:
            seen = eye.score(Picture.of_floats(one._pixels, self._info.image_size, self._info.image_size).encoded(lib.MSK_FORMAT_PNG, 0, None),
                             text=text.replace("{class}", word), sketch=order.picture.encoded(lib.MSK_FORMAT_PNG, 0, None))
            one.scores.update(text=seen.text or 0.0, sketch=seen.sketch or 0.0)
        rank(made, {"structure": weight_structure, "text": weight_text, "sketch": weight_sketch})
        return sorted(made, key=lambda one: -one.scores["score"])[:keep]

    @staticmethod
    def _finished(order: Order, part: Any, result: Any) -> list[Result]:
        """Candidates in the order of their places."""
        rows = [result.candidates[i] for i in range(result.candidate_count)]
        rows = sorted((row for row in rows if row.result >= 0), key=lambda row: int(row.result))
        made = [order.picture_at(result, row.result, row.item, row.guidance) for row in rows]
        for one, row in zip(made, rows):
            one.scores["confidence"] = float(row.confidence)
        return made

    def guess(self, sketch: PictureLike, *, clip: Clip | None = None) -> list[Guess]:
        """What a drawing may be: all of the model's classes, the likeliest first, as ``masksketch score --classes``
        has them. The classes' names are embedded at the first call with a CLIP, and kept."""
        order = self._order(lib.MSK_JOB_DRAW, next(iter(self.classes())), {})
        order.read_picture(sketch, {}, "sketch")
        with self._guessing:
            if self._guesser is None or clip not in (None, self._guesser.clip):
                self._guesser = Guesser(clip if clip is not None else Clip(device=self._device, threads=self._threads), self.classes())
            return self._guesser.look(order.picture)

    # ---- parts, for research ----

    def _encode(self, picture: PictureLike, fit: str | None, wants_latents: bool) -> tuple[bytes, bytes, tuple[int, int]]:
        read = self._read(picture, fit)
        out, rows, columns = ffi.new("int32_t **"), ffi.new("int *"), ffi.new("int *")
        latents = ffi.new("float **") if wants_latents else ffi.NULL
        with self._parts() as session:
            call(lib.msk_tokenize, session.pointer, read.pointer, out, latents, rows, columns)
        count = rows[0] * columns[0]
        tokens = take_memory(out[0], 4 * count)
        return tokens, take_memory(latents[0], 4 * count * self._info.codebook_dim) if wants_latents else b"", (rows[0], columns[0])

    def tokenize(self, picture: PictureLike, *, fit: str | None = None) -> TokenArray:
        """rows x columns: the picture as it is, or brought to the model's square by ``fit``."""
        tokens, _, shape = self._encode(picture, fit, False)
        return tokens_of(tokens, shape)

    def latents(self, picture: PictureLike, *, fit: str | None = None) -> FloatArray:
        """rows x columns x codebook_dim: what the tokenizer's encoder says before it is quantised."""
        _, latents, shape = self._encode(picture, fit, True)
        return floats_of(latents, (*shape, self._info.codebook_dim), "latents")

    def detokenize(self, tokens: TokenArray | Sequence[Sequence[int]]) -> FloatArray:
        """rows x columns of tokens, or a sequence with its class token -> H x W x 3, unclamped."""
        numpy = need_numpy("tokens")
        array = numpy.asarray(tokens, dtype="<i4")
        if array.ndim == 1 and array.size == self._info.tokens:
            array = array[1:].reshape(self._info.latent_size, self._info.latent_size)
        if array.ndim != 2 or array.size == 0 or (array < 0).any() or (array >= self._info.codebook_size).any():
            raise ArgumentError(f"tokens of {array.shape}, expected rows x columns of 0 to {self._info.codebook_size - 1}", "tokens")
        raw = ffi.from_buffer("int32_t[]", numpy.ascontiguousarray(array))
        out, width, height = ffi.new("float **"), ffi.new("int *"), ffi.new("int *")
        with self._parts() as session:
            call(lib.msk_detokenize, session.pointer, raw, *array.shape, out, width, height)
        return floats_of(take_memory(out[0], 12 * width[0] * height[0]), (height[0], width[0], 3), "pixels")

    def attention(self, picture: PictureLike, class_: int | str, layers: Sequence[int] | None = None, *, fit: str = "stretch") -> FloatArray:
        """layers x heads x N x N: who attends to whom in the picture; in the recipe's layers if none are named."""
        return self.attention_of(self._sequence(self._read(picture, fit), class_), layers)

    def attention_of(self, sequence: TokenArray, layers: Sequence[int] | None = None) -> FloatArray:
        """The same of a sequence, class token first."""
        if layers is None:
            layers = [int(layer) for layer in self.recipe()["layers"].split(",")]
        if not layers or any(not 0 <= layer < self._info.layers for layer in layers):
            raise ArgumentError(f"layers was given {list(layers)}, expected some of 0 to {self._info.layers - 1}", "layers")
        shape = (len(layers), self._info.heads, self._info.tokens, self._info.tokens)
        out = ffi.new("float **")
        with self._parts() as session:
            call(lib.msk_attention, session.pointer, self._checked(sequence), list(layers), len(layers), out)
        return floats_of(take_memory(out[0], 4 * math.prod(shape)), shape, "maps")

    def logits(self, sequence: TokenArray) -> FloatArray:
        """N x codebook: of a sequence, class token first; -1 is masked."""
        out = ffi.new("float **")
        shape = (self._info.tokens, self._info.codebook_size)
        with self._parts() as session:
            call(lib.msk_logits, session.pointer, self._checked(sequence), out)
        return floats_of(take_memory(out[0], 4 * math.prod(shape)), shape, "logits")

    def _read(self, picture: PictureLike, fit: str | None) -> Picture:
        read = Picture.read(picture, lib.MSK_ALPHA_WHITE, "picture")
        if fit is None:
            return read
        options = ffi.new("msk_prepare_options *")
        lib.msk_prepare_plain(options)
        options.fit = name_index(lib.msk_fit_name, fit, "fit")
        return read.prepared(self._info.image_size, options)

    def _sequence(self, picture: Picture, class_: int | str) -> TokenArray:
        numpy = need_numpy("sequence")
        tokens = self.tokenize(picture.encoded(lib.MSK_FORMAT_PNG, 0, None))
        sequence: TokenArray = numpy.concatenate([[self._info.codebook_size + self.find_class(class_)], tokens.ravel()]).astype("<i4")
        return sequence

    def _checked(self, sequence: Any) -> Any:
        array = need_numpy("sequence").ascontiguousarray(sequence, dtype="<i4")
        if array.shape != (self._info.tokens,):
            raise ArgumentError(f"a sequence of shape {array.shape}, expected {self._info.tokens} tokens, the class token first", "sequence")
        return ffi.from_buffer("int32_t[]", array)

    def __repr__(self) -> str:
        return f"<Model {self.info.name}, {self._info.image_size} pixels, {len(self.classes())} classes>"


def rank(made: list[Result], weights: dict[str, float]) -> None:
    """Sets "score": the weighted sum of each score's deviation from the mean, in standard deviations."""
    for one in made:
        one.scores["score"] = 0.0
    for name, weight in weights.items():
        terms = [one.scores[name] for one in made]
        mean = plain_sum(terms) / len(terms)
        deviation = math.sqrt(plain_sum([(term - mean) * (term - mean) for term in terms]) / len(terms))
        if deviation > 1e-9 * abs(mean):
            for one, term in zip(made, terms):
                one.scores["score"] += weight * (term - mean) / deviation
