# SPDX-License-Identifier: Apache-2.0
"""One order of pictures: what was asked becomes an msk_request, which is run item by item, as the
command line runs it; the authors' batch and candidates run together."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Callable

from ._classes import ModelHandle, SessionHandle, name_index
from ._engine import ffi, lib
from ._errors import ArgumentError, MaskSketchWarning, call, keep_raised, text_of
from ._pictures import Picture, array_of, fit_map, need_numpy, place_box
from ._results import Result, Step, times_of, warning_of
from ._settings import Settings, set_all

if TYPE_CHECKING:
    from ._pictures import AnyArray, PictureLike

OnStep = Callable[[Step], object]
OnTrace = Callable[[str, int, "AnyArray"], object]
AREAS = ("box", "mask", "extend")


class GenerateOptions(Settings, total=False):
    """``first_item``: number of the first picture of the seed. ``preview_every``: steps between previews.
    ``on_trace``: is called with the name, the step and the values of each quantity of a step, as ``--trace`` writes them."""

    seed: int
    first_item: int
    recipe: str
    rng: str
    on_step: OnStep | None
    on_trace: OnTrace | None
    preview_every: int


class DrawOptions(GenerateOptions, total=False):
    """``fit``, ``invert``, ``photo_of_paper``: as the command's flags. ``lambda_map``: white follows the sketch."""

    fit: str
    invert: str
    photo_of_paper: str
    lambda_map: PictureLike


class EditOptions(GenerateOptions, total=False):
    """One of ``box``, (top, left, height, width) in pixels of the photo; ``mask``, white where it is repainted; and
    ``extend``, (top, left, bottom, right) pixels that are added around it and painted. ``fit``: "stretch" or "crop"."""

    fit: str
    box: tuple[int, int, int, int]
    mask: PictureLike
    extend: tuple[int, int, int, int]


class _Listener:
    """What ``user`` of the callbacks leads to."""

    def __init__(self, on_step: OnStep | None, on_trace: OnTrace | None, tokens_each: int, side: int) -> None:
        self.on_step = on_step
        self.on_trace = on_trace
        self.tokens_each = tokens_each
        self.side = side


# Always set: entering it is what lets Python take a signal in between two steps.
@ffi.def_extern(error=1, onerror=keep_raised)
def masksketch_on_step(user: Any, info: Any) -> int:
    listener: _Listener = ffi.from_handle(user)
    if listener.on_step is not None:
        listener.on_step(Step(info, listener.tokens_each, listener.side))
    return 0


@ffi.def_extern(error=1, onerror=keep_raised)
def masksketch_on_trace(user: Any, name: Any, step: int, array: Any) -> int:
    ffi.from_handle(user).on_trace(text_of(name), step, array_of(array))
    return 0


