"""Recipes: the settings that a training starts from, as YAML files; those here are the presets of the commands.

A recipe holds how long the training is, `steps` or thousands of images `kimg`, and any of the settings of its
configuration dataclass. A file of one's own has the same form and is named with `--config FILE`.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from styleT2I.config import from_dict, read_mapping, suggestion
from styleT2I.errors import ConfigError

FOLDER = Path(__file__).parent
LENGTHS = ("steps", "kimg")


def recipe_names(training: str) -> tuple[str, ...]:
    """The presets of a training: "t2d" -> ("celebahq", "cub", ...)."""
    return tuple(sorted(path.stem for path in (FOLDER / training).glob("*.yaml")))


def read_recipe(training: str, recipe: str | Path, config: type, *, what: str = "preset", also: tuple[str, ...] = ()):
    """The length, in steps or thousands of images (None: left open), and the settings of a recipe.

    recipe: a preset's name, or the Path of a file of one's own; config: the dataclass whose settings it may hold, and
    `also` others; what: what a preset is called in messages. ConfigError, one line, where there is no such recipe, it
    has an unknown key, or its length is no number above 0.
    """
    if isinstance(recipe, Path):
        path = recipe
    elif recipe not in (names := recipe_names(training)):
        raise ConfigError(f"unknown {what} {recipe!r}{suggestion(recipe, names)}")
    else:
        path = FOLDER / training / f"{recipe}.yaml"
    settings = read_mapping(path)
    known = [*LENGTHS, *also, *(field.name for field in dataclasses.fields(config))]
    for key in settings:
        if key not in known:
            raise ConfigError(f"{path}: unknown key {key!r}{suggestion(key, known)}")
    lengths = {name: settings.pop(name) for name in LENGTHS if name in settings}
    for name, length in lengths.items():
        if not isinstance(length, (int, float)) or isinstance(length, bool) or length <= 0:
            raise ConfigError(f"{path}: {name} is a number above 0, got {length!r}")
    return next(iter(lengths.values()), None), settings


def configured(training: str, recipe: str | Path, config: type, *, what: str = "preset", **changes):
    """The length of a recipe and its settings as the dataclass `config`, those changes applied that are not None."""
    length, settings = read_recipe(training, recipe, config, what=what)
    return length, from_dict(config, {**settings, **given(changes)})


def check_has_data(recipe: str | Path, settings: dict) -> None:
    """ConfigError, saying which recipe, where neither it nor the user names the `data` of a training."""
    if "data" not in settings:
        name = recipe if isinstance(recipe, Path) else f"the preset {recipe}"
        raise ConfigError(f"{name} has no data of its own; add --data SPEC")


def given(changes: dict) -> dict:
    """The changes that are not None: those that a user asked for."""
    return {name: value for name, value in changes.items() if value is not None}
