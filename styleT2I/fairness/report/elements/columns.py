"""Columns of tables that come straight from the result: headings, units, a number with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from styleT2I.fairness.report.wording import p_value, percent, points
from styleT2I.torch_utils.markup import Markup, tag

__all__ = ["cell_of", "columns_of", "heading", "is_pair", "shown_value", "spaced"]

_INTERVAL = "_interval"
_HEADINGS = {
    "": "",
    "cell": "Composition",
    "method": "Adjustment",
    "truncation_psi": "psi",
    "num": "Images",
    "figure": "Metric",
    "share": "Rate",
    "share_bounds": "Rate, bounds",
    "counted_share": "Rate by the judge alone",
    "share_bounds_interval": "Rate, undetermined images counted either way",
    "first_success": "First",
    "second_success": "Second",
    "success_with": "With",
    "success_without": "Without",
    "only_with": "Succeed only with",
    "only_without": "Succeed only without",
    "even_share": "Even split",
    "training_share": "Training data",
    "training_num": "Images of the training data",
    "p_benjamini_hochberg": "p (B.-H.)",
    "p_holm": "p (Holm)",
    "p_even": "p (even split)",
    "p_even_adjusted": "p (even split), adjusted",
    "p_training": "p (training data)",
    "p_training_adjusted": "p (training data), adjusted",
    "is_difference_shown": "Difference shown",
    "is_independent": "Part of the audited system",
    "sha256": "SHA-256",
    "changed_by_the_edit": "Target changed by the edit",
    "flips": "Answer flips",
    "num_compositions": "Number of compositions",
}
_RATES = {"changed_by_the_edit", "other_attributes_changed", "flips",
           "first_success", "second_success", "success", "success_with", "success_without", "share", "share_bounds",
           "counted_share", "even_share", "training_share"}  # fmt: skip
_GAPS = {"gap", "change", "effect", "amplification"}
_INDEPENDENT = {
    True: "no: it neither steers the images nor trained the system that draws them",
    False: "yes: it steers the images, or trained the system that draws them",
}


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Keys of the rows, each once; that of an interval is left out where its number has a column."""
    keys = dict.fromkeys(key for row in rows for key in row)
    return [key for key in keys if not (key.endswith(_INTERVAL) and key.removesuffix(_INTERVAL) in keys)]


def heading(key: str, rows: Sequence[Mapping[str, Any]] = ()) -> str:
    """Heading of a column or line, with its unit."""
    text = _HEADINGS.get(key) or spaced(key)
    if not text.startswith(("p ", "psi")) and text != "p":
        text = text[:1].upper() + text[1:]
    notes = ["points"] if _base(key) in _GAPS else []
    notes += ["95 % interval"] if any(f"{key}{_INTERVAL}" in row for row in rows) else []
    return f"{text} ({', '.join(notes)})" if notes else text


def cell_of(key: str, row: Mapping[str, Any]) -> str | Markup:
    """A table's cell: the value of a key, its interval below it where there is one."""
    text, ends = shown_value(key, row.get(key)), row.get(f"{key}{_INTERVAL}")
    if ends is None or row.get(key) is None:
        return text
    return tag("td", text, tag("small", shown_value(f"{key}{_INTERVAL}", ends)), class_="num")


def shown_value(key: str, value: Any) -> str:
    """A value in the unit of its key: rates in per cent, gaps in points, p-values as such; pairs as "a to b"."""
    if is_pair(value):
        ends = " to ".join(shown_value(key.removesuffix(_INTERVAL), end) for end in value)
        return ends.replace(" % to", " to")
    if key == "is_independent":
        return _INDEPENDENT.get(value, "-")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _number(_base(key), value)
    if isinstance(value, list):
        return ", ".join(shown_value(key, each) for each in value)
    return "-" if value is None else str(value)


def is_pair(value: Any) -> bool:
    """Whether a value is a list of two numbers, such as an interval."""
    return isinstance(value, list) and len(value) == 2 and all(isinstance(end, (int, float)) for end in value)


def spaced(key: str) -> str:
    """The words of a key."""
    return key.replace("_", " ").strip()


def _number(key: str, value: float) -> str:
    if key in _RATES:
        return percent(value)
    if key in _GAPS:
        return points(value)
    if key == "p" or key.startswith("p_"):
        return p_value(value)
    if key in ("truncation_psi", "strength", "margin", "threshold"):
        return f"{value:g}"
    return (f"{value:.3f}" if value == 0 or abs(value) >= 0.001 else f"{value:.0e}").replace("-", "−", value < 0)


def _base(key: str) -> str:
    return key.removesuffix(_INTERVAL)
