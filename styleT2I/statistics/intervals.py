"""Confidence intervals of rates, of two rates side by side, and of means and other statistics."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import torch

__all__ = [
    "bootstrap_difference_interval",
    "bootstrap_interval",
    "bootstrap_spread",
    "newcombe_interval",
    "newcombe_paired_interval",
    "share_ratio_interval",
    "wilson_interval",
]


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


def newcombe_paired_interval(
    both: int, only_first: int, only_second: int, neither: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval (low, high) of the first share minus the second, when both were measured on the same things.

    The counts are of pairs: success in both, in the first alone, in the second alone, in neither. Newcombe (1998,
    Statistics in Medicine 17, 2635), method 10: the Wilson intervals of the two shares, added in squares less their
    correlation, which is corrected for continuity where it is positive. No pair at all gives (-1, 1).
    Raises ValueError for a negative count.
    """
    counts = (both, only_first, only_second, neither)
    if min(counts) < 0:
        raise ValueError(f"negative counts of pairs: {counts}")
    num = sum(counts)
    if num == 0:
        return -1.0, 1.0
    num_first, num_second = both + only_first, both + only_second
    low_first, high_first = wilson_interval(num_first, num, confidence)
    low_second, high_second = wilson_interval(num_second, num, confidence)
    first, second = num_first / num, num_second / num
    correlation = _corrected_correlation(*counts)

    def joined(a: float, b: float) -> float:
        return math.sqrt(max(a * a - 2 * correlation * a * b + b * b, 0.0))

    difference = first - second
    low = difference - joined(first - low_first, high_second - second)
    high = difference + joined(high_first - first, second - low_second)
    return max(low, -1.0), min(high, 1.0)


def newcombe_interval(
    num_first: int, trials_first: int, num_second: int, trials_second: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval (low, high) of the first share minus the second, measured on different things.

    Newcombe (1998, Statistics in Medicine 17, 873), method 10: the Wilson intervals of the two, added in squares. No
    trial on either side gives (-1, 1). Raises ValueError as `wilson_interval` does.
    """
    low_first, high_first = wilson_interval(num_first, trials_first, confidence)
    low_second, high_second = wilson_interval(num_second, trials_second, confidence)
    if not (trials_first and trials_second):
        return -1.0, 1.0
    first, second = num_first / trials_first, num_second / trials_second
    low = first - second - math.hypot(first - low_first, high_second - second)
    high = first - second + math.hypot(high_first - first, second - low_second)
    return max(low, -1.0), min(high, 1.0)


def share_ratio_interval(
    num_first: int, trials_first: int, num_second: int, trials_second: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval (low, high) of the first share over the second, measured on different things.

    On the logarithm, with half a success and half a trial more on both sides (Walter 1975, Biometrika 62, 371), so
    that a side without a single success has an interval too. Raises ValueError unless 0 <= successes <= trials > 0.
    """
    logs, variance = [], 0.0
    for num, trials in ((num_first, trials_first), (num_second, trials_second)):
        if not 0 <= num <= trials or not trials:
            raise ValueError(f"{num} successes in {trials} trials")
        logs.append(math.log((num + 0.5) / (trials + 0.5)))
        variance += 1 / (num + 0.5) - 1 / (trials + 0.5)
    centre, half = logs[0] - logs[1], NormalDist().inv_cdf(0.5 + confidence / 2) * math.sqrt(variance)
    return math.exp(centre - half), math.exp(centre + half)


def _corrected_correlation(both, only_first, only_second, neither) -> float:
    """Newcombe's correlation of two paired outcomes; 0 where one of them never or always happens."""
    num_first, num_second = both + only_first, both + only_second
    num = num_first + only_second + neither
    margins = num_first * (num - num_first) * num_second * (num - num_second)
    if margins == 0:
        return 0.0
    covariance = both * neither - only_first * only_second
    if covariance > 0:
        covariance = max(covariance - num / 2, 0)
    return covariance / math.sqrt(margins)


def bootstrap_interval(
    values: torch.Tensor, generator: torch.Generator, confidence: float = 0.95, num_resamples: int = 4000
) -> tuple[float, float]:
    """Percentile bootstrap interval (low, high) of the mean of values [N, ...], resampling rows (Efron 1979).

    A row is what was drawn once (a latent) with everything measured on it: the columns of a row depend on each other
    as they please, and a row of differences makes the interval a paired one. Equal rows give an interval of no
    width: it speaks of this kind of row only. Raises ValueError for no rows.
    """
    means = values.double().flatten(1).mean(dim=1) if values.ndim > 1 else values.double()  # [N]
    return _percentiles(_resampled_means(means, generator, num_resamples), confidence)


def bootstrap_difference_interval(
    first: torch.Tensor,
    second: torch.Tensor,
    generator: torch.Generator,
    confidence: float = 0.95,
    num_resamples: int = 4000,
) -> tuple[float, float]:
    """As `bootstrap_interval`, of the mean of first [N] less that of second [M], two independent samples."""
    means = [_resampled_means(values.double(), generator, num_resamples) for values in (first, second)]
    return _percentiles(means[0] - means[1], confidence)


def _resampled_means(values, generator, num_resamples):
    if not len(values):
        raise ValueError("no rows to resample")
    return values[torch.randint(len(values), (num_resamples, len(values)), generator=generator)].mean(dim=1)


def _percentiles(values, confidence):
    quantiles = torch.tensor([(1 - confidence) / 2, (1 + confidence) / 2], dtype=torch.float64)
    low, high = values.quantile(quantiles).tolist()
    return low, high


def bootstrap_spread(
    statistic: Callable[[torch.Tensor], torch.Tensor],
    num_rows: int,
    generator: torch.Generator,
    confidence: float = 0.95,
    num_resamples: int = 100,
) -> torch.Tensor:
    """Half widths [K] of normal intervals of K statistics, from their deviations under a bootstrap over rows.

    statistic: rows int64 [num_rows], drawn with replacement -> float [K]. Repeated rows push a Frechet distance up, so
    only the spread of the replicates is taken from them, never their place (Efron and Tibshirani 1993, ch. 13).
    """
    draws = torch.randint(num_rows, (num_resamples, num_rows), generator=generator)
    replicates = torch.stack([statistic(rows).double() for rows in draws])
    return NormalDist().inv_cdf(0.5 + confidence / 2) * replicates.std(dim=0)
