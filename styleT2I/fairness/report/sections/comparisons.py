"""Comparisons in an audit's report: declared limits, declared comparisons, and the exploratory ones."""

from __future__ import annotations

from styleT2I.fairness.report.elements.figures import ForestRow, forest_plot
from styleT2I.fairness.report.names import groups_of, setting_words
from styleT2I.fairness.report.verdict_words import (
    explanation_of_verdict,
    flips_words,
    limit_words,
    measured_words,
    outcome,
    overturned_by,
    reason_of,
    who_words,
)
from styleT2I.fairness.report.wording import confidence_of, interval, p_value, percent, points, reading
from styleT2I.fairness.results import AuditResult, CellPlace, ComparisonResult, CorrectedGap, ThresholdResult
from styleT2I.torch_utils.markup import Markup, Section, details, section, table, tag
from styleT2I.torch_utils.words import counted

__all__ = ["declared", "exploratory", "primary", "rate_cell", "uncorrected"]


def declared(result: AuditResult) -> Section:
    """Every declared limit with what was measured, and what qualifies the verdicts."""
    notes = [tag("li", text) for text in (*result.problems, *explanation_of_verdict(result))]
    if result.num_overridden:
        num = result.provenance.num
        drawn = f"{counted(num, 'image')} per composition {'was' if num == 1 else 'were'} drawn"
        notes.insert(0, tag("li", tag("strong", f"{drawn}, not the {result.plan.num} that the plan declares.")))
    if changes := [change for record in result.declared[1:] for change in record.changes]:
        text = f"The plan was changed after images had been drawn in this folder: {'; '.join(changes)}."
        notes.insert(0, tag("li", tag("strong", text)))
    compared = {each.name: each for each in result.comparisons}
    rows = [_limit_row(result, threshold, compared.get(threshold.subject)) for threshold in result.thresholds]
    target = result.plan.classifier and result.plan.classifier.target
    who = f"Who is called “{target}”" if target else "Whose images show it"
    columns = ("Declared limit", who, "Measured (interval)", "Verdict", "Overturned by, or why open")
    level = (
        "The confidence of each interval is beside it. It is higher than in the other tables where several limits are "
        "decided together, so that even one wrong verdict among all is unlikely."
    )
    return section(
        "declared",
        "Declared limits",
        table("Every declared limit and the verdict on it", columns, rows) if rows
        else tag("p", "The plan declares no limit."),
        tag("p", tag("small", level)) if len(rows) > 1 else None,
        tag("ul", notes) if notes else None,
    )  # fmt: skip


def _limit_row(result: AuditResult, threshold: ThresholdResult, compared: ComparisonResult | None) -> list:
    value, ends = measured_words(threshold)
    return [
        [threshold.subject, tag("small", limit_words(threshold))],
        tag("td", _who(result, threshold, compared), class_="text"),
        tag("td", value, tag("small", ends), class_="num"),
        outcome(threshold),
        tag("td", reason_of(threshold) or overturned_by(threshold), class_="text"),
    ]


def _who(result: AuditResult, threshold: ThresholdResult, compared: ComparisonResult | None) -> str:
    if compared is None:
        return measured_words(threshold)[0]
    return flips_words(compared) if threshold.kind == "max_flips" else who_words(result, compared)


def primary(result: AuditResult) -> Section:
    """The declared comparisons: figure and table."""
    compared = result.comparisons
    if not compared:
        return section("primary", "Declared comparisons", tag("p", "The plan declares no comparison."))
    limits = {threshold.subject: threshold for threshold in result.thresholds if threshold.kind == "max_gap"}
    is_corrected = any(each.corrected for each in compared)
    plot = forest_plot(
        [_forest_row(result, each, limits.get(each.name or "")) for each in compared], "Gaps and their intervals"
    )
    confidence = confidence_of(1 - result.plan.alpha)
    legend = (
        f"Line: {confidence} interval of the gap{', corrected for the judge’s errors' * is_corrected}. Grey band: "
        "declared limit. Dot: the gap; a filled square where the limit is exceeded, hollow where it is not decided."
    )
    columns = ["Comparison", "One group", "The other", f"Gap ({confidence} interval)"]
    has_bounds = not is_corrected and any(low != high for low, high in (each.gap_bounds for each in compared))
    columns += ["p (Holm)", "More often", "Ratio", *["Bounds"] * has_bounds]
    rows = [_comparison_row(result, each, has_bounds) for each in compared]
    lead = (
        f"{_when(result)} {_sample(result)}, drawn {setting_words(compared[0].first.setting)}. A success is an image "
        f"{_success(result)}. The gap is the rate of {'corrected' if is_corrected else 'perceived'} success of one "
        "group less that of the other."
    )
    return section(
        "primary",
        "Declared comparisons",
        tag("p", lead),
        tag("figure", plot, tag("figcaption", legend)),
        table("Every declared comparison and its test; gaps in percentage points", columns, rows),
    )


