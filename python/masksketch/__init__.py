# SPDX-License-Identifier: Apache-2.0
"""Draw something, say what it is, and get a picture of it in the shape you drew.

    from masksketch import Model

    model = Model()
    result = model.draw("sketch.png", "teapot", seed=7)
    result.save("teapot.png")

docs/python.md tells the rest.
"""

from ._classes import MODELS, Device, devices
from ._convert import convert
from ._engine import ffi as _ffi
from ._engine import lib as _lib
from ._errors import (
    ArgumentError,
    Cancelled,
    DeviceError,
    FileError,
    MaskSketchError,
    MaskSketchWarning,
    OutOfMemory,
    OutputError,
    UnsupportedError,
)
from ._measure import Clip, Distance, Guess, Judge, Look, Score, distance
from ._model import Model, ModelInfo
from ._order import DrawOptions, EditOptions, GenerateOptions
from ._results import Result, Step
from ._settings import Settings, keys, recipes
from ._teaching import Photos, Source, TeachProgress, TrainProgress, teach, train

__version__: str = _ffi.string(_lib.msk_version()).decode()

__all__ = [
    "MODELS",
    "ArgumentError",
    "Cancelled",
    "Clip",
    "Device",
    "DeviceError",
    "Distance",
    "DrawOptions",
    "EditOptions",
    "FileError",
    "GenerateOptions",
    "Guess",
    "Judge",
    "Look",
    "MaskSketchError",
    "MaskSketchWarning",
    "Model",
    "ModelInfo",
    "OutOfMemory",
    "OutputError",
    "Photos",
    "Result",
    "Score",
    "Settings",
    "Source",
    "Step",
    "TeachProgress",
    "TrainProgress",
    "UnsupportedError",
    "convert",
    "devices",
    "distance",
    "keys",
    "recipes",
    "teach",
    "train",
]
