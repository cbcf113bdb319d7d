"""Inception score: are classes clear in every image and varied over all of them (Salimans et al. 2016)."""

from __future__ import annotations

from typing import NamedTuple

import torch

__all__ = ["InceptionScore", "inception_score"]


class InceptionScore(NamedTuple):
    """The score's mean over splits, as published, and its spread over them."""

    value: float
    standard_error: float  # of the mean over the splits, which share no image; NaN for one split
    split_std: float  # what is usually published behind "+-"


def inception_score(probabilities: torch.Tensor, generator: torch.Generator, num_splits: int = 10) -> InceptionScore:
    """exp(mean KL(p(y|x) || p(y))) in each of num_splits parts of the shuffled images (arXiv 1606.03498, sec. 4).

    probabilities [N, C], rows summing to 1; or [N, G, C] of G questions that are answered independently, whose
    divergences add up: a judge's attributes are G questions of C = 2 answers. Then the score lies between 1 and C^G.
    Raises ValueError for fewer images than splits, or rows that are no probabilities.
    """
    rows = probabilities.detach().to("cpu", torch.float64)
    if rows.ndim == 2:
        rows = rows[:, None]
    if rows.ndim != 3 or not 1 <= num_splits <= len(rows):
        raise ValueError(f"{list(probabilities.shape)} cannot be split into {num_splits} parts of [N, C] or [N, G, C]")
    if not ((rows >= 0).all() and torch.allclose(rows.sum(dim=2), torch.ones(()).double(), atol=1e-4)):
        raise ValueError("rows must be probabilities: not negative, with a sum of 1")
    rows = rows[torch.randperm(len(rows), generator=generator)]
    scores = torch.stack([_score(part) for part in rows.tensor_split(num_splits)])
    spread = float(scores.std()) if num_splits > 1 else float("nan")
    return InceptionScore(float(scores.mean()), spread / num_splits**0.5, float(scores.std(correction=0)))


def _score(rows):
    mean = rows.mean(dim=0)  # [G, C]
    divergence = torch.special.xlogy(rows, rows) - torch.special.xlogy(rows, mean)
    return divergence.sum(dim=(1, 2)).mean().exp()
