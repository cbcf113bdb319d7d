"""An audit's numbers in words: the verdict, claiming no more than was measured, and what each number means."""

from __future__ import annotations

from collections.abc import Callable

from styleT2I.fairness.results import AuditResult, ComparisonResult, Interval

__all__ = [
    "explanation_of_verdict", "interval", "method_notes", "p_value", "percent", "points", "reading",
    "verdict_sentence",
]  # fmt: skip

_MAX_LISTED = 4  # comparisons that the verdict names
_NOTES_OF_PAIRS = (
    (
        "Pairs",
        "Both sides of a comparison start from the same seeds, so that each picture has its counterpart, and luck in "
        "the choice of faces cancels.",
    ),
    ("95 % interval of a gap", "Newcombe's interval for paired shares: gaps that these pairs would not contradict."),
    (
        "p",
        "Exact McNemar test on the pairs that differ: how often chance alone would split them this unevenly if neither "
        "side were favoured. A large p is no evidence that there is no gap.",
    ),
)
_NOTES_WITHOUT_PAIRS = (
    ("95 % interval of a gap", "Newcombe's interval for two samples: gaps that these counts would not contradict."),
    (
        "p",
        "Fisher's exact test: how often chance alone would part the successes this unevenly if neither side were "
        "favoured. A large p is no evidence that there is no gap.",
    ),
)
_NOTES_BEFORE = (
    ("Perceived", "What the judge, a network, sees in a picture. It says nothing of who anybody is."),
    ("Success", "The judge sees every attribute that the sentence asks for. A picture it is unsure of is no success."),
    ("95 % interval of a share", "Wilson's score interval: shares that this count would not contradict."),
    ("Gap", "The first share less the second, in percentage points; 0 is no difference in this sample."),
)
_NOTES_AFTER = (
    (
        "Holm",
        "p raised for the number of declared comparisons, so that the chance of even one false finding among them "
        "stays below alpha. “Alone” is p before that.",
    ),
    (
        "Benjamini-Hochberg",
        "p raised so that, of the exploratory findings, a share of alpha at most is false on average. Such findings "
        "are leads to test again, not results.",
    ),
    (
        "Bounds",
        "The share, or gap, if the judge had called every undetermined picture a failure, or a success; shown where "
        "there are any.",
    ),
    (
        "Corrected",
        "What remains when the judge's own errors, measured on labelled pictures of each composition, are taken out "
        "(Rogan and Gladen); the interval resamples both the audit's and the labelled pictures.",
    ),
    ("Ratio", "The smaller share over the larger; 1 is equal."),
    (
        "Drift",
        "How often an attribute that the sentence leaves open looks different from the same seed without the sentence.",
    ),
    ("psi", "Truncation: how near to the average face pictures stay; 0 is the average face itself."),
)


def method_notes(result: AuditResult) -> tuple[tuple[str, str], ...]:
    """What each number means, one term and one line at a time."""
    return (*_NOTES_BEFORE, *(_NOTES_OF_PAIRS if result.is_paired else _NOTES_WITHOUT_PAIRS), *_NOTES_AFTER)


def percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def points(gap: float | None) -> str:
    """A gap in percentage points with its sign: +12.5."""
    if gap is None:
        return "-"
    text = f"{100 * gap:+.1f}".replace("-", "−")
    return "0.0" if text in ("+0.0", "−0.0") else text


def interval(ends: Interval | None, show: Callable[[float | None], str] = percent) -> str:
    return "-" if ends is None else f"{show(ends[0])} to {show(ends[1])}".replace(" % to", " to")


def p_value(p: float | None) -> str:
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
        sentences.append(f"For {len(doubtful)} of those beyond their limit the interval reaches back inside it.")
    if result.comparisons:
        num_shown = sum(comparison.is_significant for comparison in result.comparisons)
        sentences.append(
            f"{num_shown} of {len(result.comparisons)} primary comparisons show a difference at the plan's alpha after "
            "Holm's correction. Where none is shown, that is not evidence of equality."
        )
    if result.verdict == "passed":
        sentences.append("Passing means that declared limits were kept here; it does not certify the model as fair.")
    return sentences


def reading(comparison: ComparisonResult) -> str:
    """Which side succeeds more often, as far as the test shows it."""
    if not comparison.is_significant:
        return "not shown"
    return (comparison.first if comparison.gap > 0 else comparison.second).cell
