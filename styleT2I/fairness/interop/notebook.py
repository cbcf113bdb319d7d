"""A result in a notebook: a summary as HTML, and the gaps as a matplotlib plot."""

from __future__ import annotations

from styleT2I.fairness.interop.frames import optional
from styleT2I.fairness.report.verdict_words import limit_words, measured_words, outcome, verdict_sentence, who_words
from styleT2I.fairness.report.wording import points
from styleT2I.fairness.results import AuditResult
from styleT2I.torch_utils.markup import tag

__all__ = ["plot_gaps", "summary_html"]

_INK, _FINE, _BAD = "#17202a", "#0b4f8a", "#a63a08"  # as on the page


def summary_html(result: AuditResult) -> str:
    """The verdict and a row per declared limit, as an HTML fragment without style or script."""
    compared = {each.name: each for each in result.comparisons}
    rows = []
    for threshold in result.thresholds:
        pair = compared.get(threshold.subject)
        value, ends = measured_words(threshold)
        shown = who_words(result, pair) if pair else value
        cells = (f"{threshold.subject}: {limit_words(threshold)}", shown, f"{value} ({ends})", outcome(threshold))
        rows.append(tag("tr", [tag("td", cell) for cell in cells]))
    columns = ("Declared limit", "Whose images show it", "Measured (interval)", "Verdict")
    head = tag("thead", tag("tr", [tag("th", column, scope="col") for column in columns]))
    lead = tag("p", tag("strong", f"Audit “{result.plan.name}”: {result.verdict}."), " ", verdict_sentence(result))
    return tag("div", lead, tag("table", head, tag("tbody", rows)) if rows else None)


def plot_gaps(result: AuditResult, axes=None):
    """Draw the gap of every declared comparison with its interval and limit.

    Args:
        result: Of any audit.
        axes: A matplotlib Axes to draw on; None: a new one, as high as its rows need.

    Returns:
        The Axes. Gaps are in percentage points: positive where the first side succeeds more often. A dot: within the
        limit, or without one; a square: the limit is exceeded; a hollow square: it is not decided.

    Raises:
        DependencyError: matplotlib is not installed.
    """
    if axes is None:
        pyplot = optional("matplotlib.pyplot", "a plot")
        _, axes = pyplot.subplots(figsize=(8, 1.2 + 0.42 * max(1, len(result.comparisons))), layout="constrained")
    limits = {threshold.subject: threshold for threshold in result.thresholds if threshold.kind == "max_gap"}
    for row, compared in enumerate(result.comparisons):
        threshold, (low, high) = limits.get(compared.name or ""), compared.shown.gap_interval
        verdict = threshold.verdict if threshold else "within"
        colour = _BAD if verdict == "exceeded" else _FINE
        if threshold:
            axes.barh(row, 200 * threshold.limit, left=-100 * threshold.limit, height=0.6, color="#e4e8ed",
                      edgecolor="#76818f", linewidth=0.8)  # fmt: skip
        axes.plot((100 * low, 100 * high), (row, row), color=colour, linewidth=2)
        axes.plot(100 * compared.shown.gap, row, "o" if verdict == "within" else "s", color=colour, markersize=7,
                  markerfacecolor="white" if verdict == "not decided" else colour)  # fmt: skip
    axes.set_yticks(
        range(len(result.comparisons)),
        [f"{each.name}: {each.first.cell} / {each.second.cell}, {points(each.shown.gap)}"
         for each in result.comparisons],
    )  # fmt: skip
    axes.axvline(0, color=_INK, linewidth=0.8)
    axes.invert_yaxis()
    axes.set_xlabel("gap of the success rates, first less second, percentage points")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return axes
