"""Power of equivalence: the probability that an audit shows every limit to be kept, and the pairs that this takes.

Audits of a model without a gap are simulated: pairs are drawn, every limit is tested as an audit tests it, and Holm's
procedure is applied over all limits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

from styleT2I.errors import ConfigError
from styleT2I.statistics.contrasts import ends_of_pairs, ends_of_rate, one_sided_p, score_of_pairs
from styleT2I.statistics.power import discordant_rates

__all__ = ["MAX_PAIRS", "pairs_needed_within", "power_within"]

MAX_PAIRS = 100_000
_NUM_AUDITS = 1000
_KINDS = ("max_gap", "min_ratio", "min_success")


def power_within(
    num_pairs: int,
    limits: Sequence[tuple[str, float]],
    success: tuple[float, float] = (0.8, 0.8),
    correlation: float = 0.0,
    alpha: float = 0.05,
    num_audits: int = _NUM_AUDITS,
) -> float:
    """The rate of simulated audits in which all limits are shown to be kept.

    Args:
        num_pairs: Of each comparison, 1 or more; the judge makes no errors, and comparisons are independent.
        limits: Kind (max_gap, min_ratio or min_success) and value of each; one comparison for each.
        success: True success rates of both sides, between 0 and 1.
        correlation: Of the two outcomes of a pair, from -1 to 1.
        alpha: Of Holm's procedure.
        num_audits: Simulated; the standard error is at most 0.5 / sqrt(num_audits).

    Raises:
        ConfigError: The rates cannot have this correlation, or a kind is unknown.

    >>> power_within(200, [("max_gap", 0.1)] * 20, correlation=0.4) < 0.5
    True
    """
    only_first, only_second = discordant_rates(*success, correlation)
    rates = [max(success[0] - only_first, 0.0), only_first, only_second]
    rates.append(max(1 - sum(rates), 0.0))
    rng = np.random.default_rng(num_pairs)
    tables = np.moveaxis(rng.multinomial(num_pairs, rates, (num_audits, len(limits))), -1, 0)  # [4, A, L]
    p_values = np.empty((num_audits, len(limits)))
    for kind, value in dict.fromkeys(limits):
        columns = [index for index, limit in enumerate(limits) if limit == (kind, value)]
        p_values[:, columns] = _p_within(kind, value, tables[:, :, columns])
    steps = alpha / np.arange(len(limits), 0, -1)
    return float((np.sort(p_values, axis=1) <= steps).all(axis=1).mean())


def pairs_needed_within(
    limits: Sequence[tuple[str, float]],
    power: float = 0.8,
    success: tuple[float, float] = (0.8, 0.8),
    correlation: float = 0.0,
    alpha: float = 0.05,
) -> int:
    """Pairs per comparison with which an audit shows all limits to be kept, with this probability.

    Args:
        limits, success, correlation, alpha: As in `power_within`.
        power: Between 0 and 1.

    Raises:
        ConfigError: Rates with this gap break a limit, so that nothing shows it kept, or over 100,000 pairs are needed.

    >>> 150 <= pairs_needed_within([("max_gap", 0.1)], correlation=0.4) <= 200
    True
    """
    if not (0 < power < 1 and 0 < alpha < 0.5 and limits):
        raise ConfigError(f"power lies between 0 and 1 and alpha between 0 and 0.5, got {power} and {alpha}")
    for kind, value in limits:
        if not _is_kept(kind, value, success):
            raise ConfigError(
                f"success rates of {success[0]:g} and {success[1]:g} do not keep {kind} {value:g}, so no number of "
                "pairs shows it kept; choose a wider limit, or other rates"
            )

    def reaches(num):
        return power_within(num, limits, success, correlation, alpha) >= power

    high = 16
    while not reaches(high):
        high *= 2
        if high > MAX_PAIRS:
            raise ConfigError(f"over {MAX_PAIRS} pairs are needed to show all limits kept; declare fewer or wider ones")
    low = high // 2
    while high - low > max(1, high // 100):  # finer than the simulation's own error
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


def _is_kept(kind, value, success):
    if kind == "max_gap":
        return abs(success[0] - success[1]) < value
    if kind == "min_ratio":
        return min(success) > value * max(success)
    if kind == "min_success":
        return min(success) > value
    raise ConfigError(f"{kind!r} is no kind of limit; choose from {', '.join(_KINDS)}")


def _p_within(kind, value, tables):
    """p-values of the equivalence test of one limit on tables of pairs [4, ...]."""
    both, only_first, only_second, neither = tables
    swapped, num = (both, only_second, only_first, neither), tables.sum(axis=0)
    first, second = both + only_first, both + only_second
    if kind == "min_success":
        sides = (first, second)
        return np.maximum(*(one_sided_p(_rate_ends(side, num), value, side / num) for side in sides))
    if kind == "max_gap":
        return norm.sf(np.minimum(*(score_of_pairs(each[1], each[2], num, -value) for each in (tables, swapped))))
    estimates = (first - value * second) / num, (second - value * first) / num
    return np.maximum(
        *(
            one_sided_p(_pair_ends(each, value), 0.0, estimate)
            for each, estimate in zip((tuple(tables), swapped), estimates, strict=True)
        )
    )


def _rate_ends(successes, num):
    return lambda z: ends_of_rate(successes, num, z)


def _pair_ends(counts, weight):
    return lambda z: ends_of_pairs(*counts, z, weight)
