"""Directions that do not depend on the latent: one way per attribute, over W+ or in S space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import torch

from styleT2I.errors import ConfigError
from styleT2I.generation.editing.moves import Move


class Way(NamedTuple):
    """A direction of one attribute, for any latent: `ws` is added over W+, `styles` to a layer's styles."""

    ws: torch.Tensor | None  # [num_ws, w_dim] of length 1; None: nothing moves over W+
    styles: Mapping[str, torch.Tensor]  # layer -> [channels]; {} where nothing moves in S space
    longest: float  # the step beyond which no strength is looked for
    note: str = ""  # which component, layers or channels it is


@dataclass(frozen=True)
class Ways:
    """The ways that one method found on one generator; `generation.editing.moves.AttributeDirections`."""

    method: str
    ways: Mapping[str, Way]  # by attribute
    strengths: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    seconds: float = 0.0  # that finding them took, without the strengths

    def move(self, ws: torch.Tensor, steps: Mapping[str, float]) -> Move:
        """Latents [N, num_ws, w_dim] after a signed step along each attribute's way.

        Raises:
            ConfigError: There is no way for an attribute.
        """
        moved, styles = ws, {}
        for name, step in steps.items():
            way = self.way(name)
            if way.ws is not None:
                moved = moved + step * way.ws.to(moved)
            for layer, shift in way.styles.items():
                styles[layer] = styles.get(layer, 0) + step * shift.to(moved)
        return Move(moved, styles)

    def way(self, name: str) -> Way:
        """The way of an attribute; ConfigError."""
        if name not in self.ways:
            found = ", ".join(self.ways) or "no attribute"
            raise ConfigError(f"{self.method} has no direction of {name!r}; it has those of {found}")
        return self.ways[name]


def over_w(direction: torch.Tensor, num_ws: int, reach: float, note: str = "", layers: slice | None = None) -> Way:
    """The way along w [w_dim] in some layers (None: all); longest: three times `reach`, in units of W+."""
    ws = torch.zeros(num_ws, len(direction))
    ws[layers or slice(None)] = direction.detach().float().cpu()
    return Way(ws / ws.norm().clamp_min(1e-12), {}, _LONGEST * reach, note)


_LONGEST = 3.0


def layer_ranges(num_ws: int) -> dict[str, slice]:
    """All layers, and thirds of them: the coarse ones hold pose and shape, the fine ones colour."""
    third = max(1, round(num_ws / 3))
    return {
        "all": slice(0, num_ws),
        "coarse": slice(0, third),
        "middle": slice(third, 2 * third),
        "fine": slice(2 * third, num_ws),
    }
