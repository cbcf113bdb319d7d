"""Confidence intervals of success rates, of their difference and ratio, and of means and other statistics."""

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
    "rate_ratio_interval",
    "wilson_interval",
]


def wilson_interval(num_successes: int, num_trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a binomial success rate (Wilson 1927; without continuity correction).

    Equal to scipy's binomtest(...).proportion_ci(method="wilson") up to rounding, and a thousand times as fast, since
    no p-value is computed on the way.

    Args:
        num_successes: From 0 to num_trials.
        num_trials: 0 or more.
        confidence: Between 0 and 1.

    Returns:
        (low, high), each from 0 to 1; (0, 1) where num_trials is 0.

    Raises:
        ValueError: The counts are not 0 <= num_successes <= num_trials.

    >>> low, high = wilson_interval(2, 10)
    >>> round(low, 3), round(high, 3)
    (0.057, 0.51)
    """
    if not 0 <= num_successes <= num_trials:
        raise ValueError(f"{num_successes} successes in {num_trials} trials")
    if num_trials == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate = num_successes / num_trials
    scale = 1 + z * z / num_trials
    centre = (rate + z * z / (2 * num_trials)) / scale
    half = z / scale * math.sqrt(rate * (1 - rate) / num_trials + z * z / (4 * num_trials**2))
    # At 0 and at num_trials one end is 0 or 1 exactly; rounding would leave 1e-17 beside it.
    low = 0.0 if num_successes == 0 else max(centre - half, 0.0)
    high = 1.0 if num_successes == num_trials else min(centre + half, 1.0)
    return low, high


def newcombe_paired_interval(
    both: int, only_first: int, only_second: int, neither: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval of the first success rate minus the second, both measured on the same cases.

    Newcombe (1998, Statistics in Medicine 17, 2635), method 10: the Wilson intervals of the two rates, added in squares
    less their correlation, which is corrected for continuity where it is positive.

    Args:
        both: Pairs with success in both.
        only_first, only_second: Pairs with success in one alone.
        neither: Pairs with success in neither.
        confidence: Between 0 and 1.

    Returns:
        (low, high), each from -1 to 1; (-1, 1) without any pair.

    Raises:
        ValueError: A count is negative.

    >>> low, high = newcombe_paired_interval(both=2, only_first=8, only_second=0, neither=0)
    >>> round(low, 3), round(high, 3)
    (0.384, 0.943)
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
    """Interval of the first success rate minus the second, of two independent samples.

    Newcombe (1998, Statistics in Medicine 17, 873), method 10: the Wilson intervals of the two rates, added in squares.

    Args:
        num_first, num_second: Successes of each sample, from 0 to its trials.
        trials_first, trials_second: Trials of each sample.
        confidence: Between 0 and 1.

    Returns:
        (low, high), each from -1 to 1; (-1, 1) where a sample is empty.

    Raises:
        ValueError: The counts are not 0 <= successes <= trials.

    >>> low, high = newcombe_interval(18, 20, 10, 20)
    >>> round(low, 3), round(high, 3)
    (0.116, 0.613)
    """
    low_first, high_first = wilson_interval(num_first, trials_first, confidence)
    low_second, high_second = wilson_interval(num_second, trials_second, confidence)
    if not (trials_first and trials_second):
        return -1.0, 1.0
    first, second = num_first / trials_first, num_second / trials_second
    low = first - second - math.hypot(first - low_first, high_second - second)
    high = first - second + math.hypot(high_first - first, second - low_second)
    return max(low, -1.0), min(high, 1.0)


def rate_ratio_interval(
    num_first: int, trials_first: int, num_second: int, trials_second: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval of the first success rate over the second, of two independent samples.

    Computed on the logarithm, with half a success and half a trial added to both samples (Walter 1975, Biometrika 62,
    371), so that a sample without a single success has an interval too.

    Args:
        num_first, num_second: Successes of each sample, from 0 to its trials.
        trials_first, trials_second: Trials of each sample, 1 or more.
        confidence: Between 0 and 1.

    Returns:
        (low, high), each above 0.

    Raises:
        ValueError: The counts are not 0 <= successes <= trials, or a sample is empty.

    >>> low, high = rate_ratio_interval(18, 20, 10, 20)
    >>> round(low, 2), round(high, 2)
    (1.13, 2.75)
    """
    logs, variance = [], 0.0
    for num, trials in ((num_first, trials_first), (num_second, trials_second)):
        if not 0 <= num <= trials or not trials:
            raise ValueError(f"{num} successes in {trials} trials")
        logs.append(math.log((num + 0.5) / (trials + 0.5)))
        variance += 1 / (num + 0.5) - 1 / (trials + 0.5)
    centre, half = logs[0] - logs[1], NormalDist().inv_cdf(0.5 + confidence / 2) * math.sqrt(variance)
    return math.exp(centre - half), math.exp(centre + half)


def _corrected_correlation(both: int, only_first: int, only_second: int, neither: int) -> float:
    """Newcombe's correlation of two paired outcomes; 0 where one of them never or always happens."""
    num_first, num_second = both + only_first, both + only_second
    num = num_first + only_second + neither
    margins = num_first * (num - num_first) * num_second * (num - num_second)
    if margins == 0:
        return 0.0
    covariance: float = both * neither - only_first * only_second
    if covariance > 0:
        covariance = max(covariance - num / 2, 0.0)
    return covariance / math.sqrt(margins)


def bootstrap_interval(
    values: torch.Tensor, generator: torch.Generator, confidence: float = 0.95, num_resamples: int = 4000
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean, resampling rows (Efron 1979).

    Columns within a row may be correlated; pass row-wise differences for a paired interval. Equal rows give an interval
    without width.

    Args:
        values: [N, ...], a row per independent case, such as a latent, with everything measured on it.
        generator: Source of the resamples.
        confidence: Between 0 and 1.
        num_resamples: Bootstrap resamples.

    Returns:
        (low, high).

    Raises:
        ValueError: There are no rows.

    >>> bootstrap_interval(torch.tensor([0.5, 0.5, 0.5]), torch.Generator().manual_seed(0))
    (0.5, 0.5)
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
    """Percentile bootstrap interval of the difference of two means, of independent samples.

    Args:
        first, second: [N] and [M]; each is resampled by itself.
        generator, confidence, num_resamples: As in `bootstrap_interval`.

    Returns:
        (low, high) of the mean of the first less that of the second.

    Raises:
        ValueError: A sample is empty.

    >>> bootstrap_difference_interval(torch.ones(3), torch.zeros(2), torch.Generator().manual_seed(0))
    (1.0, 1.0)
    """
    means = [_resampled_means(values.double(), generator, num_resamples) for values in (first, second)]
    return _percentiles(means[0] - means[1], confidence)


def _resampled_means(values: torch.Tensor, generator: torch.Generator, num_resamples: int) -> torch.Tensor:
    if not len(values):
        raise ValueError("no rows to resample")
    return values[torch.randint(len(values), (num_resamples, len(values)), generator=generator)].mean(dim=1)


def _percentiles(values: torch.Tensor, confidence: float) -> tuple[float, float]:
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
    """Half widths of normal intervals of K statistics, from their standard deviations under a bootstrap over rows.

    Repeated rows bias a Frechet distance upwards, so only the spread of the replicates is used, never their location
    (Efron and Tibshirani 1993, ch. 13).

    Args:
        statistic: Rows int64 [num_rows], drawn with replacement -> float [K].
        num_rows: Rows to draw from, and to draw.
        generator: Source of the resamples.
        confidence: Between 0 and 1.
        num_resamples: Bootstrap resamples, 2 or more.

    Returns:
        float64 [K].

    >>> values = torch.arange(100.0)
    >>> bootstrap_spread(lambda rows: values[rows].mean()[None], 100, torch.Generator().manual_seed(0)).round()
    tensor([6.], dtype=torch.float64)
    """
    draws = torch.randint(num_rows, (num_resamples, num_rows), generator=generator)
    replicates = torch.stack([statistic(rows).double() for rows in draws])
    return NormalDist().inv_cdf(0.5 + confidence / 2) * replicates.std(dim=0)
