"""An audit's result as tidy CSV files, one observation a row."""

from __future__ import annotations

import csv
import io

__all__ = ["csv_files"]

_FORMULA = ("=", "+", "-", "@", "\t", "\n")
_PAIR_KINDS = ("both", "only_first", "only_second", "neither")


def csv_files(result: dict) -> dict[str, str]:
    """File name -> text. What an audit has no value for is empty; text that a spreadsheet would run gets a '."""
    return {
        "cells.csv": _csv([_cell(one) for one in result["cells"]]),
        "comparisons.csv": _csv(_comparisons(result)),
        "attributes.csv": _csv(
            {"setting": cell["setting"], "cell": cell["cell"], "attribute": name, **found}
            for cell in result["cells"]
            for name, found in cell["attributes"].items()
        ),
        "drift.csv": _csv(
            {"setting": cell["setting"], "cell": cell["cell"], "attribute": name, "changed": share}
            for cell in result["cells"]
            for name, share in cell["drift"].items()
        ),
    }


def _cell(cell):
    corrected = cell.get("corrected", {})
    return {
        **{key: cell[key] for key in ("setting", "cell", "num", "successes", "undetermined", "success")},
        **_ends("success", cell["success_interval"]),
        **_ends("success_bound", cell["success_bounds"]),
        "corrected_success": corrected.get("success"),
        **_ends("corrected_success", corrected.get("success_interval")),
    }


def _comparisons(result):
    limits = {one["comparison"]: one for one in result["thresholds"]}
    for kind, adjustment in (("primary", "holm"), ("exploratory", "benjamini_hochberg")):
        for one in result["comparisons" if kind == "primary" else "exploratory"]:
            limit, corrected = limits.get(one.get("name"), {}), one.get("corrected", {})
            yield {
                "kind": kind,
                "name": one.get("name"),
                **{f"{side}_{key}": one[side][key] for side in ("first", "second") for key in ("setting", "cell")},
                **{key: one["pairs"][key] for key in _PAIR_KINDS},
                "first_success": one["success"][0],
                "second_success": one["success"][1],
                "gap": one["gap"],
                **_ends("gap", one["gap_interval"]),
                **_ends("gap_bound", one["gap_bounds"]),
                "ratio": one["ratio"],
                "p": one["p"],
                "adjustment": adjustment,
                "p_adjusted": one[f"p_{adjustment}"],
                "is_significant": one["is_significant"],
                "corrected_gap": corrected.get("gap"),
                **_ends("corrected_gap", corrected.get("gap_interval")),
                "max_gap": limit.get("max_gap"),
                "passes": limit.get("passes"),
                "is_certain": limit.get("is_certain"),
            }


def _ends(name, ends):
    low, high = ends or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _csv(rows):
    rows = list(rows)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else [], lineterminator="\n")
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
