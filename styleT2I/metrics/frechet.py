"""Frechet distance between two sets of features (Heusel et al. 2017, arXiv 1706.08500, eq. 6)."""

from __future__ import annotations

import torch

__all__ = ["feature_statistics", "frechet_distance", "frechet_distance_from_statistics"]


def feature_statistics(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and unbiased covariance of a feature set, in float64.

    features [N, F] with N >= 2, any float dtype -> mean [F], covariance [F, F].
    Raises ValueError for fewer than two rows or values that are not finite.
    """
    if features.ndim != 2 or features.shape[0] < 2:
        raise ValueError(f"features must be [N, F] with N >= 2, not {list(features.shape)}")
    features = features.detach().to("cpu", torch.float64)
    if not torch.isfinite(features).all():
        raise ValueError("features hold NaN or infinite values")
    mean = features.mean(dim=0)
    centred = features - mean
    return mean, centred.T @ centred / (features.shape[0] - 1)


def frechet_distance_from_statistics(
    mean_a: torch.Tensor, covariance_a: torch.Tensor, mean_b: torch.Tensor, covariance_b: torch.Tensor
) -> float:
    """Squared Frechet distance between two Gaussians: |mean_a - mean_b|^2 + tr(A + B - 2 (A B)^(1/2)).

    Means [F], covariances [F, F] (symmetric, positive semi-definite, may be singular). The trace of (A B)^(1/2) is
    that of the symmetric (A^(1/2) B A^(1/2))^(1/2), so two symmetric eigendecompositions in float64 do, without the
    general matrix square root whose imaginary residue and failures on singular matrices are well known.
    """
    mean_a, covariance_a, mean_b, covariance_b = (
        tensor.detach().to("cpu", torch.float64) for tensor in (mean_a, covariance_a, mean_b, covariance_b)
    )
    values, vectors = torch.linalg.eigh(covariance_a)
    root_a = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    product = root_a @ covariance_b @ root_a
    trace_root = torch.linalg.eigvalsh((product + product.T) / 2).clamp(min=0).sqrt().sum()
    distance = (mean_a - mean_b).square().sum() + covariance_a.trace() + covariance_b.trace() - 2 * trace_root
    return max(float(distance), 0.0)  # rounding may leave -1e-12 for equal inputs


def frechet_distance(features_a: torch.Tensor, features_b: torch.Tensor) -> float:
    """Squared Frechet distance between the Gaussians fitted to two feature sets [N, F] and [M, F].

    The estimate is biased upwards for small N: compare figures of equal N only.
    """
    return frechet_distance_from_statistics(*feature_statistics(features_a), *feature_statistics(features_b))
