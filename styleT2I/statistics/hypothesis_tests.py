"""Tests of outcomes, p-values of many of them, and rank correlation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import binomtest, fisher_exact, rankdata

__all__ = [
    "RankCorrelation", "benjamini_hochberg", "binomial_exact", "fisher", "holm", "mcnemar_exact", "rank_correlation",
]  # fmt: skip

_MAX_ENUMERATED = 7  # pairs: 7! = 5040 permutations


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Two-sided p-value of the exact McNemar test: among pairs that differ, is each side as likely to succeed?

    The counts are of pairs with success in the first alone and in the second alone. No such pair gives 1.
    Raises ValueError for a negative count.
    """
    if min(only_first, only_second) < 0:
        raise ValueError(f"negative counts of pairs: {(only_first, only_second)}")
    num = only_first + only_second
    return float(binomtest(only_first, num, 0.5).pvalue) if num else 1.0


def binomial_exact(num_successes: int, num: int, share: float) -> float:
    """Two-sided p-value of the exact binomial test: is this the share of which the successes were drawn? 1 of none."""
    return float(binomtest(num_successes, num, share).pvalue) if num else 1.0


def fisher(num_first: int, trials_first: int, num_second: int, trials_second: int) -> float:
    """Two-sided p-value of Fisher's exact test: have two independent samples one share of successes? 1 of none."""
    table = [[num_first, trials_first - num_first], [num_second, trials_second - num_second]]
    return float(fisher_exact(table).pvalue) if trials_first and trials_second else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted so that refusing those below alpha errs even once with chance alpha at most (Holm 1979)."""
    num, adjusted, largest = len(p_values), [0.0] * len(p_values), 0.0
    for rank, index in enumerate(_ascending(p_values)):
        largest = max(largest, min((num - rank) * p_values[index], 1.0))
        adjusted[index] = largest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted so that of those below alpha a share of alpha is false at most, on average (BH 1995)."""
    num, adjusted, smallest = len(p_values), [0.0] * len(p_values), 1.0
    for rank, index in reversed(list(enumerate(_ascending(p_values), start=1))):
        smallest = min(smallest, num / rank * p_values[index])
        adjusted[index] = smallest
    return adjusted


class RankCorrelation(NamedTuple):
    """Spearman's rho of N pairs, its two-sided p-value and an interval."""

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
    """Spearman's correlation of N pairs, with a p-value by permutation and a percentile bootstrap interval over pairs.

    Up to 7 pairs every permutation is counted; beyond, num_resamples random ones and the one that was seen (Phipson
    and Smyth 2010). A resample in which one side does not differ has no correlation: where that is more of them than
    the interval may leave out, it is (-1, 1). A perfect correlation has none, for every resample is perfect too.
    None where the correlation itself is not defined: fewer than 4 pairs, or a side without differences.
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


def _permutations(num, num_resamples, generator):
    """Blocks [n, num] of orders: all of a few things, else the one that was seen and random ones."""
    if num <= _MAX_ENUMERATED:
        yield np.array(list(itertools.permutations(range(num))))
        return
    yield np.arange(num)[None]
    for rows in _blocks(num_resamples, num):
        yield torch.rand(len(rows), num, generator=generator).argsort(dim=1).numpy()


def _bootstrapped(ranks, generator, confidence, num_resamples):
    """The interval of Spearman's rho of resampled columns of ranks [2, N]."""
    num, values = ranks.shape[1], []
    for rows in _blocks(num_resamples, num):
        columns = torch.randint(num, (len(rows), num), generator=generator).numpy()
        first, second = (_centred_ranks(side[columns]) for side in ranks)  # [n, N]
        spread = np.sqrt(np.square(first).sum(axis=1) * np.square(second).sum(axis=1))
        values.append((first * second).sum(axis=1)[spread > 0] / spread[spread > 0])
    values = np.concatenate(values)
    if len(values) < num_resamples * (1 + confidence) / 2:
        return -1.0, 1.0
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    return max(low, -1.0), min(high, 1.0)


def _centred_ranks(values):
    """Ranks along the last dimension, ties averaged, less their mean."""
    return rankdata(values, axis=-1) - (values.shape[-1] + 1) / 2


def _blocks(num_rows, num_columns):
    """Ranges that cover num_rows, each of about a million numbers."""
    size = max(1, 1_000_000 // num_columns)
    return [range(start, min(start + size, num_rows)) for start in range(0, num_rows, size)]


def _ascending(p_values):
    for p in p_values:
        if not 0 <= p <= 1:
            raise ValueError(f"{p} is not a p-value")
    return sorted(range(len(p_values)), key=p_values.__getitem__)
