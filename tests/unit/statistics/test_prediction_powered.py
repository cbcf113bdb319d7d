"""PPI++ against its paper's formulas written again in numpy, limits with a known answer, and simulated coverage."""

import numpy as np
import pytest
from scipy.stats import norm

from styleT2I.statistics.power import discordant_rates
from styleT2I.statistics.prediction_powered import num_labels_needed, powered_mean

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
