"""Text of what suites measured: markdown tables of compositions, systems and quality, and nested names and values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from styleT2I.errors import DataError

_COMPOSITION_COLUMNS = (
    "run", "method", "rare, mean", "rare, worst", "frequent, mean", "gap", "gain on rare", "gain on frequent",
    "drift, mean", "drift, worst", "pose / background / clothes", "identity / background, levels / clothes, levels",
    "Frechet, rare / frequent", "inside region",
)  # fmt: skip
_SYSTEM_COLUMNS = (
    "system", "all requested right", "each requested right", "R-precision, 1 in 100", "Frechet distance (judge's "
    "features)", "rare compositions", "frequent twins", "gap", "images/s",
    "StyleT2I's lead",
)  # fmt: skip
_MARGIN_COLUMNS = (
    "system", "control", "control's success", "success", "each", "R-precision", "Frechet, nearer by", "verdict",
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
    """Markdown of (name, report) pairs. Rates are percentages, differences points, intervals 95 %.

    Drift: of the attributes that nobody asked for, the rate of images in which one changed (mean over attributes, and
    the worst attribute). Pose, background, clothes: mean change of what the judge reads, in units of its spread.
    Identity: the cosine of the judge's features; background and clothes beside it: of their pixels, where the segmenter
    sees them, in levels of 255. Inside region: the suite "regions", where the same report has it.
    """
    rows = []
    for name, report in reports:
        regions = report["suites"].get("regions", {}).get("inside")
        for method, metrics in report["suites"]["compositions"]["methods"].items():
            inside = "" if regions is None or method == "none" else f"{100 * regions:.1f}"
            rows.append([name, method, *_cells(metrics), inside])
    return _markdown(_COMPOSITION_COLUMNS, rows)


def _cells(metrics):
    rare, frequent, gain = metrics["rare"], metrics["frequent"], metrics.get("gain", {})
    drift, moved = metrics["drift"], metrics["nuisances"]
    frechet, ratios = metrics["frechet"], metrics.get("frechet_ratio", {})
    return [
        rate(rare["mean"], rare["interval"]),
        f"{100 * rare['worst']:.1f} ({rare['worst_cell']})",
        rate(frequent["mean"], frequent["interval"]),
        difference(metrics["gap"], metrics["gap_interval"]),
        *(difference(gain[kind]["mean"], gain[kind]["interval"]) if gain else "" for kind in ("rare", "frequent")),
        f"{100 * drift['mean']:.1f}",
        f"{100 * drift['worst']:.1f} ({drift['worst_attribute']})",
        " / ".join(f"{moved[group]:.2f}" for group in ("pose", "background", "clothes") if group in moved),
        " / ".join(
            f"{metrics['kept'][name]['mean']:{style}}"
            for name, style in (("identity", ".3f"), ("background", ".1f"), ("clothes", ".1f"))
            if name in metrics.get("kept", {})
        ),
        " / ".join(
            _distance(frechet[kind], None) + (f" (x{ratios[kind]:.2f})" if ratios.get(kind) else "")
            for kind in ("rare", "frequent")
        ),
    ]


def rate(value, interval) -> str:
    """A rate and its interval in percent."""
    return f"{100 * value:.1f} ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})"


def difference(value, interval) -> str:
    """A difference of rates and its interval in points."""
    return f"{100 * value:+.1f} ({100 * interval[0]:+.1f} to {100 * interval[1]:+.1f})"


def nested_text(title: str, values: dict, indent: int = 0) -> str:
    """Names and values on lines, nested as they are; a list of mappings (the cells) is for the JSON alone."""
    lines = [f"{' ' * indent}{title}"]
    for name, value in values.items():
        if isinstance(value, dict):
            lines.append(nested_text(name, value, indent + 2))
        elif not isinstance(value, (list, tuple)):
            lines.append(f"{' ' * indent}  {name:28s}{value if not isinstance(value, float) else format(value, '.4f')}")
        elif not (value and isinstance(value[0], dict)):
            lines.append(f"{' ' * indent}  {name:28s}{'  '.join(f'{part:.4f}' for part in value)}")
    return "\n".join(lines)


def systems_tables(values: dict) -> str:
    """Markdown of the suite's metrics: rates are percentages, margins points, intervals 95 %."""
    rows = [_system_row(record["name"], record["figures"], record) for record in values["systems"]]
    rows += [_system_row(bound["name"], bound["figures"], {}) for bound in values.get("bounds", ())]
    rows.append(_system_row("renders of the test scenes", values["renders"], {}))
    margins = [
        _margin_row(record["name"], name, control)
        for record in values["systems"]
        for name, control in record["controls"].items()
    ]
    counts = [values[key] for key in ("num", "num_passed_over", "num_ranked", "num_latents")]
    intro = (
        "{} captions ({} passed over that not every system reads), {} of them ranked by R-precision; {} seeds a "
        "composition."
    ).format(*counts)
    notes = "\n".join(f"- {note}" for note in values["notes"])
    return "\n\n".join([intro, _markdown(_SYSTEM_COLUMNS, rows), _markdown(_MARGIN_COLUMNS, margins), notes])


