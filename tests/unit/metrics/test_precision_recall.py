"""Precision, recall, density and coverage against plain loops over points."""

import numpy as np
import pytest
import torch

from styleT2I.metrics import precision_recall as module
from styleT2I.metrics.precision_recall import density_coverage, neighbour_radii, precision_recall


def loop_reference(real, fake, k):
    """The definitions written as loops, distances by scalar arithmetic."""

    def distance(a, b):
        return float(np.sqrt(((a - b) ** 2).sum()))

    def radius(points, i):
        return sorted(distance(points[i], points[j]) for j in range(len(points)) if j != i)[k - 1]

    real_radii = [radius(real, i) for i in range(len(real))]
    fake_radii = [radius(fake, i) for i in range(len(fake))]
    hits = [[distance(f, r) <= real_radii[i] for i, r in enumerate(real)] for f in fake]
    back = [any(distance(r, f) <= fake_radii[j] for j, f in enumerate(fake)) for r in real]
    return {
        "precision": sum(any(row) for row in hits) / len(fake),
        "recall": sum(back) / len(real),
        "density": sum(map(sum, hits)) / (k * len(fake)),
        "coverage": sum(any(row[i] for row in hits) for i in range(len(real))) / len(real),
    }


@pytest.mark.parametrize("k, rows_per_block", [(3, 1024), (5, 7)])
def test_equal_loops(k, rows_per_block, monkeypatch):
    monkeypatch.setattr(module, "ROWS_PER_BLOCK", rows_per_block)
    rng = np.random.default_rng(k)
    real, fake = rng.normal(size=(40, 3)), rng.normal(size=(33, 3)) * 0.8 + 0.7
    expected = loop_reference(real, fake, k)
    real, fake = torch.from_numpy(real), torch.from_numpy(fake)
    assert {**precision_recall(real, fake, k), **density_coverage(real, fake, k)} == pytest.approx(expected)
    assert 0 < expected["precision"] < 1 and 0 < expected["recall"] < 1  # the case can tell right from wrong


def test_radius_leaves_the_point_itself_out():
    points = torch.tensor([[0.0], [1.0], [3.0], [7.0]], dtype=torch.float64)
    assert neighbour_radii(points, 1).tolist() == [1, 1, 4, 16]
    assert neighbour_radii(points, 2).tolist() == [9, 4, 9, 36]


def test_far_from_the_origin_digits_survive():
    generator = torch.Generator().manual_seed(0)
    real, fake = torch.randn(30, 2, generator=generator), torch.randn(30, 2, generator=generator)
    near = precision_recall(real.double(), fake.double())
    assert precision_recall(real.double() + 1e6, fake.double() + 1e6) == near


def test_one_outlier_inflates_precision_but_not_density():
    generator = torch.Generator().manual_seed(1)
    real = torch.cat([torch.randn(50, 2, generator=generator), torch.full((1, 2), 40.0)])
    fake = torch.randn(50, 2, generator=generator) + 20  # near no real face, inside the outlier's ball
    assert precision_recall(real, fake)["precision"] == 1.0
    assert density_coverage(real, fake)["density"] < 0.5


def test_refuses_too_few_points():
    with pytest.raises(ValueError, match="real must be"):
        precision_recall(torch.zeros(3, 2), torch.zeros(9, 2))
