# SPDX-License-Identifier: Apache-2.0
"""Training: a new class from a few pictures, and whole models from a source of pictures."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Protocol, Sequence

from ._classes import encode_path, find_model
from ._engine import ffi, lib
from ._errors import ArgumentError, MaskSketchError, call, keep_raised

if TYPE_CHECKING:
    from ._pictures import ByteArray

TEACH_PHASES = ("photos", "replay", "training")
STAGES = ("transformer", "tokenizer", "decoder")


class TeachProgress(NamedTuple):
    phase: str  # one of "photos", "replay", "training"
    done: int
    all: int
    loss: float
    seconds_left: float


class TrainProgress(NamedTuple):
    step: int
    sequences: int
    all_sequences: int
    logged: bool  # the figures below are means since the last log, and the model was written
    loss: float
    held_out: float
    gradient_norm: float
    seconds_left: float


class Source(Protocol):
    """Where training's pictures come from: objects of ``classes`` kinds, drawn by ``hands`` hands."""

    name: str
    image_size: int
    classes: int
    hands: int

    def render(self, held_out: bool, index: int) -> tuple[int, ByteArray, ByteArray, ByteArray]:
        """Class, photo (H x W x 3), drawings (hands x H x W, dark on light, the first the plain contour)
        and map of parts (H x W, 0: background) of an object; the same for the same index."""
        ...


@ffi.def_extern(error=1, onerror=keep_raised)
def masksketch_on_teach(user: Any, info: Any) -> int:
    on_progress: Callable[[TeachProgress], object] | None = ffi.from_handle(user)[0]
    if on_progress is not None:
        on_progress(TeachProgress(TEACH_PHASES[info.phase], info.done, info.all, info.loss, info.seconds_left))
    return 0


def _fill(options: Any, settings: dict[str, float]) -> None:
    """Numbers of an options structure by their names; what it does not have is refused."""
    known = {name for name, field in ffi.typeof(options).item.fields if field.type.kind == "primitive"} - {"size"}
    for name, value in settings.items():
        if name not in known:
            raise ArgumentError(f"there is no setting {name}, expected one of: {', '.join(sorted(known))}", name)
        try:
            setattr(options, name, value)
        except (TypeError, OverflowError) as error:
            raise ArgumentError(f"{name} was given {value!r}: {error}", name) from None


def teach(
    output: str | os.PathLike[str],
    class_name: str,
    photos: Sequence[str | os.PathLike[str]],
    *,
    drawings: Sequence[str | os.PathLike[str] | None] | None = None,
    model: str | os.PathLike[str] | None = None,
    on_progress: Callable[[TeachProgress], object] | None = None,
    **settings: float,
) -> None:
    """Teaches a class from pictures into an adapter file, as ``masksketch teach`` does.

    ``drawings``: one for each photo, or None. ``settings``: seed, rank, layers, steps, batch, crops, replay,
    rate, replay_share, hint_share, threads.
    """
    options = ffi.new("msk_teach_options *")
    lib.msk_teach_options_init(options)
    _fill(options, settings)
    if drawings is not None and len(drawings) != len(photos):
        raise ArgumentError(f"{len(drawings)} drawings for {len(photos)} photos, expected one for each, or None", "drawings")
    paths = [ffi.new("char[]", encode_path(photo)) for photo in photos]
    lines = [ffi.NULL if d is None else ffi.new("char[]", encode_path(d)) for d in (drawings or [None] * len(photos))]
    kept = [ffi.new("char const *[]", paths), ffi.new("char const *[]", lines), ffi.new_handle((on_progress,)),
            ffi.new("char[]", encode_path(find_model(model))), ffi.new("char[]", encode_path(output)), ffi.new("char[]", class_name.encode())]
    options.photos, options.drawings, options.user, options.model_path, options.output_path, options.class_name = kept
    options.photo_count = len(paths)
    options.on_progress = lib.masksketch_on_teach
    call(lib.msk_teach, options)


class _Course:
    def __init__(self, source: Source, on_progress: Callable[[TrainProgress], object] | None) -> None:
        self.source = source
        self.on_progress = on_progress
        self.failure: BaseException | None = None


# In a thread of the library's own, where what is raised would reach nobody.
@ffi.def_extern(error=-1)
def masksketch_render(user: Any, which: int, index: int, photo: Any, drawings: Any, parts: Any) -> int:
    course: _Course = ffi.from_handle(user)
    try:
        return _render(course.source, which, index, photo, drawings, parts)
    except BaseException as failure:
        course.failure = failure
        return -1


def _render(source: Source, which: int, index: int, photo: Any, drawings: Any, parts: Any) -> int:
    side = source.image_size
    class_id, *arrays = source.render(which == lib.MSK_HELD_OUT_SET, index)
    for room, array, count in zip((photo, drawings, parts), arrays, (3, source.hands, 1)):
        raw = array.tobytes()
        if array.dtype.str != "|u1" or len(raw) != count * side * side:
            raise ArgumentError(f"the source gave {array.dtype} {array.shape}, expected uint8 of {count} x {side} x {side} values", "source")
        ffi.memmove(room, raw, len(raw))
    return int(class_id)


@ffi.def_extern(error=1, onerror=keep_raised)
def masksketch_on_train(user: Any, info: Any) -> int:
    on_progress = ffi.from_handle(user).on_progress
    if on_progress is not None:
        on_progress(TrainProgress(info.step, info.sequences, info.all_sequences, bool(info.logged), info.loss, info.held_out,
                                  info.gradient_norm, info.seconds_left))
    return 0


def train(
    output: str | os.PathLike[str],
    work: str | os.PathLike[str],
    source: Source,
    *,
    stage: str = "transformer",
    tokenizer: str | os.PathLike[str] | None = None,
    start: str | os.PathLike[str] | None = None,
    on_progress: Callable[[TrainProgress], object] | None = None,
    **settings: float,
) -> None:
    """Trains a stage ("transformer", "tokenizer", "decoder") into a model file (docs/training.md).

    ``work``: an existing folder for checkpoint and tokens; where it has a checkpoint, training goes on.
    ``source`` is asked in a thread of its own. ``settings``: numbers of msk_train_options.
    """
    options = ffi.new("msk_train_options *")
    lib.msk_train_options_init(options)
    if stage not in STAGES:
        raise ArgumentError(f"stage was given {stage!r}, expected one of: {', '.join(STAGES)}", "stage")
    lib.msk_train_options_set_stage(options, STAGES.index(stage))
    _fill(options, settings)
    names = [ffi.new("char[]", encode_path(path)) for path in (find_model(tokenizer), work, output)]
    options.tokenizer_path, options.work_path, options.output_path = names
    begin = ffi.NULL if start is None else ffi.new("char[]", encode_path(start))
    options.start_path = begin
    course = _Course(source, on_progress)
    handle = ffi.new_handle(course)
    word = ffi.new("char[]", source.name.encode())
    options.user = options.source.user = handle
    options.source.image_size, options.source.classes, options.source.hands = source.image_size, source.classes, source.hands
    if "hands_each" not in settings:  # the default is for a source of several
        options.hands_each = min(options.hands_each, source.hands)
    options.source.description[0] = options.source.description[1] = word
    options.source.render = lib.masksketch_render
    options.on_progress = lib.masksketch_on_train
    try:
        call(lib.msk_train, options)
    except MaskSketchError as error:
        if course.failure is not None:
            raise course.failure from error
        raise
