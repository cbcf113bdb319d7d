"""Frechet distance between two sets of features (Heusel et al. 2017, arXiv 1706.08500, eq. 6)."""

from __future__ import annotations

import torch

__all__ = ["feature_statistics", "frechet_distance", "frechet_distance_from_statistics"]


def feature_statistics(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and unbiased covariance of a feature set, in float64.

    Args:
        features: [N, F] with N >= 2, any float dtype, any device.

    Returns:
        Mean [F] and covariance [F, F], float64 on the CPU.

    Raises:
        ValueError: fewer than two rows, or values that are not finite.

    Example:
        >>> mean, covariance = feature_statistics(torch.tensor([[0.0, 1.0], [2.0, 1.0]]))
        >>> mean.tolist(), covariance.tolist()
        ([1.0, 1.0], [[2.0, 0.0], [0.0, 0.0]])
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

    The trace of (A B)^(1/2) is that of the symmetric (A^(1/2) B A^(1/2))^(1/2), so two symmetric eigendecompositions in
    float64 do, without the general matrix square root and its imaginary residue and failures on singular matrices.

    Args:
        mean_a: mean [F] of the first Gaussian.
        covariance_a: its covariance [F, F], symmetric and positive semi-definite; it may be singular.
        mean_b: mean [F] of the second Gaussian.
        covariance_b: its covariance [F, F].

    Returns:
        The distance, 0 or more, in squared units of the features.

    Example:
        >>> frechet_distance_from_statistics(torch.zeros(2), torch.eye(2), torch.tensor([3.0, 0.0]), 4 * torch.eye(2))
        11.0
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
    """Squared Frechet distance between the Gaussians fitted to two feature sets; the FID of Inception features.

    The estimate is biased upwards for small N: compare values of equal N only.

    Args:
        features_a: [N, F] with N >= 2, any float dtype.
        features_b: [M, F] with M >= 2.

    Returns:
        The distance, 0 or more.

    Raises:
        ValueError: fewer than two rows, or values that are not finite.

    Example:
        >>> features = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
        >>> round(frechet_distance(features, features + 1), 4)
        4.0
    """
    return frechet_distance_from_statistics(*feature_statistics(features_a), *feature_statistics(features_b))
