"""CSV files of an audit's result, one observation per row."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from styleT2I.fairness.cells.outcome_table import COLUMNS, outcome_rows
from styleT2I.fairness.results import AuditResult, CellResult, Interval, ThresholdResult, to_json

__all__ = ["csv_files"]

_LIMIT_COLUMNS = [
    *(entry.name for entry in dataclasses.fields(ThresholdResult) if entry.name != "interval"), "interval_low",
    "interval_high",
]  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\n")


def csv_files(result: AuditResult) -> dict[str, str]:
    """Text by file name. Missing values are empty; text that a spreadsheet would run as a formula gets a leading '."""
    return {
        "cells.csv": _csv(_cell(cell) for cell in result.cells),
        "limits.csv": _csv((_limit(threshold) for threshold in result.thresholds), _LIMIT_COLUMNS),
        "comparisons.csv": _csv(_comparisons(result)),
        "attributes.csv": _csv(
            {"setting": cell.setting, "cell": cell.cell, "attribute": name, **to_json(attribute)}
            for cell in result.cells
            for name, attribute in cell.attributes.items()
        ),
        "drift.csv": _csv(
            (
                {"setting": cell.setting, "cell": cell.cell, "attribute": name, "changed": rate}
                for cell in result.cells
                for name, rate in cell.drift.items()
            ),
            ("setting", "cell", "attribute", "changed"),
        ),
        **({"outcomes.csv": _csv(outcome_rows(result), COLUMNS)} if result.outcomes else {}),
    }


def _cell(cell: CellResult) -> dict[str, Any]:
    corrected = cell.corrected
    return {
        "setting": cell.setting,
        "cell": cell.cell,
        "num": cell.num,
        "successes": cell.successes,
        "undetermined": cell.undetermined,
        "success": cell.success,
        **_ends("success", cell.success_interval),
        **_ends("success_bound", cell.success_bounds),
        "corrected_success": corrected.success if corrected else None,
        **_ends("corrected_success", corrected.success_interval if corrected else None),
        "corrected_by": corrected.by if corrected else None,
    }


def _comparisons(result: AuditResult) -> Iterator[dict[str, Any]]:
    limits = {threshold.subject: threshold for threshold in result.thresholds if threshold.kind == "max_gap"}
    primary, exploratory = (
        (("primary", "holm"), result.comparisons),
        (("exploratory", "benjamini_hochberg"), result.exploratory),
    )
    for (kind, adjustment), compared in (primary, exploratory):
        for each in compared:
            limit, corrected = limits.get(each.name or ""), each.corrected
            yield {
                "kind": kind,
                "name": each.name,
                "first_setting": each.first.setting,
                "first_cell": each.first.cell,
                "second_setting": each.second.setting,
                "second_cell": each.second.cell,
                **to_json(each.pairs),
                "first_success": each.success[0],
                "second_success": each.success[1],
                "gap": each.gap,
                **_ends("gap", each.gap_interval),
                **_ends("gap_bound", each.gap_bounds),
                "ratio": each.ratio,
                "p": each.p,
                "adjustment": adjustment,
                "p_adjusted": each.p_adjusted,
                "is_significant": each.is_significant,
                "corrected_gap": corrected.gap if corrected else None,
                **_ends("corrected_gap", corrected.gap_interval if corrected else None),
                "corrected_p": corrected.p if corrected else None,
                "corrected_ratio": corrected.ratio if corrected else None,
                "corrected_by": corrected.by if corrected else None,
                "max_gap": limit.limit if limit else None,
                "verdict": limit.verdict if limit else None,
            }


def _ends(name: str, ends: Interval | None) -> dict[str, float | None]:
    low, high = ends or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _limit(threshold: ThresholdResult) -> dict[str, Any]:
    row = {key: value for key, value in vars(threshold).items() if key != "interval"}
    return {**row, **_ends("interval", threshold.interval)}


def _csv(rows: Iterable[dict[str, Any]], columns: Sequence[str] = ()) -> str:
    """columns: of a table that may have no row; a header is written in any case."""
    rows = list(rows)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _safe(value) for key, value in row.items()} for row in rows)
    return out.getvalue()


def _safe(value):
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").replace("\r", "\n")  # csv would leave a lone \r without quotes
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
