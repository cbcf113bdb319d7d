"""Directions of a few channels in S space, whoever says how much each channel matters."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from styleT2I.rivals.samples import Samples
from styleT2I.rivals.ways import Way

_LONGEST = 60.0  # of a way, in standard deviations of its channels; single channels bear tens


def sparse_way(samples: Samples, relevance: Mapping[str, torch.Tensor], num: int) -> Way:
    """The way along the `num` channels of largest relevance, each moved in proportion to it.

    relevance: layer -> [channels], signed. A step of 1 moves the channels by a vector of length 1 where each is
    measured in its own standard deviations.
    """
    kept = strongest(relevance, num)
    length = torch.stack([values.square().sum() for values in kept.values()]).sum().sqrt().clamp_min(1e-12)
    styles = {layer: values / length * samples.style_spread[layer].to(values) for layer, values in kept.items()}
    note = ", ".join(f"{layer}[{k}]" for layer, values in kept.items() for k in values.nonzero().flatten().tolist())
    return Way(None, {layer: shift.float().cpu() for layer, shift in styles.items()}, _LONGEST, note)


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
