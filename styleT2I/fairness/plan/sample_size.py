"""How much an audit has to draw and to label before its plan can decide: sentences for `audit plan`."""

from __future__ import annotations

from styleT2I.errors import ConfigError
from styleT2I.fairness.plan import AuditPlan
from styleT2I.statistics.equivalence_power import pairs_needed_within, power_within
from styleT2I.statistics.power import discordant_rates
from styleT2I.statistics.prediction_powered import num_labels_needed
from styleT2I.torch_utils.words import counted

__all__ = ["explained_by_judge", "label_sentence", "unprompted_label_sentence", "within_sentences"]


def within_sentences(
    plan: AuditPlan, power: float, alpha: float, correlation: float, success: float
) -> tuple[str, str | None]:
    """The pairs that show all limits kept by a model without gaps, and a warning where the plan has fewer.

    Raises:
        ConfigError: The plan has no limit, or nothing shows one kept.
    """
    if not plan.limits:
        raise ConfigError("the plan declares no limit, so there is nothing to decide; add thresholds")
    limits = [(kind, value) for kind, _, value in plan.limits if kind in ("max_gap", "min_ratio", "min_success")]
    left_out, rates = len(plan.limits) - len(limits), (success, success)
    num = pairs_needed_within(limits, power, rates, correlation, alpha)
    said = (
        f"about {counted(num, 'pair')} per comparison show {'all ' * (len(limits) > 1)}{counted(len(limits), 'limit')} "
        f"kept with power {power:g}, for a model without gaps that succeeds at {success:g} (equivalence tests, Holm, "
        f"alpha {alpha:g}, correlation {correlation:g}, a judge without errors"
        f"{', limits on unprompted rates left out' * bool(left_out)})"
    )
    if num <= plan.num:
        return said, None
    chance = power_within(plan.num, limits, rates, correlation, alpha)
    return said, (
        f"the plan's {plan.num} images per composition show that in {100 * chance:.0f} % of audits only; the "
        "others end without a decision"
    )


def explained_by_judge(success: float, correlation: float, accuracy: float) -> float:
    """Squared correlation of the true and the judged difference of a pair, from 0 to 1.

    Args:
        success: Rate of both sides, between 0 and 1.
        correlation: Of the outcomes of a pair.
        accuracy: Of the judge about success, on both sides and either way, from 0.5 to 1.

    >>> explained_by_judge(0.8, 0.4, 1.0), round(explained_by_judge(0.8, 0.4, 0.95), 3)
    (1.0, 0.621)
    """
    _check_accuracy(accuracy)
    one, other = discordant_rates(success, success, correlation)
    true, slope = one + other, 2 * accuracy - 1
    seen = success * accuracy + (1 - success) * (1 - accuracy)
    shared = success * (1 - success) - true / 2  # covariance of both true outcomes
    judged = 2 * (seen * (1 - seen) - slope**2 * shared)
    return slope**2 * true / judged if judged > 0 else 0.0


def label_sentence(
    half_width: float, num: int, success: float, correlation: float, accuracy: float, confidence: float = 0.95
) -> str:
    """How many pairs to label for an interval of a gap that reaches so far to either side.

    >>> print(label_sentence(0.05, 400, 0.8, 0.4, 0.95))
    label about 207 of 400 pairs per comparison (414 images, two raters) to know a gap of 0 to ±5 points with 95 % \
confidence; without the judge it takes 296 (success 0.8, correlation 0.4, judge right in 95 % of images)
    """
    _check_half_width(half_width)
    variance = sum(discordant_rates(success, success, correlation))
    explained = explained_by_judge(success, correlation, accuracy)
    needed = num_labels_needed(half_width, variance, explained, num, confidence)
    alone = num_labels_needed(half_width, variance, 0.0, num, confidence)
    _check_enough(needed, num, half_width, "pairs")
    return (
        f"label about {needed} of {num} pairs per comparison ({2 * needed} images, two raters) to know a gap of 0 to "
        f"±{100 * half_width:g} points with {100 * confidence:g} % confidence; without the judge it takes {alone} "
        f"(success {success:g}, correlation {correlation:g}, judge right in {100 * accuracy:g} % of images)"
    )


def unprompted_label_sentence(half_width: float, plan: AuditPlan, accuracy: float, confidence: float = 0.95) -> str:
    """How many images of an unprompted sentence to label for an interval of a rate that reaches so far to either side.

    Rates are taken at their declared limits; where there is none at 0.5, which takes most labels.

    >>> from styleT2I.fairness.plan.thresholds import Unprompted
    >>> plan = AuditPlan("x", num=400, unprompted=(Unprompted("lipstick", "he", max_share=0.2),))
    >>> print(unprompted_label_sentence(0.05, plan, 0.95))
    label about 120 of 400 images of each unprompted sentence (two raters) to know a rate of 0.2 to ±5 points with 95 \
% confidence; without the judge it takes 246 (judge right in 95 % of images)
    """
    _check_half_width(half_width)
    _check_accuracy(accuracy)
    limits = [value for entry in plan.unprompted for value in (entry.limits.values() or [0.5])]
    rate = min(limits, key=lambda value: abs(value - 0.5))
    variance, seen = rate * (1 - rate), rate * accuracy + (1 - rate) * (1 - accuracy)
    explained = variance * (2 * accuracy - 1) ** 2 / (seen * (1 - seen)) if variance else 0.0
    needed = num_labels_needed(half_width, variance, explained, plan.num, confidence)
    alone = num_labels_needed(half_width, variance, 0.0, plan.num, confidence)
    _check_enough(needed, plan.num, half_width, "images of an unprompted sentence")
    return (
        f"label about {needed} of {plan.num} images of each unprompted sentence (two raters) to know a rate of "
        f"{rate:g} to ±{100 * half_width:g} points with {100 * confidence:g} % confidence; without the judge "
        f"it takes {alone} (judge right in {100 * accuracy:g} % of images)"
    )


def _check_half_width(half_width):
    if not 0 < half_width < 1:
        raise ConfigError(f"the half width of an interval is {half_width:g}; write a number from 0 to 1, 0.05 for ±5")


def _check_accuracy(accuracy):
    if not 0.5 <= accuracy <= 1:
        raise ConfigError(f"the judge's accuracy is {accuracy:g}; write a number from 0.5 to 1")


def _check_enough(needed, num, half_width, cases):
    if needed > num:
        raise ConfigError(
            f"even labels of all {num} {cases} leave more than ±{100 * half_width:g} points; it takes {needed}"
        )
