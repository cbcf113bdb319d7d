"""Cohen's kappa of two raters with a confidence interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import torch

from styleT2I.statistics.intervals import wilson_interval

__all__ = ["kappa_interval"]


def kappa_interval(
    table: Sequence[Sequence[int]], confidence: float = 0.95
) -> tuple[float, tuple[float, float]] | None:
    """Cohen's kappa: agreement of two raters beyond chance, 0 at chance and 1 where they never differ.

    The variance is that of Fleiss, Cohen and Everitt (1969, Psychological Bulletin 72, 323). It is 0 where the raters
    never differ, which few cases do not prove: there the interval is Wilson's for the rate of agreement, converted to
    kappa by the agreement expected by chance.

    Args:
        table: Counts [K, K] of cases, by the first rater's category (row) and the second's (column).
        confidence: Of the interval, between 0 and 1.

    Returns:
        Kappa and its interval (low, high), all from -1 to 1. None where kappa says nothing, however often the raters
        agree: there is no case, or a rater uses one category throughout.

    >>> kappa, (low, high) = kappa_interval([[40, 10], [5, 45]])
    >>> round(kappa, 3), round(low, 3), round(high, 3)
    (0.7, 0.561, 0.839)
    """
    counts = torch.tensor(table, dtype=torch.float64)
    num = float(counts.sum())
    if not num or min(int((counts.sum(dim=dim) > 0).sum()) for dim in (0, 1)) < 2:
        return None
    rates = counts / num
    rows, columns = rates.sum(dim=1), rates.sum(dim=0)
    observed, expected = float(rates.trace()), float(rows @ columns)
    kappa = (observed - expected) / (1 - expected)
    if observed == 1:
        low, _ = wilson_interval(int(num), int(num), confidence)
        return 1.0, ((low - expected) / (1 - expected), 1.0)
    right = float((rates.diagonal() * (1 - (rows + columns) * (1 - kappa)) ** 2).sum())
    crossed = (columns[:, None] + rows[None, :]) ** 2  # [i, j]: second rater says i, first says j
    wrong = (1 - kappa) ** 2 * float((rates * crossed).sum() - (rates.diagonal() * crossed.diagonal()).sum())
    variance = (right + wrong - (kappa - expected * (1 - kappa)) ** 2) / ((1 - expected) ** 2 * num)
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * math.sqrt(max(variance, 0.0))
    return kappa, (max(kappa - half, -1.0), min(kappa + half, 1.0))
