"""Attributes and embeddings, one read off the other by least squares: what a prior drew, before an image is made."""

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
    return LinearProbe(*_least_squares(embeddings.double(), labels.double() * 2 - 1))


def variance_explained(embeddings: torch.Tensor, labels: torch.Tensor) -> float:
    """How much of the variance of embeddings [N, D] follows linearly from labels bool [N, A], as a rate."""
    x, y = labels.double() * 2 - 1, embeddings.double()
    weight, bias = _least_squares(x, y)
    rest = (y - (x @ weight + bias)).square().sum()
    return 1 - (rest / (y - y.mean(dim=0)).square().sum()).item()


def _least_squares(x, y):
    """Weight and bias of the linear map from x [N, P] to y [N, Q]."""
    mean, offset = x.mean(dim=0), y.mean(dim=0)
    centred = x - mean
    gram = centred.t() @ centred
    gram += _RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=torch.float64)
    weight = torch.linalg.solve(gram, centred.t() @ (y - offset))
    return weight, offset - mean @ weight
