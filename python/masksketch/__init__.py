# SPDX-License-Identifier: Apache-2.0
"""Draw something, say what it is, and get a picture of it in the shape you drew.

    from masksketch import Model

    model = Model()
    result = model.draw("sketch.png", "teapot", seed=7)
    result.save("teapot.png")

docs/python.md tells the rest.
"""

from ._classes import MODELS
from ._engine import ffi as _ffi
from ._engine import lib as _lib
from ._errors import (
    ArgumentError,
    Cancelled,
    FileError,
    MaskSketchError,
    MaskSketchWarning,
    OutOfMemory,
    OutputError,
    UnsupportedError,
)
from ._measure import Clip, Distance, Judge, Look, Score, distance
from ._model import Model, ModelInfo
from ._order import DrawOptions, EditOptions, GenerateOptions
from ._results import Result, Step
from ._settings import Settings, keys, recipes
from ._teaching import Source, TeachProgress, TrainProgress, teach, train

__version__: str = _ffi.string(_lib.msk_version()).decode()

__all__ = [
    "MODELS",
    "ArgumentError",
    "Cancelled",
    "Clip",
    "Distance",
    "DrawOptions",
    "EditOptions",
    "FileError",
    "GenerateOptions",
    "Judge",
    "Look",
    "MaskSketchError",
    "MaskSketchWarning",
    "Model",
    "ModelInfo",
    "OutOfMemory",
    "OutputError",
    "Result",
    "Score",
    "Settings",
    "Source",
    "Step",
    "TeachProgress",
    "TrainProgress",
    "UnsupportedError",
    "distance",
    "keys",
    "recipes",
    "teach",
    "train",
]
