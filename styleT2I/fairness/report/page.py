"""An audit's result as one HTML page that needs no other file, with JSON and CSV beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.config import from_dict
from styleT2I.errors import DataError
from styleT2I.fairness.plan import AuditPlan
from styleT2I.fairness.report import appendix as appendix
from styleT2I.fairness.report import comparisons as comparisons
from styleT2I.fairness.report import compositions as cells
from styleT2I.fairness.report.contact_sheets import read_sheets
from styleT2I.fairness.report.csv_tables import csv_files
from styleT2I.fairness.report.markup import document, tag
from styleT2I.fairness.report_kept_sheets import sheets_of_page
from styleT2I.torch_utils.files import write_json_atomic, write_text_atomic
from styleT2I.torch_utils.staging import staged_folder

__all__ = ["read_result", "render", "write_report"]

NAME = "audit"  # of the JSON and HTML file
_FURTHER = {
    "curves": "Gaps by setting",
    "adjustment": "Adjustment on and off",
    "unprompted": "Unprompted attributes",
    "rarity": "Rarity in the training data",
    "agreement": "Agreement of the two judges",
    "quality": "Quality parity",
}
_SOMETIMES = {"rerun", "calibration", "subject", "second_judge", "quality_data", "settings_left_out"}
_OWN = _SOMETIMES | {
    "verdict", "failed", "thresholds", "summary", "comparisons", "exploratory", "cells", "limits", "plan",
    "plan_sha256", "num_overridden", "model", "judge", "num", "first_seed", "versions",
}  # fmt: skip


def write_report(result: dict, outdir: str | Path, folders: Iterable[str | Path], name: str = NAME) -> Path:
    """Write NAME.json, NAME.html and the CSV files, all of them or none, and return the path of the page.

    folders: their cells have the pictures; where they are gone, those of the page that is written over stay, if it is
    of the same plan, model and judge. Raises OutputError.
    """
    result = json.loads(json.dumps(result))  # the page shows what the JSON holds, however it came here
    sheets = read_sheets(result, folders) or sheets_of_page(Path(outdir) / f"{name}.html", result)
    page, tables = render(result, sheets), csv_files(result)
    with staged_folder(outdir) as folder:
        for file, text in {f"{name}.html": page, **tables}.items():
            write_text_atomic(folder / file, text)
        write_json_atomic(folder / f"{name}.json", result)
    return Path(outdir) / f"{name}.html"


def read_result(path: str | Path) -> dict:
    """The result in an audit's folder or JSON file; DataError in one line."""
    path = Path(path)
    path = path / f"{NAME}.json" if path.is_dir() else path
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot read the audit: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path}: not JSON; give what `audit run` wrote") from error
    if not isinstance(result, dict) or (missing := sorted(_OWN - _SOMETIMES - result.keys())):
        what = f"no {missing[0]}" if isinstance(result, dict) else "no result"
        raise DataError(f"{path}: not an audit, there is {what} in it; give what `audit run` wrote")
    return result


def render(result: dict, sheets: dict) -> str:
    """The page. sheets: rows of pictures by (setting, composition), as `read_sheets` has them."""
    anchors = {(one["setting"], one["cell"]): f"cell-{index}" for index, one in enumerate(result["cells"])}
    anchors = {place: anchor for place, anchor in anchors.items() if place in sheets}
    plan = from_dict(AuditPlan, result["plan"])
    sentences = plan.sentences_of(load_vocabulary(plan.vocabulary))
    body = [
        comparisons.verdict(result),
        comparisons.primary(result),
        cells.compositions(result, anchors, sentences),
        cells.settings(result),
        cells.drift(result),
        comparisons.exploratory(result),
        *(appendix.further(key, title, result[key]) for key, title in _FURTHER.items() if result.get(key)),
        *(appendix.further(key, key.capitalize(), one) for key, one in _unknown(result).items()),
        appendix.pictures(result, sheets, anchors, sentences),
        appendix.judge(result),
        appendix.limits(result),
        appendix.methods(result),
        appendix.provenance(result),
    ]
    style = files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    return document(f"Audit: {result['plan']['name']}", style, _header(result), _contents(body), tag("main", body))


def _header(result):
    plan, num = result["plan"], len({one["cell"] for one in result["cells"]})
    facts = (
        ("Model", result["model"]["name"]),
        ("Compositions", num),
        ("Pictures of each", result["num"]),
        ("Settings", len(result["summary"])),
        ("Primary comparisons", len(result["comparisons"])),
    )
    return tag(
        "header",
        tag("p", "StyleT2I fairness audit of perceived attributes", class_="kicker"),
        tag("h1", plan["name"]),
        tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts], class_="facts"),
    )


def _contents(parts):
    links = [tag("li", tag("a", part.heading, href=f"#{part.anchor}")) for part in parts]
    return tag("nav", tag("ul", links), aria_label="Contents")


def _unknown(result):
    """Results that no section knows."""
    return {key: value for key, value in result.items() if key not in _OWN | _FURTHER.keys() and value}
