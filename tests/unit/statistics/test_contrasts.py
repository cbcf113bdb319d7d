"""Contrasts, their inversion to p-values and the power of equivalence, against scipy, statsmodels and simulation."""

import numpy as np
import pytest
import torch
from scipy.stats import norm
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from styleT2I.errors import ConfigError
from styleT2I.statistics.contrasts import (
    ends_of_pairs,
    ends_of_rate,
    ends_of_samples,
    joined_difference,
    joined_ratio,
    one_sided_p,
    score_of_pairs,
    z_of,
)
from styleT2I.statistics.equivalence_power import pairs_needed_within, power_within
from styleT2I.statistics.evidence import Bounded, Interpolated, Resampled, Scored, between, equality_p
from styleT2I.statistics.intervals import newcombe_paired_interval


def test_arrays_of_tables_have_the_intervals_of_the_scalar_function():
    tables = np.random.default_rng(0).multinomial(60, [0.5, 0.2, 0.1, 0.2], 50)
    tables[:3] = [[60, 0, 0, 0], [0, 0, 0, 60], [0, 60, 0, 0]]
    for confidence in (0.5, 0.95, 0.999):
        low, high = ends_of_pairs(*tables.T, z_of(confidence))
        wanted = [newcombe_paired_interval(*map(int, table), confidence) for table in tables]
        assert np.stack([low, high], axis=1) == pytest.approx(np.array(wanted), abs=1e-12)


def test_two_samples_and_one_rate_are_those_of_statsmodels():
    for first, second in ((18, 10), (0, 20), (20, 20), (7, 0)):
        wanted = confint_proportions_2indep(first, 20, second, 25, method="newcomb", compare="diff", alpha=0.1)
        assert ends_of_samples(first, 20, second, 25, z_of(0.9)) == pytest.approx(wanted, abs=1e-9)
        wanted = proportion_confint(first, 20, alpha=0.02, method="wilson")
        assert ends_of_rate(first, 20, z_of(0.98)) == pytest.approx(wanted, abs=1e-9)


def test_joined_intervals_are_newcombes_of_two_samples_and_the_ratio_at_which_their_contrast_touches_zero():
    of_one, of_other = ends_of_rate(30, 80, 1.96), ends_of_rate(45, 60, 1.96)
    joined = joined_difference(30 / 80, of_one, 45 / 60, of_other)
    assert joined == pytest.approx(ends_of_samples(30, 80, 45, 60, 1.96))
    low, high = (float(end) for end in joined_ratio(30 / 80, of_one, 45 / 60, of_other))
    assert low < 30 / 80 / (45 / 60) < high
    assert ends_of_samples(30, 80, 45, 60, 1.96, weight=low)[0] == pytest.approx(0, abs=1e-9)
    assert ends_of_samples(30, 80, 45, 60, 1.96, weight=high)[1] == pytest.approx(0, abs=1e-9)
    none, some = ends_of_rate(0, 40, 1.96), ends_of_rate(1, 40, 1.96)
    assert joined_ratio(0.0, none, 1 / 40, some)[0] == 0.0
    assert joined_ratio(0.5, (0.4, 0.6), 0.1, (0.0, 0.3))[1] == np.inf


def test_a_wilson_p_value_is_the_score_test():
    """Wilson's interval inverts the score test (Wilson 1927), so its p-value has a closed form."""
    for count, rate in ((90, 0.8), (60, 0.5), (10, 0.2), (33, 0.6)):
        score = (count / 100 - rate) / (rate * (1 - rate) / 100) ** 0.5
        assert one_sided_p(lambda z, k=count: ends_of_rate(k, 100, z), rate, count / 100) == pytest.approx(
            norm.sf(score), rel=1e-6
        )


@pytest.mark.parametrize("weight", [0.6, 0.8, 1.0, 1.3])
def test_weighted_contrasts_cover_the_truth(weight):
    rng, first, second, num = np.random.default_rng(2), 0.75, 0.65, 150
    both = first * second + 0.3 * (first * (1 - first) * second * (1 - second)) ** 0.5
    tables = rng.multinomial(num, [both, first - both, second - both, 1 - first - second + both], 20_000)
    low, high = ends_of_pairs(*tables.T, z_of(0.95), weight)
    truth = first - weight * second
    assert 0.94 <= ((low <= truth) & (truth <= high)).mean() <= 0.965
    samples = rng.binomial(num, first, 20_000), rng.binomial(num + 50, second, 20_000)
    low, high = ends_of_samples(samples[0], num, samples[1], num + 50, z_of(0.95), weight)
    assert 0.94 <= ((low <= truth) & (truth <= high)).mean() <= 0.965


def evidence():
    values = torch.randn(4000, generator=torch.Generator().manual_seed(0), dtype=torch.float64) / 20 + 0.05
    values[:5] = torch.nan
    closed = Interpolated(0.1, lambda z: ends_of_pairs(120, 40, 20, 20, z))
    other = Interpolated(0.15, lambda z: ends_of_pairs(125, 40, 10, 25, z))
    return {"closed": closed, "resampled": Resampled(0.05, values), "bounded": Bounded(closed, other, 0.1)}


@pytest.mark.parametrize("kind", ["closed", "resampled", "bounded"])
def test_p_values_and_intervals_of_one_evidence_never_contradict_each_other(kind):
    known = evidence()[kind]
    for alpha in (0.05, 0.025, 0.005, 0.00251):
        low, high = known.interval(1 - 2 * alpha)
        for bound in np.linspace(-0.3, 0.4, 29):
            assert (known.shown_above(bound) <= alpha) == (low > bound)
            assert (known.shown_below(bound) <= alpha) == (high < bound)


