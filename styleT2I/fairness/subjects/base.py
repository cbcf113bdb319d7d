"""Subjects of an audit behind one interface: a StyleT2I model, another system, existing images, a Python function.

Images are uint8 [3, H, W] on the CPU, square. A seed stands for what both sides of a comparison start from.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.errors import ConfigError
from styleT2I.fairness.plan import AuditPlan, Setting
from styleT2I.fairness.subjects.functions import CallableSubject
from styleT2I.generation.adjustment import AdjustmentConfig
from styleT2I.generation.directions import BLOCK
from styleT2I.generation.model import Model
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.generation.systems.interface import TextToImage
from styleT2I.torch_utils.images import to_uint8

__all__ = ["Cell", "PipelineSubject", "Subject", "SystemSubject", "as_subject"]


@dataclass(frozen=True)
class Cell:
    """A composition in a setting, to be drawn."""

    setting: Setting
    name: str  # of the composition
    attributes: dict[str, bool]
    sentence: str


class Subject(Protocol):
    """The audited system: it draws the images of an audit, or has drawn them."""

    kind: str  # as results call it
    has_settings: bool  # truncation and adjustment; else the one setting is plan.AS_DRAWN
    is_paired: bool  # all cells have the same seeds, and a seed is the same latent or noise in each
    block: int  # images drawn at a time; bounds the memory
    is_slow: bool  # images are cached until their cell is finished, so that none is drawn again

    @property
    def model(self) -> Model | None:
        """The model whose judges judge, unless the plan names others."""

    def prepare(self, plan: AuditPlan, vocabulary: Vocabulary) -> None:
        """Check, before anything is drawn, that all of the plan can be; raises a StyleT2IError."""

    def describe(self) -> dict:
        """{"name": ..., "components": {part: SHA-256}}; None for a part without a file, whose cells are not reused."""

    def seeds(self, name: str, first_seed: int, num: int) -> Sequence[int]:
        """Seeds of a composition, in the order in which cells are paired."""

    def images(self, cell: Cell, seeds: Sequence[int]) -> Sequence[torch.Tensor]:
        """One image per seed."""

    def plain(self, setting: Setting, seeds: Sequence[int]) -> Sequence[torch.Tensor] | None:
        """Images of the seeds without any sentence; None where the system draws none."""


class PipelineSubject:
    """A StyleT2I model: pairs start from the same latent, which also gives a face without the sentence."""

    kind, has_settings, is_paired, block, is_slow = "stylet2i", True, True, BLOCK, False

    def __init__(self, model: Model):
        self.model, self.pipeline = model, StyleT2I(model)

    @property
    def resolution(self) -> int:
        generator: Any = self.model.network("generator")
        return generator.resolution

    def prepare(self, plan: AuditPlan, vocabulary: Vocabulary) -> None:
        _check_vocabulary(self.model, vocabulary)
        roles = ["generator", "t2d", "clip"]
        if any(setting.method != "none" for setting in plan.settings):
            roles += ["a2d", "judges.guide"]
        for role in roles:
            if role in ("generator", "t2d", "a2d") or self.model.has(role):
                self.model.network(role)
        self._prompts = _understood(self.pipeline, plan, vocabulary)

    def describe(self) -> dict:
        return self.model.describe()

    def seeds(self, name: str, first_seed: int, num: int) -> Sequence[int]:
        return range(first_seed, first_seed + num)

    @torch.no_grad()
    def images(self, cell: Cell, seeds: Sequence[int]) -> Sequence[torch.Tensor]:
        psi, method, strength = _values(cell.setting)
        ws = self.pipeline.latents(seeds, psi)
        prompts = [self._prompts[cell.sentence]] * len(seeds)
        adjusted = self.pipeline.directions(ws, prompts, AdjustmentConfig(method, strength=strength))
        return self.pipeline.images_u8(ws + adjusted.s_adjusted, seeds).unbind()

    @torch.no_grad()
    def plain(self, setting: Setting, seeds: Sequence[int]) -> Sequence[torch.Tensor]:
        psi, _, _ = _values(setting)
        return self.pipeline.images_u8(self.pipeline.latents(seeds, psi), seeds).unbind()


class SystemSubject:
    """Any other text-to-image system (`generation.systems`): pairs start from the same noise."""

    kind, has_settings, is_paired, block, is_slow = "system", False, True, BLOCK, False

    def __init__(self, system: TextToImage):
        self.system, self.model, self.resolution = system, getattr(system, "model", None), system.resolution

    def prepare(self, plan: AuditPlan, vocabulary: Vocabulary) -> None:
        if self.model is not None and self.model.vocabulary is not None:
            _check_vocabulary(self.model, vocabulary)
        self._prompts = _understood(self.system, plan, vocabulary)

    def describe(self) -> dict:
        return self.system.describe()

    def seeds(self, name: str, first_seed: int, num: int) -> Sequence[int]:
        return range(first_seed, first_seed + num)

    def images(self, cell: Cell, seeds: Sequence[int]) -> Sequence[torch.Tensor]:
        return to_uint8(self.system.sample([self._prompts[cell.sentence]] * len(seeds), list(seeds))).unbind()

    def plain(self, setting: Setting, seeds: Sequence[int]) -> None:
        return None


def as_subject(thing: Any) -> Subject:
    """The subject for something to audit.

    Args:
        thing: A Subject, a Model, a StyleT2I pipeline, a TextToImage system or a function (prompt, seed) -> image.

    Raises:
        ConfigError: It is none of these.
    """
    if hasattr(thing, "images") and hasattr(thing, "prepare"):
        return thing
    if isinstance(thing, (Model, StyleT2I)):
        return PipelineSubject(thing if isinstance(thing, Model) else thing.model)
    if hasattr(thing, "sample") and hasattr(thing, "understand"):
        return SystemSubject(thing)
    if callable(thing):
        return CallableSubject.of(thing)
    raise ConfigError(f"a {type(thing).__name__} cannot be audited; give a model, a system or a function")


def _values(setting: Setting) -> tuple[float, str, float]:
    """Truncation psi, method and strength of a setting that has them."""
    psi, method, strength = setting.truncation_psi, setting.method, setting.strength
    assert psi is not None and method is not None and strength is not None
    return psi, method, strength


def _understood(system, plan, vocabulary):
    """Prompt of every sentence, with a warning for words that the system does not know; PromptError."""
    prompts = {text: system.understand(text) for text in plan.sentences_of(vocabulary).values()}
    for line in dict.fromkeys(line for prompt in prompts.values() for line in prompt.warnings):
        warnings.warn(line, stacklevel=4)
    return prompts


def _check_vocabulary(model, vocabulary):
    if model.vocabulary is None:
        raise ConfigError(
            f"model {model.name!r} has no vocabulary, and the plan's is {vocabulary.name!r}; package it again with "
            f"--vocabulary {vocabulary.name}, or build it with vocabulary={vocabulary.name!r}"
        )
    if model.vocabulary.names != vocabulary.names:
        raise ConfigError(
            f"the plan's vocabulary is {vocabulary.name!r}, and that of model {model.name!r} is "
            f"{model.vocabulary.name!r}; use the same vocabulary for both"
        )
