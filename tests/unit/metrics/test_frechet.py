"""Frechet distance against scipy's general matrix square root and against closed forms."""

import numpy as np
import pytest
import scipy.linalg
import torch

from styleT2I.metrics.frechet import feature_statistics, frechet_distance, frechet_distance_from_statistics


def features(num, dim, seed, shift=0.0):
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(dim, dim))
    return torch.from_numpy(rng.normal(size=(num, dim)) @ mix + shift)


def scipy_frechet(a, b):
    a, b = a.numpy(), b.numpy()
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(cov_a @ cov_b)
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root.real))


@pytest.mark.parametrize("dim", [1, 5, 24])
def test_equals_scipy_sqrtm(dim):
    a, b = features(200, dim, 0), features(150, dim, 1, shift=0.5)
    if dim == 1:
        expected = float((a.mean() - b.mean()) ** 2 + (a.std() - b.std()) ** 2)
    else:
        expected = scipy_frechet(a, b)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)


def test_known_gaussians():
    mean_a, mean_b = torch.zeros(3), torch.tensor([3.0, 0.0, 4.0])
    distance = frechet_distance_from_statistics(mean_a, torch.eye(3), mean_b, 4 * torch.eye(3))
    assert distance == pytest.approx(25 + 3 * (2 - 1) ** 2)


def test_equal_sets_are_at_zero_and_order_does_not_matter():
    a, b = features(60, 8, 2), features(60, 8, 3)
    assert frechet_distance(a, a.flip(0)) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)


def test_singular_covariance_is_finite_and_right():
    a, b = features(10, 16, 4), features(12, 16, 5)  # fewer rows than dimensions
    cov_a, cov_b = np.cov(a.numpy(), rowvar=False), np.cov(b.numpy(), rowvar=False)
    # Nuclear norm of the product of the centred factors: tr (A B)^(1/2) without any matrix square root.
    factor_a, factor_b = (x - x.mean(0) for x in (a, b))
    trace = torch.linalg.svdvals(factor_a @ factor_b.T).sum() / np.sqrt(9 * 11)
    expected = (a.mean(0) - b.mean(0)).square().sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * trace
    assert frechet_distance(a, b) == pytest.approx(float(expected), rel=1e-6)


def test_statistics_are_numpys_in_float64_from_half():
    half = features(40, 4, 6).half()
    mean, covariance = feature_statistics(half)
    np.testing.assert_allclose(mean, half.double().numpy().mean(0), rtol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(half.double().numpy(), rowvar=False), rtol=1e-10)


def test_refuses_one_row_and_nan():
    with pytest.raises(ValueError, match="N >= 2"):
        feature_statistics(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="NaN"):
        feature_statistics(torch.full((4, 3), float("nan")))
