"""The methods of a result that show it in other tools; each imports what it needs when it is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from styleT2I.fairness.results import AuditResult

__all__ = ["ResultViews"]


class ResultViews:
    """Mixed into `AuditResult`."""

    def frame(self):
        """Every verdict as a pandas.DataFrame, a row per image and attribute: `frames.outcome_frame`."""
        from styleT2I.fairness.interop.frames import outcome_frame

        return outcome_frame(cast("AuditResult", self))

    def write_parquet(self, path: str | Path) -> Path:
        """Write the same rows as a Parquet file: `frames.write_parquet`."""
        from styleT2I.fairness.interop.frames import write_parquet

        return write_parquet(cast("AuditResult", self), path)

    def metric_frame(self, metrics: Mapping[str, Callable] | None = None):
        """The declared comparisons as a MetricFrame of fairlearn: `frames.metric_frame`."""
        from styleT2I.fairness.interop.frames import metric_frame

        return metric_frame(cast("AuditResult", self), metrics)

    def plot(self, axes=None):
        """The gaps with their intervals and limits on a matplotlib Axes: `notebook.plot_gaps`."""
        from styleT2I.fairness.interop.notebook import plot_gaps

        return plot_gaps(cast("AuditResult", self), axes)

    def _repr_html_(self) -> str:
        from styleT2I.fairness.interop.notebook import summary_html

        return summary_html(cast("AuditResult", self))