def _system_row(name, metrics, record):
    composed, lead = metrics["compositions"], record.get("lead_of_stylet2i")
    return [
        name,
        *(_rate_of(metrics, key) for key in ("success", "each", "r_precision")),
        _distance(metrics["frechet"], metrics["frechet_interval"]),
        *(rate(composed[kind]["mean"], composed[kind]["interval"]) for kind in ("rare", "frequent")),
        difference(composed["gap"], composed["gap_interval"]),
        f"{record['images_per_second']:.3g}" if "images_per_second" in record else "",
        difference(lead["margin"], lead["interval"]) if lead else "",
    ]


def _margin_row(name, control, margins):
    def cell(key):
        margin = margins.get(key)
        return difference(margin["margin"], margin["interval"]) if margin else ""

    frechet = margins.get("frechet")
    return [
        name,
        control,
        f"{100 * margins['success']['control']:.1f}",
        *(cell(key) for key in ("success", "each", "r_precision")),
        _distance(frechet["margin"], frechet["interval"]) if frechet else "",
        "beats" if margins["success"]["beats"] else "does not beat",
    ]


def _rate_of(metrics, key):
    return "" if metrics[key] is None else rate(metrics[key], metrics[f"{key}_interval"])


def _distance(value, interval):
    if value is None:
        return ""
    return f"{value:.1f}" + (f" ({interval[0]:.1f} to {interval[1]:.1f})" if interval else "")


def quality_table(metrics: dict) -> str:
    """Markdown of what `evaluate_folders` or `evaluate_model` returned: values with their standard errors (±) or, of
    rates, 95 % intervals."""
    sets = metrics["sets"]
    names = list(dict.fromkeys(name for values in sets.values() for name in values))
    rows = []
    networks = {}  # its name -> number
    for name in names:
        measured = [values.get(name) for values in sets.values()]
        network = next(value for value in measured if value)["network"]
        number = networks.setdefault(network, len(networks) + 1)
        rows.append([name, *map(_value, measured), str(number)])
    lines = [_markdown(["metric", *sets, "by"], rows)]
    lines += ["", *(f"{number}: {network}" for network, number in networks.items())]
    lines += [f"{title}: {_images(values)}" for title, values in sets.items() if values]
    lines += [f"left out: {name}: {reason}" for name, reason in metrics["left_out"].items()]
    return "\n".join(lines)


def _value(measured):
    if measured is None:
        return ""
    error, interval = measured["standard_error"], measured.get("interval")
    if interval is not None:
        return f"{measured['value']:.4g} ({interval[0]:.3g} to {interval[1]:.3g})"
    return f"{measured['value']:.4g}" + (f" ± {error:.2g}" if error is not None else "")


def _images(values):
    value = next(iter(values.values()))
    seeds = f", seeds {value['seeds']}" if value["seeds"] else ""
    return f"{value['num_fake']} images, {value['fake']}{seeds}"


def _markdown(columns, rows):
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
