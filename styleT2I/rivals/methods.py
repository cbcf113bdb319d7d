"""The ways to find directions by the names that `--method` takes, on a model of ours or any generator."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError
from styleT2I.generation.arguments import A2D, DIRECTION_METHODS, NUM_SAMPLES
from styleT2I.generation.directions import Directions
from styleT2I.generation.editing.moves import AttributeDirections, Move
from styleT2I.generation.model import Model
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.generation.synthesis import Synthesis
from styleT2I.rivals.calibration import calibrated
from styleT2I.rivals.interfacegan import interfacegan
from styleT2I.rivals.samples import Samples
from styleT2I.rivals.stored import StoredWays
from styleT2I.rivals.styleclip import styleclip
from styleT2I.rivals.stylespace import stylespace
from styleT2I.rivals.unlabelled import ganspace, sefa
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


def open_pipeline(
    model, *, generator=None, clip=None, judge=None, vocabulary=None, device="auto", precision="fp32", offline=None
) -> StyleT2I:
    """The pipeline of a model for `Finder` and the systems here.

    A generator from elsewhere leaves all else of the model behind: its judges know the faces of their own generator.

    Args:
        model: As `StyleT2I.from_pretrained` takes it; not read where `generator` is given.
        generator: Any source of a StyleGAN2 generator, in the model's place.
        clip: Any source of a CLIP.
        judge: Any source of an attribute classifier that looks in the guide judge's place.
        vocabulary: In which attributes are named; None: the model's.
        device: As `StyleT2I.from_pretrained`.
        precision: As `StyleT2I.from_pretrained`.
        offline: True downloads nothing; None asks the environment.

    Raises:
        ConfigError: A generator is given without anything that looks at what it draws.
        CheckpointError: A source cannot be read.
    """
    settings = {"vocabulary": vocabulary, "device": device, "precision": precision, "offline": offline}
    parts = {"generator": generator, "clip": clip, "judges.guide": judge}
    if generator is None:
        return StyleT2I(Model.from_pretrained(model, **settings, **parts))
    if clip is None and judge is None:
        raise ConfigError(
            f"{generator}: a generator alone says nothing about its faces; add --clip FILE or --judge FILE"
        )
    return StyleT2I(Model(parts, name=str(generator), **settings))


def find_directions(
    pipeline: StyleT2I, method: str, names: Sequence[str], *, num_samples: int = NUM_SAMPLES, by: str = "auto"
) -> AttributeDirections:
    """The directions of attributes by a method, each with the steps that strengths 1 and -1 stand for.

    What was found is cached for the files of generator, observer and CLIP, and read again the next time.

    Args:
        pipeline: With a generator, a vocabulary, and a guide judge or a CLIP.
        method: One of `generation.arguments.DIRECTION_METHODS`.
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


class A2DDirections:
    """A model's own directions, which depend on the latent, as `generation.editing.moves.AttributeDirections`."""

    method = "a2d"

    def __init__(self, pipeline: StyleT2I, names: Sequence[str]):
        """ConfigError for an attribute without a calibrated strength, CheckpointError for a model without an A2D."""
        self._directions = Directions(pipeline.model, Synthesis(pipeline.model))
        known = pipeline.model.info("a2d").get("strengths") or {}
        if missing := [name for name in names if name not in known]:
            raise ConfigError(f"the a2d component has no calibrated strength of {missing[0]!r}; train it with --judge")
        self.strengths = {name: {label: float(known[name][label]) for label in ("true", "false")} for name in names}

    def move(self, ws: torch.Tensor, steps: Mapping[str, float]) -> Move:
        """Latents [N, num_ws, w_dim] after a signed step along each attribute's direction there, of length 1."""
        return Move(self._directions.moved(ws, steps), {})


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
