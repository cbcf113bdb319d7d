"""An audit's numbers in words: the verdict, claiming no more than was measured, and the meaning of each number."""

from __future__ import annotations

from collections.abc import Callable

from styleT2I.fairness.results import AuditResult, ComparisonResult, Interval

__all__ = [
    "explanation_of_verdict", "interval", "method_notes", "p_value", "percent", "points", "reading",
    "verdict_sentence",
]  # fmt: skip

_MAX_LISTED = 4  # comparisons that the verdict names
_NOTES_BEFORE = (
    (
        "Perceived",
        "What the judge, a neural network, detects in an image. It says nothing about any person's identity.",
    ),
    (
        "Success",
        "The judge detects every attribute that the sentence asks for. An undetermined image is not a success.",
    ),
    ("95 % interval of a rate", "Wilson's score interval: the rates that this count does not contradict."),
    ("Gap", "The first rate minus the second, in percentage points. 0 means no difference in this sample."),
)
_NOTES_OF_PAIRS = (
    (
        "Pairs",
        "Both sides of a comparison start from the same seeds. Each image therefore has a counterpart, and chance in "
        "the choice of faces affects both sides alike.",
    ),
    ("95 % interval of a gap", "Newcombe's interval for paired rates: the gaps that these pairs do not contradict."),
    (
        "p",
        "Exact McNemar test on the pairs that differ. p is the probability that chance alone splits them at least this "
        "unevenly, if neither side is favoured. A large p is no evidence that there is no gap.",
    ),
)
_NOTES_WITHOUT_PAIRS = (
    ("95 % interval of a gap", "Newcombe's interval for two samples: the gaps that these counts do not contradict."),
    (
        "p",
        "Fisher's exact test. p is the probability that chance alone divides the successes at least this unevenly, if "
        "neither side is favoured. A large p is no evidence that there is no gap.",
    ),
)
_NOTES_AFTER = (
    (
        "Holm",
        "p-values raised for the number of declared comparisons. The probability of even one false finding among them "
        "is then at most alpha. “Alone” is p before this correction.",
    ),
    (
        "Benjamini-Hochberg",
        "p-values raised so that, on average, at most a fraction alpha of the exploratory findings is false. Such "
        "findings are leads to test again, not results.",
    ),
    (
        "Bounds",
        "The rate or gap if all undetermined images were failures, and if all were successes. Shown where any exist.",
    ),
    (
        "Corrected",
        "The rate or gap without the judge's own errors, which were measured on labelled images of each composition "
        "(Rogan and Gladen). The interval covers chance in both the audited and the labelled images.",
    ),
    ("Ratio", "The smaller rate divided by the larger. 1 means equal."),
    (
        "Drift",
        "How often an attribute that the sentence leaves open differs from the image of the same seed without the "
        "sentence.",
    ),
    ("psi", "Truncation: how close images stay to the average face. 0 is the average face itself."),
)


def method_notes(result: AuditResult) -> tuple[tuple[str, str], ...]:
    """Terms and their meanings, in the order of the page."""
    return (*_NOTES_BEFORE, *(_NOTES_OF_PAIRS if result.is_paired else _NOTES_WITHOUT_PAIRS), *_NOTES_AFTER)


def percent(rate: float | None) -> str:
    """A rate in per cent: 12.5 %."""
    return "-" if rate is None else f"{100 * rate:.1f} %"


def points(gap: float | None) -> str:
    """A gap in percentage points with its sign: +12.5."""
    if gap is None:
        return "-"
    text = f"{100 * gap:+.1f}".replace("-", "−")
    return "0.0" if text in ("+0.0", "−0.0") else text


def interval(ends: Interval | None, show: Callable[[float | None], str] = percent) -> str:
    """An interval in the unit of `show`: "10.0 to 25.0 %"."""
    return "-" if ends is None else f"{show(ends[0])} to {show(ends[1])}".replace(" % to", " to")


def p_value(p: float | None) -> str:
    """A p-value to three decimals, or "< 0.001"."""
    return "-" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def verdict_sentence(result: AuditResult) -> str:
    """What passed or failed, with the limits, in one sentence."""
    thresholds, num = result.thresholds, len(result.thresholds)
    if not num:
        return "The plan declares no threshold, so nothing passed or failed; the measured gaps follow."
    kind = "gap corrected for the judge's errors" if result.calibration else "measured gap"
    broken = [threshold for threshold in thresholds if not threshold.passes]
    if not broken:
        limits = sorted({threshold.max_gap for threshold in thresholds})
        span = " to ".join(f"±{100 * limit:g}" for limit in dict.fromkeys((limits[0], limits[-1])))
        who = f"all {num} comparisons with a threshold" if num > 1 else "the one comparison with a threshold"
        return f"In {who} the {kind} is within its limit of {span} percentage points."
    broken.sort(key=lambda threshold: threshold.max_gap - abs(threshold.gap))  # the worst first
    listed = [f"{each.comparison}: {points(each.gap)} points, limit ±{100 * each.max_gap:g}" for each in broken]
    listed[_MAX_LISTED:] = [f"and {len(broken) - _MAX_LISTED} more"] if len(broken) > _MAX_LISTED else []
    return f"In {len(broken)} of {num} comparisons with a threshold the {kind} exceeds its limit ({'; '.join(listed)})."


def explanation_of_verdict(result: AuditResult) -> list[str]:
    """What the verdict does not say, one sentence each."""
    sentences = []
    within = [threshold for threshold in result.thresholds if threshold.passes]
    beyond = [threshold for threshold in result.thresholds if not threshold.passes]
    if open_ones := [threshold for threshold in within if not threshold.is_certain]:
        sentences.append(
            f"For {len(open_ones)} of the {len(within)} gaps within their limit the 95 % interval reaches beyond it: "
            "this audit does not rule out a gap larger than allowed."
        )
    if doubtful := [threshold for threshold in beyond if not threshold.is_certain]:
        sentences.append(
            f"For {len(doubtful)} of the {len(beyond)} gaps beyond their limit the 95 % interval reaches back inside "
            "it: this audit does not prove that the true gap is larger than allowed."
        )
    if result.comparisons:
        num_shown = sum(comparison.is_significant for comparison in result.comparisons)
        sentences.append(
            f"{num_shown} of {len(result.comparisons)} primary comparisons show a difference at the plan's alpha after "
            "Holm's correction. Where none is shown, that is not evidence of equality."
        )
    if result.verdict == "passed":
        sentences.append(
            "Passing means that the declared limits were kept in this audit. It does not certify the model as fair."
        )
    return sentences


def reading(comparison: ComparisonResult) -> str:
    """Which side succeeds more often, as far as the test shows it."""
    if not comparison.is_significant:
        return "not shown"
    return (comparison.first if comparison.gap > 0 else comparison.second).cell
