"""Directions that do not depend on the latent: one way per attribute, over W+ or in S space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import torch

from styleT2I.errors import ConfigError
from styleT2I.generation.editing.moves import Move
from styleT2I.rivals.samples import Samples

_LONGEST_OVER_W = 3.0  # of a way, in units of `reach`
_LONGEST_OF_STYLES = 60.0  # of a way, in standard deviations of its channels; single channels bear tens


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
    return Way(ws / ws.norm().clamp_min(1e-12), {}, _LONGEST_OVER_W * reach, note)


def layer_ranges(num_ws: int) -> dict[str, slice]:
    """All layers, and thirds of them: the coarse ones hold pose and shape, the fine ones colour."""
    third = max(1, round(num_ws / 3))
    return {
        "all": slice(0, num_ws),
        "coarse": slice(0, third),
        "middle": slice(third, 2 * third),
        "fine": slice(2 * third, num_ws),
    }


def sparse_way(samples: Samples, relevance: Mapping[str, torch.Tensor], num: int) -> Way:
    """The way along the `num` channels of largest relevance, each moved in proportion to it.

    relevance: layer -> [channels], signed. A step of 1 moves the channels by a vector of length 1 where each is
    measured in its own standard deviations.
    """
    kept = strongest(relevance, num)
    length = torch.stack([values.square().sum() for values in kept.values()]).sum().sqrt().clamp_min(1e-12)
    styles = {layer: values / length * samples.style_spread[layer].to(values) for layer, values in kept.items()}
    note = ", ".join(f"{layer}[{k}]" for layer, values in kept.items() for k in values.nonzero().flatten().tolist())
    return Way(None, {layer: shift.float().cpu() for layer, shift in styles.items()}, _LONGEST_OF_STYLES, note)


def strongest(relevance: Mapping[str, torch.Tensor], num: int) -> dict[str, torch.Tensor]:
    """The same with all channels at 0 but the `num` of largest absolute relevance; layers without any are left out.

    Example:
        >>> strongest({"a": torch.tensor([0.5, -2.0]), "b": torch.tensor([1.0])}, 1)
        {'a': tensor([ 0., -2.])}
    """
    values = torch.cat([layer.abs() for layer in relevance.values()])
    least = values.topk(min(num, len(values))).values[-1]
    kept = {name: torch.where(layer.abs() >= least, layer, 0) for name, layer in relevance.items()}
    return {name: layer for name, layer in kept.items() if layer.any()}
