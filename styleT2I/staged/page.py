"""The table and the page at the end of a recipe: what was measured beside what was published, and where it all lies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from styleT2I.config import read_json
from styleT2I.errors import DataError
from styleT2I.staged.engine import Stage, command_line, seconds_of
from styleT2I.torch_utils.files import write_text_atomic
from styleT2I.torch_utils.markup import PLAIN_STYLE, document, section, table, tag

__all__ = ["PUBLISHED", "UNVERIFIED", "Published", "table_rows", "write_page"]

COLUMNS = ("system", "R-precision, tuned CLIP", "R-precision, second CLIP", "FID", "all requested right", "from")
_METHODS = {"none": "Text-to-Direction", "paper": "with the paper's adjustment"}
_NO_CONTROL = (
    "R-precision is 1 in 100 captions. The tuned CLIP guided the training and flatters it; the second one trained "
    "nothing of it. Published values were measured with the authors' own CLIP, generator and real images: another "
    "protocol in parts, so that small differences mean nothing."
)
UNVERIFIED, VERIFIED = "unverified", "verified"
_WHY = "recalled; the paper's table was not at hand (Li et al., CVPR 2022, table 1). Look it up before you quote it"
_OF_DATASET = (
    "read in the README of the data set (github.com/IIGROUP/MM-CelebA-HQ-Dataset, commit 03733ab), whose authors' "
    "protocol is not StyleT2I's"
)
_OF_RATLIP = "read in the README of github.com/OxygenLu/RATLIP; whole test split, not StyleT2I's protocol"


class Published(NamedTuple):
    """A row of a paper's table."""

    system: str
    r_precision: float | None  # with the authors' tuned CLIP, 1 in 100; None: not given there
    fid: float
    state: str  # VERIFIED, read in the source, or UNVERIFIED
    source: str


_FACES = (("ControlGAN", 0.435, 31.38), ("DAE-GAN", 0.484, 30.74), ("TediGAN-A", 0.044, 16.5),
          ("TediGAN-B", 0.306, 15.5), ("StyleT2I", 0.625, 17.46))  # fmt: skip
_BIRDS = (("ControlGAN", 0.137, 29.0), ("DAE-GAN", 0.145, 27.0), ("TediGAN-A", 0.071, 16.4), ("TediGAN-B", 0.121, 16.8),
          ("StyleT2I", 0.264, 20.53))  # fmt: skip
_FACES_READ = (("AttnGAN", 125.98), ("ControlGAN", 116.32), ("DF-GAN", 137.6), ("DM-GAN", 131.05), ("TediGAN", 106.37))
_BIRDS_READ = (("AttnGAN", 23.98), ("DF-GAN", 14.81))
PUBLISHED: dict[str, tuple[Published, ...]] = {  # by what is drawn and steered, the name of the recipe
    "celebahq": (
        *(Published(*row, UNVERIFIED, _WHY) for row in _FACES),
        *(Published(name, None, fid, VERIFIED, _OF_DATASET) for name, fid in _FACES_READ),
    ),
    "cub": (
        *(Published(*row, UNVERIFIED, _WHY) for row in _BIRDS),
        *(Published(name, None, fid, VERIFIED, _OF_RATLIP) for name, fid in _BIRDS_READ),
    ),
    "ffhq": (Published("StyleT2I-XD", 0.698, 18.02, UNVERIFIED, _WHY),),
}


def table_rows(name: str, results: Mapping) -> list[tuple[str, ...]]:
    """Rows of the table under COLUMNS: the methods measured, the real images of the captions, then published values.

    name: of the recipe; results: the suite "protocol" as evaluate writes it.
    """
    rows = []
    for method, found in results["methods"].items():
        rows.append((f"this run, {_METHODS.get(method, method)}", *_values(found), "results.json"))
    rows.append(("real images of the captions", *_values(results["real"]), "results.json"))
    for row in PUBLISHED.get(name, ()):
        state = "unverified: " if row.state == UNVERIFIED else ""
        mark = " (unverified)" if state else ""
        precision = "" if row.r_precision is None else f"{row.r_precision:.3f}{mark}"
        values = (precision, "", f"{row.fid:.2f}{mark}", "")
        rows.append((f"{row.system}, published", *values, f"{state}{row.source}"))
    return rows


def write_page(name: str, title: str, plan: Mapping[str, Stage], outdir: str | Path, notes: Mapping[str, str]) -> Path:
    """Write OUTDIR/table.md and OUTDIR/index.html; return the page.

    Args:
        name: Of the recipe.
        title: Of the page.
        plan: Its stages, all done.
        outdir: Of the run, with results.json in it.
        notes: More lines of the page, by what they are about.

    Raises:
        DataError: results.json cannot be read.
        OutputError: The files cannot be written.
    """
    outdir = Path(outdir)
    report = read_json(outdir / "results.json", DataError)
    results = report.get("suites", {}).get("protocol")
    rows = table_rows(name, results) if results else []
    write_text_atomic(outdir / "table.md", _markdown(title, rows))
    seconds = seconds_of(outdir)
    stages = [(stage, f"{seconds[stage] / 60:.1f}" if stage in seconds else "", command_line(plan[stage]))
              for stage in plan]  # fmt: skip
    links = {"data": "data/index.html", "captions' data": "data_texts/index.html", "audit": "audit/audit.html",
             "user study": "study/index.html", "model card": "model/README.md",
             "all metrics": "results.json"}  # fmt: skip
    there = [tag("li", tag("a", what, href=file)) for what, file in links.items() if (outdir / file).exists()]
    left_out = (results or {}).get("left_out", {})
    body = [
        tag("h1", title),
        section("table", "Measured and published", tag("p", _NO_CONTROL), table(title, COLUMNS, rows))
        if rows else None,
        section("left-out", "Not measured", tag("ul", [tag("li", f"{what}: {why}") for what, why in left_out.items()]))
        if left_out else None,
        section("notes", "This run", tag("ul", [tag("li", f"{what}: {text}") for what, text in notes.items()])),
        section("files", "More", tag("ul", there)),
        section("stages", "Stages", table("Stages", ("stage", "minutes", "command"), stages)),
    ]  # fmt: skip
    write_text_atomic(outdir / "index.html", document(title, PLAIN_STYLE, *filter(None, body)))
    return outdir / "index.html"


def _values(found):
    return tuple(_value(found.get(key), digits) for key, digits in (
        ("r_precision_guided", 3), ("r_precision", 3), ("frechet", 2), ("attributes_all", 3),
    ))  # fmt: skip


def _value(found, digits):
    if not found:
        return ""
    interval = found.get("interval")
    value = f"{found['value']:.{digits}f}"
    value += f" ({interval[0]:.{digits}f} to {interval[1]:.{digits}f})" if interval else ""
    if digits == 2 and "not Inception" in str(found.get("network")):  # as `measurement.judge_name` says
        value += " (judge's features, no FID)"
    return value + (" (too few images: mostly bias)" if found.get("settings", {}).get("mostly_bias") else "")


def _markdown(title, rows):
    lines = [f"# {title}", "", "| " + " | ".join(COLUMNS) + " |", "| --- " * len(COLUMNS) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([*lines, "", _NO_CONTROL, ""])