class Order:
    """``request``'s pointers lead to what ``kept`` holds."""

    def __init__(self, model: ModelHandle, info: Any, job: int, class_id: int, options: Any) -> None:
        self.model, self.info, self.job = model, info, job
        self.fit = lib.MSK_FIT_STRETCH
        self.kept: list[Any] = []
        self.warnings: list[str] = []
        request = self.request = ffi.new("msk_request *")
        recipe = options.pop("recipe", "balanced")
        call(lib.msk_request_init, request, model.pointer, job, recipe.encode(), field="recipe")
        request.class_id = class_id
        for name, least, most in (("seed", 0, 2**64), ("first_item", 0, 2**31), ("preview_every", 0, 2**31)):
            value = options.pop(name, 0)
            if not isinstance(value, int) or not least <= value < most:
                raise ArgumentError(f"{name} was given {value!r}, expected a whole number from {least} to {most - 1}", name)
            setattr(request, name, value)
        request.rng_layout = name_index(lib.msk_rng_layout_name, options.pop("rng", "original"), "rng")
        listener = _Listener(options.pop("on_step", None), options.pop("on_trace", None), info.tokens, info.image_size)
        handle = ffi.new_handle(listener)
        self.kept += [listener, handle]
        request.callbacks.user = handle
        request.callbacks.on_step = lib.masksketch_on_step
        if listener.on_trace is not None:
            need_numpy("a traced quantity")
            request.callbacks.on_trace = lib.masksketch_on_trace

    # ---- what is asked ----

    def read_picture(self, source: PictureLike, options: Any, field: str) -> None:
        """Reads and prepares sketch or photo, with map, box or mask, as the command does."""
        official, draws = bool(self.request.recipe.official), self.job == lib.MSK_JOB_DRAW
        preparation = ffi.new("msk_prepare_options *")
        (lib.msk_prepare_plain if official or not draws else lib.msk_prepare_init)(preparation)
        if draws and not official and "lambda_map" not in options:
            preparation.fit = self.info.fit
        for name, names in (("fit", lib.msk_fit_name), ("invert", lib.msk_invert_name), ("photo_of_paper", lib.msk_photo_name)):
            if name in options and (draws or name == "fit"):
                setattr(preparation, name, name_index(names, options.pop(name), name))
        self.fit = preparation.fit
        alpha = lib.MSK_ALPHA_DROP if official else lib.MSK_ALPHA_SKETCH if draws else lib.MSK_ALPHA_WHITE
        read = Picture.read(source, alpha, field)
        self.warnings += [read.warning] if read.warning else []
        read = self._take_area(read, options)
        self.picture = read.prepared(self.info.image_size, preparation)
        self.kept.append(self.picture)
        self.request.picture = self.picture.pointer
        if draws:
            self._judge_sketch()

    def _take_area(self, photo: Picture, options: Any) -> Picture:
        """The sketch's map; or what of the photo is painted, which is wider afterwards with ``extend``."""
        side = self.info.image_size
        if self.job == lib.MSK_JOB_DRAW:
            if "lambda_map" in options:
                if self.fit == lib.MSK_FIT_INK:
                    raise ArgumentError("lambda_map has no place with the fit ink, expected stretch, pad or crop: what the sketch is cut to "
                                        "is not known before", "lambda_map")
                self.request.lambda_map = self._keep(fit_map(options.pop("lambda_map"), side, self.fit, "lambda_map"))
            return photo
        if sum(name in options for name in AREAS) != 1:
            raise ArgumentError(f"expected exactly one of {', '.join(AREAS)} to say what is painted", "box")
        if self.fit not in (lib.MSK_FIT_STRETCH, lib.MSK_FIT_CROP):
            raise ArgumentError(f"fit was given {text_of(lib.msk_fit_name(self.fit))!r}, expected stretch or crop when editing", "fit")
        if "box" in options:
            self.request.edit_box = place_box(options.pop("box"), photo, side, self.fit)
        elif "mask" in options:
            self.request.edit_mask = self._keep(fit_map(options.pop("mask"), side, self.fit, "mask"))
        else:
            photo, mask = photo.extended(options.pop("extend"), side, self.fit)
            self.request.edit_mask = self._keep(mask)
        return photo

    def _keep(self, picture: Picture) -> Any:
        self.kept.append(picture)
        return picture.pointer

    def _judge_sketch(self) -> None:
        kind = ffi.new("msk_sketch_kind *")
        call(lib.msk_sketch_judge, kind, self.picture.pointer, ffi.NULL)
        warning = text_of(lib.msk_sketch_kind_warning(kind[0]))
        self.warnings += [warning] if warning else []

    def finish(self, options: Any) -> None:
        """What is left over are settings; the whole is judged."""
        set_all(ffi.addressof(self.request, "recipe"), self.job, options)
        call(lib.msk_request_check, self.request, self.model.pointer)
        for warning in self.warnings:
            warnings.warn(warning, MaskSketchWarning, stacklevel=4)

    # ---- running ----

    def needs_together(self) -> bool:
        return bool(self.request.recipe.official) or self.request.guidance_count > 0

    def next_request(self, done: int) -> Any:
        if self.needs_together():
            return self.request
        part = ffi.new("msk_request *", self.request[0])
        part.first_item, part.count = self.request.first_item + done, 1
        return part

    def run(self, session: SessionHandle) -> Any:
        """The results one after the other; one is valid until the next is asked for."""
        done = 0
        result = ffi.new("msk_result *")
        while done < self.request.count:
            part = self.next_request(done)
            call(lib.msk_run, session.pointer, part, result)
            self._keep_tokens(result)
            yield part, result
            done += part.count

    def _keep_tokens(self, result: Any) -> None:
        """The sketch is encoded once; its tokens are what the PNG remembers."""
        if self.job != lib.MSK_JOB_DRAW or self.request.picture_tokens != ffi.NULL:
            return
        tokens = ffi.new("int32_t[]", self.info.tokens - 1)
        ffi.memmove(tokens, result.picture_tokens, ffi.sizeof(tokens))
        self.kept.append(tokens)
        self.request.picture_tokens, self.request.picture = tokens, ffi.NULL

    def picture_at(self, result: Any, place: int, item: int, guidance: float) -> Result:
        side, n = self.info.image_size, result.tokens_per_item
        pixels = bytes(ffi.buffer(result.pixels + place * side * side * 3, 12 * side * side))
        tokens = bytes(ffi.buffer(result.tokens + place * n, 4 * n))
        made = Result(pixels, side, tokens, self._text(item, guidance))
        made.job = text_of(lib.msk_job_name(self.job)) or ""
        made.class_id = self.request.class_id
        made.class_name = text_of(lib.msk_model_class_name(self.model.pointer, made.class_id))
        made.seed, made.item, made.guidance = self.request.seed, item, guidance
        made.step_count = result.step_count
        made.times = times_of(result.times)
        warning = warning_of(result)
        made.warnings = tuple(self.warnings) + ((warning,) if warning else ())
        if result.structure != ffi.NULL:
            made.scores["structure"] = float(result.structure[place])
        return made

    def _text(self, item: int, guidance: float) -> str:
        request = ffi.new("msk_request *", self.request[0])
        request.recipe.guidance = guidance
        request.guidance_count = request.finish = 0
        text = ffi.new("char **")
        call(lib.msk_request_text, text, request, self.model.pointer, item, self.fit, ffi.NULL)
        try:
            return text_of(text[0]) or ""
        finally:
            lib.msk_free(ffi.NULL, text[0])


