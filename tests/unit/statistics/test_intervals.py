"""Intervals against scipy, published examples, and the share of simulated experiments that they cover."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from scipy.stats import binomtest

from styleT2I.statistics.intervals import (
    bootstrap_interval,
    newcombe_interval,
    newcombe_paired_interval,
    rate_ratio_interval,
    wilson_interval,
)


@pytest.mark.parametrize("successes, trials", [(0, 7), (4, 8), (160, 200), (199, 200), (200, 200), (1, 1)])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_equals_scipy(successes, trials, confidence):
    expected = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    assert wilson_interval(successes, trials, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_ends_are_exact_and_nothing_known_is_everything():
    assert wilson_interval(0, 20)[0] == 0.0
    assert wilson_interval(20, 20)[1] == 1.0
    assert wilson_interval(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="5 successes in 4 trials"):
        wilson_interval(5, 4)


@pytest.mark.parametrize(
    "counts, published",
    [
        ((36, 12, 2, 0), (0.0569, 0.3404)),  # Newcombe 1998, table II, method 10
        ((1, 1, 7, 12), (-0.507, -0.026)),  # Fagerland, Lydersen and Laake 2014, airway hyper-responsiveness
    ],
)
def test_paired_interval_gives_the_published_figures(counts, published):
    assert newcombe_paired_interval(*counts) == pytest.approx(published, abs=5e-4)


@pytest.mark.parametrize("counts", [(150, 10, 30, 10), (190, 6, 4, 0), (3, 0, 5, 2), (5, 9, 9, 1), (0, 0, 8, 2)])
def test_paired_interval_equals_squares_added_over_scipys_wilson_intervals(counts):
    """From the paired outcomes themselves, with numpy's correlation in place of the one of the counts."""
    outcomes = np.repeat([(1, 1), (1, 0), (0, 1), (0, 0)], counts, axis=0)
    num = len(outcomes)
    (p, q), (wilson_p, wilson_q) = outcomes.mean(axis=0), (
        binomtest(int(column.sum()), num).proportion_ci(method="wilson") for column in outcomes.T
    )  # fmt: skip
    spread = outcomes.std(axis=0).prod()
    correlation = np.cov(outcomes.T, bias=True)[0, 1] / spread if spread else 0.0
    if correlation > 0:
        correlation = max(correlation - 1 / (2 * num * spread), 0.0)
    square = np.array([[1, -correlation], [-correlation, 1]])
    below, above = np.array([p - wilson_p.low, wilson_q.high - q]), np.array([wilson_p.high - p, q - wilson_q.low])
    expected = (p - q - math.sqrt(below @ square @ below), p - q + math.sqrt(above @ square @ above))
    assert newcombe_paired_interval(*counts) == pytest.approx(expected, abs=1e-12)


def test_swapping_the_two_sides_turns_the_paired_interval_round():
    low, high = newcombe_paired_interval(150, 10, 30, 10)
    assert newcombe_paired_interval(150, 30, 10, 10) == pytest.approx((-high, -low))
    assert newcombe_paired_interval(0, 0, 0, 0) == (-1.0, 1.0)
    low, high = newcombe_paired_interval(200, 0, 0, 0)  # all right on both sides is no proof of equality
    assert -0.03 < low < 0 < high < 0.03
    with pytest.raises(ValueError, match="negative"):
        newcombe_paired_interval(1, -1, 0, 0)


def test_paired_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(5)
    shares = np.array([0.86, 0.03, 0.08, 0.03])
    covered = []
    for counts in rng.multinomial(200, shares, size=1500).tolist():
        low, high = newcombe_paired_interval(*counts)
        covered.append(low <= shares[1] - shares[2] <= high)
    assert 0.93 <= np.mean(covered) <= 0.98


def test_bootstrap_agrees_with_scipy_and_repeats():
    values = torch.from_numpy(np.random.default_rng(1).binomial(1, 0.9, size=200).astype(float))
    low, high = bootstrap_interval(values, torch.Generator().manual_seed(0))
    expected = scipy.stats.bootstrap(
        (values.numpy(),), np.mean, method="percentile", n_resamples=4000, rng=np.random.default_rng(2)
    ).confidence_interval
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.006)
    assert bootstrap_interval(values, torch.Generator().manual_seed(0)) == (low, high)
    with pytest.raises(ValueError, match="no rows"):
        bootstrap_interval(torch.zeros(0), torch.Generator())


def test_bootstrap_resamples_rows_so_that_repeated_columns_teach_nothing():
    rng = torch.Generator().manual_seed(3)
    column = (torch.rand(100, 1, generator=rng) < 0.8).double()
    low, high = bootstrap_interval(column, torch.Generator().manual_seed(0))
    assert bootstrap_interval(column.expand(-1, 13), torch.Generator().manual_seed(0)) == pytest.approx((low, high))
    independent = (torch.rand(100, 13, generator=rng) < 0.8).double()
    narrow = bootstrap_interval(independent, torch.Generator().manual_seed(0))
    assert narrow[1] - narrow[0] < 0.5 * (high - low)


def test_intervals_of_independent_shares_equal_statsmodels_on_random_counts():
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    rng = np.random.default_rng(11)
    for _ in range(100):
        trials = rng.integers(1, 400, 2).tolist()
        first, second = (int(rng.integers(num + 1)) for num in trials)
        counts = (first, trials[0], second, trials[1])
        expected = proportion.proportion_confint(first, trials[0], method="wilson")
        assert wilson_interval(*counts[:2]) == pytest.approx(expected, abs=1e-12)
        expected = proportion.confint_proportions_2indep(*counts, method="newcomb", compare="diff")
        assert newcombe_interval(*counts) == pytest.approx(expected, abs=1e-9)
        expected = proportion.confint_proportions_2indep(*counts, method="log-adjusted", compare="ratio")
        assert rate_ratio_interval(*counts) == pytest.approx(expected, rel=1e-9)


def test_independent_shares_by_hand():
    assert newcombe_interval(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)  # Newcombe 1998, table II (a)
    assert newcombe_interval(0, 0, 3, 4) == (-1.0, 1.0)
    low, high = rate_ratio_interval(0, 20, 5, 20)
    assert 0 < low < 0.1 and 1 < high < 2  # no success among 20 may still be chance
    with pytest.raises(ValueError, match="0 trials"):
        rate_ratio_interval(0, 0, 5, 20)
