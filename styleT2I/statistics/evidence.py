"""What is known of one number: an estimate, intervals at any confidence, and p-values that agree with them.

`shown_above` and `shown_below` are one-sided p-values. They are at most alpha exactly where the interval of confidence
1 - 2 alpha lies on that side of the bound, so tests and intervals of one result never contradict each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from scipy.stats import norm

from styleT2I.statistics.contrasts import one_sided_p, z_of

__all__ = ["Bounded", "Evidence", "Interpolated", "Resampled", "Scored", "between", "equality_p"]

LEAST_P = 6e-16  # as of `contrasts.one_sided_p`
_STEPS = 50  # of the search for an end of an interval


class Evidence(Protocol):
    """What is known of one number."""

    @property
    def value(self) -> float:
        """The estimate."""

    def interval(self, confidence: float) -> tuple[float, float]:
        """(low, high) that hold the number with this confidence, between 0 and 1."""

    def shown_above(self, bound: float) -> float:
        """p-value, from 0 to 1, of the hypothesis that the number is at most `bound`."""

    def shown_below(self, bound: float) -> float:
        """p-value, from 0 to 1, of the hypothesis that the number is at least `bound`."""


@dataclass(frozen=True)
class Interpolated:
    """Evidence by a closed-form interval. ends: normal quantile z -> (low, high), as in `statistics.contrasts`.

    >>> from styleT2I.statistics.contrasts import ends_of_rate
    >>> rate = Interpolated(0.9, lambda z: ends_of_rate(90, 100, z))
    >>> [round(end, 3) for end in rate.interval(0.95)], round(rate.shown_above(0.8), 4)
    ([0.826, 0.945], 0.0062)
    """

    value: float
    ends: Callable

    def interval(self, confidence: float) -> tuple[float, float]:
        low, high = self.ends(z_of(confidence))
        return float(low), float(high)

    def shown_above(self, bound: float) -> float:
        return float(one_sided_p(self.ends, bound, self.value))

    def shown_below(self, bound: float) -> float:
        def turned(z):
            low, high = self.ends(z)
            return -np.asarray(high), -np.asarray(low)

        return float(one_sided_p(turned, -bound, -self.value))


@dataclass(frozen=True)
class Scored:
    """Evidence by a score test. score: supposed number -> z, how far the estimate lies above it; it falls.

    >>> from styleT2I.statistics.contrasts import score_of_pairs
    >>> gap = Scored(0.0, lambda supposed: score_of_pairs(20, 20, 200, supposed))
    >>> [round(end, 3) for end in gap.interval(0.95)], round(gap.shown_above(-0.1), 4)
    ([-0.064, 0.064], 0.0014)
    """

    value: float
    score: Callable
    limits: tuple[float, float] = (-1.0, 1.0)

    def interval(self, confidence: float) -> tuple[float, float]:
        z = z_of(confidence)
        return self._end(self.limits[0], z), self._end(self.limits[1], -z)

    def shown_above(self, bound: float) -> float:
        return max(float(norm.sf(self.score(bound))), LEAST_P)

    def shown_below(self, bound: float) -> float:
        return max(float(norm.cdf(self.score(bound))), LEAST_P)

    def _end(self, outer, z):
        inner = self.value
        for _ in range(_STEPS):
            middle = (outer + inner) / 2
            is_beyond = self.score(middle) > z if z > 0 else self.score(middle) < z
            outer, inner = (middle, inner) if is_beyond else (outer, middle)
        return outer


@dataclass(frozen=True)
class Resampled:
    """Evidence by percentiles of resampled values.

    Args:
        value: The estimate.
        values: float [B] of resamples; NaN, a resample that says nothing, counts against every claim.
        limits: Least and largest value that the number can have.

    >>> drawn = Resampled(0.5, torch.arange(1, 1000) / 1000, (0.0, 1.0))
    >>> [round(end, 3) for end in drawn.interval(0.95)], drawn.shown_above(0.025)
    ([0.025, 0.975], 0.026)
    """

    value: float
    values: torch.Tensor
    limits: tuple[float, float] = (-1.0, 1.0)

    def interval(self, confidence: float) -> tuple[float, float]:
        # The k-th value from an end, so that it agrees with the counts below: k / (B + 1) is at most one tail.
        rank = math.floor((1 - confidence) / 2 * (len(self.values) + 1) + 1e-9)
        if rank < 1:
            return self.limits
        least, most = self.limits
        low = torch.nan_to_num(self.values, nan=-math.inf).kthvalue(rank).values
        high = torch.nan_to_num(self.values, nan=math.inf).kthvalue(len(self.values) + 1 - rank).values
        return max(float(low), least), min(float(high), most)

    def shown_above(self, bound: float) -> float:
        return (1 + int((~(self.values > bound)).sum())) / (len(self.values) + 1)

    def shown_below(self, bound: float) -> float:
        return (1 + int((~(self.values < bound)).sum())) / (len(self.values) + 1)


@dataclass(frozen=True)
class Bounded:
    """Evidence on a number that lies somewhere between two: claims that it is high rest on the lower, and conversely.

    With undetermined images, the lower is the number if all of them count against it, the upper if all count for it.
    The one-sided intervals are those of Imbens and Manski (2004, Econometrica 72, 1845) for bounds that are far apart,
    and cover more where they are near.
    """

    lower: Evidence
    upper: Evidence
    value: float

    def interval(self, confidence: float) -> tuple[float, float]:
        return self.lower.interval(confidence)[0], self.upper.interval(confidence)[1]

    def shown_above(self, bound: float) -> float:
        return self.lower.shown_above(bound)

    def shown_below(self, bound: float) -> float:
        return self.upper.shown_below(bound)


def between(evidence: Evidence, limit: float) -> tuple[float, float]:
    """p-values for a number within -limit ... limit: of equivalence (TOST), and of the complementary test.

    The first is small where the number is shown to lie inside (Schuirmann 1987: the larger of two one-sided tests), the
    second where it is shown to lie outside on either side (twice the smaller of the two opposite tests).

    >>> from styleT2I.statistics.contrasts import score_of_pairs
    >>> gap = Scored(0.0, lambda supposed: score_of_pairs(20, 20, 200, supposed))
    >>> inside, outside = between(gap, 0.1)
    >>> round(inside, 4), outside
    (0.0014, 1.0)
    """
    inside = max(evidence.shown_above(-limit), evidence.shown_below(limit))
    outside = 2 * min(evidence.shown_above(limit), evidence.shown_below(-limit))
    return inside, min(outside, 1.0)


def equality_p(evidence: Evidence, value: float = 0.0) -> float:
    """Two-sided p-value, from 0 to 1, of the hypothesis that the number is `value`, by inverting its interval."""
    return min(1.0, 2 * min(evidence.shown_above(value), evidence.shown_below(value)))
