"""PPI++ against its paper's formulas written again in numpy, limits with a known answer, and simulated coverage."""

import numpy as np
import pytest
from scipy.stats import norm

from styleT2I.statistics.intervals import wilson_interval
from styleT2I.statistics.power import discordant_rates
from styleT2I.statistics.prediction_powered import num_labels_needed, powered_mean, stratified_rate

Z = norm.isf(0.025)


def by_the_paper(y, f, rest, power):
    """Value and variance of the estimate with a fixed weight of the predictions, and the weight with the least."""
    n, m = len(y), len(rest)
    every = np.array([*f, *rest])
    value = sum(y) / n + power * (sum(rest) / m - sum(f) / n)
    residual = np.array(y) - power * np.array(f)
    variance = residual.var(ddof=1) / n + power**2 * every.var(ddof=1) / m
    best = np.cov(y, f, ddof=1)[0, 1] / ((1 + n / m) * every.var(ddof=1))
    return value, variance, best


def toy(seed, n=40, m=160):
    rng = np.random.default_rng(seed)
    y = rng.random(n + m) < 0.6
    f = np.where(y, rng.random(n + m) < 0.9, rng.random(n + m) < 0.2)
    return y[:n].astype(float), f[:n].astype(float), f[n:].astype(float)


@pytest.mark.parametrize("seed", range(5))
def test_value_error_and_power_are_those_of_the_papers_formulas(seed):
    y, f, rest = toy(seed)
    best = by_the_paper(y, f, rest, 0.0)[2]
    value, variance, _ = by_the_paper(y, f, rest, best)
    found = powered_mean(y, f, rest)
    assert (found.value, found.error, found.power) == pytest.approx((value, variance**0.5, best), abs=1e-12)
    least = min(by_the_paper(y, f, rest, power)[1] for power in np.linspace(0, 1, 101))
    assert found.error**2 <= least * (1 + 0.01)  # spread is taken over all, so the minimum is not exactly there


def test_predictions_that_know_nothing_leave_the_labels_alone_and_perfect_ones_make_all_cases_labels():
    y, f, rest = toy(0)
    alone = powered_mean(y, np.zeros_like(f), np.zeros_like(rest))
    assert (alone.value, alone.power) == (y.mean(), 0.0)
    assert alone.error == pytest.approx(y.std(ddof=1) / len(y) ** 0.5)
    opposed = powered_mean(y, 1 - y, rest)
    assert opposed.power == 0.0
    perfect = powered_mean(f, f, rest)
    every = np.concatenate([f, rest])
    assert perfect.value == pytest.approx(every.mean(), abs=0.01)
    assert perfect.error == pytest.approx(every.std(ddof=1) / len(every) ** 0.5, rel=0.05)
    nothing_else = powered_mean(y, f, [])
    assert (nothing_else.value, nothing_else.power) == (y.mean(), 0.0)


def test_arrays_of_audits_are_estimated_as_one_by_one_and_misfits_refused():
    several = [toy(seed) for seed in range(3)]
    found = powered_mean(*(np.stack(part) for part in zip(*several, strict=True)))
    for index, each in enumerate(several):
        one = powered_mean(*each)
        assert (found.value[index], found.error[index]) == pytest.approx((one.value, one.error))
        assert [ends[index] for ends in found.ends(Z)] == pytest.approx(one.ends(Z))
    for y, f in (([1, 0], [1, 0]), ([1, 0, 1], [1, 0])):
        with pytest.raises(ValueError, match="labels"):
            powered_mean(y, f, [1, 0])


@pytest.mark.parametrize("sensitivity, specificity", [((0.95, 0.7), (0.9, 0.98)), ((0.6, 0.6), (0.6, 0.6))])
def test_the_interval_of_a_gap_covers_whatever_the_judge_does_and_is_narrower_than_the_labels_alone(
    sensitivity, specificity
):
    rng, num, labelled = np.random.default_rng(3), 500, 120
    truth = rng.random((4000, 2, num)) < np.array([0.8, 0.7])[:, None]
    chance = rng.random(truth.shape)
    verdict = np.where(truth, chance < np.array(sensitivity)[:, None], chance > np.array(specificity)[:, None])
    y, f = (side[:, 0].astype(float) - side[:, 1] for side in (truth, verdict))
    found = powered_mean(y[:, :labelled], f[:, :labelled], f[:, labelled:])
    for level, tolerance in ((0.95, 0.012), (0.995, 0.004)):
        low, high = found.ends(norm.isf((1 - level) / 2))
        assert ((low <= 0.1) & (0.1 <= high)).mean() == pytest.approx(level, abs=tolerance)
    assert found.error.mean() < (y[:, :labelled].std(axis=1, ddof=1) / labelled**0.5).mean()
    assert found.value.std() == pytest.approx(found.error.mean(), rel=0.05)


