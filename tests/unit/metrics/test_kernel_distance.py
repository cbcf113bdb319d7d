"""Kernel distance against a double loop, its error against a leave-one-out loop and against repetition."""

import numpy as np
import pytest
import torch

from styleT2I.metrics import kernel_distance as module
from styleT2I.metrics.kernel_distance import kernel_distance
from styleT2I.torch_utils.seeding import generator


def draw(num, dim, seed, shift=0.0):
    return np.random.default_rng(seed).normal(size=(num, dim)) + shift


def loop_mmd(x, y):
    """The unbiased estimate written as sums over pairs, scalar by scalar."""

    def kernel(a, b):
        return (sum(p * q for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3

    n, m = len(x), len(y)
    within_x = sum(kernel(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within_y = sum(kernel(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within_x + within_y - 2 * sum(kernel(a, b) for a in x for b in y) / (n * m)


def measured(x, y, **settings):
    return kernel_distance(torch.from_numpy(x), torch.from_numpy(y), generator("test"), **settings)


@pytest.mark.parametrize("rows_per_block", [1024, 5])
def test_equals_a_double_loop_and_its_error_a_leave_one_out_loop(rows_per_block, monkeypatch):
    monkeypatch.setattr(module, "_ROWS_PER_BLOCK", rows_per_block)
    x, y = draw(13, 4, 0), draw(17, 4, 1, shift=0.3)
    found = measured(x, y)
    assert found.value == pytest.approx(loop_mmd(x, y), rel=1e-12)
    variance = 0.0
    for rows, left_out in ((x, lambda i: (np.delete(x, i, 0), y)), (y, lambda i: (x, np.delete(y, i, 0)))):
        values = np.array([loop_mmd(*left_out(i)) for i in range(len(rows))])
        variance += (len(rows) - 1) / len(rows) * ((values - values.mean()) ** 2).sum()
    assert found.standard_error == pytest.approx(np.sqrt(variance), rel=1e-9)


def test_is_unbiased_and_the_error_is_the_spread_of_repeated_draws():
    same = [measured(draw(40, 3, seed), draw(40, 3, 1000 + seed), num_subsets=1).value for seed in range(150)]
    assert abs(np.mean(same)) < 3 * np.std(same) / np.sqrt(len(same))
    apart = [measured(draw(60, 3, seed), draw(60, 3, 1000 + seed, 0.7), num_subsets=1) for seed in range(200)]
    spread = np.std([one.value for one in apart])
    assert np.mean([one.standard_error for one in apart]) == pytest.approx(spread, rel=0.15)


def test_subsets_average_to_the_whole():
    x, y = draw(50, 4, 2), draw(50, 4, 3, shift=0.5)
    many = measured(x, y, num_subsets=400, subset_size=20)
    assert many.subset_mean == pytest.approx(many.value, abs=4 * many.subset_std / np.sqrt(400))
    assert many.subset_std > 0
    assert measured(x, y, subset_size=1000) == measured(x, y, subset_size=25)  # half of the rows at most


def test_equals_torch_fidelitys():
    metric = pytest.importorskip("torch_fidelity.metric_kid", reason="the extra 'metrics' is not installed")
    x, y = (torch.from_numpy(draw(80, 16, seed, shift)) for seed, shift in ((4, 0.0), (5, 0.2)))
    theirs = metric.kid_features_to_metric(x, y, kid_subsets=1, kid_subset_size=80, verbose=False)
    ours = kernel_distance(x, y, generator("test"))
    assert ours.value == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-9)


def test_refuses_two_rows_and_nan():
    with pytest.raises(ValueError, match="fake must be"):
        kernel_distance(torch.zeros(5, 2), torch.zeros(2, 2), generator("test"))
    with pytest.raises(ValueError, match="NaN"):
        kernel_distance(torch.full((5, 2), float("nan")), torch.zeros(5, 2), generator("test"))
