"""Tests, adjusted p-values and sample sizes against scipy, statsmodels and simulated experiments."""

import numpy as np
import pytest
import scipy.stats

from styleT2I.errors import ConfigError
from styleT2I.fairness.hypothesis_tests import benjamini_hochberg, holm, mcnemar_exact, rank_correlation
from styleT2I.fairness.sample_size import discordant_shares, mcnemar_power, pairs_needed


@pytest.fixture(scope="module")
def tables():
    """Random counts of pairs: both, only the first, only the second, neither."""
    rng = np.random.default_rng(0)
    return [rng.multinomial(int(rng.integers(1, 300)), rng.dirichlet(np.ones(4))).tolist() for _ in range(200)]


def test_mcnemar_equals_statsmodels_on_random_tables(tables):
    tests = pytest.importorskip("statsmodels.stats.contingency_tables")
    for both, first, second, neither in tables:
        expected = tests.mcnemar([[both, first], [second, neither]], exact=True).pvalue
        assert mcnemar_exact(first, second) == pytest.approx(expected, abs=1e-12)


def test_mcnemar_by_hand():
    assert mcnemar_exact(0, 5) == pytest.approx(2 / 32)
    assert mcnemar_exact(4, 4) == 1.0
    assert mcnemar_exact(0, 0) == 1.0
    with pytest.raises(ValueError, match="negative"):
        mcnemar_exact(-1, 2)


@pytest.mark.parametrize("adjust, method", [(holm, "holm"), (benjamini_hochberg, "fdr_bh")])
def test_adjusted_p_values_equal_statsmodels(adjust, method):
    multipletests = pytest.importorskip("statsmodels.stats.multitest").multipletests
    rng = np.random.default_rng(1)
    for num in (1, 2, 7, 40):
        p = (rng.random(num) ** 3).round(2).tolist()  # rounding makes ties
        assert adjust(p) == pytest.approx(multipletests(p, method=method)[1].tolist(), abs=1e-12)


def test_adjusted_p_values_by_hand():
    p = [0.04, 0.01, 0.03]
    assert holm(p) == pytest.approx([0.06, 0.03, 0.06])
    assert benjamini_hochberg(p) == pytest.approx(scipy.stats.false_discovery_control(p).tolist())
    assert holm([]) == benjamini_hochberg([]) == []
    with pytest.raises(ValueError, match="not a p-value"):
        holm([0.5, 1.5])


def test_rank_correlation_equals_scipy_and_its_interval_covers_the_truth():
    rng = np.random.default_rng(2)
    pearson, num, covered = 0.6, 40, 0
    truth = 6 / np.pi * np.arcsin(pearson / 2)  # Spearman's rho of a bivariate normal distribution
    for _ in range(400):
        x, y = rng.multivariate_normal([0, 0], [[1, pearson], [pearson, 1]], num).T
        found, expected = rank_correlation(x.tolist(), y.tolist()), scipy.stats.spearmanr(x, y)
        assert (found.rho, found.p) == pytest.approx((expected.statistic, expected.pvalue))
        covered += found.interval[0] <= truth <= found.interval[1]
    assert 0.92 <= covered / 400 <= 0.98


def test_rank_correlation_is_not_made_up_where_it_is_undefined():
    assert rank_correlation([1, 2, 3], [1, 2, 3]) is None
    assert rank_correlation([1, 2, 3, 4], [5, 5, 5, 5]) is None
    assert rank_correlation([1, 2, 3, 4], [4, 3, 2, 1]).rho == -1


def test_power_is_the_share_of_simulated_audits_that_find_the_gap():
    only_first, only_second = discordant_shares(0.9, 0.8, 0.3)
    num = 120
    rng = np.random.default_rng(3)
    draws = rng.multinomial(num, [only_first, only_second, 1 - only_first - only_second], size=4000)
    found = np.mean([mcnemar_exact(int(a), int(b)) <= 0.05 for a, b, _ in draws])
    assert mcnemar_power(num, only_first, only_second) == pytest.approx(found, abs=0.025)


def test_pairs_needed_are_enough_and_hardly_more():
    num = pairs_needed(0.9, 0.8, power=0.8)
    shares = discordant_shares(0.9, 0.8, 0.0)
    assert mcnemar_power(num, *shares) >= 0.8
    assert mcnemar_power(num - 20, *shares) < 0.8
    assert 197 <= num <= 230  # independent arms need 197 by the normal approximation; the exact test some more


def test_correlated_pairs_need_fewer_and_many_comparisons_need_more():
    plain = pairs_needed(0.9, 0.8)
    assert pairs_needed(0.9, 0.8, correlation=0.4) < 0.8 * plain
    assert pairs_needed(0.9, 0.8, num_comparisons=20) > 1.5 * plain
    assert pairs_needed(0.8, 0.9) == plain


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((0.8, 0.8), "two different shares"),
        ((0.9, 1.2), "between 0 and 1"),
        ((0.9, 0.8, 1.5), "power and alpha"),
        ((0.9, 0.1, 0.8, 0.05, 0.9), "cannot correlate by 0.9; choose"),
        ((0.5, 0.5000001), "more than 1000000 pairs"),
    ],
)
def test_impossible_designs_are_one_line(arguments, message):
    with pytest.raises(ConfigError, match=message):
        pairs_needed(*arguments)
