"""The suite "systems" as markdown: what every system scores, and its margins over the controls."""

from __future__ import annotations

from styleT2I.evaluation.tables import difference, share

_FIGURES = (
    "system", "all requested right", "each requested right", "R-precision, 1 in 100", "Frechet distance (judge's "
    "features)", "rare compositions", "frequent twins", "gap", "images/s",
    "StyleT2I's lead",
)  # fmt: skip
_MARGINS = ("system", "control", "control's success", "success", "each", "R-precision", "Frechet, nearer by", "verdict")


def systems_tables(figures: dict) -> str:
    """Markdown of the suite's figures: shares are percentages, margins points, intervals 95 %."""
    rows = [_row(record["name"], record["figures"], record) for record in figures["systems"]]
    rows += [_row(bound["name"], bound["figures"], {}) for bound in figures.get("bounds", ())]
    rows.append(_row("renders of the test scenes", figures["renders"], {}))
    margins = [
        _margins(record["name"], name, control)
        for record in figures["systems"]
        for name, control in record["controls"].items()
    ]
    counts = [figures[key] for key in ("num", "num_passed_over", "num_ranked", "num_latents")]
    intro = (
        "{} captions ({} passed over that not every system reads), {} of them ranked by R-precision; {} seeds a "
        "composition."
    ).format(*counts)
    notes = "\n".join(f"- {note}" for note in figures["notes"])
    return "\n\n".join([intro, _markdown(_FIGURES, rows), _markdown(_MARGINS, margins), notes])


def _row(name, figures, record):
    composed, lead = figures["compositions"], record.get("lead_of_stylet2i")
    return [
        name,
        *(_share(figures, key) for key in ("success", "each", "r_precision")),
        _distance(figures["frechet"], figures["frechet_interval"]),
        *(share(composed[kind]["mean"], composed[kind]["interval"]) for kind in ("rare", "frequent")),
        difference(composed["gap"], composed["gap_interval"]),
        f"{record['images_per_second']:.3g}" if "images_per_second" in record else "",
        difference(lead["margin"], lead["interval"]) if lead else "",
    ]


def _margins(name, control, margins):
    def cell(key):
        one = margins.get(key)
        return difference(one["margin"], one["interval"]) if one else ""

    frechet = margins.get("frechet")
    return [
        name,
        control,
        f"{100 * margins['success']['control']:.1f}",
        *(cell(key) for key in ("success", "each", "r_precision")),
        _distance(frechet["margin"], frechet["interval"]) if frechet else "",
        "beats" if margins["success"]["beats"] else "does not beat",
    ]


def _share(figures, key):
    return "" if figures[key] is None else share(figures[key], figures[f"{key}_interval"])


def _distance(value, interval):
    if value is None:
        return ""
    return f"{value:.1f}" + (f" ({interval[0]:.1f} to {interval[1]:.1f})" if interval else "")


def _markdown(columns, rows):
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
