"""Evidence on success rates and their contrasts: counted, or corrected for the judge's measured errors.

Without a calibration an undetermined image is a failure in one bound and a success in the other, and intervals reach
from the low end of one to the high end of the other. With one, the judge's undetermined verdicts on labelled images are
part of its errors; only those beyond what they explain widen an interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import torch

from styleT2I.fairness.analysis.outcomes import SUCCESS, UNSURE
from styleT2I.statistics.contrasts import ends_of_pairs, ends_of_rate, ends_of_samples, score_of_pairs
from styleT2I.statistics.evidence import Bounded, Evidence, Interpolated, Resampled, Scored
from styleT2I.statistics.joint_errors import (
    JointErrors,
    expected_undetermined,
    joint_rate,
    joint_sides,
    joint_sides_of_samples,
    states_that_hold,
)
from styleT2I.statistics.misclassification import (
    Confusion,
    Sides,
    corrected_sides,
    corrected_sides_of_samples,
    resampled_corrected_rate,
)
from styleT2I.torch_utils.seeding import generator

__all__ = [
    "ComparedSides", "CorrectedSides", "CountedSides", "JudgeErrors", "corrected_rate_of", "corrected_sides_of",
    "corrected_success_of", "judged_states", "rate_of_letters",
]  # fmt: skip


@dataclass(frozen=True)
class JudgeErrors:
    """A judge's measured errors: by composition, and as matrices over joint states of attributes."""

    confusions: Mapping[str, Confusion]
    joint: Sequence[JointErrors] = field(default=())

    def joint_of(self, attributes) -> JointErrors | None:
        """The smallest matrix that covers the attributes; None where none does."""
        covering = [each for each in self.joint if set(attributes) <= set(each.attributes)]
        return min(covering, key=lambda each: len(each.attributes), default=None)


class CountedSides:
    """Both sides of a comparison by their counted outcomes, one letter per image."""

    def __init__(self, first: str, second: str, is_paired: bool):
        self.letters, self.is_paired = (first, second), is_paired

    def rate(self, side: int) -> Evidence:
        """The success rate of side 0 or 1."""
        return rate_of_letters(self.letters[side])

    def contrast(self, weight: float = 1.0, over: int = 0) -> Evidence:
        """The rate of side `over` less `weight` times that of the other."""
        one, other = self.letters[over], self.letters[1 - over]
        low, high = (self._counted(one, other, weight, kinds) for kinds in ((False, True), (True, False)))
        rates = [text.count(SUCCESS) / len(text) for text in (one, other)]
        value = rates[0] - weight * rates[1]
        return Bounded(low, high, value) if any(UNSURE in text for text in self.letters) else low

    def _counted(self, one, other, weight, kinds):
        """kinds: whether an undetermined image counts as a success, on either side."""
        is_one, is_other = (
            [letter == SUCCESS or (letter == UNSURE and is_success) for letter in text]
            for text, is_success in zip((one, other), kinds, strict=True)
        )
        value = sum(is_one) / len(is_one) - weight * sum(is_other) / len(is_other)
        if self.is_paired:
            pairs = list(zip(is_one, is_other, strict=True))
            counts = [pairs.count(kind) for kind in ((True, True), (True, False), (False, True), (False, False))]
            if weight == 1.0:  # the level of many limits at once is far out in the tail
                return Scored(value, lambda supposed: score_of_pairs(counts[1], counts[2], len(pairs), supposed))
            return Interpolated(value, lambda z: ends_of_pairs(*counts, z, weight))
        counts = [sum(is_one), len(is_one), sum(is_other), len(is_other)]
        return Interpolated(value, lambda z: ends_of_samples(*counts, z, weight))


class CorrectedSides:
    """Both sides by their corrected rates. excess: rates of undetermined images beyond what the errors explain."""

    def __init__(self, sides: Sides, excess: tuple[float, float] = (0.0, 0.0)):
        self.sides, self.excess = sides, excess

    def rate(self, side: int) -> Evidence:
        """The success rate of side 0 or 1."""
        value, values, excess = self.sides.values[side], self.sides.resamples[side], self.excess[side]
        return _widened(value, (values, (values + excess).clamp(max=1.0)), (0.0, 1.0))

    def contrast(self, weight: float = 1.0, over: int = 0) -> Evidence:
        """The rate of side `over` less `weight` times that of the other."""
        values = self.sides.values[over] - weight * self.sides.values[1 - over]
        one, other = self.sides.resamples[over], self.sides.resamples[1 - over]
        low = one - weight * (other + self.excess[1 - over]).clamp(max=1.0)
        high = (one + self.excess[over]).clamp(max=1.0) - weight * other
        return _widened(values, (low, high), (-weight, 1.0))


class ComparedSides(Protocol):
    """Both sides of a comparison, however they are known."""

    def rate(self, side: int) -> Evidence:
        """The success rate of side 0 or 1."""

    def contrast(self, weight: float = 1.0, over: int = 0) -> Evidence:
        """The rate of side `over` less `weight` times that of the other."""