def test_resamples_that_say_nothing_count_against_every_claim():
    useless = Resampled(0.5, torch.full((1000,), torch.nan), (0.0, 1.0))
    assert useless.interval(0.95) == (0.0, 1.0)
    assert useless.shown_above(0.0) == useless.shown_below(1.0) == 1.0
    assert between(useless, 1.0) == (1.0, 1.0) and equality_p(useless, 0.5) == 1.0


def test_the_confidence_that_few_resamples_cannot_show_is_not_claimed():
    few = Resampled(0.5, torch.linspace(0.4, 0.6, 99))
    assert few.interval(0.9)[0] > 0.4 and few.interval(0.999) == (-1.0, 1.0)


def test_simulated_audits_are_within_as_often_as_the_power_says():
    """One limit: the power of the equivalence test by brute force, the intervals computed one by one."""
    rng, num, within = np.random.default_rng(5), 150, 0
    tables = rng.multinomial(num, [0.704, 0.096, 0.096, 0.104], 1500)  # rates .8, correlation .4
    for table in tables:
        low, high = newcombe_paired_interval(*map(int, table), 0.9)
        within += -0.1 < low and high < 0.1
    power = power_within(num, [("max_gap", 0.1)], correlation=0.4, num_audits=4000)
    assert within / 1500 == pytest.approx(power, abs=0.045)


def test_pairs_needed_reach_the_power_and_hardly_fewer_do():
    limits = [("max_gap", 0.15), ("min_ratio", 0.8), ("min_success", 0.7)]
    num = pairs_needed_within(limits, 0.8, success=(0.85, 0.85), correlation=0.3)
    assert power_within(num, limits, (0.85, 0.85), 0.3, num_audits=3000) == pytest.approx(0.8, abs=0.06)
    assert power_within(int(0.8 * num), limits, (0.85, 0.85), 0.3, num_audits=3000) < 0.8


@pytest.mark.parametrize(
    "limits, message",
    [
        ([("max_gap", 0.0)], "do not keep max_gap 0"),
        ([("min_success", 0.9)], "do not keep min_success 0.9"),
        ([("other", 0.9)], "no kind of limit"),
        ([("max_gap", 0.0001)], "pairs are needed"),
        ([], "power lies between"),
    ],
)
def test_what_no_number_of_pairs_decides_is_one_line(limits, message, monkeypatch):
    monkeypatch.setattr("styleT2I.statistics.equivalence_power.MAX_PAIRS", 1000)
    with pytest.raises(ConfigError, match=message):
        pairs_needed_within(limits)


def score_by_search(b, c, num, difference):
    """Tango's score by maximising the likelihood of b, c and the rest under p_b - p_c = difference numerically."""
    from scipy.optimize import minimize_scalar

    def loss(second):
        first = second + difference
        rest = 1 - first - second
        parts = [(b, first), (c, second), (num - b - c, rest)]
        return -sum(count * np.log(max(rate, 1e-300)) for count, rate in parts if count)

    low, high = max(0.0, -difference), (1 - difference) / 2
    second = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    first = second + difference
    return (b - c - num * difference) / (num * (first + second - difference**2)) ** 0.5


def test_the_score_of_pairs_is_that_of_the_likeliest_rates_and_mcnemars_at_no_difference():
    rng = np.random.default_rng(5)
    for b, c, _ in rng.multinomial(80, [0.2, 0.1, 0.7], 8):
        for difference in (-0.3, -0.1, 0.05, 0.2):
            assert score_of_pairs(b, c, 80, difference) == pytest.approx(
                score_by_search(b, c, 80, difference), abs=2e-4
            )
        assert score_of_pairs(b, c, 80, 0.0) == pytest.approx((b - c) / (b + c) ** 0.5)
        assert score_of_pairs(c, b, 80, -0.1) == pytest.approx(-score_of_pairs(b, c, 80, 0.1))
    assert score_of_pairs(0, 0, 50, 0.0) == 0 and score_of_pairs(0, 0, 50, 1.0) == -np.inf


def test_the_interval_of_scores_agrees_with_its_p_values_and_ends_where_the_score_is_z():
    for b, c in ((0, 0), (12, 3), (0, 9), (40, 0)):
        gap = Scored((b - c) / 40, lambda supposed, b=b, c=c: score_of_pairs(b, c, 40, supposed))
        low, high = gap.interval(0.95)
        assert -1 <= low <= gap.value <= high <= 1
        for end, z in ((low, z_of(0.95)), (high, -z_of(0.95))):
            if abs(end) < 1 - 1e-9:
                assert score_of_pairs(b, c, 40, end) == pytest.approx(z, abs=1e-6)
        assert gap.shown_above(low - 1e-6) <= 0.025 <= gap.shown_above(low + 1e-6)
        assert gap.shown_below(high + 1e-6) <= 0.025 <= gap.shown_below(high - 1e-6)


@pytest.mark.parametrize("success, correlation", [(0.8, 0.4), (0.9, 0.4), (0.8, 0.8), (0.5, 0.4)])
@pytest.mark.parametrize("num", [354, 1000])
def test_a_false_within_is_no_more_frequent_than_its_level_at_the_first_of_twenty_steps_of_holm(
    success, correlation, num
):
    """Both sides' chances are shared in so many pairs; the gap lies at the limit of 10 points."""
    other = success - 0.1
    both = (1 - correlation) * success * other + correlation * other
    rates = [both, success - both, other - both, 1 - success - other + both]
    tables = np.random.default_rng(6).multinomial(num, rates, 400_000).T
    above, below = (score_of_pairs(tables[1], tables[2], num, supposed) for supposed in (-0.1, 0.1))
    level = 0.05 / 20
    rate = (norm.sf(np.minimum(above, -below)) <= level).mean()
    assert rate <= level + 2.5 * (level / 400_000) ** 0.5
