"""Faces of a model, edited so that they have a composition's attributes: what a classifier is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from styleT2I.config import to_dict
from styleT2I.errors import ConfigError
from styleT2I.fairness.classifier.scoring import open_classifier
from styleT2I.fairness.classifier.spec import ClassifierPlan
from styleT2I.fairness.subjects.base import BLOCK, Cell
from styleT2I.generation.model import Model
from styleT2I.generation.pipeline import StyleT2I

__all__ = ["EditedFaces"]


class EditedFaces:
    """A `subjects.base.Subject`: a seed is one face, and a composition moves its attributes on, or off, by `edit`.

    Both sides of a comparison are edits of the same face by the same strength, one each way, so that neither is nearer
    to what the model draws unasked.
    """

    kind, has_settings, is_paired, block, is_slow = "edits", False, True, BLOCK, False

    def __init__(self, model: Any, plan: ClassifierPlan):
        """Raises ConfigError for a system that is no StyleT2I model, or a classifier that cannot be opened."""
        if isinstance(model, StyleT2I):
            model = model.model
        if not isinstance(model, Model):
            raise ConfigError("a plan with a classifier edits faces of a StyleT2I model; name one with --model")
        self.model, self.pipeline, self.plan = model, StyleT2I(model), plan
        self.classifier = open_classifier(plan)
        self._last: tuple[Sequence[int], torch.Tensor] | None = None  # faces before the edit, of the last seeds

    @property
    def resolution(self) -> int:
        generator: Any = self.model.network("generator")
        return generator.resolution

    def prepare(self, plan, vocabulary) -> None:
        for role in ("generator", "a2d"):
            self.model.network(role)

    def describe(self) -> dict:
        """The classifier with what it is asked, and the networks that draw and edit the faces."""
        parts = self.model.describe()["components"]
        drawn = {role: parts[role] for role in ("generator", "a2d", "clip") if role in parts}
        return {
            "name": f"{self.plan.source}, on faces of {self.model.name}",
            "components": {"classifier": self.classifier.sha256, **drawn},
            "settings": to_dict(self.plan),
        }

    def seeds(self, name: str, first_seed: int, num: int) -> Sequence[int]:
        return range(first_seed, first_seed + num)

    @torch.no_grad()
    def images(self, cell: Cell, seeds: Sequence[int]) -> Sequence[torch.Tensor]:
        strengths = {
            name: self.plan.strength if value else -self.plan.strength for name, value in cell.attributes.items()
        }
        edited = self.pipeline.edit(list(seeds), strengths, truncation_psi=self.plan.truncation_psi)
        self._last = seeds, edited.unedited_u8
        return edited.images_u8.cpu().unbind()

    def answers(self, seeds: Sequence[int], images_u8: Sequence[torch.Tensor]) -> str:
        """The classifier's answers on the faces that `images` drew last, one character per face."""
        assert self._last is not None and self._last[0] == seeds
        return self.classifier.letters(torch.stack(list(images_u8)), self._last[1])

    def plain(self, setting, seeds: Sequence[int]) -> None:
        return None