def rate_of_letters(letters: str) -> Evidence:
    """A success rate by its counted outcomes."""
    num, right, unsure = len(letters), letters.count(SUCCESS), letters.count(UNSURE)
    low = Interpolated(right / num, partial(ends_of_rate, right, num))
    if not unsure:
        return low
    return Bounded(low, Interpolated((right + unsure) / num, partial(ends_of_rate, right + unsure, num)), right / num)


def corrected_sides_of(
    errors: JudgeErrors,
    cells: tuple[str, str],
    wanted: tuple[Mapping[str, bool], Mapping[str, bool]],
    outcomes: tuple[dict, dict],
    is_paired: bool,
    name: str,
) -> CorrectedSides:
    """Both sides without the judge's errors.

    Args:
        errors: Measured; a matrix over all attributes of both sides is used where there is one.
        cells: Names of both compositions.
        wanted: Attributes of both compositions.
        outcomes: Of both cells, as `outcomes.cell_outcomes` has them.
        is_paired: Whether their images are pairs.
        name: Of the comparison, for the random numbers.
    """
    source = generator("audit", "corrected", name)
    joint = errors.joint_of({*wanted[0], *wanted[1]}) if all("seen" in each for each in outcomes) else None
    if joint is not None:
        states = [judged_states(each["seen"], joint) for each in outcomes]
        hold = [states_that_hold(joint, each) for each in wanted]
        correct = joint_sides if is_paired else joint_sides_of_samples
        sides = correct((states[0], states[1]), (hold[0], hold[1]), joint, source)
        excess = [_excess(each, joint) for each in states]
        return CorrectedSides(sides, (excess[0], excess[1]))
    letters = [each["success"] for each in outcomes]
    judges = errors.confusions[cells[0]], errors.confusions[cells[1]]
    if is_paired:
        kinds = list(zip(*([letter == SUCCESS for letter in text] for text in letters), strict=True))
        counts = [kinds.count(kind) for kind in ((True, True), (True, False), (False, True), (False, False))]
        sides = corrected_sides((counts[0], counts[1], counts[2], counts[3]), *judges, source)
    else:
        first, second = ((text.count(SUCCESS), len(text)) for text in letters)
        sides = corrected_sides_of_samples(first, second, *judges, source)
    excess = [text.count(UNSURE) / len(text) for text in letters]
    return CorrectedSides(sides, (excess[0], excess[1]))


def judged_states(seen: Mapping[str, str], joint: JointErrors) -> list[str]:
    """The state that the judge perceives in every image, one character per attribute of the matrix."""
    return ["".join(letters) for letters in zip(*(seen[name] for name in joint.attributes), strict=True)]


def corrected_rate_of(
    errors: JudgeErrors, name: str, asked: Iterable[str], wanted: Mapping[str, bool], outcome: dict, source: str
) -> Evidence | None:
    """The rate of a cell's images that truly have the wanted values; None where the calibration does not cover it.

    Args:
        errors: Measured.
        name: Of the composition.
        asked: Attributes that the matrix must cover, those of the sentence among them.
        wanted: Values that count; all of the composition's for its success.
        outcome: As `outcomes.cell_outcomes` has it.
        source: A name, for the random numbers.
    """
    joint = errors.joint_of(asked) if "seen" in outcome else None
    if joint is None:
        return None
    states = judged_states(outcome["seen"], joint)
    value, values = joint_rate(states, states_that_hold(joint, wanted), joint, generator("audit", source, name))
    return _widened(value, (values, (values + _excess(states, joint)).clamp(max=1.0)), (0.0, 1.0))


def corrected_success_of(
    errors: JudgeErrors, name: str, wanted: Mapping[str, bool], outcome: dict, source: str
) -> Evidence:
    """The success rate of a composition without the judge's errors; arguments as in `corrected_rate_of`."""
    found = corrected_rate_of(errors, name, wanted, wanted, outcome, source)
    if found is not None:
        return found
    letters = outcome["success"]
    right, num, judge = letters.count(SUCCESS), len(letters), errors.confusions[name]
    value, values = resampled_corrected_rate(right, num, judge, generator("audit", source, name))
    return _widened(value, (values, (values + letters.count(UNSURE) / num).clamp(max=1.0)), (0.0, 1.0))


def _excess(states, joint):
    """Rate of undetermined images beyond the one that the judge's errors explain, and chance (one-sided 5 %)."""
    rate, expected = sum("?" in state for state in states) / len(states), expected_undetermined(states, joint)
    return max(rate - expected - 1.645 * math.sqrt(expected * (1 - expected) / len(states)), 0.0)


def _widened(value, values: tuple[torch.Tensor, torch.Tensor], limits) -> Evidence:
    low, high = (Resampled(value, each, limits) for each in values)
    return low if torch.equal(values[0].nan_to_num(), values[1].nan_to_num()) else Bounded(low, high, value)
