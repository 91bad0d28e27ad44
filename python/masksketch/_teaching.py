# SPDX-License-Identifier: Apache-2.0
"""Training: a new class from a few pictures, and whole models from a source of pictures."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any, Callable, Mapping, NamedTuple, Protocol, Sequence, Union

from ._classes import Texts, find_model, name_index
from ._engine import ffi, lib
from ._errors import ArgumentError, MaskSketchError, MaskSketchWarning, call, keep_raised, text_of
from ._pictures import numbers_of

if TYPE_CHECKING:
    from ._pictures import ByteArray

TEACH_PHASES = ("photos", "replay", "training")
STAGES = ("transformer", "tokenizer", "decoder")
COUNTED = {"size", "photo_count", "structure_layer_count"}  # set here, from what is counted
PathLike = Union[str, "os.PathLike[str]"]


class TeachProgress(NamedTuple):
    phase: str  # one of "photos", "replay", "training"
    done: int
    all: int
    loss: float
    seconds_left: float


class TrainProgress(NamedTuple):
    """NaN: there is no such figure, or not yet."""

    step: int
    sequences: int
    all_sequences: int
    logged: bool  # the figures are means since the last log, those of what is held out are new, and the model was written
    loss: float
    held_out: float
    gradient_norm: float
    seconds_left: float
    objects: int
    second_loss: float  # of pairs; or commitment
    held_out_hinted: float
    held_out_auc: float
    decibels: float  # of tokenizer and decoder, as the last two
    sharpness: float
    colour: float
    sequences_per_second: float
    precision: str  # "fp32" or "bf16"


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
    known = {name for name, field in ffi.typeof(options).item.fields if field.type.kind == "primitive"} - COUNTED
    for name, value in settings.items():
        if name not in known:
            raise ArgumentError(f"there is no setting {name}, expected one of: {', '.join(sorted(known))}", name)
        try:
            setattr(options, name, value)
        except (TypeError, OverflowError) as error:
            raise ArgumentError(f"{name} was given {value!r}: {error}", name) from None


def _path_list(paths: Sequence[PathLike | None], text: Texts) -> Any:
    return ffi.new("char const *[]", [text.path(path) for path in paths])


def teach(
    output: PathLike,
    class_name: str,
    photos: Sequence[PathLike],
    *,
    drawings: Sequence[PathLike | None] | None = None,
    model: PathLike | None = None,
    checkpoint: PathLike | None = None,
    isa: str | None = None,
    precision: str = "auto",
    on_progress: Callable[[TeachProgress], object] | None = None,
    **settings: float,
) -> None:
    """Teaches a class from pictures into an adapter file, or with ``full=1`` into a model file, as
    ``masksketch teach`` does.

    ``drawings``: one for each photo, or None. ``checkpoint``: a file that keeps where the training stands while it
    lasts, and from which the same call goes on. ``precision``: "auto", "fp32" or "bf16", of training (docs/training.md).
    ``settings``: seed, full, rank, layers, steps, batch, crops, replay, rate, replay_share, hint_share, threads.
    """
    options = ffi.new("msk_teach_options *")
    lib.msk_teach_options_init(options)
    _fill(options, settings)
    options.precision = name_index(lib.msk_train_precision_name, precision, "precision")
    if drawings is not None and len(drawings) != len(photos):
        raise ArgumentError(f"{len(drawings)} drawings for {len(photos)} photos, expected one for each, or None", "drawings")
    text, handle = Texts(), ffi.new_handle((on_progress,))
    paths, lines = _path_list(photos, text), _path_list(drawings or [None] * len(photos), text)
    options.photos, options.drawings, options.photo_count = paths, lines, len(photos)
    options.model_path, options.output_path = text.path(find_model(model)), text.path(output)
    options.class_name, options.isa = text(class_name), text(isa)
    options.checkpoint_path = text.path(checkpoint)
    options.user, options.on_progress = handle, lib.masksketch_on_teach
    call(lib.msk_teach, options)


@ffi.def_extern(onerror=keep_raised)
def masksketch_on_left_out(user: Any, path: Any, reason: Any) -> None:
    warnings.warn(f"left out: {text_of(reason)}", MaskSketchWarning, stacklevel=2)


# There to be entered: a signal is taken in between two pictures.
@ffi.def_extern(error=1, onerror=keep_raised)
def masksketch_on_photo(user: Any, done: int, count: int) -> int:
    return 0


class Photos:
    """Photos of several classes as a source of ``train``, read once: name -> photos of the class, each a path,
    or a photo and a drawing of the same thing in the same frame. ``image_size``: what their squares are brought to.
    One that cannot be read is left out with a warning. Of one training at a time."""

    def __init__(
        self,
        classes: Mapping[str, Sequence[PathLike | tuple[PathLike, PathLike | None]]],
        *,
        image_size: int = 256,
        crops: int = 8,
        seed: int = 2,
    ) -> None:
        options, text = ffi.new("msk_photo_source_options *"), Texts()
        lib.msk_photo_source_options_init(options)
        rows = [(photo if isinstance(photo, tuple) else (photo, None), number) for number, photos in enumerate(classes.values()) for photo in photos]
        # the library keeps the pointers
        self._kept = [text, _path_list([photo for (photo, _), _ in rows], text), _path_list([drawing for (_, drawing), _ in rows], text),
                      ffi.new("int[]", [number for _, number in rows]), ffi.new("char const *[]", [text(name) for name in classes])]
        _, options.photos, options.drawings, options.classes, options.class_names = self._kept
        options.photo_count, options.class_count, options.image_size, options.crops = len(rows), len(classes), image_size, crops
        options.seed = seed  # the default is that of training
        options.on_left_out, options.on_progress = lib.masksketch_on_left_out, lib.masksketch_on_photo
        pointer = ffi.new("msk_photo_source **")
        call(lib.msk_photo_source_open, pointer, options, field="photos")
        self._pointer = ffi.gc(pointer[0], lib.msk_photo_source_close)

    def attach(self, options: Any) -> None:
        lib.msk_photo_source_attach(self._pointer, options)


class _Course:
    def __init__(self, source: Source | Photos, on_progress: Callable[[TrainProgress], object] | None) -> None:
        self.source = source
        self.on_progress = on_progress
        self.failure: BaseException | None = None


# In a thread of the library's own, where what is raised would reach nobody.
@ffi.def_extern(error=-1)
def masksketch_render(user: Any, which: int, index: int, photo: Any, drawings: Any, parts: Any) -> int:
    course: Any = ffi.from_handle(user)
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
        figures: dict[str, Any] = {name: getattr(info, name) for name in TrainProgress._fields}
        figures.update(logged=bool(info.logged), precision=text_of(lib.msk_train_precision_name(info.precision)))
        on_progress(TrainProgress(**figures))
    return 0


def _attach(options: Any, source: Source, course: Any, text: Texts) -> None:
    """``render`` of a source of one's own is asked by the library."""
    into = options.source
    into.user, into.render = course, lib.masksketch_render
    into.image_size, into.classes, into.hands = source.image_size, source.classes, source.hands
    into.description[0] = into.description[1] = text(source.name)
    options.hands_each = min(options.hands_each, source.hands)  # the default is for a source of several


