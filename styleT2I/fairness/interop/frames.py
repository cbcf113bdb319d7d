"""Verdicts of single images as a pandas frame, a Parquet file and a MetricFrame of fairlearn.

Each needs a package of the extra "frames", which is imported where it is used.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from styleT2I.errors import DataError, DependencyError
from styleT2I.fairness.analysis.outcomes import SUCCESS
from styleT2I.fairness.cells.outcome_table import COLUMNS, outcome_rows
from styleT2I.fairness.results import AuditResult
from styleT2I.torch_utils.files import write_bytes_atomic

__all__ = ["metric_frame", "optional", "outcome_frame", "write_parquet"]


def outcome_frame(result: AuditResult):
    """Every verdict as a pandas.DataFrame, a row per image and attribute, with the columns of `outcome_table`.

    Raises:
        DataError: The images' verdicts are not there: the result was read without its cells.
        DependencyError: pandas is not installed.
    """
    _check_outcomes(result)
    return optional("pandas", "a frame").DataFrame(list(outcome_rows(result)), columns=list(COLUMNS))


def write_parquet(result: AuditResult, path: str | Path) -> Path:
    """Write what outcomes.csv holds as one Parquet file with types: seed int64, score float64 or null, the rest text.

    Returns:
        The path.

    Raises:
        DataError: The images' verdicts are not there: the result was read without its cells.
        DependencyError: pyarrow is not installed.
        OutputError: The file cannot be written.
    """
    _check_outcomes(result)
    arrow, parquet = optional("pyarrow", "a Parquet file"), optional("pyarrow.parquet", "a Parquet file")
    kinds = {"seed": arrow.int64(), "score": arrow.float64()}
    schema = arrow.schema([(name, kinds.get(name, arrow.string())) for name in COLUMNS])
    table = arrow.Table.from_pylist(list(outcome_rows(result)), schema=schema)
    target = io.BytesIO()
    parquet.write_table(table, target)
    write_bytes_atomic(path, target.getvalue())
    return Path(path)


def metric_frame(result: AuditResult, metrics: Mapping[str, Callable] | None = None):
    """The declared comparisons as a fairlearn.metrics.MetricFrame, over the images of the primary setting.

    The sensitive feature is the group that a comparison contrasts ("she", "he"), the control feature the comparison.
    `difference()` has absolute gaps and `ratio()` ratios, one per comparison. An undetermined image is no success.

    Args:
        result: With the verdicts of its images, as `read_result(FOLDER)` gives it.
        metrics: Functions (y_true, y_pred) by name. y_pred is 1 for a success; y_true is 1 throughout, since every
            sentence asks for what is judged. None: "success", the rate of successes, and "images", their number.

    Raises:
        DataError: The images' verdicts are not there, or the plan declares no comparison.
        DependencyError: fairlearn or pandas is not installed.
    """
    _check_outcomes(result)
    if not result.comparisons:
        raise DataError("the plan declares no comparison, so there are no groups; declare one")
    pandas, fairlearn = optional("pandas", "a MetricFrame"), optional("fairlearn.metrics", "a MetricFrame")
    rows: list[dict[str, Any]] = []
    for compared in result.comparisons:
        groups = contrasted(compared.first.cell, compared.second.cell)
        for place, group in zip((compared.first, compared.second), groups, strict=True):
            letters = (result.outcomes or {})[place.setting, place.cell]["success"]
            rows += [{"comparison": compared.name, "group": group, "is_right": int(letter == SUCCESS)}
                     for letter in letters]  # fmt: skip
    table = pandas.DataFrame(rows)
    return fairlearn.MetricFrame(
        metrics=dict(metrics or {"success": fairlearn.selection_rate, "images": fairlearn.count}),
        y_true=[1] * len(table),
        y_pred=table["is_right"],
        sensitive_features=table[["group"]],
        control_features=table[["comparison"]],
    )


def optional(name: str, what: str) -> ModuleType:
    """A module of the extra "frames"; DependencyError, one line, where it is not installed. what: that needs it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise DependencyError(f"{what} needs {package}; run: pip install 'styleT2I[frames]'") from error


def _check_outcomes(result: AuditResult) -> None:
    if not result.outcomes:
        raise DataError(
            "the verdicts of single images are in the audit's cells; read the folder, not its JSON file alone"
        )


def contrasted(first: str, second: str) -> tuple[str, str]:
    """The terms of each of two compositions that the other one lacks.

    >>> contrasted("she+lipstick", "he+lipstick")
    ('she', 'he')
    >>> contrasted("hat", "she+hat")
    ('hat', 'she')
    """
    one, other = first.split("+"), second.split("+")
    return (
        "+".join(term for term in one if term not in other) or first,
        "+".join(term for term in other if term not in one) or second,
    )
