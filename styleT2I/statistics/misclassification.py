"""Success rates under a judge that errs: bounds for undetermined images, Rogan-Gladen correction of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

__all__ = [
    "Confusion", "Corrected", "Sides", "binomial", "corrected_gap", "corrected_gap_of_samples", "corrected_rate",
    "corrected_rate_interval", "corrected_sides", "corrected_sides_of_samples", "gap_bounds", "multinomial",
    "rate_bounds", "resampled_corrected_rate",
]  # fmt: skip


def rate_bounds(num_successes: int, num_undetermined: int, num: int) -> tuple[float, float]:
    """Bounds on the success rate, counting undetermined images as all failures, then as all successes.

    Args:
        num_successes, num_undetermined: 0 or more, together at most num.
        num: Images.

    Returns:
        (low, high), each from 0 to 1; (0, 1) for zero images.

    Raises:
        ValueError: The counts do not fit.

    >>> rate_bounds(2, 3, 10)
    (0.2, 0.5)
    """
    if not 0 <= num_successes + num_undetermined <= num or min(num_successes, num_undetermined) < 0:
        raise ValueError(f"{num_successes} successes and {num_undetermined} undetermined of {num}")
    return (num_successes / num, (num_successes + num_undetermined) / num) if num else (0.0, 1.0)


def gap_bounds(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float]:
    """Bounds on the difference of two rates that lie within their own bounds (low, high).

    >>> gap_bounds((1.0, 1.0), (0.25, 0.5))
    (0.5, 0.75)
    """
    return first[0] - second[1], first[1] - second[0]


@dataclass(frozen=True)
class Confusion:
    """Confusion matrix of a judge on labelled images of one group; an undetermined verdict counts as a failure.

    Raises:
        ValueError: A count is negative, there are no images with or none without success, or the judge is no better
            than chance, so that nothing can be corrected.

    >>> judge = Confusion(true_positive=90, false_negative=10, false_positive=5, true_negative=95)
    >>> judge.sensitivity, judge.specificity
    (0.9, 0.95)
    """

    true_positive: int
    false_negative: int
    false_positive: int
    true_negative: int

    def __post_init__(self):
        if min(self.true_positive, self.false_negative, self.false_positive, self.true_negative) < 0:
            raise ValueError(f"negative counts: {self}")
        if not (self.true_positive + self.false_negative and self.false_positive + self.true_negative):
            raise ValueError(f"a confusion matrix needs images with and images without success: {self}")
        if self.sensitivity + self.specificity <= 1:
            raise ValueError(f"the judge knows no better than chance, so nothing can be corrected: {self}")

    @property
    def sensitivity(self) -> float:
        """Rate of images with success that the judge calls a success."""
        return self.true_positive / (self.true_positive + self.false_negative)

    @property
    def specificity(self) -> float:
        """Rate of images without success that the judge does not call one."""
        return self.true_negative / (self.true_negative + self.false_positive)


class Corrected(NamedTuple):
    """An estimate and its interval."""

    value: float
    interval: tuple[float, float]


class Sides(NamedTuple):
    """Corrected success rates of both sides of a comparison, each from 0 to 1.

    values: the estimates. resamples: float64 [B] of each side; NaN where the resampled judge is no better than chance.
    Entries at one place belong together: their difference is a resample of the gap.
    """

    values: tuple[float, float]
    resamples: tuple[torch.Tensor, torch.Tensor]

    @property
    def gap(self) -> float:
        """The first rate less the second."""
        return self.values[0] - self.values[1]


def corrected_rate(rate: float, judge: Confusion) -> float:
    """Rate of true successes behind a rate of verdicts (Rogan and Gladen 1978), limited to 0 and 1.

    Args:
        rate: Of images that the judge calls a success, from 0 to 1.
        judge: Its errors.

    >>> round(corrected_rate(0.5, Confusion(90, 10, 10, 90)), 3)
    0.5
    """
    return min(max(_rogan_gladen(rate, judge.sensitivity, judge.specificity), 0.0), 1.0)


def corrected_rate_interval(
    num_successes: int,
    num: int,
    judge: Confusion,
    generator: torch.Generator,
    confidence: float = 0.95,
    num_resamples: int = 4000,
) -> Corrected:
    """Corrected success rate with a bootstrap interval over the judged and the labelled images.

    Args:
        num_successes: Images that the judge calls a success, from 0 to num.
        num: Judged images, 1 or more.
        judge: Its errors on labelled images.
        generator: Source of the resamples.
        confidence: Between 0 and 1.
        num_resamples: Bootstrap resamples.

    >>> found = corrected_rate_interval(50, 100, Confusion(90, 10, 10, 90), torch.Generator().manual_seed(0))
    >>> round(found.value, 2), found.interval[0] < 0.5 < found.interval[1]
    (0.5, True)
    """
    value, values = resampled_corrected_rate(num_successes, num, judge, generator, num_resamples)
    return Corrected(value, _percentiles(values, confidence, (0.0, 1.0)))


def resampled_corrected_rate(
    num_successes: int, num: int, judge: Confusion, generator: torch.Generator, num_resamples: int = 4000
) -> tuple[float, torch.Tensor]:
    """The corrected success rate and its resamples float64 [B]; arguments as in `corrected_rate_interval`."""
    drawn = _resampled_rate(num_successes, num, num_resamples, generator)
    values = _corrected_resamples(drawn, *_resampled(judge, num_resamples, generator))
    return corrected_rate(num_successes / num, judge), values


def corrected_gap(
    pairs: tuple[int, int, int, int],
    first_judge: Confusion,
    second_judge: Confusion,
    generator: torch.Generator,
    confidence: float = 0.95,
    num_resamples: int = 4000,
) -> Corrected:
    """Corrected difference of two success rates measured on pairs, each by the judge's errors in its own group.

    The interval is the percentile bootstrap over both samples: pairs are resampled as pairs, labelled images within
    group and truth. A confusion that is the same object for both sides is resampled once for both.

    Args:
        pairs: Pairs that the judge calls a success in both, in the first alone, in the second alone, in neither.
        first_judge, second_judge: The judge's errors on each side.
        generator: Source of the resamples.
        confidence: Between 0 and 1.
        num_resamples: Bootstrap resamples.

    Returns:
        The first rate less the second, from -1 to 1, and its interval.

    >>> sighted, half_blind = Confusion(400, 0, 0, 400), Confusion(200, 200, 0, 400)
    >>> found = corrected_gap((40, 40, 0, 20), sighted, half_blind, torch.Generator().manual_seed(0))
    >>> round(found.value, 2), found.interval[0] < 0 < found.interval[1]
    (0.0, True)
    """
    sides = corrected_sides(pairs, first_judge, second_judge, generator, num_resamples)
    return Corrected(sides.gap, _percentiles(sides.resamples[0] - sides.resamples[1], confidence, (-1.0, 1.0)))


def corrected_sides(
    pairs: tuple[int, int, int, int],
    first_judge: Confusion,
    second_judge: Confusion,
    generator: torch.Generator,
    num_resamples: int = 4000,
) -> Sides:
    """Both corrected success rates measured on pairs, with resamples, as `corrected_gap` takes them."""
    num = sum(pairs)
    # Resampling never draws a kind of pair that was not seen: too sure of few pairs (32 of 32 both right). Where one
    # side never succeeded alone, chances are those with one pair more of every kind (Agresti and Coull's four).
    counts = pairs if min(pairs[1], pairs[2]) else tuple(count + 1 for count in pairs)
    both, only_first, only_second = multinomial(num, counts, num_resamples, generator)
    first_rates = _resampled(first_judge, num_resamples, generator)
    second_rates = first_rates if second_judge is first_judge else _resampled(second_judge, num_resamples, generator)
    first = _corrected_resamples((both + only_first) / num, *first_rates)
    second = _corrected_resamples((both + only_second) / num, *second_rates)
    values = (
        corrected_rate((pairs[0] + pairs[1]) / num, first_judge),
        corrected_rate((pairs[0] + pairs[2]) / num, second_judge),
    )
    return Sides(values, (first, second))


def corrected_gap_of_samples(
    first: tuple[int, int],
    second: tuple[int, int],
    first_judge: Confusion,
    second_judge: Confusion,
    generator: torch.Generator,
    confidence: float = 0.95,
    num_resamples: int = 4000,
) -> Corrected:
    """Corrected difference of two success rates of independent samples.

    Args:
        first, second: Successes and images of each sample, which is resampled by itself.
        first_judge, second_judge, generator, confidence, num_resamples: As in `corrected_gap`.

    >>> judge = Confusion(90, 10, 10, 90)
    >>> found = corrected_gap_of_samples((50, 100), (50, 100), judge, judge, torch.Generator().manual_seed(0))
    >>> found.value, found.interval[0] < 0 < found.interval[1]
    (0.0, True)
    """
    sides = corrected_sides_of_samples(first, second, first_judge, second_judge, generator, num_resamples)
    return Corrected(sides.gap, _percentiles(sides.resamples[0] - sides.resamples[1], confidence, (-1.0, 1.0)))


def corrected_sides_of_samples(
    first: tuple[int, int],
    second: tuple[int, int],
    first_judge: Confusion,
    second_judge: Confusion,
    generator: torch.Generator,
    num_resamples: int = 4000,
) -> Sides:
    """Both corrected success rates of independent samples, with resamples, as `corrected_gap_of_samples` takes them."""
    first_rate = _resampled_rate(*first, num_resamples, generator)
    second_rate = _resampled_rate(*second, num_resamples, generator)
    first_rates = _resampled(first_judge, num_resamples, generator)
    second_rates = first_rates if second_judge is first_judge else _resampled(second_judge, num_resamples, generator)
    values = corrected_rate(first[0] / first[1], first_judge), corrected_rate(second[0] / second[1], second_judge)
    return Sides(
        values, (_corrected_resamples(first_rate, *first_rates), _corrected_resamples(second_rate, *second_rates))
    )


def _resampled_rate(num_successes: int, num: int, num_resamples: int, generator: torch.Generator) -> torch.Tensor:
    """Resampled rates [num_resamples]; as in `corrected_gap`, 32 of 32 are not a certainty."""
    rate = num_successes / num if 0 < num_successes < num else (num_successes + 2) / (num + 4)
    return binomial(num, rate, num_resamples, generator) / num


def _rogan_gladen(rate, sensitivity, specificity):
    return (rate + specificity - 1) / (sensitivity + specificity - 1)


def _corrected_resamples(rate, sensitivity, specificity):
    """Corrected rates [num_resamples], from 0 to 1; NaN where the resampled judge is no better than chance."""
    values = _rogan_gladen(rate, sensitivity, specificity).clamp(0, 1)
    return values.where(sensitivity + specificity > 1, torch.nan)


def binomial(num, rate, num_resamples: int, generator: torch.Generator) -> torch.Tensor:
    """Counts [num_resamples] of num trials that succeed at a rate; num and rate are numbers or [num_resamples]."""
    rates = torch.as_tensor(rate, dtype=torch.float64).expand(num_resamples).contiguous()
    counts = torch.as_tensor(num, dtype=torch.float64).expand(num_resamples).contiguous()
    return torch.binomial(counts, rates, generator=generator)


def multinomial(
    num: int, weights: Sequence[float], num_resamples: int, generator: torch.Generator
) -> list[torch.Tensor]:
    """Counts [num_resamples] of num things drawn by weight: of all classes but the last, which is what they leave."""
    left, chance, drawn = torch.full((num_resamples,), float(num), dtype=torch.float64), 1.0, []
    for weight in weights[:-1]:
        rate = weight / sum(weights)
        drawn.append(binomial(left, min(rate / chance, 1.0) if chance > 1e-12 else 0.0, num_resamples, generator))
        left, chance = left - drawn[-1], chance - rate
    return drawn


def _resampled(judge: Confusion, num_resamples, generator):
    """Sensitivity and specificity [num_resamples] of resampled labelled images.

    A class without a single error is resampled as if half an image more had been wrong: that none was seen among few
    images does not make a judge infallible.
    """
    rates = []
    for right, wrong in (
        (judge.true_positive, judge.false_negative),
        (judge.true_negative, judge.false_positive),
    ):
        num = right + wrong
        rate = (right + 0.5) / (num + 1) if right in (0, num) else right / num
        rates.append(binomial(num, rate, num_resamples, generator) / num)
    return rates


def _percentiles(values, confidence, limits):
    """The interval of resampled values; the limits where the judge may well be no better than chance."""
    finite = values[values.isfinite()]
    if len(finite) < len(values) * (1 + confidence) / 2:
        return limits
    quantiles = torch.tensor([(1 - confidence) / 2, (1 + confidence) / 2], dtype=torch.float64)
    low, high = finite.quantile(quantiles).clamp(*limits).tolist()
    return low, high
