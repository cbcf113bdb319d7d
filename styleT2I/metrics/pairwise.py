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
    """Distances of pairs drawn at random so that no row is in two of them.

    Disjoint pairs are independent, so that the standard error of their mean holds.

    Args:
        rows: [N, ...] with N >= 2.
        distance: takes two batches of rows, [n, ...] each, and returns [n].
        generator: on the CPU.
        max_pairs: at most so many pairs; N // 2 by default.

    Returns:
        float64 [P] on the CPU, with P = N // 2 or max_pairs.

    Raises:
        ValueError: fewer than two rows.

    Example:
        >>> rows = torch.tensor([[0.0], [3.0]])
        >>> pair_distances(rows, lambda a, b: (a - b).norm(dim=1), torch.Generator().manual_seed(0)).tolist()
        [3.0]
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
    """Mean of independent values and its standard error, in float64.

    Args:
        values: [N] with N >= 1.

    Returns:
        The mean and its standard error, NaN for one value.

    Raises:
        ValueError: no values.

    Example:
        >>> mean_and_error(torch.tensor([1.0, 3.0]))
        Mean(value=2.0, standard_error=1.0)
    """
    if not len(values):
        raise ValueError("no values to average")
    values = values.detach().to("cpu", torch.float64)
    error = float(values.std()) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Mean(float(values.mean()), error)


def paired_cosine(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Cosine of row i of one set and row i of another.

    Args:
        first: [N, D], any float dtype.
        second: [N, D].

    Returns:
        float64 [N] on the CPU, from -1 to 1; 0 where a row is all zeros.

    Example:
        >>> paired_cosine(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[2.0, 0.0], [0.0, 1.0]])).tolist()
        [1.0, 0.0]
    """
    first, second = (F.normalize(rows.detach().to("cpu", torch.float64), dim=1) for rows in (first, second))
    return (first * second).sum(dim=1)


def clip_score(image_features: torch.Tensor, text_features: torch.Tensor) -> torch.Tensor:
    """CLIP score of every pair, 2.5 max(cos(image, text), 0) (Hessel et al. 2021, arXiv 2104.08718, eq. 1).

    Args:
        image_features: [N, D], any float dtype.
        text_features: [N, D] of the captions.

    Returns:
        float64 [N], from 0 to 2.5; the mean is the CLIP score.

    Example:
        >>> clip_score(torch.tensor([[1.0, 0.0]]), torch.tensor([[2.0, 0.0]])).tolist()
        [2.5]
    """
    return CLIP_SCORE_WEIGHT * paired_cosine(image_features, text_features).clamp(min=0)


def energy_inside(first: torch.Tensor, second: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """How much of the difference of two images lies inside a region: its energy, the square summed over RGB.

    Args:
        first: [N, 3, H, W].
        second: [N, 3, H, W].
        mask: [N, H, W] of zeros and ones, the region.

    Returns:
        float64 [N], from 0 to 1; 0 where the images are equal.

    Example:
        >>> mask = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
        >>> energy_inside(torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2), mask).tolist()
        [0.25]
    """
    energy = (first - second).square().sum(dim=1).double()  # [N, H, W]
    return (energy * mask).sum(dim=(1, 2)) / energy.sum(dim=(1, 2)).clamp_min(1e-12)
