"""What a judge's verdicts say of the truth: bounds where it gives none, and correction where it errs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch

__all__ = [
    "Confusion", "Corrected", "corrected_gap", "corrected_gap_of_samples", "corrected_share",
    "corrected_share_interval", "gap_bounds", "share_bounds",
]  # fmt: skip


def share_bounds(num_successes: int, num_undetermined: int, num: int) -> tuple[float, float]:
    """The least and the largest share of success (low, high): no or every undetermined image is one. (0, 1) of none."""
    if not 0 <= num_successes + num_undetermined <= num or min(num_successes, num_undetermined) < 0:
        raise ValueError(f"{num_successes} successes and {num_undetermined} undetermined of {num}")
    return (num_successes / num, (num_successes + num_undetermined) / num) if num else (0.0, 1.0)


def gap_bounds(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float]:
    """The least and the largest difference of two shares within their bounds."""
    return first[0] - second[1], first[1] - second[0]


@dataclass(frozen=True)
class Confusion:
    """A judge's verdicts on labelled images of one group; a verdict that is undetermined is not a success."""

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
        return self.true_positive / (self.true_positive + self.false_negative)

    @property
    def specificity(self) -> float:
        return self.true_negative / (self.true_negative + self.false_positive)


class Corrected(NamedTuple):
    """An estimate and its interval."""

    value: float
    interval: tuple[float, float]


def corrected_share(share: float, judge: Confusion) -> float:
    """The share of true successes behind a share of verdicts (Rogan and Gladen 1978), kept within 0 and 1."""
    return min(max(_rogan_gladen(share, judge.sensitivity, judge.specificity), 0.0), 1.0)


def corrected_share_interval(
    num_successes: int,
    num: int,
    judge: Confusion,
    generator: torch.Generator,
    confidence: float = 0.95,
    num_resamples: int = 4000,
) -> Corrected:
    """A corrected share of num images; the interval resamples these and the judge's labelled images."""
    values = _corrected_resamples(
        _resampled_share(num_successes, num, num_resamples, generator), *_resampled(judge, num_resamples, generator)
    )
    return Corrected(corrected_share(num_successes / num, judge), _percentiles(values, confidence, (0.0, 1.0)))


def corrected_gap(
    pairs: tuple[int, int, int, int],
    first_judge: Confusion,
    second_judge: Confusion,
    generator: torch.Generator,
    confidence: float = 0.95,
    num_resamples: int = 4000,
) -> Corrected:
    """The first share less the second, each corrected by the judge's confusion in its own group.

    pairs: verdicts of success in both, in the first alone, in the second alone, in neither. The interval is the
    percentile bootstrap over both samples: pairs are resampled as pairs, labelled images within group and truth.
    A confusion that is one and the same object for both sides is resampled once for both.
    """
    num = sum(pairs)
    # Resampling never draws a kind of pair that was not seen: too sure of few pairs (32 of 32 both right). Where one
    # side never succeeded alone, chances are those with one pair more of every kind (Agresti and Coull's four).
    counts = pairs if min(pairs[1], pairs[2]) else tuple(count + 1 for count in pairs)
    both, only_first, only_second = _multinomial(num, counts, num_resamples, generator)
    first_rates = _resampled(first_judge, num_resamples, generator)
    second_rates = first_rates if second_judge is first_judge else _resampled(second_judge, num_resamples, generator)
    first = _corrected_resamples((both + only_first) / num, *first_rates)
    second = _corrected_resamples((both + only_second) / num, *second_rates)
    value = corrected_share((pairs[0] + pairs[1]) / num, first_judge) - corrected_share(
        (pairs[0] + pairs[2]) / num, second_judge
    )
    return Corrected(value, _percentiles(first - second, confidence, (-1.0, 1.0)))


def corrected_gap_of_samples(
    first: tuple[int, int],
    second: tuple[int, int],
    first_judge: Confusion,
    second_judge: Confusion,
    generator: torch.Generator,
    confidence: float = 0.95,
    num_resamples: int = 4000,
) -> Corrected:
    """As `corrected_gap` of two samples that are not paired: successes and pictures of each, resampled apart."""
    first_share = _resampled_share(*first, num_resamples, generator)
    second_share = _resampled_share(*second, num_resamples, generator)
    first_rates = _resampled(first_judge, num_resamples, generator)
    second_rates = first_rates if second_judge is first_judge else _resampled(second_judge, num_resamples, generator)
    values = _corrected_resamples(first_share, *first_rates) - _corrected_resamples(second_share, *second_rates)
    value = corrected_share(first[0] / first[1], first_judge) - corrected_share(second[0] / second[1], second_judge)
    return Corrected(value, _percentiles(values, confidence, (-1.0, 1.0)))


def _resampled_share(num_successes, num, num_resamples, generator):
    """Resampled shares [num_resamples]; as in `corrected_gap`, 32 of 32 are no certainty."""
    share = num_successes / num if 0 < num_successes < num else (num_successes + 2) / (num + 4)
    return _binomial(num, share, num_resamples, generator) / num


def _rogan_gladen(share, sensitivity, specificity):
    return (share + specificity - 1) / (sensitivity + specificity - 1)


def _corrected_resamples(share, sensitivity, specificity):
    """Corrected shares [num_resamples]; NaN where the resampled judge is no better than chance."""
    values = _rogan_gladen(share, sensitivity, specificity)
    return values.where(sensitivity + specificity > 1, torch.nan)


def _binomial(num, share, num_resamples, generator):
    shares = torch.as_tensor(share, dtype=torch.float64).expand(num_resamples).contiguous()
    counts = torch.as_tensor(num, dtype=torch.float64).expand(num_resamples).contiguous()
    return torch.binomial(counts, shares, generator=generator)


def _multinomial(num, weights, num_resamples, generator):
    """Counts [num_resamples] of num things drawn by weight: of all classes but the last, which is what they leave."""
    left, chance, drawn = torch.full((num_resamples,), float(num), dtype=torch.float64), 1.0, []
    for weight in weights[:-1]:
        share = weight / sum(weights)
        drawn.append(_binomial(left, min(share / chance, 1.0) if chance > 1e-12 else 0.0, num_resamples, generator))
        left, chance = left - drawn[-1], chance - share
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
        share = (right + 0.5) / (num + 1) if right in (0, num) else right / num
        rates.append(_binomial(num, share, num_resamples, generator) / num)
    return rates


def _percentiles(values, confidence, limits):
    """The interval of resampled values; the limits where the judge may well be no better than chance."""
    finite = values[values.isfinite()]
    if len(finite) < len(values) * (1 + confidence) / 2:
        return limits
    quantiles = torch.tensor([(1 - confidence) / 2, (1 + confidence) / 2], dtype=torch.float64)
    low, high = finite.quantile(quantiles).clamp(*limits).tolist()
    return low, high
