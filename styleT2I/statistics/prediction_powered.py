"""A mean from few labels and many predictions: prediction-powered inference with tuned power.

Angelopoulos, Duchi and Zrnic (2023, "PPI++: Efficient Prediction-Powered Inference", arXiv 2311.01453), for a mean. A
judge's verdict is known of every case, the truth of a random sample of them. The labels alone give the mean without
bias; the predictions take from its variance what they explain, and nothing is assumed about their errors.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.stats import norm, t

__all__ = ["PoweredMean", "num_labels_needed", "powered_mean"]

_MAX_TAIL_Z = 37.0  # norm.sf is above 0 up to there


class PoweredMean(NamedTuple):
    """A mean, its standard error, and the weight of the predictions in it; arrays where several were estimated.

    power: from 0, the labels alone, to 1. num: labels.
    """

    value: Any
    error: Any
    power: Any
    num: int

    def ends(self, z):
        """Interval (low, high) at the normal quantile z: of Student's t with num - 2 degrees of freedom there."""
        half = t.isf(norm.sf(np.minimum(z, _MAX_TAIL_Z)), self.num - 2) * self.error
        return self.value - half, self.value + half


def powered_mean(labels, predicted, others) -> PoweredMean:
    """The mean of what was labelled, over all cases.

    The weight of the predictions is the one with the least variance (the paper's example 6.1), from 0 to 1.

    Args:
        labels: Truths of the labelled cases, [..., n]; n is 3 or more.
        predicted: The judge's values on the same cases, [..., n].
        others: The judge's values on the cases without a label, [..., m]; m may be 0.

    Raises:
        ValueError: Too few labels, or sizes that do not fit.

    >>> found = powered_mean([1, 0, 1, 1], [1, 0, 1, 1], [1, 1, 0, 0, 1, 1, 1, 0])
    >>> round(float(found.value), 3), round(float(found.power), 3)
    (0.664, 0.687)
    """
    y, f, rest = (np.asarray(each, dtype=float) for each in (labels, predicted, others))
    num, num_others = y.shape[-1], rest.shape[-1]
    if y.shape != f.shape or y.shape[:-1] != rest.shape[:-1]:
        raise ValueError(f"labels {y.shape}, predictions {f.shape} and others {rest.shape} do not fit together")
    if num < 3:
        raise ValueError(f"{num} labels; a mean needs 3 or more")
    if not num_others:
        zero = np.zeros(y.shape[:-1])
        return PoweredMean(y.mean(axis=-1)[()], np.sqrt(y.var(axis=-1, ddof=1) / num)[()], zero[()], num)
    spread = np.concatenate([f, rest], axis=-1).var(axis=-1, ddof=1)
    shared = ((y - y.mean(axis=-1, keepdims=True)) * (f - f.mean(axis=-1, keepdims=True))).sum(axis=-1) / (num - 1)
    scale = (1 + num / num_others) * spread
    power = np.clip(np.divide(shared, scale, out=np.zeros_like(shared), where=scale > 0), 0.0, 1.0)
    value = y.mean(axis=-1) + power * (rest.mean(axis=-1) - f.mean(axis=-1))
    residual = (y - power[..., None] * f).var(axis=-1, ddof=1)
    error = np.sqrt(residual / num + power**2 * spread / num_others)
    return PoweredMean(value[()], error[()], power[()], num)


def num_labels_needed(half_width: float, variance: float, explained: float, num: int, confidence: float = 0.95) -> int:
    """Labelled cases, of `num` that are judged, for an interval of a mean of the wanted half width.

    Args:
        half_width: Wanted, above 0.
        variance: Of the truths: p (1 - p) of a rate p.
        explained: Squared correlation of truths and predictions, from 0 to 1.
        num: Cases that are judged; labels are a part of them.
        confidence: Of the interval, between 0 and 1.

    Returns:
        Labels, 3 or more; more than `num` where even all labels are too few.

    >>> num_labels_needed(0.05, 0.25, 0.0, 1000), num_labels_needed(0.05, 0.25, 0.8, 1000)
    (385, 111)
    """
    z = norm.isf((1 - confidence) / 2)

    def half(n):
        # At the tuned power the variance is v / n (1 - explained (num - n) / num): n labels, the rest predicted.
        return z * np.sqrt(variance / n * (1 - explained * max(num - n, 0) / num))

    low, high = 2, max(3, int(np.ceil(variance * (z / half_width) ** 2)))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if half(middle) <= half_width else (middle, high)
    return high
