"""Exact hypothesis tests, multiple-comparison corrections and Spearman rank correlation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import binomtest, false_discovery_control, fisher_exact, rankdata

__all__ = [
    "RankCorrelation",
    "benjamini_hochberg",
    "binomial_exact",
    "fisher",
    "holm",
    "mcnemar_exact",
    "rank_correlation",
]

_MAX_ENUMERATED = 7  # pairs: 7! = 5040 permutations


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Two-sided exact McNemar test of paired outcomes: among pairs that differ, does each side succeed equally often?

    Args:
        only_first: Pairs with success in the first alone, 0 or more.
        only_second: Pairs with success in the second alone, 0 or more.

    Returns:
        The p-value, from 0 to 1; 1.0 without any pair that differs.

    Raises:
        ValueError: A count is negative.

    >>> mcnemar_exact(8, 0)
    0.0078125
    """
    if min(only_first, only_second) < 0:
        raise ValueError(f"negative counts of pairs: {(only_first, only_second)}")
    num = only_first + only_second
    return float(binomtest(only_first, num, 0.5).pvalue) if num else 1.0


def binomial_exact(num_successes: int, num: int, rate: float) -> float:
    """Two-sided exact binomial test of a success rate.

    Args:
        num_successes: From 0 to num.
        num: Trials.
        rate: Success rate under the null hypothesis, from 0 to 1.

    Returns:
        The p-value, from 0 to 1; 1.0 where num is 0.

    >>> binomial_exact(9, 10, 0.5)
    0.021484375
    """
    return float(binomtest(num_successes, num, rate).pvalue) if num else 1.0


def fisher(num_first: int, trials_first: int, num_second: int, trials_second: int) -> float:
    """Two-sided Fisher's exact test: do two independent samples have the same success rate?

    Args:
        num_first, num_second: Successes of each sample, from 0 to its trials.
        trials_first, trials_second: Trials of each sample.

    Returns:
        The p-value, from 0 to 1; 1.0 where a sample is empty.

    >>> round(fisher(18, 20, 10, 20), 4)
    0.0138
    """
    table = [[num_first, trials_first - num_first], [num_second, trials_second - num_second]]
    return float(fisher_exact(table).pvalue) if trials_first and trials_second else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted by Holm (1979), which bounds the family-wise error rate.

    Rejecting the hypotheses whose adjusted p-value is at most alpha makes even one false rejection with probability at
    most alpha.

    Args:
        p_values: Each from 0 to 1, in any order.

    Returns:
        Adjusted p-values in the order given, each from 0 to 1.

    Raises:
        ValueError: A value is not from 0 to 1.

    >>> holm([0.0078125, 1.0])
    [0.015625, 1.0]
    """
    for p in p_values:
        if not 0 <= p <= 1:
            raise ValueError(f"{p} is not a p-value")
    num, adjusted, largest = len(p_values), [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(num), key=p_values.__getitem__)):
        largest = max(largest, min((num - rank) * p_values[index], 1.0))
        adjusted[index] = largest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted by Benjamini and Hochberg (1995), which bounds the false discovery rate.

    Of the hypotheses whose adjusted p-value is at most alpha, a fraction of at most alpha is rejected falsely on
    average.

    Args:
        p_values: Each from 0 to 1, in any order.

    Returns:
        Adjusted p-values in the order given, each from 0 to 1.

    Raises:
        ValueError: A value is not from 0 to 1.

    >>> benjamini_hochberg([0.01, 0.5, 0.02])
    [0.03, 0.5, 0.03]
    """
    return false_discovery_control(p_values).tolist() if len(p_values) else []


class RankCorrelation(NamedTuple):
    """Spearman's rho of N pairs from -1 to 1, its two-sided p-value, and an interval where it has one."""

    rho: float
    p: float
    interval: tuple[float, float] | None


def rank_correlation(
    first: Sequence[float],
    second: Sequence[float],
    generator: torch.Generator,
    confidence: float = 0.95,
    num_resamples: int = 4000,
) -> RankCorrelation | None:
    """Spearman's rank correlation, with a p-value by permutation and a percentile bootstrap interval over pairs.

    Up to 7 pairs every permutation is counted; beyond, num_resamples random ones and the observed one (Phipson and
    Smyth 2010). A resample in which all values of one side are equal has no correlation: where that happens in more
    resamples than the interval may leave out, the interval is (-1, 1).

    Args:
        first, second: N values each; values at the same position are a pair.
        generator: Source of the permutations and the resamples.
        confidence: Of the interval, between 0 and 1.
        num_resamples: Random permutations, and bootstrap resamples.

    Returns:
        None where the correlation is not defined: fewer than 4 pairs, or all values of one side equal. A perfect
        correlation has the interval None, since every resample is perfect too.

    >>> rank_correlation([1, 2, 3, 4, 5], [2, 4, 6, 8, 10], torch.Generator().manual_seed(0))
    RankCorrelation(rho=1.0, p=0.016666666666666666, interval=None)
    """
    num = len(first)
    if num < 4 or len(set(first)) == 1 or len(set(second)) == 1:
        return None
    ranks = np.stack([_centred_ranks(np.asarray(side, dtype=float)) for side in (first, second)])  # [2, N]
    spread = math.sqrt(np.square(ranks[0]).sum() * np.square(ranks[1]).sum())
    rho = max(-1.0, min(1.0, float(ranks[0] @ ranks[1] / spread)))
    reached = total = 0
    for orders in _permutations(num, num_resamples, generator):
        reached += int((np.abs(ranks[1][orders] @ ranks[0]) >= abs(rho) * spread * (1 - 1e-9)).sum())
        total += len(orders)
    interval = None if abs(rho) > 1 - 1e-12 else _bootstrapped(ranks, generator, confidence, num_resamples)
    return RankCorrelation(rho, reached / total, interval)


def _permutations(num: int, num_resamples: int, generator: torch.Generator) -> Iterator[np.ndarray]:
    """Blocks [n, num] of orders: all of them for a small num, else the observed one and random ones."""
    if num <= _MAX_ENUMERATED:
        yield np.array(list(itertools.permutations(range(num))))
        return
    yield np.arange(num)[None]
    for rows in _blocks(num_resamples, num):
        yield torch.rand(len(rows), num, generator=generator).argsort(dim=1).numpy()


def _bootstrapped(
    ranks: np.ndarray, generator: torch.Generator, confidence: float, num_resamples: int
) -> tuple[float, float]:
    """The interval of Spearman's rho of resampled columns of ranks [2, N]."""
    num, values = ranks.shape[1], []
    for rows in _blocks(num_resamples, num):
        columns = torch.randint(num, (len(rows), num), generator=generator).numpy()
        first, second = (_centred_ranks(side[columns]) for side in ranks)  # [n, N]
        spread = np.sqrt(np.square(first).sum(axis=1) * np.square(second).sum(axis=1))
        values.append((first * second).sum(axis=1)[spread > 0] / spread[spread > 0])
    defined = np.concatenate(values)
    if len(defined) < num_resamples * (1 + confidence) / 2:
        return -1.0, 1.0
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    return max(low, -1.0), min(high, 1.0)


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks along the last dimension, ties averaged, less their mean."""
    return rankdata(values, axis=-1) - (values.shape[-1] + 1) / 2


def _blocks(num_rows: int, num_columns: int) -> list[range]:
    """Ranges that cover num_rows, each of about a million numbers."""
    size = max(1, 1_000_000 // num_columns)
    return [range(start, min(start + size, num_rows)) for start in range(0, num_rows, size)]
