"""What strength 1 along a way stands for, measured as Attribute-to-Direction's strengths are."""

from __future__ import annotations

from collections.abc import Callable

from styleT2I.generation.editing.strengths import AGREEMENT
from styleT2I.rivals.samples import Samples
from styleT2I.rivals.ways import Ways

NUM_FACES = 24
_GROWTH, _TRIALS = 2**0.5, 9  # the first step tried is the longest over _GROWTH ** (_TRIALS - 1), a sixteenth
_BISECTIONS = 2


def calibrated(samples: Samples, found: Ways) -> dict[str, dict[str, float]]:
    """The step of each attribute that turns it on ("true") and off ("false"), for `Ways.strengths`.

    It is the smallest found at which the observer agrees on 95 % of some faces. Where no step up to the longest is
    enough, it is the one of most agreement: further on faces fall apart, and seem to have anything.
    """
    ws = samples.ws[:NUM_FACES]
    strengths = {}
    for name, way in found.ways.items():

        def agreement(step, is_on, name=name):
            moved = found.move(ws, {name: step if is_on else -step})
            is_there = samples.observed(moved.ws, moved.styles)[:, samples.column(name)] > 0
            return (is_there == is_on).double().mean().item()

        strengths[name] = {
            label: smallest_step(lambda step, is_on=is_on: agreement(step, is_on), way.longest)
            for label, is_on in (("true", True), ("false", False))
        }
    return strengths


def smallest_step(agreement: Callable[[float], float], longest: float, wanted: float = AGREEMENT) -> float:
    """The smallest step from longest / 16 on at which `agreement` reaches `wanted`, else that at which it is largest.

    Example:
        >>> round(smallest_step(lambda step: min(step, 1.0), 4.0), 2)
        1.0
    """
    before, best = 0.0, (-1.0, longest)
    for trial in range(_TRIALS):
        step = longest / _GROWTH ** (_TRIALS - 1 - trial)
        rate = agreement(step)
        if rate >= wanted:
            for _ in range(_BISECTIONS):
                middle = (before + step) / 2
                before, step = (before, middle) if agreement(middle) >= wanted else (middle, step)
            return step
        best = max(best, (rate, step), key=lambda found: found[0])
        before = step
    return best[1]