def _when(result: AuditResult) -> str:
    """When the comparisons were declared, as far as it is known."""
    if not result.declared:
        return "It is not recorded when these comparisons were declared."
    first, last = result.declared[0], result.declared[-1]
    if len(result.declared) == 1 and first.is_before_images:
        return f"Declared on {_moment(first.utc)}, before any image was drawn."
    if len(result.declared) == 1:
        return f"Declared on {_moment(first.utc)}; images were in the folder already."
    return f"First declared on {_moment(first.utc)}, and changed since, last on {_moment(last.utc)}."


def _success(result: AuditResult) -> str:
    if result.plan.classifier:
        return f"that the classifier calls “{result.plan.classifier.target}”"
    return "that shows, to the judge, all that its sentence asks for"


def _moment(utc: str) -> str:
    return utc.replace("T", " ").replace("Z", " UTC")


def _sample(result: AuditResult) -> str:
    num = result.provenance.num
    return f"{counted(num, 'pair')} per comparison" if result.is_paired else f"{counted(num, 'image')} per side"


def _forest_row(result: AuditResult, compared: ComparisonResult, threshold: ThresholdResult | None) -> ForestRow:
    shown = compared.shown
    return ForestRow(
        label=compared.name or "",
        gap=shown.gap,
        interval=shown.gap_interval,
        limit=threshold.limit if threshold else None,
        verdict=threshold.verdict if threshold else None,
        groups=groups_of(result, compared),
    )


def _comparison_row(result: AuditResult, compared: ComparisonResult, has_bounds: bool) -> list:
    shown, groups = compared.shown, groups_of(result, compared)
    return [
        compared.name,
        rate_cell(shown.success[0], groups[0]),
        rate_cell(shown.success[1], groups[1]),
        _gap_cell(shown),
        tag("td", p_value(compared.p_adjusted), tag("small", f"alone {p_value(shown.p)}"), class_="num"),
        reading(compared, groups),
        "-" if shown.ratio is None else f"{shown.ratio:.2f}",
        *([interval(compared.gap_bounds, points)] if has_bounds else []),
    ]


def uncorrected(result: AuditResult) -> Section | None:
    """For the appendix: the counted rates and gaps of a corrected audit, as the judge perceives."""
    if not any(cell.corrected for cell in result.cells):
        return None
    rows = [
        [each.name or f"{each.first.cell} / {each.second.cell}", rate_cell(each.success[0], each.first.cell),
         rate_cell(each.success[1], each.second.cell), _gap_cell(each), p_value(each.p)]
        for each in result.comparisons
    ]  # fmt: skip
    columns = ("Comparison", "One side", "The other", "Gap (interval)", "p")
    cells = [[f"{cell.cell}, {cell.setting}", cell.num, cell.successes,
              rate_cell(cell.success, interval(cell.success_interval))] for cell in result.cells]  # fmt: skip
    lead = "The judge's verdicts as they were counted, with its errors. Nothing is decided on them."
    parts = [table("Declared comparisons as counted; gaps in points", columns, rows)] if rows else []
    listed = table("Compositions as counted", ("Composition", "Images", "Successes", "Success (interval)"), cells)
    return section("uncorrected", "As counted, uncorrected", tag("p", lead), parts, details("Compositions", listed))


def rate_cell(rate: float, below: str) -> Markup:
    """A table's cell with a rate, and below it whose it is, or its interval."""
    return tag("td", percent(rate), tag("small", below), class_="num")


def _gap_cell(measured: ComparisonResult | CorrectedGap) -> Markup:
    return tag("td", points(measured.gap), tag("small", interval(measured.gap_interval, points)), class_="num")


def exploratory(result: AuditResult) -> Section:
    """Everything else that was compared, smallest p first."""
    compared = sorted(result.exploratory, key=lambda each: each.p_adjusted)
    if not compared:
        return section("exploratory", "Exploratory comparisons", tag("p", "There are none besides the declared ones."))
    base = next(iter(result.summary))

    def side(place: CellPlace) -> str:
        return place.cell if place.setting == base else f"{place.cell} ({setting_words(place.setting)})"

    rows = [
        [
            f"{side(each.first)} / {side(each.second)}",
            *map(percent, each.shown.success),
            _gap_cell(each.shown),
            p_value(each.shown.p),
            p_value(each.p_adjusted),
            "lead" if each.is_significant else "none shown",
        ]
        for each in compared
    ]
    columns = ("One side / the other", "One side", "The other", "Gap (interval)", "p", "p (B.-H.)", "Difference")
    num = sum(each.is_significant for each in compared)
    leads = "is a lead to test again with new seeds, not a finding"
    leads = leads if num == 1 else "are leads to test again with new seeds, not findings"
    lead = f"These comparisons were not declared beforehand. {num} of {len(compared)} {leads}."
    listed = details(
        f"All {counted(len(compared), 'exploratory comparison')}",
        table("Exploratory comparisons, smallest p first; gaps in percentage points", columns, rows),
    )
    return section("exploratory", "Exploratory comparisons", tag("p", lead), listed)