def train(
    output: PathLike,
    work: PathLike,
    source: Source | Photos,
    *,
    stage: str = "transformer",
    tokenizer: PathLike | None = None,
    start: PathLike | None = None,
    class_names: Sequence[str] | None = None,
    structure_layers: Sequence[int] | None = None,
    isa: str | None = None,
    precision: str = "auto",
    on_progress: Callable[[TrainProgress], object] | None = None,
    **settings: float,
) -> None:
    """Trains a stage ("transformer", "tokenizer", "decoder") into a model file (docs/training.md).

    ``work``: an existing folder for checkpoint and tokens; where it has a checkpoint, training goes on.
    ``source`` is asked in a thread of its own. ``class_names``: of its classes, else those of the tokenizer's model.
    ``precision``: "auto", "fp32" or "bf16", of the transformer. ``structure_layers``: whose attention learns to carry
    structure. ``settings``: numbers of msk_train_options.
    """
    options, text = ffi.new("msk_train_options *"), Texts()
    lib.msk_train_options_init(options)
    if stage not in STAGES:
        raise ArgumentError(f"stage was given {stage!r}, expected one of: {', '.join(STAGES)}", "stage")
    lib.msk_train_options_set_stage(options, STAGES.index(stage))
    options.precision = name_index(lib.msk_train_precision_name, precision, "precision")
    course = _Course(source, on_progress)
    handle = ffi.new_handle(course)
    if isinstance(source, Photos):
        source.attach(options)
    else:
        _attach(options, source, handle, text)
    _fill(options, settings)
    if structure_layers is not None:
        if len(structure_layers) > lib.MSK_MAX_LAYERS:
            raise ArgumentError(f"structure_layers has {len(structure_layers)}, expected at most {lib.MSK_MAX_LAYERS}", "structure_layers")
        options.structure_layers[0:len(structure_layers)] = numbers_of(structure_layers, len(structure_layers), "structure_layers")
        options.structure_layer_count = len(structure_layers)
    if class_names is not None:
        if len(class_names) != options.source.classes:
            raise ArgumentError(f"{len(class_names)} names for {options.source.classes} classes, expected one for each", "class_names")
        names = ffi.new("char const *[]", [text(name) for name in class_names])
        options.source.class_names = names
    options.tokenizer_path, options.work_path, options.output_path = (text.path(path) for path in (find_model(tokenizer), work, output))
    options.start_path, options.isa = text.path(start), text(isa)
    options.user, options.on_progress = handle, lib.masksketch_on_train
    try:
        call(lib.msk_train, options)
    except MaskSketchError as error:
        if course.failure is not None:
            raise course.failure from error
        raise
