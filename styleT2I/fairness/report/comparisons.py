"""Comparisons in an audit's report: the verdict on the declared ones, and the exploratory ones."""

from __future__ import annotations

from styleT2I.fairness.report.figures import ForestRow, forest_plot
from styleT2I.fairness.report.markup import Markup, Section, details, section, table, tag
from styleT2I.fairness.report.wording import (
    explanation_of_verdict,
    interval,
    p_value,
    percent,
    points,
    reading,
    verdict_sentence,
)
from styleT2I.fairness.results import AuditResult, CellPlace, ComparisonResult, CorrectedGap, ThresholdResult
from styleT2I.torch_utils.words import counted

__all__ = ["exploratory", "primary", "rate_cell", "verdict"]

_STATUS = {"passed": ("✓ Passed", "passed"), "failed": ("✗ Failed", "failed")}


def verdict(result: AuditResult) -> Section:
    """The verdict in one sentence, what it does not say, and the declared thresholds."""
    status, kind = _STATUS.get(result.verdict, ("No verdict", "open"))
    notes = [tag("li", text) for text in explanation_of_verdict(result)]
    if result.num_overridden:
        num = result.provenance.num
        drawn = f"{counted(num, 'image')} per composition {'was' if num == 1 else 'were'} drawn"
        notes.insert(0, tag("li", tag("strong", f"{drawn}, not the {result.plan.num} that the plan declares.")))
    rows = [
        (
            threshold.comparison,
            f"±{100 * threshold.max_gap:g}",
            points(threshold.gap),
            interval(threshold.gap_interval, points),
            _outcome(threshold),
        )
        for threshold in result.thresholds
    ]
    columns = ("Comparison", "Limit (points)", "Gap (points)", "95 % interval", "Outcome")
    return section(
        "verdict",
        "Verdict",
        tag("div", tag("p", status, class_="status"), tag("p", verdict_sentence(result), class_="sentence"),
            class_=f"verdict {kind}"),
        tag("ul", notes) if notes else None,
        table("Declared thresholds and what was measured", columns, rows) if rows else None,
    )  # fmt: skip


def _outcome(threshold: ThresholdResult) -> str:
    if threshold.passes:
        return "✓ within" if threshold.is_certain else "✓ within; interval reaches beyond"
    return "✗ exceeded" if threshold.is_certain else "✗ exceeded; interval reaches inside"


def primary(result: AuditResult) -> Section:
    """The declared comparisons: figure and table."""
    compared = result.comparisons
    if not compared:
        return section("primary", "Primary comparisons", tag("p", "The plan declares no primary comparison."))
    limits = {threshold.comparison: threshold for threshold in result.thresholds}
    is_corrected = any(each.corrected for each in compared)
    plot = forest_plot(
        [_forest_row(each, limits.get(each.name or "")) for each in compared], "Gaps and their intervals"
    )
    legend = (
        "Line: 95 % interval of the gap. Grey band: declared limit. Dot: the gap; a square where it exceeds the limit."
        + " Thin line with hollow dot: the gap corrected for the judge's errors; the limit applies to it."
        * is_corrected
    )
    columns = ["Comparison", "First", "Second", "Gap (95 % interval)", *["Corrected gap"] * is_corrected]
    has_bounds = any(low != high for low, high in (each.gap_bounds for each in compared))
    columns += ["p (Holm)", "More often", "Ratio", *["Bounds"] * has_bounds]
    rows = [_comparison_row(each, has_bounds) for each in compared]
    lead = (
        f"Declared before any image was drawn. {_sample(result)}, in the setting “{compared[0].first.setting}”. "
        "The gap is the first rate of perceived success minus the second."
    )
    return section(
        "primary",
        "Primary comparisons",
        tag("p", lead),
        tag("figure", plot, tag("figcaption", legend)),
        table("Every declared comparison and its test; gaps in percentage points", columns, rows),
    )


def _sample(result: AuditResult) -> str:
    num = result.provenance.num
    return f"{counted(num, 'pair')} per comparison" if result.is_paired else f"{counted(num, 'image')} per side"


def _forest_row(compared: ComparisonResult, threshold: ThresholdResult | None) -> ForestRow:
    corrected = compared.corrected
    return ForestRow(
        label=f"{compared.first.cell} / {compared.second.cell}",
        gap=compared.gap,
        interval=compared.gap_interval,
        corrected=(corrected.gap, *corrected.gap_interval) if corrected else None,
        limit=threshold.max_gap if threshold else None,
        is_exceeded=threshold is not None and not threshold.passes,
    )


def _comparison_row(compared: ComparisonResult, has_bounds: bool) -> list:
    return [
        compared.name,
        rate_cell(compared.success[0], compared.first.cell),
        rate_cell(compared.success[1], compared.second.cell),
        _gap_cell(compared),
        *([_gap_cell(compared.corrected)] if compared.corrected else []),
        tag("td", p_value(compared.p_adjusted), tag("small", f"alone {p_value(compared.p)}"), class_="num"),
        reading(compared),
        "-" if compared.ratio is None else f"{compared.ratio:.2f}",
        *([interval(compared.gap_bounds, points)] if has_bounds else []),
    ]


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
        return place.cell if place.setting == base else f"{place.cell} [{place.setting}]"

    rows = [
        [
            f"{side(each.first)} / {side(each.second)}",
            *map(percent, each.success),
            _gap_cell(each),
            p_value(each.p),
            p_value(each.p_adjusted),
            "lead" if each.is_significant else "none shown",
        ]
        for each in compared
    ]
    columns = ("First / second", "First", "Second", "Gap (95 % interval)", "p", "p (B.-H.)", "Difference")
    num = sum(each.is_significant for each in compared)
    leads = "is a lead to test again with new seeds, not a finding"
    leads = leads if num == 1 else "are leads to test again with new seeds, not findings"
    lead = f"These comparisons were not declared beforehand. {num} of {len(compared)} {leads}."
    listed = details(
        f"All {counted(len(compared), 'exploratory comparison')}",
        table("Exploratory comparisons, smallest p first; gaps in percentage points", columns, rows),
    )
    return section("exploratory", "Exploratory comparisons", tag("p", lead), listed)
