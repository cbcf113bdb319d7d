"""Verdicts in words: what was decided, who loses and by how much, what would overturn it. No more than was shown."""

from __future__ import annotations

from styleT2I.fairness.report.names import groups_of
from styleT2I.fairness.report.sections.labels import basis_sentence
from styleT2I.fairness.report.wording import confidence_of, interval, percent, points
from styleT2I.fairness.results import AuditResult, ComparisonResult, ThresholdResult
from styleT2I.torch_utils.words import counted

__all__ = [
    "circle_of", "explanation_of_verdict", "flips_words", "limit_words", "lines_of", "measured_words", "outcome",
    "overturned_by", "reason_of", "verdict_counts", "verdict_sentence", "who_words",
]  # fmt: skip

_MAX_LISTED = 4  # limits that the verdict names
_LIMITS = {
    "max_gap": "gap of at most {} points",
    "min_ratio": "ratio of at least {}",
    "min_success": "at least {} % of both sides",
    "max_flips": "answer flips for at most {} % of faces",
    "max_share": "at most {} % unprompted",
    "min_share": "at least {} % unprompted",
}


def verdict_counts(result: AuditResult) -> str:
    """What was decided about how many limits, in one sentence."""
    num = len(result.thresholds)
    if not num:
        return "The plan declares no limit, so there is nothing to decide; the measured gaps follow."
    num_exceeded, num_open = (len(_of_verdict(result, verdict)) for verdict in ("exceeded", "not decided"))
    limits = "limit" if num == 1 else f"{num} limits"
    if num_exceeded:
        which = "The limit is exceeded" if num == 1 else f"{num_exceeded} of {limits} {_is(num_exceeded)} exceeded"
        return f"{which}; {num_open} {_is(num_open)} not decided." if num_open else f"{which}."
    if num_open:
        which = "The limit is not decided" if num == 1 else f"{num_open} of {limits} {_is(num_open)} not decided"
        return f"{which}, and none is shown to be exceeded."
    return f"{'The limit is' if num == 1 else f'All {limits} are'} shown to be kept, according to the judge."


def verdict_sentence(result: AuditResult) -> str:
    """The same, and the worst limits named with the rates of both groups."""
    worst = _of_verdict(result, "exceeded") or _of_verdict(result, "not decided")
    return f"{verdict_counts(result)} {_listed(result, worst)}" if worst else verdict_counts(result)


def explanation_of_verdict(result: AuditResult) -> list[str]:
    """What the verdict does not say, one sentence each."""
    sentences: list[str] = []
    unseen = [each for each in result.thresholds if each.verdict == "not decided" and each.reason]
    if at_floor := sum(each.obstacle == "floor" for each in unseen):
        sentences.append(
            f"{counted(at_floor, 'limit')} cannot be assessed: neither group is shown to get what was asked for in "
            f"more than {100 * result.plan.floor:g} % of images, and equal failure is no fairness."
        )
    for reason in dict.fromkeys(each.reason for each in unseen if each.obstacle != "floor"):
        num = sum(each.reason == reason for each in unseen)
        sentences.append(f"Not decided{f' ({num} limits)' if num > 1 else ''}: {reason}.")
    if undecided := [each for each in result.thresholds if each.verdict == "not decided" and not each.reason]:
        sentences.append(
            f"For {counted(len(undecided), 'limit')} the interval reaches across the limit: more images are needed to "
            "decide. “audit plan --detect-within” says how many."
        )
    held = [each for each in result.thresholds if each.tipping is not None]
    if held:
        least = min(held, key=lambda each: each.tipping or 0.0)
        sentences.append(
            f"The verdict that the judge's errors overturn most easily is {least.name}: {overturned_by(least)}."
        )
    if result.comparisons:
        num_shown = sum(comparison.is_significant for comparison in result.comparisons)
        sentences.append(
            f"{num_shown} of {len(result.comparisons)} declared comparisons show a difference, with all of them taken "
            f"together (Holm, alpha {result.plan.alpha:g}). Where none is shown, that is not evidence of equality."
        )
    if result.plan.classifier:
        sentences.append(
            "“Errors of the judge” stand here for what the edits changed beside the edited attribute without the "
            "judge's seeing it. “Edits of the faces” says what it saw."
        )
    else:
        sentences.append(basis_sentence(result))
    return sentences


def circle_of(result: AuditResult) -> str:
    """Why a judge of the toolkit is no independent witness; "" for a judge of the user's."""
    judge, subject = result.provenance.judge, result.provenance.subject.kind
    if result.plan.classifier:
        return (
            "Here the judge only checks the edits. It learned from the same renderer’s drawings as the model that "
            "draws and edits the faces, and shares its blind spots: an edit may change what this judge does not see."
        )
    if judge.get("kind", "network") != "network" or judge.get("source"):
        return ""
    if subject in ("callable", "images"):
        return (
            "The judge learned from drawn faces, not from images like these. Its errors on them are unknown unless "
            "they were measured on labelled images of the same kind."
        )
    said = (
        "This audit goes round in a circle: the judge learned from the same renderer’s drawings as the audited system. "
        "It knows how that renderer draws each attribute, may see what a person would not, and shares its blind spots. "
    )
    if any(setting.method not in (None, "none") for setting in result.plan.settings) and subject == "stylet2i":
        said += (
            "With the adjustment, a sibling of the judge steers each image until it agrees, so that high rates are "
            "partly by construction. "
        )
    return said + "Only people, or a judge that learned elsewhere, can break the circle."


