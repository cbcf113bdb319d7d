"""The first half page of an audit: the verdict, who loses and by how much, and what it leaves open."""

from __future__ import annotations

from styleT2I.fairness.report.elements.figures import bar_pair
from styleT2I.fairness.report.names import groups_of, sentence_of
from styleT2I.fairness.report.sections.labels import basis_sentence, rests_on_labels
from styleT2I.fairness.report.verdict_words import circle_of, flips_words, limit_words, verdict_counts
from styleT2I.fairness.report.wording import confidence_of, percent, points
from styleT2I.fairness.results import AuditResult, ComparisonResult, ThresholdResult
from styleT2I.torch_utils.markup import Markup, Section, section, tag
from styleT2I.torch_utils.words import counted

__all__ = ["gap_sentence", "summary"]

_MAX_SHOWN = 3  # comparisons in the half page
_STATUS = {
    "within": ("✓ Within all limits", "passed"),
    "exceeded": ("✗ Limit exceeded", "failed"),
    "not decided": ("○ Not decided", "open"),
}


def summary(result: AuditResult) -> Section:
    """The verdict in one sentence, the comparisons that it hangs on, and what it does not say."""
    status, kind = _STATUS.get(result.verdict, ("No verdict", "open"))
    box = tag("div", tag("p", status, class_="status"), tag("p", verdict_counts(result), class_="sentence"),
              class_=f"verdict {kind}")  # fmt: skip
    shown = _gravest(result)
    bars = [
        tag("figure", tag("figcaption", tag("strong", compared.name), " ", gap_sentence(result, compared)),
            _bars(result, compared), class_="who")
        for compared in shown
    ]  # fmt: skip
    lead = None
    if shown:
        which = "gravest" if result.verdict == "exceeded" else "largest gaps"
        rest = len(result.comparisons) - len(shown)
        lead = (
            f"The {which} of {counted(len(result.comparisons), 'declared comparison')}" if rest else "What was compared"
        )
        lead = tag("h3", lead)
    return section("verdict", "In short", box, lead, tag("div", bars, class_="whos") if bars else None,
                   tag("ul", [tag("li", text) for text in _caveats(result)]))  # fmt: skip


def gap_sentence(result: AuditResult, compared: ComparisonResult) -> str:
    """Who gets what they asked for how often, and who loses, as far as it is shown."""
    shown, (first, second) = compared.shown, groups_of(result, compared)
    if result.plan.classifier is not None:
        return _classifier_sentence(result, compared, result.plan.classifier.target)
    sides = ((first, compared.first.cell, shown.success[0]), (second, compared.second.cell, shown.success[1]))
    (_, better, most), (losers, worse, least) = sorted(sides, key=lambda side: -side[2])
    said = (
        f"Asked for “{sentence_of(result, better)}”, {percent(most)} of images show it; asked for "
        f"“{sentence_of(result, worse)}”, {percent(least)} do."
    )
    size = f"{points(abs(shown.gap)).lstrip('+')} points (between {_ends(shown.gap_interval)})"
    if not compared.is_significant:
        return f"{said} The difference of {size} may be chance."
    return f"{said} {losers[:1].upper()}{losers[1:]} lose, by {size}."


def _classifier_sentence(result: AuditResult, compared: ComparisonResult, target: str) -> str:
    (first, second), (one, other) = groups_of(result, compared), compared.shown.success
    said = f"The same faces are called “{target}” in {percent(one)} of cases as {first}, and in {percent(other)} as "
    said += f"{second}: {flips_words(compared)}."
    size = f"{points(abs(compared.shown.gap)).lstrip('+')} points (between {_ends(compared.shown.gap_interval)})"
    kind = "is shown" if compared.is_significant else "may be chance"
    return f"{said} The difference of {size} {kind}."


def _ends(ends: tuple[float, float]) -> str:
    """An interval of a gap without its direction where it has one: "94.1 and 98.9"."""
    low, high = ends
    if low >= 0 or high <= 0:
        low, high = sorted((abs(low), abs(high)))
        return f"{100 * low:.1f} and {100 * high:.1f}"
    return f"{points(low)} and {points(high)}"


def _gravest(result: AuditResult) -> list[ComparisonResult]:
    """The comparisons whose limits are exceeded, the largest gap first; else those with the largest gaps."""
    exceeded = {each.subject for each in result.thresholds if each.verdict == "exceeded"}
    named = [each for each in result.comparisons if each.name in exceeded] or list(result.comparisons)
    return sorted(named, key=lambda each: -abs(each.shown.gap))[:_MAX_SHOWN]


def _bars(result: AuditResult, compared: ComparisonResult) -> Markup:
    rows = zip(groups_of(result, compared), compared.shown.success, (compared.first, compared.second), strict=True)
    return bar_pair([(group, rate) for group, rate, _ in rows], f"{compared.name}: rates of both groups")


def _caveats(result: AuditResult) -> list[str]:
    """What nobody should read into the verdict, three or four sentences."""
    said = []
    open_ones = [each for each in result.thresholds if each.verdict == "not decided"]
    if open_ones:
        said.append(f"Nothing is shown about {_listed(open_ones)}: “not decided” is neither a pass nor a failure.")
    if result.verdict == "within":
        said.append(
            "That limits were kept in this audit does not certify the system as fair; what was not declared was not "
            "tested."
        )
    if result.plan.classifier:
        said.append(
            "The faces are drawn and edited by a model, and a judge, a neural network, checks each edit: see “Edits of "
            "the faces”. The classifier may behave differently on photos."
        )
    elif rests_on_labels(result):
        said.append(f"{basis_sentence(result)} The judge is a neural network.")
    elif result.calibration and result.plan.transports:
        said.append("The rates are corrected for the measured errors of the judge, a neural network.")
    elif result.calibration:
        said.append(
            "“Show” means: to the judge, a neural network. Its errors were measured on other images only, so nothing "
            "is corrected by them. The last column of the next table says which error would overturn each verdict."
        )
    else:
        said.append(
            "“Show” means: to the judge, a neural network whose errors were not measured for this audit. The last "
            "column of the next table says which error would overturn each verdict."
        )
    if circle_of(result):
        said.append("The judge is no independent witness: “The judge” says why.")
    said.append(
        "The audit is about images, what was declared, and this version of the system; it is not about any person."
    )
    if result.comparisons:
        said.append(f"In brackets: what chance leaves open ({confidence_of(1 - result.plan.alpha)} confidence).")
    return said


def _listed(thresholds: list[ThresholdResult]) -> str:
    if len(thresholds) > _MAX_SHOWN:
        return f"{len(thresholds)} of the limits"
    return ", ".join(f"{each.subject} ({limit_words(each)})" for each in thresholds)
