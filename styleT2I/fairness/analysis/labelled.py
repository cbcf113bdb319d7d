"""Evidence from people's labels of a sample of the audit's own images, sharpened by the judge's verdicts on all.

A rate is post-stratified by the judge's verdict, a gap estimated by PPI++; `statistics.prediction_powered` has both.
The interval of PPI++ is symmetric, which near 0 and 1 and with few labels is wrong: where a side has fewer than LEAST
labelled successes or failures, or fewer labelled pairs differ, the labels alone give Newcombe's. Either way nothing is
assumed about the judge. An image without a label counts as a failure at one end of an interval, and as a success at
the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from styleT2I.fairness.analysis.outcomes import SUCCESS, UNSURE, letters_with
from styleT2I.fairness.labels.answers import success_of
from styleT2I.statistics.contrasts import ends_of_pairs, ends_of_samples
from styleT2I.statistics.evidence import Bounded, Evidence, Interpolated
from styleT2I.statistics.prediction_powered import powered_mean, stratified_rate

__all__ = ["LEAST", "LabelledSides", "Labels", "labelled_rate", "labelled_share"]

LEAST = 5  # labelled successes and failures of each side that PPI++ takes
_SCORES = {SUCCESS: 1.0, UNSURE: 0.5}  # the judge's verdict as a prediction; any numbers are valid

Labels = Mapping[str, Mapping[str, str]]  # image -> attribute -> label, as `labels.answers.labels_of` has them


class LabelledSides:
    """Both sides of a comparison by the labels of a sample of their images.

    Args:
        outcomes: Of both cells, as `outcomes.cell_outcomes` has them, with the hashes of their images.
        wanted: Attributes of both compositions.
        labels: Of the sample.
        is_paired: Whether the images are pairs.
    """

    def __init__(
        self,
        outcomes: tuple[Mapping, Mapping],
        wanted: tuple[Mapping[str, bool], Mapping[str, bool]],
        labels: Labels,
        is_paired: bool,
    ):
        self.letters = tuple(
            _labelled_letters(outcome, values, labels) for outcome, values in zip(outcomes, wanted, strict=True)
        )
        self.verdicts = tuple(_predictions(outcome["success"]) for outcome in outcomes)
        self.is_paired = is_paired

    @property
    def is_covered(self) -> bool:
        """Whether the labels say anything: both sides have some, of the same pairs where there are pairs."""
        first, second = self.letters
        return bool(first.keys() & second.keys()) if self.is_paired else bool(first and second)

    @property
    def undetermined(self) -> tuple[float, float]:
        """Rate of the labelled images of each side that are without a label in the end."""
        first, second = (list(side.values()) for side in self.letters)
        return first.count(UNSURE) / len(first), second.count(UNSURE) / len(second)

    def rate(self, side: int) -> Evidence:
        """The success rate of side 0 or 1."""
        return _rate(self.letters[side], self.verdicts[side])

    def contrast(self, weight: float = 1.0, over: int = 0) -> Evidence:
        """The rate of side `over` less `weight` times that of the other."""
        low, high = (self._contrast(weight, over, kinds) for kinds in ((False, True), (True, False)))
        if not any(UNSURE in side.values() for side in self.letters):
            return low
        return Bounded(low, high, (low.value + high.value) / 2)

    def _contrast(self, weight, over, kinds):
        """kinds: whether an image without a label counts as a success, on side `over` and on the other."""
        sides = self.letters[over], self.letters[1 - over]
        truths = [_truths(side, kind) for side, kind in zip(sides, kinds, strict=True)]
        verdicts = self.verdicts[over], self.verdicts[1 - over]
        if self.is_paired:
            rows = [index for index in sides[0] if index in sides[1]]
            one, other = ([side[index] for index in rows] for side in truths)
            counts = [sum(pair == kind for pair in zip(one, other, strict=True)) for kind in product((1, 0), repeat=2)]
            few_differ = counts[1] + counts[2] < LEAST
            if few_differ or _is_near_an_end([(sum(one), len(one)), (sum(other), len(other))]):
                value = (sum(one) - weight * sum(other)) / len(rows)
                return Interpolated(value, lambda z: ends_of_pairs(*counts, z, weight))
            predicted = verdicts[0] - weight * verdicts[1]
            found = _powered(np.array(one) - weight * np.array(other), predicted, rows)
            return Interpolated(float(found.value), _kept_within(found.ends, -weight, 1.0))
        counts = [(sum(side.values()), len(side)) for side in truths]
        if _is_near_an_end(counts):
            value = counts[0][0] / counts[0][1] - weight * counts[1][0] / counts[1][1]
            return Interpolated(value, lambda z: ends_of_samples(*counts[0], *counts[1], z, weight))
        both = [_powered(list(side.values()), seen, list(side)) for side, seen in zip(truths, verdicts, strict=True)]
        value = both[0].value - weight * both[1].value
        error = np.hypot(both[0].error, weight * both[1].error)
        least = min(both, key=lambda each: each.num)
        joined = least._replace(value=value, error=error)
        return Interpolated(float(value), _kept_within(joined.ends, -weight, 1.0))


def labelled_rate(outcome: Mapping, wanted: Mapping[str, bool], labels: Labels) -> Evidence | None:
    """The success rate of a composition by the labels of a sample of its images; None where none is labelled."""
    letters = _labelled_letters(outcome, wanted, labels)
    return _rate(letters, _predictions(outcome["success"])) if letters else None


def labelled_share(outcome: Mapping, name: str, value: bool, labels: Labels) -> tuple[Evidence, str] | None:
    """The rate of a cell's images that have a value of one attribute, whatever else they show, by labels of a sample.

    Returns:
        The evidence, and whether each labelled image has the value, a letter each; None where none is labelled.
    """
    letters = _labelled_letters(outcome, {name: value}, labels)
    if not letters:
        return None
    return _rate(letters, _predictions(letters_with(outcome["seen"][name], value))), "".join(letters.values())


def _rate(letters, verdicts):
    low, high = (_counted_rate(_truths(letters, kind), verdicts) for kind in (False, True))
    return Bounded(low, high, (low.value + high.value) / 2) if UNSURE in letters.values() else low


def _counted_rate(truths, verdicts):
    labelled = verdicts[list(truths)]
    strata = []
    for verdict in np.unique(verdicts):
        right = [truth for truth, seen in zip(truths.values(), labelled, strict=True) if seen == verdict]
        strata.append((sum(right), len(right), int((verdicts == verdict).sum())))
    found = stratified_rate(strata)
    return Interpolated(found.value, found.ends)


def _labelled_letters(outcome, wanted, labels: Labels) -> dict[int, str]:
    """Place of every labelled image in its cell -> its success by the labels."""
    hashes: Sequence[str] = outcome.get("images", {}).get("sha256", ())
    return {
        index: success_of(labels[sha256], wanted)
        for index, sha256 in enumerate(hashes)
        if sha256 in labels and wanted.keys() <= labels[sha256].keys()
    }


def _predictions(success: str):
    return np.array([_SCORES.get(letter, 0.0) for letter in success])


def _truths(letters: Mapping[int, str], is_unsure_success: bool) -> dict[int, int]:
    return {index: int(letter == SUCCESS or (letter == UNSURE and is_unsure_success))
            for index, letter in letters.items()}  # fmt: skip


def _is_near_an_end(counts):
    return any(min(right, num - right) < LEAST for right, num in counts)


def _powered(truths, predicted, rows):
    is_other = np.ones(len(predicted), dtype=bool)
    is_other[rows] = False
    return powered_mean(truths, predicted[rows], predicted[is_other])


def _kept_within(ends, least, most):
    def kept(z):
        low, high = ends(z)
        return np.maximum(low, least), np.minimum(high, most)

    return kept
