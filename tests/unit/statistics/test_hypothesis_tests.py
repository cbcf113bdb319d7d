"""Tests, adjusted p-values and sample sizes against scipy, statsmodels and simulated experiments."""

import itertools

import numpy as np
import pytest
import scipy.stats

from styleT2I.errors import ConfigError
from styleT2I.statistics.hypothesis_tests import (
    benjamini_hochberg,
    binomial_exact,
    fisher,
    holm,
    mcnemar_exact,
    rank_correlation,
)
from styleT2I.statistics.power import discordant_rates, mcnemar_power, pairs_needed
from styleT2I.torch_utils.seeding import generator


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


def test_binomial_and_fisher_equal_sums_over_all_tables_no_likelier_than_the_one_seen():
    rng = np.random.default_rng(4)
    for _ in range(40):
        trials, others = (int(rng.integers(1, 60)) for _ in range(2))
        count, other, share = int(rng.integers(trials + 1)), int(rng.integers(others + 1)), float(rng.random())
        chances = scipy.stats.binom.pmf(np.arange(trials + 1), trials, share)
        expected = chances[chances <= chances[count] * (1 + 1e-7)].sum()
        assert binomial_exact(count, trials, share) == pytest.approx(expected, abs=1e-10)
        chances = scipy.stats.hypergeom.pmf(np.arange(trials + 1), trials + others, count + other, trials)
        expected = chances[chances <= chances[count] * (1 + 1e-7)].sum()
        assert fisher(count, trials, other, others) == pytest.approx(expected, abs=1e-10)
    assert binomial_exact(0, 0, 0.5) == fisher(0, 0, 3, 4) == 1.0


def test_rank_correlation_equals_scipy_with_ties_and_without():
    rng = np.random.default_rng(2)
    for num in (5, 12, 40):
        x, y = rng.integers(0, num, num), rng.random(num).round(1)
        found = rank_correlation(x.tolist(), y.tolist(), generator("ties", num), num_resamples=200)
        assert found.rho == pytest.approx(scipy.stats.spearmanr(x, y).statistic)


def test_its_p_value_counts_every_permutation_of_few_and_agrees_with_scipy_on_many():
    first, second = [3.0, 1.0, 4.0, 1.5, 9.0], [0.2, 0.1, 0.9, 0.2, 0.6]
    seen = abs(scipy.stats.spearmanr(first, second).statistic)
    orders = [scipy.stats.spearmanr(first, order).statistic for order in itertools.permutations(second)]
    expected = np.mean(np.abs(orders) >= seen - 1e-12)
    assert rank_correlation(first, second, generator("few"), num_resamples=9).p == pytest.approx(expected)
    rng = np.random.default_rng(7)
    x = rng.normal(size=60)
    y = 0.3 * x + rng.normal(size=60)
    found = rank_correlation(x.tolist(), y.tolist(), generator("many"), num_resamples=4000)
    assert found.p == pytest.approx(scipy.stats.spearmanr(x, y).pvalue, abs=0.01)


def test_its_interval_covers_the_truth_and_its_p_values_are_even_where_nothing_correlates():
    rng = np.random.default_rng(2)
    pearson, num, covered, small = 0.6, 40, 0, 0
    truth = 6 / np.pi * np.arcsin(pearson / 2)  # Spearman's rho of a bivariate normal distribution
    for run in range(200):
        x, y = rng.multivariate_normal([0, 0], [[1, pearson], [pearson, 1]], num).T
        found = rank_correlation(x.tolist(), y.tolist(), generator("covers", run), num_resamples=400)
        covered += found.interval[0] <= truth <= found.interval[1]
        x, y = rng.normal(size=(2, 10))
        small += rank_correlation(x.tolist(), y.tolist(), generator("even", run), num_resamples=200).p <= 0.2
    assert 0.90 <= covered / 200 <= 0.98
    assert 0.13 <= small / 200 <= 0.27


def test_rank_correlation_is_not_made_up_where_it_is_undefined():
    def correlation(first, second):
        return rank_correlation(first, second, generator("undefined"), num_resamples=500)

    assert correlation([1, 2, 3], [1, 2, 3]) is None
    assert correlation([1, 2, 3, 4], [5, 5, 5, 5]) is None
    assert correlation([1, 2, 3, 4], [4, 3, 2, 1])[::2] == (-1, None)
    assert correlation([1, 2, 3, 4], [4, 3, 2, 1]).p == pytest.approx(2 / 24)
    nearly_all_equal = [1.0] * 19 + [0.9]  # one resample in three has no difference at all
    assert correlation(list(range(20)), nearly_all_equal).interval == (-1.0, 1.0)


def test_power_is_the_share_of_simulated_audits_that_find_the_gap():
    only_first, only_second = discordant_rates(0.9, 0.8, 0.3)
    num = 120
    rng = np.random.default_rng(3)
    draws = rng.multinomial(num, [only_first, only_second, 1 - only_first - only_second], size=4000)
    found = np.mean([mcnemar_exact(int(a), int(b)) <= 0.05 for a, b, _ in draws])
    assert mcnemar_power(num, only_first, only_second) == pytest.approx(found, abs=0.025)


def test_pairs_needed_are_enough_and_hardly_more():
    num = pairs_needed(0.9, 0.8, power=0.8)
    shares = discordant_rates(0.9, 0.8, 0.0)
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
        ((0.8, 0.8), "two different rates"),
        ((0.9, 1.2), "between 0 and 1"),
        ((0.9, 0.8, 1.5), "power and alpha"),
        ((0.9, 0.1, 0.8, 0.05, 0.9), "cannot correlate by 0.9; choose"),
        ((0.5, 0.5000001), "more than 1000000 pairs"),
    ],
)
def test_impossible_designs_are_one_line(arguments, message):
    with pytest.raises(ConfigError, match=message):
        pairs_needed(*arguments)
