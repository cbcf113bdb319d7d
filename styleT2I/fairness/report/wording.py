"""An audit's numbers in words: units, and the meaning of each number. Verdicts are in `verdict_words`."""

from __future__ import annotations

from collections.abc import Callable

from styleT2I.fairness.results import AuditResult, ComparisonResult, Interval

__all__ = ["confidence_of", "interval", "method_notes", "p_value", "percent", "points", "reading"]

_NOTES_BEFORE = (
    (
        "Perceived",
        "What the judge, a neural network, detects in an image. It says nothing about any person's identity.",
    ),
    (
        "Success",
        "The judge detects every attribute that the sentence asks for. An undetermined image is not a success.",
    ),
    ("Interval of a rate", "Wilson's score interval: the rates that this count does not contradict."),
    (
        "Gap",
        "The rate of one group, the first named, less that of the other, in percentage points. 0 means no difference "
        "in this sample.",
    ),
)
_NOTES_OF_PAIRS = (
    (
        "Pairs",
        "Both sides of a comparison start from the same seeds. Each image therefore has a counterpart, and chance in "
        "the choice of faces affects both sides alike.",
    ),
    (
        "Interval of a gap",
        "Newcombe's interval for paired rates: the gaps that these pairs do not contradict. A limit on a gap is "
        "decided by Tango's score test, which holds at the high confidence that many limits need; the interval beside "
        "a limit is that of this test.",
    ),
    (
        "p",
        "Exact McNemar test on the pairs that differ. p is the probability that chance alone splits them at least this "
        "unevenly, if neither side is favoured. A large p is no evidence that there is no gap.",
    ),
)
_NOTES_WITHOUT_PAIRS = (
    ("Interval of a gap", "Newcombe's interval for two samples: the gaps that these counts do not contradict."),
    (
        "p",
        "Fisher's exact test. p is the probability that chance alone divides the successes at least this unevenly, if "
        "neither side is favoured. A large p is no evidence that there is no gap.",
    ),
)
_NOTES_AFTER = (
    (
        "Within, exceeded, not decided",
        "Within: the whole interval lies inside the limit (two one-sided tests). Exceeded: the whole interval lies "
        "outside. Not decided: neither is shown. Of audits of a model at its limits at most a fraction alpha shows "
        "even one “within” (Holm over all limits of the plan), and likewise for “exceeded”. The interval of a verdict "
        "has the confidence of its step in that procedure, which is higher the more limits there are.",
    ),
    (
        "Not assessable",
        "Neither side is shown to succeed above the plan's floor. Two sides that both fail have a small gap, which "
        "says nothing about fairness.",
    ),
    (
        "Overturned by",
        "The judge's errors shift a rate: images wrongly called a success less images wrongly called a failure, in "
        "points. If this shift differed between the two sides by more than the number given, beyond what was measured, "
        "the verdict would no longer be shown.",
    ),
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
        "The rate or gap without the judge's own errors: by people's labels of these images, or by its errors "
        "on other labelled images where the plan declares that they transport (Rogan and Gladen; over joint states of "
        "the attributes where the labels allow it). The interval covers chance in the audited and the labelled images, "
        "and p-values invert it.",
    ),
    ("Ratio", "The smaller rate divided by the larger. 1 means equal."),
    (
        "Drift",
        "How often an attribute that the sentence leaves open differs from the image of the same seed without the "
        "sentence.",
    ),
    (
        "Adjustment",
        "What the system does after it has read the sentence, so that every attribute in it is drawn: “hold” searches "
        "until its own classifier sees all of them. Strength 1 is the usual dose.",
    ),
    ("Truncation (psi)", "How close images stay to the average face. 0 is the average face itself, 1 is no limit."),
    (
        "Composition",
        "Attributes that are asked for together. Tables abbreviate them: she+lipstick is “a woman who wears lipstick”.",
    ),
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


def confidence_of(value: float) -> str:
    """A confidence in per cent: 99.75 %."""
    return f"{100 * value:.4g} %"


def reading(comparison: ComparisonResult, groups: tuple[str, str]) -> str:
    """Which of the two groups succeeds more often, as far as the test shows it."""
    if not comparison.is_significant:
        return "not shown"
    return groups[0] if comparison.shown.gap > 0 else groups[1]
