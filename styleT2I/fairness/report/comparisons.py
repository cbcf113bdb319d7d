"""What an audit's report says of comparisons: the verdict on the declared ones, and those that were only explored."""

from __future__ import annotations

from styleT2I.fairness.report.figures import ForestRow, forest_plot
from styleT2I.fairness.report.markup import details, section, table, tag
from styleT2I.fairness.report.wording import (
    explanation_of_verdict,
    interval,
    is_paired,
    p_value,
    percent,
    points,
    reading,
    verdict_sentence,
)
from styleT2I.torch_utils.words import counted

__all__ = ["exploratory", "primary", "share_cell", "verdict"]

_STATUS = {"passed": ("✓ Passed", "passed"), "failed": ("✗ Failed", "failed")}


def verdict(result):
    status, kind = _STATUS.get(result["verdict"], ("No verdict", "open"))
    notes = [tag("li", text) for text in explanation_of_verdict(result)]
    if result["num_overridden"]:
        drawn = f"{counted(result['num'], 'picture')} a composition {'was' if result['num'] == 1 else 'were'} drawn"
        notes.insert(0, tag("li", tag("strong", f"{drawn}, not the {result['plan']['num']} that the plan declares.")))
    rows = [
        (
            one["comparison"],
            f"±{100 * one['max_gap']:g}",
            points(one["gap"]),
            interval(one["gap_interval"], points),
            _outcome(one),
        )
        for one in result["thresholds"]
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


def _outcome(threshold):
    if threshold["passes"]:
        return "✓ within" if threshold["is_certain"] else "✓ within; interval reaches beyond"
    return "✗ exceeded" if threshold["is_certain"] else "✗ exceeded; interval reaches inside"


def primary(result):
    """The declared comparisons: figure and table."""
    compared = result["comparisons"]
    if not compared:
        return section("primary", "Primary comparisons", tag("p", "The plan declares none."))
    limits = {one["comparison"]: one for one in result["thresholds"]}
    is_corrected = any("corrected" in one for one in compared)
    plot = forest_plot([_forest_row(one, limits.get(one["name"], {})) for one in compared], "Gaps and their intervals")
    legend = (
        "Line: 95 % interval of the gap. Grey band: declared limit. Dot: gap; a square where the limit is exceeded."
        + " Thin line below, hollow dot: corrected for the judge's errors; limits hold for this one." * is_corrected
    )
    columns = ["Comparison", "First", "Second", "Gap (95 % interval)", *["Corrected gap"] * is_corrected]
    has_bounds = any(low != high for low, high in (one["gap_bounds"] for one in compared))
    columns += ["p (Holm)", "More often", "Ratio", *["Bounds"] * has_bounds]
    rows = [_comparison_row(one, is_corrected, has_bounds) for one in compared]
    said = (
        f"Declared before anything was drawn, {_sample(result)}, "
        f"in the setting "
        f"“{compared[0]['first']['setting']}”. The gap is the first share of perceived success less the second."
    )
    return section(
        "primary",
        "Primary comparisons",
        tag("p", said),
        tag("figure", plot, tag("figcaption", legend)),
        table("Every declared comparison and its test; gaps in percentage points", columns, rows),
    )


def _sample(result):
    return counted(result["num"], "pair") if is_paired(result) else f"{counted(result['num'], 'picture')} a side"


def _forest_row(one, limit):
    corrected = one.get("corrected")
    ends = corrected and (corrected["gap"], *corrected["gap_interval"])
    label = f"{one['first']['cell']} / {one['second']['cell']}"
    return ForestRow(label, one["gap"], one["gap_interval"], ends, limit.get("max_gap"), not limit.get("passes", True))


def _comparison_row(one, is_corrected, has_bounds):
    sides = zip((one["first"]["cell"], one["second"]["cell"]), one["success"], strict=True)
    return [
        one["name"],
        *(share_cell(share, cell) for cell, share in sides),
        _gap_cell(one),
        *([_gap_cell(one["corrected"])] if is_corrected else []),
        tag("td", p_value(one["p_holm"]), tag("small", f"alone {p_value(one['p'])}"), class_="num"),
        reading(one),
        "-" if one["ratio"] is None else f"{one['ratio']:.2f}",
        *([interval(one["gap_bounds"], points)] if has_bounds else []),
    ]


def share_cell(share, below):
    """A share, and below it whose it is or its interval."""
    return tag("td", percent(share), tag("small", below), class_="num")


def _gap_cell(found):
    return tag("td", points(found["gap"]), tag("small", interval(found["gap_interval"], points)), class_="num")


def exploratory(result):
    """Everything else that was compared, smallest p first."""
    found = sorted(result["exploratory"], key=lambda one: one["p_benjamini_hochberg"])
    if not found:
        return section("exploratory", "Exploratory comparisons", tag("p", "There are none beside the declared ones."))
    base = next(iter(result["summary"]))

    def side(one, which):
        setting, cell = one[which]["setting"], one[which]["cell"]
        return cell if setting == base else f"{cell} [{setting}]"

    rows = [
        [
            f"{side(one, 'first')} / {side(one, 'second')}",
            *map(percent, one["success"]),
            _gap_cell(one),
            p_value(one["p"]),
            p_value(one["p_benjamini_hochberg"]),
            "lead" if one["is_significant"] else "none shown",
        ]
        for one in found
    ]
    columns = ("First / second", "First", "Second", "Gap (95 % interval)", "p", "p (B.-H.)", "Difference")
    num = sum(one["is_significant"] for one in found)
    are = "is a lead" if num == 1 else "are leads"
    said = f"Not declared beforehand: {num} of {len(found)} {are} to test again with new seeds, no finding yet."
    listed = details(
        f"All {counted(len(found), 'exploratory comparison')}",
        table("Exploratory comparisons, smallest p first; gaps in percentage points", columns, rows),
    )
    return section("exploratory", "Exploratory comparisons", tag("p", said), listed)
