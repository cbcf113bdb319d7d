"""A judge's errors over joint states: exact inversion, coverage where errors by composition fail, refusals."""

import pytest
import torch

from styleT2I.statistics.evidence import Resampled
from styleT2I.statistics.joint_errors import (
    JointErrors,
    expected_undetermined,
    joint_rate,
    joint_sides,
    joint_sides_of_samples,
    states_that_hold,
)
from styleT2I.torch_utils.seeding import generator

STATES = ("00", "01", "10", "11")  # he, lipstick
SHE, HE = {"he": False, "lipstick": True}, {"he": True, "lipstick": True}


def errors(counts):
    return JointErrors(("he", "lipstick"), counts)


def exact():
    """One man in five with lipstick is taken for a woman."""
    sure = {state: {state: 100} for state in STATES}
    return errors(sure | {"11": {"11": 80, "01": 20}})


def test_exact_proportions_are_inverted_exactly():
    """Of 100 men 60 show lipstick: 48 are seen so, and 12 as women with it."""
    judge = exact()
    verdicts = ["11"] * 48 + ["01"] * 12 + ["10"] * 40
    he, she = (states_that_hold(judge, wanted) for wanted in (HE, SHE))
    value, values = joint_rate(verdicts, he, judge, generator("exact"))
    assert value == pytest.approx(0.6) and values.mean() == pytest.approx(0.6, abs=0.01)
    assert joint_rate(verdicts, she, judge, generator("exact"))[0] == pytest.approx(0.0, abs=1e-12)
    sides = joint_sides((["01"] * 60 + ["00"] * 40, verdicts), (she, he), judge, generator("exact"))
    assert sides.values == pytest.approx((0.6, 0.6)) and sides.gap == pytest.approx(0.0)


def test_resamples_stay_within_0_and_1_and_follow_from_their_seed():
    judge = errors(
        {"00": {"00": 9, "01": 1}, "01": {"01": 8, "11": 2}, "10": {"10": 9, "11": 1}, "11": {"11": 9, "01": 1}}
    )
    wanted = states_that_hold(judge, SHE), states_that_hold(judge, HE)
    verdicts = ["01"] * 30, ["11"] * 30
    first, again, other = (joint_sides(verdicts, wanted, judge, generator(seed)) for seed in ("a", "a", "b"))
    for side in (0, 1):
        known = first.resamples[side][first.resamples[side].isfinite()]
        assert 0 <= known.min() and known.max() <= 1 and known.std() > 0.01  # 30 of 30 is no certainty
        assert torch.equal(first.resamples[side].nan_to_num(), again.resamples[side].nan_to_num())
    assert not torch.equal(first.resamples[0], other.resamples[0])


def test_undetermined_verdicts_are_errors_that_the_labels_explain_or_do_not():
    judge = errors({state: {state: 85, "??": 15} for state in STATES})
    verdicts = ["01"] * 85 + ["??"] * 15
    value, _ = joint_rate(verdicts, states_that_hold(judge, SHE), judge, generator("unsure"))
    assert value == pytest.approx(1.0) and expected_undetermined(verdicts, judge) == pytest.approx(0.15)


@pytest.mark.parametrize(
    "counts, message",
    [
        ({"00": {"00": 5}, "1": {"11": 5}}, "is no state of he, lipstick"),
        ({"00": {"2": 5}}, "a verdict on '00'"),
        ({"00": {"00": 0}}, "needs one labelled image"),
        ({"00": {"00": -1}}, "needs one labelled image"),
        ({}, "no labelled image"),
        ({state: {other: 25 for other in STATES} for state in STATES}, "no better than chance"),
    ],
)
def test_what_is_no_matrix_of_a_judge_that_sees_is_refused(counts, message):
    with pytest.raises(ValueError, match=message):
        errors(counts)


def coverage(is_paired, num, labels, repetitions):
    """Of audits of a model whose failing men are drawn as women, by a judge that takes a fifth of the men for women."""
    matrix = torch.eye(4, dtype=torch.float64) * 0.96 + 0.01
    matrix[:, 3] = torch.tensor([0.01, 0.2, 0.01, 0.78])
    covered = 0
    for run in range(repetitions):
        rng = generator("joint coverage", run, is_paired)

        def judged(truth, rng=rng):
            return [STATES[index] for index in torch.multinomial(matrix[:, truth].T, 1, generator=rng)[:, 0].tolist()]

        counts = {}
        for index, state in enumerate(STATES):
            found = judged(torch.full((labels,), index))
            counts[state] = {other: found.count(other) for other in STATES if other in found}
        judge = errors(counts)
        chance = torch.rand(num, 2, generator=rng)
        if is_paired:
            chance[: num // 2, 1] = chance[: num // 2, 0]
        truths = [
            torch.where(chance[:, side] < 0.5, right, failed) for side, (right, failed) in enumerate(((1, 0), (3, 1)))
        ]
        wanted = states_that_hold(judge, SHE), states_that_hold(judge, HE)
        correct = joint_sides if is_paired else joint_sides_of_samples
        sides = correct(tuple(map(judged, truths)), wanted, judge, generator("b", run), num_resamples=1000)
        low, high = Resampled(sides.gap, sides.resamples[0] - sides.resamples[1]).interval(0.95)
        covered += low <= 0 <= high
    return covered / repetitions


@pytest.mark.parametrize("is_paired", [True, False])
def test_the_interval_covers_where_failures_of_one_side_look_like_successes_of_the_other(is_paired):
    assert 0.91 <= coverage(is_paired, 300, 75, 200) <= 0.99


@pytest.mark.slow
def test_the_interval_covers_in_93_to_97_percent_of_2000_audits():
    assert 0.93 <= coverage(True, 300, 75, 2000) <= 0.97