def outcome(threshold: ThresholdResult) -> str:
    """The verdict on one limit with its mark."""
    if threshold.verdict == "not decided":
        return "○ not assessable" if threshold.obstacle == "floor" else "○ not decided"
    return "✓ within" if threshold.verdict == "within" else "✗ exceeded"


def limit_words(threshold: ThresholdResult) -> str:
    """What was declared: "gap of at most 10 points"."""
    number = f"{threshold.limit:g}" if threshold.kind == "min_ratio" else f"{100 * threshold.limit:g}"
    return _LIMITS[threshold.kind].format(number)


def measured_words(threshold: ThresholdResult) -> tuple[str, str]:
    """The measured value, and its interval with the confidence."""
    if threshold.kind == "max_gap":
        value, ends = points(threshold.value), interval(threshold.interval, points)
    elif threshold.kind == "min_ratio":
        value = "-" if threshold.value is None else f"{threshold.value:.2f}"
        low, high = threshold.interval
        ends = f"{low:.2f} to {high:.2f}"
    else:
        value, ends = percent(threshold.value), interval(threshold.interval)
    return value, f"{ends} ({confidence_of(threshold.confidence)})"


def overturned_by(threshold: ThresholdResult) -> str:
    """The tipping point in words; "-" where nothing was decided."""
    if threshold.tipping is None:
        return "-"
    size = f"{100 * threshold.tipping:.1f} points"
    if threshold.kind in ("max_gap", "min_ratio"):
        return f"errors of the judge that differ by {size} or more between the two sides"
    return f"errors of the judge that shift the rate by {size} or more"


def reason_of(threshold: ThresholdResult) -> str:
    """Why nothing was decided, "" where it was."""
    if threshold.verdict != "not decided":
        return ""
    return threshold.reason or f"the interval reaches across the limit: {measured_words(threshold)[1]}"


def who_words(result: AuditResult, compared: ComparisonResult) -> str:
    """Whose images show what was asked for how often: "women 98.0 %, men 1.0 %"."""
    (one, other), (first, second) = groups_of(result, compared), compared.shown.success
    return f"{one} {percent(first)}, {other} {percent(second)}"


def flips_words(compared: ComparisonResult) -> str:
    """How many faces a classifier answers differently about once one attribute was edited."""
    pairs = compared.pairs
    flips = (pairs.only_first or 0) + (pairs.only_second or 0)
    return f"{flips} of {sum(filter(None, (pairs.both, flips, pairs.neither)))} faces are answered differently"


def lines_of(result: AuditResult) -> list[str]:
    """The comparisons and the verdicts as lines of text, for a terminal."""
    lines = []
    for compared in result.comparisons:
        (first, second), (low, high) = compared.shown.success, compared.shown.gap_interval
        lines.append(
            f"{compared.name}: {compared.first.cell} {first:.3f}, {compared.second.cell} {second:.3f}, "
            f"gap {compared.shown.gap:+.3f} ({low:+.3f} to {high:+.3f}), p {compared.p_adjusted:.2g} (Holm)"
        )
    for threshold in result.thresholds:
        value, ends = measured_words(threshold)
        why = f"; {reason_of(threshold)}" if threshold.verdict == "not decided" else f"; {value}, {ends}"
        lines.append(f"{threshold.verdict}: {threshold.subject}, {limit_words(threshold)}{why}")
    return lines


def _of_verdict(result, verdict):
    return [each for each in result.thresholds if each.verdict == verdict]


def _listed(result, thresholds):
    """The worst of some limits, each with who is concerned."""
    compared = {each.name: each for each in result.comparisons}
    thresholds = sorted(thresholds, key=lambda each: -_distance(each))
    said = []
    for each in thresholds[:_MAX_LISTED]:
        pair = compared.get(each.subject)
        value = measured_words(each)[0]
        said.append(f"{each.subject}: {who_words(result, pair) if pair else value} ({limit_words(each)})")
    if len(thresholds) > _MAX_LISTED:
        said.append(f"and {len(thresholds) - _MAX_LISTED} more")
    return f"{'; '.join(said)}."


def _distance(threshold):
    """How far a value is beyond its limit."""
    if threshold.value is None:
        return 0.0
    if threshold.kind == "max_gap":
        return abs(threshold.value) - threshold.limit
    sign = 1 if threshold.kind == "max_share" else -1
    return sign * (threshold.value - threshold.limit)


def _is(num):
    return "is" if num == 1 else "are"