@pytest.mark.parametrize("accuracy", [0.5, 0.9, 0.99])
def test_the_planned_number_of_labels_gives_the_planned_width(accuracy):
    """Simulated: the mean half width at the number of labels that was asked for."""
    from styleT2I.fairness.plan.sample_size import explained_by_judge

    success, correlation, num, wanted = 0.8, 0.4, 1000, 0.06
    variance = sum(discordant_rates(success, success, correlation))
    labels = num_labels_needed(wanted, variance, explained_by_judge(success, correlation, accuracy), num)
    rng, size = np.random.default_rng(4), (400, num)
    both = success**2 + correlation * success * (1 - success)
    kind = rng.choice(4, p=[both, success - both, success - both, 1 - 2 * success + both], size=size)
    truth = np.stack([kind < 2, kind % 2 == 0])
    verdict = truth ^ (rng.random(truth.shape) > accuracy)
    y, f = (side[0].astype(float) - side[1] for side in (truth, verdict))
    found = powered_mean(y[:, :labels], f[:, :labels], f[:, labels:])
    assert Z * found.error.mean() == pytest.approx(wanted, rel=0.06)


def test_a_stratified_rate_is_the_sum_over_strata_and_that_of_ppi_at_its_best_power():
    y, f, rest = toy(1)
    verdicts = np.concatenate([f, rest])
    strata = [(int(y[f == kind].sum()), int((f == kind).sum()), int((verdicts == kind).sum())) for kind in (0, 1)]
    found = stratified_rate(strata)
    by_hand = sum((verdicts == kind).mean() * y[f == kind].mean() for kind in (0, 1))
    assert found.value == pytest.approx(by_hand)
    # With a verdict of two values the regression of y on f passes through both means.
    slope = np.cov(y, f, ddof=1)[0, 1] / f.var(ddof=1)
    assert found.value == pytest.approx(y.mean() + slope * (verdicts.mean() - f.mean()))
    every = stratified_rate([(30, 40, 40), (1, 10, 10)])
    assert every.ends(Z) == pytest.approx(wilson_interval(31, 50))  # nothing is left to predict
    alone = stratified_rate([(0, 50, 400)])
    assert alone.value == 0.0 and alone.ends(Z) == pytest.approx(wilson_interval(0, 50))
    low, high = stratified_rate([(5, 10, 100), (0, 0, 100)]).ends(Z)
    assert low < 0.25 and high > 0.75  # half of all cases are in a stratum that nobody labelled
    for strata in ([(1, 0, 5)], [(0, 6, 5)], [(0, 0, 5)]):
        with pytest.raises(ValueError, match="strata"):
            stratified_rate(strata)


@pytest.mark.parametrize(
    "rate, misses, invents, labels, num",
    [(0.3, 0.3, 0.0, 120, 400), (0.1, 0.3, 0.0, 120, 400), (0.1, 0.05, 0.02, 120, 400), (0.05, 0.2, 0.0, 200, 1000),
     (0.3, 0.3, 0.0, 40, 400), (0.9, 0.1, 0.1, 100, 1000), (0.98, 0.0, 0.3, 50, 200), (0.5, 0.5, 0.5, 30, 200)],
)  # fmt: skip
def test_a_stratified_rate_at_its_limit_is_shown_below_or_above_it_in_no_more_than_its_level(
    rate, misses, invents, labels, num
):
    """2,000 samples; one-sided 5 % (standard error 0.5) and 0.25 %. The symmetric interval errs in up to 16 and 2 %."""
    rng = np.random.default_rng(11)
    errors = {0.05: [0, 0], 0.0025: [0, 0]}
    for _ in range(2000):
        truth = rng.random(num) < rate
        seen = np.where(truth, rng.random(num) > misses, rng.random(num) < invents)
        strata = [
            (int(truth[:labels][seen[:labels] == kind].sum()), int((seen[:labels] == kind).sum()),
             int((seen == kind).sum()))
            for kind in (False, True)
        ]  # fmt: skip
        found = stratified_rate(strata)
        for level, counts in errors.items():
            low, high = found.ends(norm.isf(level))
            counts[0] += high < rate
            counts[1] += low > rate
    assert max(errors[0.05]) <= 2000 * 0.05 + 3 * 9.7, errors
    assert max(errors[0.0025]) <= 2000 * 0.0025 + 3 * 2.3, errors
