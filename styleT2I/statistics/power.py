"""Power of the exact McNemar test, and the number of pairs that a comparison needs."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from scipy.stats import binom

from styleT2I.errors import ConfigError

__all__ = ["discordant_rates", "mcnemar_power", "pairs_needed"]

MAX_PAIRS = 1_000_000


def discordant_rates(p_first: float, p_second: float, correlation: float) -> tuple[float, float]:
    """Rates of pairs with success in the first alone and in the second alone.

    Args:
        p_first, p_second: Success rates, between 0 and 1.
        correlation: Of the two outcomes of a pair, from -1 to 1.

    Raises:
        ConfigError: A rate is not between 0 and 1, or two outcomes with such rates cannot have this correlation.

    >>> only_first, only_second = discordant_rates(0.9, 0.8, 0.0)
    >>> round(only_first, 3), round(only_second, 3)
    (0.18, 0.08)
    """
    if not (0 < p_first < 1 and 0 < p_second < 1):
        raise ConfigError(f"success rates lie between 0 and 1, got {p_first} and {p_second}")
    spread = math.sqrt(p_first * (1 - p_first) * p_second * (1 - p_second))
    both = p_first * p_second + correlation * spread
    smallest, largest = max(0.0, p_first + p_second - 1), min(p_first, p_second)
    if not smallest - 1e-12 <= both <= largest + 1e-12:
        low, high = ((end - p_first * p_second) / spread for end in (smallest, largest))
        raise ConfigError(
            f"successes of {p_first} and {p_second} cannot correlate by {correlation}; choose {low:.2f} to {high:.2f}"
        )
    return max(p_first - both, 0.0), max(p_second - both, 0.0)


def mcnemar_power(num_pairs: int, only_first: float, only_second: float, alpha: float = 0.05) -> float:
    """Power of the exact two-sided McNemar test: the probability that it gives p <= alpha.

    Args:
        num_pairs: 0 or more.
        only_first, only_second: Rates of pairs with success in one alone, as `discordant_rates` gives them.
        alpha: Between 0 and 1.

    Returns:
        From 0 to 1, summed over the possible numbers of differing pairs.

    >>> round(mcnemar_power(200, 0.18, 0.08), 3)
    0.769
    """
    rate = only_first + only_second
    if rate <= 0:
        return 0.0
    spread = math.sqrt(num_pairs * rate * (1 - rate))
    middle = num_pairs * rate  # 12 standard deviations around it leave less than 1e-15 or so out
    low, high = max(0, math.floor(middle - 12 * spread)), min(num_pairs, math.ceil(middle + 12 * spread + 12))
    differing = np.arange(low, high + 1)
    # Largest count k of the rarer side with p = 2 P(X <= k) <= alpha; -1 where no count is.
    critical = binom.ppf(alpha / 2, differing, 0.5)
    critical = np.where(2 * binom.cdf(critical, differing, 0.5) <= alpha, critical, critical - 1)
    theta = only_first / rate
    refused = binom.cdf(critical, differing, theta) + binom.cdf(critical, differing, 1 - theta)
    refused = np.where(critical < 0, 0.0, refused)
    return float((binom.pmf(differing, num_pairs, rate) * refused).sum())


def pairs_needed(
    p_first: float,
    p_second: float,
    power: float = 0.8,
    alpha: float = 0.05,
    correlation: float = 0.0,
    num_comparisons: int = 1,
) -> int:
    """Pairs per comparison with which the exact McNemar test tells two success rates apart.

    Each of num_comparisons is tested at alpha / num_comparisons, the hardest step of Holm. The search starts below the
    normal approximation (Connor 1987, Biometrics 43, 207).

    Args:
        p_first, p_second: Success rates to tell apart, between 0 and 1.
        power: Probability of telling them apart, between 0 and 1.
        alpha: Probability of even one false finding, between 0 and 1.
        correlation: Of the two outcomes of a pair; 0 is the careful choice.
        num_comparisons: 1 or more.

    Raises:
        ConfigError: A number is out of range, the rates are equal, or over a million pairs would be needed.

    >>> pairs_needed(0.9, 0.8)
    215
    """
    if p_first == p_second:
        raise ConfigError(f"no number of pairs tells {p_first} from {p_second}; give two different rates")
    if not (0 < power < 1 and 0 < alpha < 1 and num_comparisons >= 1):
        raise ConfigError(f"power and alpha lie between 0 and 1, got {power} and {alpha}")
    only_first, only_second = discordant_rates(p_first, p_second, correlation)
    alpha = alpha / num_comparisons
    rate, difference = only_first + only_second, p_first - p_second
    z_alpha, z_power = NormalDist().inv_cdf(1 - alpha / 2), NormalDist().inv_cdf(power)
    rough = (z_alpha * math.sqrt(rate) + z_power * math.sqrt(max(rate - difference**2, 0.0))) ** 2 / difference**2
    if rough > MAX_PAIRS:
        raise ConfigError(f"telling {p_first} from {p_second} takes more than {MAX_PAIRS} pairs; detect a larger gap")
    num, stride = max(1, int(0.8 * rough)), 1 + int(rough) // 200
    while mcnemar_power(num + stride, only_first, only_second, alpha) < power:
        num += stride
    while mcnemar_power(num, only_first, only_second, alpha) < power:
        num += 1
    return num
