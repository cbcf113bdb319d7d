"""Metrics of pairs: distances within a set, cosines of paired features, and where two images differ."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch.nn import functional as F

__all__ = ["Mean", "clip_score", "energy_inside", "mean_and_error", "pair_distances", "paired_cosine"]

_PAIRS_PER_BATCH = 32


@torch.no_grad()
def pair_distances(
    rows: torch.Tensor,
    distance: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    generator: torch.Generator,
    max_pairs: int | None = None,
) -> torch.Tensor:
    """Distances float64 [P] of pairs drawn at random so that no row is in two of them.

    rows [N, ...]; distance takes two batches of rows and returns [n]. Disjoint pairs are independent, so that the
    standard error of their mean holds; P = N // 2, or max_pairs. Raises ValueError for fewer than two rows.
    """
    if len(rows) < 2:
        raise ValueError("a pair needs two rows")
    num_pairs = min(len(rows) // 2, max_pairs or len(rows))
    order = torch.randperm(len(rows), generator=generator)[: 2 * num_pairs].view(2, num_pairs)
    parts = zip(*(indices.split(_PAIRS_PER_BATCH) for indices in order), strict=True)
    return torch.cat([distance(rows[a], rows[b]).detach().cpu().double().flatten() for a, b in parts])


CLIP_SCORE_WEIGHT = 2.5  # as published, so that usual scores fill the range from 0 to 1


class Mean(NamedTuple):
    """A mean of independent values."""

    value: float
    standard_error: float  # NaN for one value


def mean_and_error(values: torch.Tensor) -> Mean:
    """Mean of values [N] and its standard error, in float64. Raises ValueError for no values."""
    if not len(values):
        raise ValueError("no values to average")
    values = values.detach().to("cpu", torch.float64)
    error = float(values.std()) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Mean(float(values.mean()), error)


def paired_cosine(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Cosine of row i of both: [N, D] twice -> float64 [N] on the CPU; 0 where a row is all zeros."""
    first, second = (F.normalize(rows.detach().to("cpu", torch.float64), dim=1) for rows in (first, second))
    return (first * second).sum(dim=1)


def clip_score(image_features: torch.Tensor, text_features: torch.Tensor) -> torch.Tensor:
    """2.5 max(cos(image, text), 0) of every pair (Hessel et al. 2021, arXiv 2104.08718, eq. 1).

    [N, D] twice -> float64 [N]; the mean is the CLIP score.
    """
    return CLIP_SCORE_WEIGHT * paired_cosine(image_features, text_features).clamp(min=0)


def energy_inside(first: torch.Tensor, second: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Share of the difference of two images that lies inside a region: its energy, the square summed over RGB.

    first, second [N, 3, H, W], mask [N, H, W] of zeros and ones -> float64 [N]; 0 where the images are equal.
    """
    energy = (first - second).square().sum(dim=1).double()  # [N, H, W]
    return (energy * mask).sum(dim=(1, 2)) / energy.sum(dim=(1, 2)).clamp_min(1e-12)
