"""Verdicts on declared limits: within, exceeded or not decided, with Holm's correction over all limits of the plan.

*Within* is an equivalence test (two one-sided tests), *exceeded* the complementary test. Each kind has its own family:
at most alpha of audits show even one false "within", and at most alpha even one false "exceeded". The interval of a
verdict has the confidence of its step of Holm's procedure, so it lies inside the limit exactly where the verdict is
"within", and outside where it is "exceeded".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from styleT2I.fairness.analysis.decisions.evidence import ComparedSides, CountedSides, rate_of_letters
from styleT2I.fairness.analysis.decisions.soundness import Obstacle
from styleT2I.fairness.analysis.outcomes import FAILURE, SUCCESS, UNSURE
from styleT2I.fairness.plan.thresholds import LimitKind
from styleT2I.fairness.results import Interval, ThresholdResult
from styleT2I.statistics.evidence import Evidence, between
from styleT2I.statistics.hypothesis_tests import holm

__all__ = ["Question", "of_flips", "of_gap", "of_ratio", "of_share", "of_success", "verdicts"]

_MOST_RATIO = 10.0  # the end of an interval of a ratio whose denominator may be 0
_STEPS = 40  # of the search for that end


class Parts(NamedTuple):
    """What decides one limit. tipping: confidence and verdict -> difference of the judge's errors that overturns it."""

    value: float | None
    p_within: float
    p_exceeded: float
    interval: Callable[[float], Interval]
    tipping: Callable[[float, str], float]


@dataclass(frozen=True)
class Question:
    """A declared limit and the evidence on it."""

    kind: LimitKind
    subject: str
    limit: float
    parts: Parts
    obstacle: Obstacle | None = None


def of_gap(sides: ComparedSides, limit: float) -> Parts:
    """Is the difference of both rates within -limit ... limit?"""
    evidence = sides.contrast()
    inside, outside = between(evidence, limit)

    def tipping(confidence, verdict):
        low, high = evidence.interval(confidence)
        return min(limit - high, low + limit) if verdict == "within" else max(low - limit, -limit - high)

    return Parts(evidence.value, inside, outside, evidence.interval, tipping)


def of_ratio(sides: ComparedSides, limit: float) -> Parts:
    """Is the smaller rate at least `limit` times the larger, whichever is which?"""
    contrasts = [sides.contrast(limit, over) for over in (0, 1)]
    rates = [sides.rate(side).value for side in (0, 1)]
    less = 0 if rates[0] <= rates[1] else 1
    inside = max(each.shown_above(0.0) for each in contrasts)
    outside = min(1.0, 2 * min(each.shown_below(0.0) for each in contrasts))

    def interval(confidence):
        # The ratio r is where the interval of less - r more touches 0 (Donner and Zou 2012).
        ends = []
        for end, is_beyond in ((0, lambda low, high: low > 0), (1, lambda low, high: high >= 0)):
            low, high = 0.0, _MOST_RATIO
            for _ in range(_STEPS):
                middle = (low + high) / 2
                is_less = is_beyond(*sides.contrast(middle, less).interval(confidence))
                low, high = (middle, high) if is_less else (low, middle)
            ends.append(low if end == 0 else high)
        return ends[0], ends[1]

    def tipping(confidence, verdict):
        ends = [each.interval(confidence) for each in contrasts]
        return min(low for low, _ in ends) if verdict == "within" else max(-high for _, high in ends)

    value = rates[less] / rates[1 - less] if rates[1 - less] else None
    return Parts(value, inside, outside, interval, tipping)


def of_success(sides: ComparedSides, limit: float) -> Parts:
    """Do both sides succeed at the rate `limit` or more?"""
    rates = [sides.rate(side) for side in (0, 1)]
    worse = min(rates, key=lambda each: each.value)
    inside = max(each.shown_above(limit) for each in rates)
    outside = min(1.0, 2 * min(each.shown_below(limit) for each in rates))

    def tipping(confidence, verdict):
        low, high = worse.interval(confidence)
        return low - limit if verdict == "within" else limit - high

    return Parts(worse.value, inside, outside, worse.interval, tipping)


def of_share(evidence: Evidence, kind: str, limit: float) -> Parts:
    """Is a rate at most (max_share) or at least (min_share) the limit?"""
    is_most = kind == "max_share"
    below, above = evidence.shown_below(limit), evidence.shown_above(limit)

    def tipping(confidence, verdict):
        low, high = evidence.interval(confidence)
        return limit - high if (verdict == "within") == is_most else low - limit

    inside, outside = (below, above) if is_most else (above, below)
    return Parts(evidence.value, inside, outside, evidence.interval, tipping)


def of_flips(sides: ComparedSides, limit: float) -> Parts:
    """Is the rate of pairs whose two sides differ at most the limit? Pairs with an undetermined side widen it."""
    assert isinstance(sides, CountedSides)
    pairs = zip(*sides.letters, strict=True)
    flips = "".join(UNSURE if UNSURE in pair else SUCCESS if pair[0] != pair[1] else FAILURE for pair in pairs)
    return of_share(rate_of_letters(flips), "max_share", limit)


def verdicts(questions: Sequence[Question], alpha: float) -> list[ThresholdResult]:
    """The verdict on every limit. What has an obstacle is not decided, and counts as one of the limits all the same."""
    p_within = [1.0 if question.obstacle else question.parts.p_within for question in questions]
    p_exceeded = [1.0 if question.obstacle else question.parts.p_exceeded for question in questions]
    within, exceeded = holm(p_within), holm(p_exceeded)
    levels_within, levels_exceeded = _levels(p_within, alpha), _levels(p_exceeded, alpha)
    results = []
    for index, question in enumerate(questions):
        verdict: Literal["within", "exceeded", "not decided"] = "not decided"
        confidence = 1 - min(2 * levels_within[index], levels_exceeded[index])  # that neither test passes
        if within[index] <= alpha:
            verdict, confidence = "within", 1 - 2 * levels_within[index]
        elif exceeded[index] <= alpha:
            verdict, confidence = "exceeded", 1 - levels_exceeded[index]
        parts = question.parts
        results.append(
            ThresholdResult(
                kind=question.kind,
                subject=question.subject,
                limit=question.limit,
                value=parts.value,
                interval=parts.interval(confidence),
                confidence=confidence,
                p_within=within[index],
                p_exceeded=exceeded[index],
                verdict=verdict,
                obstacle=question.obstacle and question.obstacle.kind,
                reason=question.obstacle and question.obstacle.text,
                tipping=None if verdict == "not decided" else parts.tipping(confidence, verdict),
            )
        )
    return results


def _levels(p_values, alpha):
    """The level at which Holm's procedure tests each p-value: alpha over those left, up to the first that it keeps."""
    num, levels, is_open = len(p_values), [alpha] * len(p_values), True
    level = alpha / max(num, 1)
    for rank, index in enumerate(sorted(range(num), key=p_values.__getitem__)):
        if is_open:
            level = alpha / (num - rank)
            is_open = p_values[index] <= level
        levels[index] = level
    return levels
