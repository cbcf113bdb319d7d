"""What an audit looks at, behind one interface: a StyleT2I model, any other system, pictures, a Python function.

Pictures are uint8 [3, H, W] on the CPU, square; a seed stands for what both sides of a comparison start from.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.errors import ConfigError
from styleT2I.fairness.plan import AuditPlan, Setting
from styleT2I.fairness.subjects.functions import CallableSubject
from styleT2I.generation.adjustment import AdjustmentConfig
from styleT2I.generation.model import Model
from styleT2I.generation.pipeline import BLOCK, StyleT2I
from styleT2I.generation.systems import TextToImage
from styleT2I.torch_utils.images import to_uint8

__all__ = ["Cell", "PipelineSubject", "Subject", "SystemSubject", "as_subject"]


@dataclass(frozen=True)
class Cell:
    """One composition in one setting."""

    setting: Setting
    name: str  # of the composition
    attributes: dict[str, bool]
    sentence: str


class Subject(Protocol):
    """What draws the pictures of an audit, or has drawn them."""

    kind: str
    model: Model | None  # whose judges may look
    has_settings: bool  # truncation and adjustment; else there is one setting, plan.AS_DRAWN
    is_paired: bool  # cells have the same seeds, and a seed is the same latent or noise in each
    block: int  # pictures at a time, which bounds the memory
    is_slow: bool  # pictures are kept until their cell is finished, so that none is drawn again

    def prepare(self, plan: AuditPlan, vocabulary: Vocabulary) -> None:
        """Check that everything can be drawn that the plan declares, before anything is: a StyleT2IError."""

    def describe(self) -> dict:
        """{"name": ..., "components": {part: SHA-256}}; None for a part without a file, of which nothing is kept."""

    def seeds(self, name: str, first_seed: int, num: int) -> Sequence[int]:
        """The seeds of a composition's pictures, in the order in which cells are paired."""

    def pictures(self, cell: Cell, seeds: Sequence[int]) -> Sequence[torch.Tensor]:
        """One picture a seed."""

    def plain(self, setting: Setting, seeds: Sequence[int]) -> Sequence[torch.Tensor] | None:
        """The pictures of the seeds without any sentence; None where there is no such thing."""


class PipelineSubject:
    """A StyleT2I model: pairs start from the same latent, and there is a face without the sentence."""

    kind, has_settings, is_paired, block, is_slow = "stylet2i", True, True, BLOCK, False

    def __init__(self, model: Model):
        self.model, self.pipeline = model, StyleT2I(model)

    @property
    def resolution(self) -> int:
        return self.model.network("generator").resolution

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
    def pictures(self, cell: Cell, seeds: Sequence[int]) -> Sequence[torch.Tensor]:
        setting = cell.setting
        ws = self.pipeline.latents(seeds, setting.truncation_psi)
        prompts = [self._prompts[cell.sentence]] * len(seeds)
        adjusted = self.pipeline.directions(ws, prompts, AdjustmentConfig(setting.method, strength=setting.strength))
        return self.pipeline.images_u8(ws + adjusted.s_adjusted, seeds)

    @torch.no_grad()
    def plain(self, setting: Setting, seeds: Sequence[int]) -> Sequence[torch.Tensor]:
        return self.pipeline.images_u8(self.pipeline.latents(seeds, setting.truncation_psi), seeds)


class SystemSubject:
    """Any other system of the house: pairs start from the same noise, and nothing is drawn without a sentence."""

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

    def pictures(self, cell: Cell, seeds: Sequence[int]) -> Sequence[torch.Tensor]:
        return to_uint8(self.system.sample([self._prompts[cell.sentence]] * len(seeds), list(seeds)))

    def plain(self, setting: Setting, seeds: Sequence[int]) -> None:
        return None


def as_subject(thing) -> Subject:
    """A subject of a Subject, a Model, a StyleT2I, a TextToImage system or a function (prompt, seed) -> picture."""
    if hasattr(thing, "pictures") and hasattr(thing, "prepare"):
        return thing
    if isinstance(thing, (Model, StyleT2I)):
        return PipelineSubject(thing if isinstance(thing, Model) else thing.model)
    if hasattr(thing, "sample") and hasattr(thing, "understand"):
        return SystemSubject(thing)
    if callable(thing):
        return CallableSubject.of(thing)
    raise ConfigError(f"a {type(thing).__name__} cannot be audited; give a model, a system or a function")


def _understood(system, plan, vocabulary):
    """Prompt of every sentence, with a warning of what the system does not know in it; PromptError."""
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
            f"{model.vocabulary.name!r}; audits compare attributes of one"
        )
