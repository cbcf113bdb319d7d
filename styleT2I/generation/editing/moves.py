"""What an edit asks of a way to find directions: where latents go when attributes are stepped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import torch


class Move(NamedTuple):
    """Where latents go: over W+, and by a shift of styles (`networks.stylegan2.styles`) that all of them share."""

    ws: torch.Tensor  # [N, num_ws, w_dim]
    styles: Mapping[str, torch.Tensor]  # layer -> [channels]; {} where nothing is shifted


class AttributeDirections(Protocol):
    """A direction for each attribute, in one generator's latents, and what strength 1 means along it."""

    @property
    def method(self) -> str:
        """How it was found, as `--method` names it."""

    @property
    def strengths(self) -> Mapping[str, Mapping[str, float]]:
        """The step of strength 1 ("true") and of -1 ("false", positive too) by attribute."""

    def move(self, ws: torch.Tensor, steps: Mapping[str, float]) -> Move:
        """Latents [N, num_ws, w_dim] after a signed step along each attribute's direction."""
