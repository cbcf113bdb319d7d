"""Compare two cells: paired by seed, or as two independent samples."""

from __future__ import annotations

from typing import Literal, NamedTuple

from styleT2I.fairness.analysis.outcomes import SUCCESS
from styleT2I.fairness.results import Interval, PairCounts
from styleT2I.statistics.hypothesis_tests import fisher, mcnemar_exact
from styleT2I.statistics.intervals import newcombe_interval, newcombe_paired_interval

__all__ = ["Difference", "paired", "unpaired"]

_NO_PAIRS = PairCounts(None, None, None, None)


class Difference(NamedTuple):
    """Success rates of two cells, their difference (gap) from -1 to 1, its interval and two-sided p-value."""

    design: Literal["paired", "unpaired"]
    pairs: PairCounts
    success: tuple[float, float]
    gap: float
    gap_interval: Interval
    p: float


def paired(first: str, second: str, confidence: float = 0.95) -> Difference:
    """Compare two outcome strings of the same seeds: Newcombe's paired interval, exact McNemar test.

    Args:
        first, second: One character per seed, in the same order, as `outcomes.success_letters` gives them.
        confidence: Of the interval, between 0 and 1.
    """
    sides = [(a == SUCCESS, b == SUCCESS) for a, b in zip(first, second, strict=True)]
    num, both, neither = len(sides), sides.count((True, True)), sides.count((False, False))
    only_first, only_second = sides.count((True, False)), sides.count((False, True))
    return Difference(
        design="paired",
        pairs=PairCounts(both, only_first, only_second, neither),
        success=((both + only_first) / num, (both + only_second) / num),
        gap=(only_first - only_second) / num,
        gap_interval=newcombe_paired_interval(both, only_first, only_second, neither, confidence),
        p=mcnemar_exact(only_first, only_second),
    )


def unpaired(first: str, second: str, confidence: float = 0.95) -> Difference:
    """Compare two outcome strings of any lengths: Newcombe's two-sample interval, Fisher's exact test."""
    (num_first, trials_first), (num_second, trials_second) = (
        (text.count(SUCCESS), len(text)) for text in (first, second)
    )
    counts = num_first, trials_first, num_second, trials_second
    rates = num_first / trials_first, num_second / trials_second
    interval = newcombe_interval(*counts, confidence)
    return Difference("unpaired", _NO_PAIRS, rates, rates[0] - rates[1], interval, fisher(*counts))
