"""Which of many unnamed directions is an attribute's: the observer looks at what each one changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from styleT2I.rivals.samples import Samples
from styleT2I.rivals.ways import Way

NUM_FACES = 6  # that every direction is looked at on


class Candidate(NamedTuple):
    """A direction without a name, and how far it is moved to see what it does."""

    way: Way
    step: float


def assign(samples: Samples, candidates: Sequence[Candidate], names: Sequence[str]) -> dict[str, Way]:
    """The best candidate of each attribute, turned so that a step forward turns the attribute on.

    Two attributes may get the same one, as where a generator ties them together.
    """
    effects = torch.stack([effect(samples, candidate) for candidate in candidates])  # [C, A]
    ways = {}
    for name in names:
        scores = selectivity(effects, samples.column(name), samples.unrelated(name))
        best = int(scores.argmax())
        ways[name] = turned(candidates[best].way, effects[best, samples.column(name)] < 0)
    return ways


def effect(samples: Samples, candidate: Candidate) -> torch.Tensor:
    """What a step along a candidate does to each attribute, [A]: half the difference of margins forwards and backwards,
    mean over some faces, in units of the attribute's spread over faces."""
    ws = samples.ws[:NUM_FACES]
    there, back = (
        samples.observed(ws if way.ws is None else ws + sign * candidate.step * way.ws.to(ws),
                         {layer: sign * candidate.step * shift for layer, shift in way.styles.items()})
        for sign, way in ((1, candidate.way), (-1, candidate.way))
    )  # fmt: skip
    return (there - back).mean(dim=0) / 2 / samples.margin_spread


def selectivity(effects: torch.Tensor, own: int, others: Sequence[int]) -> torch.Tensor:
    """Scores [C] of candidates with effects [C, A]: the effect on the attribute times its part in all of their effect.

    |e| * |e| / sqrt(e^2 + sum over others of e_k^2), so that neither a weak pure direction nor a strong mixed one wins.
    """
    strength = effects[:, own].abs()
    return strength.square() / (strength.square() + effects[:, others].square().sum(dim=1)).sqrt().clamp_min(1e-12)


def turned(way: Way, is_backwards: bool) -> Way:
    """The way, or its reverse."""
    if not is_backwards:
        return way
    styles = {layer: -shift for layer, shift in way.styles.items()}
    return way._replace(ws=None if way.ws is None else -way.ws, styles=styles)
