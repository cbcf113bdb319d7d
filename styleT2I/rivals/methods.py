"""The ways to find directions by the names that `--method` takes, and what each needs of a model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError
from styleT2I.generation.arguments import A2D, DIRECTION_METHODS, NUM_SAMPLES
from styleT2I.generation.editing.moves import AttributeDirections
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.rivals.a2d import A2DDirections
from styleT2I.rivals.calibration import calibrated
from styleT2I.rivals.ganspace import ganspace
from styleT2I.rivals.interfacegan import interfacegan
from styleT2I.rivals.samples import Samples
from styleT2I.rivals.sefa import sefa
from styleT2I.rivals.stored import StoredWays
from styleT2I.rivals.styleclip import styleclip
from styleT2I.rivals.stylespace import stylespace
from styleT2I.rivals.ways import Way, Ways


@dataclass(frozen=True)
class Method:
    """One way to find directions of all attributes asked for."""

    find: Callable[[Samples, Sequence[str]], dict[str, Way]]
    title: str  # as documents and tables name it


METHODS = {
    "interfacegan": Method(interfacegan, "InterFaceGAN"),
    "interfacegan-conditional": Method(partial(interfacegan, is_conditional=True), "InterFaceGAN, conditional"),
    "ganspace": Method(ganspace, "GANSpace"),
    "sefa": Method(sefa, "SeFa"),
    "stylespace": Method(stylespace, "StyleSpace"),
    "styleclip": Method(styleclip, "StyleCLIP, global directions"),
}


def find_directions(
    pipeline: StyleT2I, method: str, names: Sequence[str], *, num_samples: int = NUM_SAMPLES, by: str = "auto"
) -> AttributeDirections:
    """The directions of attributes by a method, each with the steps that strengths 1 and -1 stand for.

    What was found is cached for the files of generator, observer and CLIP, and read again the next time.

    Args:
        pipeline: With a generator, a vocabulary, and a guide judge or a CLIP.
        method: One of `names.DIRECTION_METHODS`.
        names: Attributes, as the vocabulary names them.
        num_samples: Faces that the attributes are looked for in.
        by: Who observes: "judge", "clip" or "auto", the guide judge where the model has one.

    Raises:
        ConfigError: The method or an attribute is unknown, or too few faces have it.
        CheckpointError: The model lacks a network.

    Example:
        >>> found = find_directions(pipeline, "interfacegan", ["lipstick"], num_samples=100)
        >>> found.method, list(found.strengths)
        ('interfacegan', ['lipstick'])
    """
    return Finder(pipeline, method, num_samples=num_samples, by=by).of(names)


class Finder:
    """Finds directions of attributes by one method as they are asked for; the faces it looks at are drawn once."""

    def __init__(self, pipeline: StyleT2I, method: str, *, num_samples: int = NUM_SAMPLES, by: str = "auto"):
        """As `find_directions`."""
        check_method(method)
        model = pipeline.model
        if model.vocabulary is None:
            raise ConfigError(f"model {model.name!r} has no vocabulary, so attributes have no names; add --vocabulary")
        self.pipeline, self.method, self.vocabulary = pipeline, method, model.vocabulary
        if method != A2D:
            self.samples = Samples(model, observed_names(model, by), num_samples, by)
            self.stored = StoredWays(self.samples, method)
            self.found = self.stored.read()

    def of(self, names: Iterable[str]) -> AttributeDirections:
        """The directions of attributes; errors as `find_directions`."""
        names = list(dict.fromkeys(self.vocabulary.resolve(name)[0] for name in names))
        if self.method == A2D:
            return A2DDirections(self.pipeline, names)
        if unknown := [name for name in names if name not in self.samples.names]:
            raise ConfigError(f"the guide judge does not know {unknown[0]!r}, so no direction of it is found")
        if missing := [name for name in names if name not in self.found.ways]:
            self.found = _joined(self.found, _found(self.samples, self.method, missing))
            self.stored.write(self.found)
        chosen = {name: self.found.ways[name] for name in names if name in self.found.ways}
        return replace(self.found, ways=chosen, strengths={name: self.found.strengths[name] for name in chosen})


def check_method(method: str) -> None:
    """ConfigError unless a method of this name finds directions."""
    if method not in DIRECTION_METHODS:
        hint = suggestion(method, DIRECTION_METHODS)
        raise ConfigError(f"unknown method {method!r}; choose one of {', '.join(DIRECTION_METHODS)}{hint}")


def observed_names(model, by: str = "auto") -> tuple[str, ...]:
    """The vocabulary's attributes that the observer knows: those of the guide judge where it decides, else all."""
    if by != "clip" and model.has("judges.guide"):
        known = model.network("judges.guide").attribute_names
        return tuple(name for name in model.vocabulary.names if name in known)
    return model.vocabulary.names


def _found(samples, method, names) -> Ways:
    """Ways of attributes with their strengths; seconds has what finding took, from drawing the samples on."""
    start = time.perf_counter()
    ways = METHODS[method].find(samples, names)
    found = Ways(method, ways, seconds=time.perf_counter() - start)
    return replace(found, strengths=calibrated(samples, found))


def _joined(first: Ways, second: Ways) -> Ways:
    """Both one after the other."""
    return replace(
        first,
        ways={**first.ways, **second.ways},
        strengths={**first.strengths, **second.strengths},
        seconds=first.seconds + second.seconds,
    )
