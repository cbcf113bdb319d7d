"""Cosines of paired features: CLIP score of image and text, identity of a face before and after an edit."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch.nn import functional as F

__all__ = ["Mean", "clip_score", "mean_and_error", "paired_cosine"]

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
