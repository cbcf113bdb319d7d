"""Wilson intervals against scipy."""

import pytest
from scipy.stats import binomtest

from styleT2I.metrics.intervals import wilson_interval


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
