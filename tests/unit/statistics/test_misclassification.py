"""A judge that errs more in one group: corrected gaps cover the truth, uncorrected ones do not."""

import pytest
import torch

from styleT2I.statistics.intervals import newcombe_paired_interval
from styleT2I.statistics.misclassification import (
    Confusion,
    corrected_gap,
    corrected_rate,
    corrected_rate_interval,
    gap_bounds,
    rate_bounds,
)
from styleT2I.torch_utils.seeding import generator

TRUE_SHARES = (0.80, 0.70)
TRUE_GAP = 0.10
RATES = ((0.95, 0.92), (0.75, 0.95))  # the judge's sensitivity and specificity in each group
NUM_PAIRS, NUM_LABELLED = 400, 300  # labelled: of each truth in each group


def simulated_audit(rng):
    """Counts of pairs of verdicts and the two confusion matrices of one audit.

    Both sides of a pair succeed by the same uniform number half of the time: outcomes of one latent depend on each
    other.
    """
    shared, own = torch.rand(NUM_PAIRS, 1, generator=rng), torch.rand(NUM_PAIRS, 2, generator=rng)
    is_shared = torch.rand(NUM_PAIRS, 1, generator=rng) < 0.5
    truth = torch.where(is_shared, shared, own) < torch.tensor(TRUE_SHARES)  # [N, 2]
    says_yes = torch.where(truth, *(torch.tensor(rates) for rates in ((RATES[0][0], RATES[1][0]),
                                                                     (1 - RATES[0][1], 1 - RATES[1][1]))))  # fmt: skip
    verdict = torch.rand(NUM_PAIRS, 2, generator=rng) < says_yes
    first, second = verdict.unbind(1)
    pairs = tuple(
        int((a & b).sum()) for a, b in ((first, second), (first, ~second), (~first, second), (~first, ~second))
    )
    confusions = []
    for sensitivity, specificity in RATES:
        right = [int((torch.rand(NUM_LABELLED, generator=rng) < rate).sum()) for rate in (sensitivity, specificity)]
        confusions.append(Confusion(right[0], NUM_LABELLED - right[0], NUM_LABELLED - right[1], right[1]))
    return pairs, confusions


def covered_shares(num_runs):
    """Of simulated audits: the share whose corrected interval has the true gap, and the share whose plain one does."""
    corrected = plain = 0
    for run in range(num_runs):
        pairs, confusions = simulated_audit(generator("audit", run))
        low, high = corrected_gap(pairs, *confusions, generator("bootstrap", run), num_resamples=1000).interval
        corrected += low <= TRUE_GAP <= high
        low, high = newcombe_paired_interval(*pairs)
        plain += low <= TRUE_GAP <= high
    return corrected / num_runs, plain / num_runs


def test_corrected_gaps_cover_the_truth_and_uncorrected_ones_do_not():
    corrected, plain = covered_shares(400)
    assert 0.92 <= corrected <= 0.98
    assert plain < 0.1


@pytest.mark.slow
def test_corrected_gaps_cover_the_truth_in_93_to_97_percent_of_2000_audits():
    corrected, plain = covered_shares(2000)
    assert 0.93 <= corrected <= 0.97
    assert plain < 0.1


def test_the_mean_of_corrected_gaps_is_the_truth_and_that_of_plain_gaps_is_what_the_judge_adds():
    gaps, plain = [], []
    for run in range(300):
        pairs, confusions = simulated_audit(generator("mean", run))
        gaps.append(corrected_gap(pairs, *confusions, generator("one"), num_resamples=2).value)
        plain.append((pairs[1] - pairs[2]) / NUM_PAIRS)
    assert sum(gaps) / 300 == pytest.approx(TRUE_GAP, abs=0.01)
    observed = [p * se + (1 - p) * (1 - sp) for p, (se, sp) in zip(TRUE_SHARES, RATES, strict=True)]
    assert sum(plain) / 300 == pytest.approx(observed[0] - observed[1], abs=0.01)
    assert observed[0] - observed[1] > 2 * TRUE_GAP


def test_correction_by_hand_is_kept_within_0_and_1():
    judge = Confusion(90, 10, 20, 80)
    assert corrected_rate(0.55, judge) == pytest.approx((0.55 + 0.8 - 1) / 0.7)
    assert corrected_rate(0.95, judge) == 1.0
    assert corrected_rate(0.05, judge) == 0.0


def test_few_labelled_images_widen_the_interval_even_where_the_judge_was_always_right():
    def width(confusion):
        low, high = corrected_rate_interval(160, 200, confusion, generator("width")).interval
        return high - low

    plenty, few = width(Confusion(2000, 0, 0, 2000)), width(Confusion(10, 0, 0, 10))
    assert few > 1.3 * plenty
    assert plenty == pytest.approx(2 * 1.96 * (0.8 * 0.2 / 200) ** 0.5, rel=0.1)


@pytest.mark.parametrize("pairs", [(32, 0, 0, 0), (28, 4, 0, 0), (0, 0, 0, 32)])
def test_a_handful_of_pairs_without_a_surprise_is_not_taken_for_certainty(pairs):
    judge = Confusion(5000, 0, 0, 5000)
    low, high = corrected_gap(pairs, judge, judge, generator("few")).interval
    plain_low, plain_high = newcombe_paired_interval(*pairs)
    assert high - low > 0.6 * (plain_high - plain_low)
    low, high = corrected_rate_interval(pairs[0] and 32, 32, judge, generator("few")).interval
    assert high - low > 0.05


def test_intervals_of_few_pairs_near_certain_success_cover_the_truth():
    judge, covered = Confusion(500, 0, 0, 500), 0
    for run in range(300):
        truth = torch.rand(40, 2, generator=generator("few", run)) < torch.tensor([0.97, 0.93])
        first, second = truth.unbind(1)
        kinds = ((first, second), (first, ~second), (~first, second), (~first, ~second))
        low, high = corrected_gap(tuple(int((a & b).sum()) for a, b in kinds), judge, judge, generator("b", run),
                                  num_resamples=1000).interval  # fmt: skip
        covered += low <= 0.04 <= high
    assert covered / 300 >= 0.93


def test_intervals_follow_from_their_seed():
    pairs, judge = (120, 20, 40, 20), Confusion(90, 10, 5, 95)
    first, again, other = (corrected_gap(pairs, judge, judge, generator("seed", seed)) for seed in (0, 0, 1))
    assert first == again
    assert first.interval != other.interval


def test_a_judge_that_may_be_no_better_than_chance_leaves_everything_possible():
    share = corrected_rate_interval(50, 100, Confusion(6, 4, 4, 6), generator("chance"))
    assert share.interval == (0.0, 1.0)


@pytest.mark.parametrize(
    "counts, message",
    [((5, 5, 5, 5), "no better than chance"), ((0, 0, 1, 9), "with and images"), ((-1, 2, 1, 9), "neg")],
)
def test_useless_confusion_matrices_are_refused(counts, message):
    with pytest.raises(ValueError, match=message):
        Confusion(*counts)


def test_bounds_take_every_undetermined_image_either_way():
    first, second = rate_bounds(80, 10, 100), rate_bounds(70, 20, 100)
    assert first == (0.8, 0.9) and second == (0.7, 0.9)
    assert gap_bounds(first, second) == pytest.approx((-0.1, 0.2))
    assert rate_bounds(0, 0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="of 100"):
        rate_bounds(95, 10, 100)
