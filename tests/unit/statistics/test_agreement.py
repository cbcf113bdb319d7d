"""Cohen's kappa and its interval: against statsmodels, by coverage, and in the cases that have no variance."""

import pytest
import torch

from styleT2I.statistics.agreement import kappa_interval
from styleT2I.statistics.intervals import wilson_interval


def counted(num, seed):
    """A table of two raters with three categories that agree in about three of four cases."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randint(3, (num,), generator=generator)
    second = torch.where(torch.rand(num, generator=generator) < 0.7, first, first.roll(1))
    return (3 * first + second).bincount(minlength=9).view(3, 3).tolist()


@pytest.mark.parametrize("seed", range(5))
def test_kappa_and_its_interval_equal_statsmodels(seed):
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    table = counted(50, seed)
    kappa, interval = kappa_interval(table)
    oracle = inter_rater.cohens_kappa(table)
    assert (kappa, *interval) == pytest.approx((oracle.kappa, oracle.kappa_low, oracle.kappa_upp))


def test_95_of_100_intervals_hold_the_truth():
    """Two judges that agree on 0.8 of the pictures, at 0.5 by chance: kappa is 0.6."""
    chances, truth = torch.tensor([0.4, 0.1, 0.1, 0.4]), 0.6
    generator = torch.Generator().manual_seed(1)
    held = 0
    for _ in range(1000):
        drawn = torch.multinomial(chances, 150, replacement=True, generator=generator).bincount(minlength=4)
        low, high = kappa_interval(drawn.view(2, 2).tolist())[1]
        held += low <= truth <= high
    assert 930 <= held <= 970


def test_full_agreement_of_few_pictures_is_no_certainty_and_one_word_throughout_no_kappa():
    kappa, (low, high) = kappa_interval([[5, 0, 0], [0, 5, 0], [0, 0, 0]])
    assert kappa == high == 1 and low == pytest.approx((wilson_interval(10, 10)[0] - 0.5) / 0.5)
    assert kappa_interval([[10, 0, 0], [0, 0, 0], [0, 0, 0]]) is None
    assert kappa_interval([[9, 1, 0], [0, 0, 0], [0, 0, 0]]) is None
    assert kappa_interval([[0] * 3] * 3) is None
