"""Rates of an audit's compositions in the training data: counted from labels, or as the plan states them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from scipy.stats import norm

from styleT2I.attributes.compositions import composition_name, read_composition
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.data.dataset import open_dataset
from styleT2I.errors import DataError
from styleT2I.fairness.plan import AuditPlan
from styleT2I.statistics.contrasts import ends_of_rate, joined_difference, joined_ratio, z_of
from styleT2I.statistics.evidence import Bounded, Evidence, Interpolated, Resampled
from styleT2I.statistics.misclassification import binomial

__all__ = ["TrainingRate", "TrainingRates", "against_training", "training_rates"]

_ROWS_PER_BLOCK = 4096


@dataclass(frozen=True)
class TrainingRate:
    """A rate in the training data: count of num images, or stated by the plan without a count."""

    value: float
    count: int | None = None
    num: int | None = None


@dataclass(frozen=True)
class TrainingRates:
    """Known rates in the training data.

    compositions: rate of images with a composition, by its name. attributes: rate of images with an attribute among
    those that show a prompt, by (prompt, attribute).
    """

    source: str
    compositions: Mapping[str, TrainingRate] = field(default_factory=dict)
    attributes: Mapping[tuple[str, str], TrainingRate] = field(default_factory=dict)


def training_rates(plan: AuditPlan, vocabulary: Vocabulary) -> TrainingRates:
    """The training rates that an audit needs. A number in the plan takes precedence over a count in its training_data.

    Raises:
        DataError: The training data cannot be opened, or does not label an attribute.
    """
    stated = {
        composition_name(read_composition(text, vocabulary), vocabulary): TrainingRate(value)
        for text, value in plan.training_shares.items()
    }
    given = {
        (entry.prompt, entry.attribute): TrainingRate(entry.training_share)
        for entry in plan.unprompted
        if entry.training_share is not None
    }
    if not plan.training_data:
        return TrainingRates("as the plan states them", stated, given)
    data = open_dataset(plan.training_data, with_masks=False)
    labels = torch.cat(
        [
            data.labels_of(range(start, min(start + _ROWS_PER_BLOCK, len(data))))
            for start in range(0, len(data), _ROWS_PER_BLOCK)
        ]
    )  # [N, A]
    columns = {name: index for index, name in enumerate(data.attribute_names)}

    def holds(attributes):
        if missing := [name for name in attributes if name not in columns]:
            raise DataError(f"training_data {plan.training_data!r} does not label {missing[0]}; name other data")
        matches = [labels[:, columns[name]] == value for name, value in attributes.items()]
        return torch.stack(matches).all(dim=0)

    counted = {name: _rate(holds(cell)) for name, cell in plan.cells(vocabulary).items()}
    for entry in plan.unprompted:
        asked = holds(read_composition(entry.prompt, vocabulary))
        if asked.any() and (entry.prompt, entry.attribute) not in given:
            given[entry.prompt, entry.attribute] = _rate(holds(read_composition(entry.attribute, vocabulary))[asked])
    return TrainingRates(plan.training_data, {**counted, **stated}, given)


def _rate(mask):
    count, num = int(mask.sum()), len(mask)
    return TrainingRate(count / num, count, num)


def against_training(
    found: Evidence, training: TrainingRate, confidence: float, source: torch.Generator
) -> tuple[Evidence, list[float] | None]:
    """A rate against that of the training data: their difference, and the interval of their ratio.

    A counted training rate is a sample of its own, a stated one is exact.

    Args:
        found: On the rate.
        training: The other one.
        confidence: Of the ratio's interval, between 0 and 1.
        source: Of random numbers, for evidence by resamples.

    Returns:
        The difference, and (low, high) of the ratio, None where the training rate is 0.
    """
    if isinstance(found, Resampled):
        drawn = binomial(training.num, training.value, len(found.values), source) / training.num if training.num else (
            torch.tensor(training.value))  # fmt: skip
        over = Resampled(0.0, found.values / drawn.clamp(min=1e-6), (0.0, 1e6))
        ratio = list(over.interval(confidence)) if training.value else None
        return Resampled(found.value - training.value, found.values - drawn), ratio
    of_data = _ends_of(training)

    def ends(z):
        return joined_difference(found.value, _ends(found, z), training.value, of_data(z))

    ratio = None
    if training.value:
        z = z_of(confidence)
        ratio = [float(end) for end in joined_ratio(found.value, _ends(found, z), training.value, of_data(z))]
    return Interpolated(found.value - training.value, ends), ratio


def _ends_of(training):
    if training.num is None or training.count is None:
        return lambda z: (training.value, training.value)
    return lambda z: ends_of_rate(training.count, training.num, z)


def _ends(found, z):
    """Interval at the normal quantile z, wherever the evidence comes from."""
    if isinstance(found, Bounded):
        return _ends(found.lower, z)[0], _ends(found.upper, z)[1]
    if isinstance(found, Interpolated):
        return found.ends(z)
    return found.interval(float(1 - 2 * norm.sf(z)))
