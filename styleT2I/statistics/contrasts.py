"""Intervals of p1 - w p2, two success rates against each other with a weight, and one-sided p-values that invert them.

With weight 1 the contrast is a difference; with weight r it is above 0 where the ratio p1 / p2 is above r. So one
interval serves limits on gaps and on ratios. It is Newcombe's (1998) for pairs or for two samples, its second rate
scaled: the method of variance estimates recovery (Zou and Donner 2008, Statistics in Medicine 27, 1693; Donner and Zou
2012, Statistical Methods in Medical Research 21, 347). For the difference of pairs there is Tango's score test too,
which keeps its level far out in the tails, where many limits are tested at once. All functions take arrays as well as
numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from scipy.stats import norm

__all__ = [
    "ends_of_pairs", "ends_of_rate", "ends_of_samples", "joined_difference", "joined_ratio", "one_sided_p",
    "score_of_pairs", "z_of",
]  # fmt: skip

MAX_Z = 8.0  # p = 6e-16
_STEPS = 40  # of bisection: z to 8 / 2^40


def z_of(confidence: float) -> float:
    """The normal quantile z of a two-sided interval: 1.96 of 0.95.

    Args:
        confidence: From 0 to 1, exclusive of 1.

    >>> round(z_of(0.95), 3)
    1.96
    """
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def ends_of_rate(successes, num, z):
    """Wilson's interval of a success rate at the normal quantile z.

    Args:
        successes: From 0 to num.
        num: Trials, 1 or more.
        z: 0 or more.

    Returns:
        (low, high), each from 0 to 1.

    >>> low, high = ends_of_rate(2, 10, 1.959964)
    >>> round(float(low), 3), round(float(high), 3)
    (0.057, 0.51)
    """
    rate, scale = successes / num, 1 + z * z / num
    centre = (rate + z * z / (2 * num)) / scale
    half = z / scale * np.sqrt(rate * (1 - rate) / num + z * z / (4 * num**2))
    low = np.where(successes == 0, 0.0, np.maximum(centre - half, 0.0))
    return low, np.where(successes == num, 1.0, np.minimum(centre + half, 1.0))


def ends_of_pairs(both, only_first, only_second, neither, z, weight=1.0):
    """Interval of the first success rate less `weight` times the second, both measured on the same cases.

    Args:
        both, only_first, only_second, neither: Counts of pairs by which side succeeded; 1 or more in all.
        z: Normal quantile, 0 or more.
        weight: Of the second rate, above 0.

    Returns:
        (low, high), from -weight to 1.

    >>> low, high = ends_of_pairs(2, 8, 0, 0, 1.959964)
    >>> round(float(low), 3), round(float(high), 3)
    (0.384, 0.943)
    """
    num = both + only_first + only_second + neither
    first, second = both + only_first, both + only_second
    covariance = np.asarray(both * neither - only_first * only_second, dtype=float)
    covariance = np.where(covariance > 0, np.maximum(covariance - num / 2, 0.0), covariance)
    margins = np.asarray(first * (num - first) * second * (num - second), dtype=float)
    correlation = np.where(margins > 0, covariance / np.sqrt(np.where(margins > 0, margins, 1.0)), 0.0)
    return _joined(first, num, second, num, z, weight, correlation)


def score_of_pairs(only_first, only_second, num, difference):
    """How many standard errors the observed difference of two rates of pairs lies above a supposed one.

    Tango (1998, Statistics in Medicine 17, 891): the standard error is that of the likeliest rates with the supposed
    difference. Its distribution is standard normal under it, so `norm.sf` of it is a one-sided p-value.

    Args:
        only_first, only_second: Counts of pairs with success in one alone.
        num: Pairs, 1 or more.
        difference: Supposed, first rate less second, from -1 to 1.

    Returns:
        z; infinite where the supposed difference is impossible.

    >>> round(float(score_of_pairs(8, 0, 10, 0.0)), 3), round(float(score_of_pairs(20, 20, 200, -0.1)), 3)
    (2.828, 2.987)
    """
    b, c, difference = (np.asarray(each, dtype=float) for each in (only_first, only_second, difference))
    linear = (2 * num - b + c) * difference - b - c
    constant = c * difference * (1 - difference)
    rate = (np.sqrt(np.maximum(linear**2 + 8 * num * constant, 0.0)) - linear) / (4 * num)  # of "second alone"
    spread = np.sqrt(num * np.maximum(2 * rate + difference * (1 - difference), 0.0))
    beyond = b - c - num * difference
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 1e-9, beyond / spread, np.where(np.abs(beyond) < 1e-9, 0.0, np.sign(beyond) * np.inf))


def ends_of_samples(first, trials_first, second, trials_second, z, weight=1.0):
    """Interval of the first success rate less `weight` times the second, of two independent samples.

    Args:
        first, second: Successes of each sample, from 0 to its trials.
        trials_first, trials_second: 1 or more.
        z: Normal quantile, 0 or more.
        weight: Of the second rate, above 0.

    Returns:
        (low, high), from -weight to 1.

    >>> low, high = ends_of_samples(18, 20, 10, 20, 1.959964)
    >>> round(float(low), 3), round(float(high), 3)
    (0.116, 0.613)
    """
    return _joined(first, trials_first, second, trials_second, z, weight, 0.0)


def joined_difference(one, ends_of_one, other, ends_of_other):
    """Interval of the difference of two independent numbers from an interval of each (Zou and Donner 2008).

    Args:
        one, other: Estimates.
        ends_of_one, ends_of_other: (low, high) of each, at one confidence.

    >>> low, high = joined_difference(0.9, (0.699, 0.972), 0.5, (0.299, 0.701))
    >>> round(float(low), 3), round(float(high), 3)
    (0.116, 0.614)
    """
    (low, high), (least, most) = ends_of_one, ends_of_other
    difference = one - other
    return difference - np.hypot(one - low, most - other), difference + np.hypot(high - one, other - least)


def joined_ratio(one, ends_of_one, other, ends_of_other):
    """Interval of the ratio of two independent numbers from an interval of each (Donner and Zou 2012, equations 6, 7).

    Args:
        one: Estimate above the line, 0 or more.
        other: Estimate below it, above 0.
        ends_of_one, ends_of_other: (low, high) of each, at one confidence, 0 or more.

    Returns:
        (low, high); the high end is infinite where the low end of the number below the line is 0.

    >>> [round(float(end), 3) for end in joined_ratio(0.4, (0.3, 0.5), 0.2, (0.2, 0.2))]
    [1.5, 2.5]
    """
    (low, high), (least, most) = ends_of_one, ends_of_other
    product = one * other
    over, under = low * (2 * one - low), most * (2 * other - most)
    below = product + np.sqrt(max(product**2 - over * under, 0.0))
    over, under = high * (2 * one - high), least * (2 * other - least)
    above = product + np.sqrt(max(product**2 - over * under, 0.0))
    return low * (2 * one - low) / below if below else 0.0, above / under if under else np.inf


def one_sided_p(ends: Callable, bound, value):
    """p-value of the hypothesis that a quantity is at most `bound`, by inverting its interval.

    Small where the quantity is shown to lie above: `bound` is below the interval's low end at every quantile up to z,
    and p is the normal tail beyond z. Above one half where `bound` lies above the estimate.

    Args:
        ends: z -> (low, high), which widen as z grows from 0.
        bound: Number or array.
        value: The estimate, where the interval has no width.

    Returns:
        p from 6e-16 to 1.

    >>> p = one_sided_p(lambda z: ends_of_rate(90, 100, z), 0.8, 0.9)
    >>> round(float(p), 4)
    0.0062
    """
    is_above = np.asarray(value) > bound
    low, high = np.zeros(np.shape(is_above)), np.full(np.shape(is_above), MAX_Z)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        least, most = ends(middle)
        is_clear = np.where(is_above, least > bound, most < bound)
        low, high = np.where(is_clear, middle, low), np.where(is_clear, high, middle)
    tail = norm.sf(low)
    return np.where(is_above, tail, 1 - tail)


def _joined(first, trials_first, second, trials_second, z, weight, correlation):
    """The Wilson intervals of both rates, added in squares less their correlation."""
    low_first, high_first = ends_of_rate(first, trials_first, z)
    low_second, high_second = ends_of_rate(second, trials_second, z)
    one, two = first / trials_first, second / trials_second

    def half(a, b):
        b = weight * b
        return np.sqrt(np.maximum(a * a - 2 * correlation * a * b + b * b, 0.0))

    difference = one - weight * two
    low = difference - half(one - low_first, high_second - two)
    high = difference + half(high_first - one, two - low_second)
    return np.maximum(low, -weight), np.minimum(high, 1.0)
