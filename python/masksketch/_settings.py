# SPDX-License-Identifier: Apache-2.0
"""Recipes: named rows of settings, and the keys that can be set. The library judges names and
values; the types here let a type checker do it before."""

from __future__ import annotations

from typing import Any, Iterable, TypedDict, Union

from ._classes import name_index
from ._engine import ffi, lib
from ._errors import ArgumentError, call, text_of

Number = Union[int, float]


class Settings(TypedDict, total=False):
    """The keys of a recipe (docs/recipes.md); which of them act depends on the job."""

    steps: int
    schedule: str
    lambda_structure: Number
    min_mask_rate: Number
    max_mask_rate: Number
    temperature_structure: Number
    temperature_confidence: Number
    token_temperature: Number
    token_noise: str
    start_temperature: Number
    start_temperature_steps: int
    choice_temperature: Number
    guidance: Number
    guidance_schedule: str
    guidance_skip: Number
    unconditional: str
    unconditional_every: int
    structure_every: int
    refresh: int
    light_margin: Number
    order: str
    anchor_steps: int
    remask: str
    layers: Union[str, Iterable[int]]
    distance: str
    start_step: int
    visible_sketch: bool
    sketch_share: Number
    placeholder: str
    sketch_steps: int
    tail: int
    revise_steps: int
    revise_below: Number


def setting_text(value: object) -> str:
    """A value as the library reads it."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, (str, int)):
        return str(value)
    if isinstance(value, Iterable):
        return ",".join(str(int(item)) for item in value)
    return repr(float(value))  # type: ignore[arg-type]


def set_all(recipe: Any, job: int, settings: Any) -> None:
    for key, value in settings.items():
        try:
            call(lib.msk_recipe_set, recipe, job, key.encode(), setting_text(value).encode())
        except ArgumentError as error:
            error.field = key  # the library says "recipe" of a key that it does not know
            raise


def recipes() -> dict[str, str]:
    """The named recipes, and what each is for."""
    found: dict[str, str] = {}
    while (name := text_of(lib.msk_recipe_name(len(found)))) is not None:
        found[name] = text_of(lib.msk_recipe_description(len(found))) or ""
    return found


def keys(job: str = "draw") -> dict[str, str]:
    """The keys that act in a job ("draw", "generate", "edit"), and what each does."""
    number = name_index(lib.msk_job_name, job, "job")
    found: dict[str, str] = {}
    help_text = ffi.new("char const **")
    while (key := text_of(lib.msk_recipe_key(len(found), number, help_text))) is not None:
        found[key] = text_of(help_text[0]) or ""
    return found


def values(recipe: Any, job: int) -> dict[str, str]:
    """Every key that acts in the job with its value, as ``Settings`` takes it."""
    found: dict[str, str] = {}
    index = 0
    room = ffi.new("char[1024]")
    while (key := text_of(lib.msk_recipe_key(index, job, ffi.NULL))) is not None:
        call(lib.msk_recipe_get, recipe, key.encode(), room, len(room))
        found[key] = text_of(room) or ""
        index += 1
    return found


