"""Attributes read off embeddings by least squares: what a prior drew, before any image is made of it."""

from __future__ import annotations

from typing import NamedTuple

import torch

_RIDGE = 1e-4  # of the embeddings' mean square, against directions without variance


class LinearProbe(NamedTuple):
    """A linear reading of A attributes."""

    weight: torch.Tensor  # float64 [D, A]
    bias: torch.Tensor  # float64 [A]

    def __call__(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Scores [N, A] of embeddings [N, D], above 0 where an attribute is read as present."""
        return embeddings.double() @ self.weight + self.bias


def fit_linear_probe(embeddings: torch.Tensor, labels: torch.Tensor) -> LinearProbe:
    """The probe nearest to labels bool [N, A], as 1 and -1, on embeddings [N, D]; least squares with a slight ridge."""
    x = embeddings.double()
    mean = x.mean(dim=0)
    target = labels.double() * 2 - 1
    offset = target.mean(dim=0)
    centred = x - mean
    gram = centred.t() @ centred
    gram += _RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=torch.float64)
    weight = torch.linalg.solve(gram, centred.t() @ (target - offset))
    return LinearProbe(weight, offset - mean @ weight)
