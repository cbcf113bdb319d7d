"""Confidence intervals for shares."""

from __future__ import annotations

import math
from statistics import NormalDist

__all__ = ["wilson_interval"]


def wilson_interval(num_successes: int, num_trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson score interval (low, high) of a binomial share (Wilson 1927; without continuity correction).

    num_trials = 0 gives (0, 1): nothing is known. Raises ValueError unless 0 <= num_successes <= num_trials.
    """
    if not 0 <= num_successes <= num_trials:
        raise ValueError(f"{num_successes} successes in {num_trials} trials")
    if num_trials == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = num_successes / num_trials
    scale = 1 + z * z / num_trials
    centre = (share + z * z / (2 * num_trials)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / num_trials + z * z / (4 * num_trials**2))
    # At 0 and at num_trials one end is 0 or 1 exactly; rounding would leave 1e-17 beside it.
    low = 0.0 if num_successes == 0 else max(centre - half, 0.0)
    high = 1.0 if num_successes == num_trials else min(centre + half, 1.0)
    return low, high
