"""How far a figure scatters that is no mean over rows: the Frechet distance, a correlation."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import torch

__all__ = ["bootstrap_spread"]


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
