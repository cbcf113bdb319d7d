"""Tests of paired outcomes, p-values of many of them, and rank correlation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

from scipy.stats import binomtest, spearmanr

__all__ = ["RankCorrelation", "benjamini_hochberg", "holm", "mcnemar_exact", "rank_correlation"]


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Two-sided p-value of the exact McNemar test: among pairs that differ, is each side as likely to succeed?

    The counts are of pairs with success in the first alone and in the second alone. No such pair gives 1.
    Raises ValueError for a negative count.
    """
    if min(only_first, only_second) < 0:
        raise ValueError(f"negative counts of pairs: {(only_first, only_second)}")
    num = only_first + only_second
    return float(binomtest(only_first, num, 0.5).pvalue) if num else 1.0


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
    interval: tuple[float, float]


def rank_correlation(first: Sequence[float], second: Sequence[float], confidence: float = 0.95):
    """Spearman's correlation with the interval of Bonett and Wright (2000, Psychometrika 65, 23).

    None where it is not defined: fewer than 4 pairs, or a side without differences.
    """
    num = len(first)
    if num < 4 or len(set(first)) == 1 or len(set(second)) == 1:
        return None
    found = spearmanr(first, second)
    rho = max(-1.0, min(1.0, float(found.statistic)))
    if abs(rho) == 1:
        return RankCorrelation(rho, float(found.pvalue), (rho, rho))
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * math.sqrt((1 + rho * rho / 2) / (num - 3))
    return RankCorrelation(
        rho, float(found.pvalue), (math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half))
    )


def _ascending(p_values):
    for p in p_values:
        if not 0 <= p <= 1:
            raise ValueError(f"{p} is not a p-value")
    return sorted(range(len(p_values)), key=p_values.__getitem__)
