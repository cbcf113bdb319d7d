"""Which vocabulary a model's direction networks were trained with, and whether another one fits them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

from styleT2I.attributes.vocabulary import BUILT_IN, load_vocabulary
from styleT2I.errors import ConfigError
from styleT2I.generation.model import STEERING_ROLES, Model

DEFAULT = "minifaces"


class Recorded(NamedTuple):
    """A vocabulary as a training wrote it down: its name, and what it was loaded from."""

    name: str
    source: str


def take_vocabulary(model: Model, asked: str | Path | None = None) -> None:
    """Give a model the vocabulary asked for, else that of its direction networks' training, else leave it its own.

    Warns where a direction network was trained with another one, or lacks some of its attributes. Raises ConfigError
    where the networks' trainings disagree, A2D was trained on attributes that the vocabulary has not, or its file has
    to be named.
    """
    trained = {role: found for role in STEERING_ROLES if model.has(role) and (found := recorded(model.info(role)))}
    chosen = asked or _agreed(trained, model.vocabulary) or (None if model.vocabulary else DEFAULT)
    if chosen is not None:
        model.use_vocabulary(load_vocabulary(chosen), chosen)
    _check_a2d(model)
    for role, found in trained.items():
        if model.vocabulary is not None and found.name != model.vocabulary.name:
            warnings.warn(
                f"the {role} was trained with the vocabulary {found.name!r}, the model gets {model.vocabulary.name!r}",
                stacklevel=2,
            )


def recorded(info: dict) -> Recorded | None:
    """The vocabulary that a component's info names; None where it names none."""
    training = info.get("training")
    source = training.get("vocabulary") if isinstance(training, dict) else None
    name = info.get("vocabulary") or (source if source in BUILT_IN else source and Path(str(source)).stem)
    return Recorded(str(name), str(source or name)) if name else None


def _agreed(trained, own):
    """What to load the vocabulary of all trainings from; None where none is named, or the model has it already."""
    names = {found.name: found for found in trained.values()}
    if len(names) > 1:
        (one, first), (other, second) = trained.items()
        raise ConfigError(
            f"the {one} was trained with the vocabulary {first.name!r}, the {other} with {second.name!r}: they do not "
            "belong together; name one with --vocabulary"
        )
    for name, found in names.items():
        if own is not None and own.name == name:
            return None
        if found.source not in BUILT_IN and not Path(found.source).is_file():
            raise ConfigError(f"the networks were trained with the vocabulary {name!r}: name its file by --vocabulary")
        return found.source
    return None


def _check_a2d(model):
    """ConfigError where A2D's attributes are not the vocabulary's; a warning of those that it lacks."""
    known, names = model.info("a2d").get("attributes") if model.has("a2d") else None, model.vocabulary.names
    if not known:
        return
    if foreign := [name for name in known if name not in names]:
        raise ConfigError(
            f"the a2d was trained on {foreign[0]!r}, which the vocabulary {model.vocabulary.name!r} does not have, so "
            "it would never be used; name the vocabulary of its training by --vocabulary"
        )
    if lacking := [name for name in names if name not in known]:
        named = ", ".join(lacking[:6]) + (f" and {len(lacking) - 6} others" if len(lacking) > 6 else "")
        warnings.warn(f"the a2d was not trained on {named}: nothing will be adjusted for these", stacklevel=3)
