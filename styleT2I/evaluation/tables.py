"""Reports that `evaluate --out` wrote; the suite "compositions" of several as one markdown table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from styleT2I.errors import DataError

_COLUMNS = (
    "run", "method", "rare, mean", "rare, worst", "frequent, mean", "gap", "gain on rare", "gain on frequent",
    "drift, mean", "drift, worst", "pose / background / clothes", "Frechet, rare / frequent", "inside region",
)  # fmt: skip


def read_report(path: str | Path, suite: str = "compositions") -> dict:
    """A report that `python -m styleT2I.evaluate --out` wrote; DataError when it lacks the suite."""
    try:
        report = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot read the report: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path}: not a JSON report; name a file that evaluate --out wrote") from error
    if not isinstance(report, dict) or suite not in report.get("suites", {}):
        raise DataError(f"{path}: holds no {suite}; write it with: evaluate --suite {suite} --out {path}")
    return report


def compositions_table(reports: Sequence[tuple[str, dict]]) -> str:
    """Markdown of (name, report) pairs. Shares are percentages, differences points, intervals 95 %.

    Drift: of the attributes that nobody asked for, the share of images in which one changed (mean over attributes, and
    the worst attribute). Pose, background, clothes: mean change in units of their spread. Inside region: the suite
    "regions", where the same report has it.
    """
    rows = [_COLUMNS, ["---"] * len(_COLUMNS)]
    for name, report in reports:
        regions = report["suites"].get("regions", {}).get("inside")
        for method, figures in report["suites"]["compositions"]["methods"].items():
            inside = "" if regions is None or method == "none" else f"{100 * regions:.1f}"
            rows.append([name, method, *_cells(figures), inside])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cells(figures):
    rare, frequent, gain = figures["rare"], figures["frequent"], figures.get("gain", {})
    drift, moved = figures["drift"], figures["nuisances"]
    frechet, ratios = figures["frechet"], figures.get("frechet_ratio", {})
    return [
        share(rare["mean"], rare["interval"]),
        f"{100 * rare['worst']:.1f} ({rare['worst_cell']})",
        share(frequent["mean"], frequent["interval"]),
        difference(figures["gap"], figures["gap_interval"]),
        *(difference(gain[kind]["mean"], gain[kind]["interval"]) if gain else "" for kind in ("rare", "frequent")),
        f"{100 * drift['mean']:.1f}",
        f"{100 * drift['worst']:.1f} ({drift['worst_attribute']})",
        " / ".join(f"{moved[group]:.2f}" for group in ("pose", "background", "clothes") if group in moved),
        " / ".join(
            f"{frechet[kind]:.1f}" + (f" (x{ratios[kind]:.2f})" if ratios else "") for kind in ("rare", "frequent")
        ),
    ]


def share(value, interval) -> str:
    """A share and its interval in percent."""
    return f"{100 * value:.1f} ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})"


def difference(value, interval) -> str:
    """A difference of shares and its interval in points."""
    return f"{100 * value:+.1f} ({100 * interval[0]:+.1f} to {100 * interval[1]:+.1f})"
