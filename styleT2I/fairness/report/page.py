"""Report of an audit: one HTML page that needs no other file, with JSON and CSV files beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.errors import DataError
from styleT2I.fairness.analysis.decisions.earlier_results import upgraded
from styleT2I.fairness.report.contact_sheets import SheetRow, cells_of, read_sheets
from styleT2I.fairness.report.csv_tables import csv_files
from styleT2I.fairness.report.earlier_page import sheets_of_page
from styleT2I.fairness.report.exports import export_files
from styleT2I.fairness.report.sections import appendix, comparisons, compositions, labels
from styleT2I.fairness.report.sections.cover import cover
from styleT2I.fairness.report.sections.questions import questions
from styleT2I.fairness.report.sections.summary import summary
from styleT2I.fairness.report.sections.unasked import unasked
from styleT2I.fairness.results import AuditResult, Table, to_json
from styleT2I.torch_utils.files import write_json_atomic, write_text_atomic
from styleT2I.torch_utils.folders import staged_folder
from styleT2I.torch_utils.markup import Markup, Section, document, tag

__all__ = ["read_result", "render", "write_report"]

NAME = "audit"  # of the JSON and HTML file


def write_report(result: AuditResult, outdir: str | Path, folders: Iterable[str | Path], name: str = NAME) -> Path:
    """Write NAME.json, NAME.html, the CSV files and the exports for machines, all of them or none.

    Args:
        result: What `Audit.result`, `merge_cells` or `read_result` returned.
        outdir: Where the files go; it is made where it is absent.
        folders: Where the cells are, whose images the page shows. Where they are gone, the images of the page that is
            written over stay, if it is of the same plan, model and judge.
        name: Of the HTML and the JSON file, without a suffix.

    Returns:
        The path of the page.

    Raises:
        OutputError: The folder cannot be written.

    >>> import numpy as np
    >>> from styleT2I.fairness.plan import AuditPlan
    >>> from styleT2I.fairness.run import Audit
    >>> plan, vocabulary = AuditPlan("grey", num=2, compositions=("she", "he")), load_vocabulary("minifaces")
    >>> audit = Audit(plan, vocabulary, lambda prompt, seed: np.full((64, 64, 3), 99, np.uint8), device="cpu")
    >>> audit.run("grey")
    >>> page = write_report(audit.result("grey"), "grey", folders=["grey"])
    >>> page.name, read_result("grey").plan.name
    ('audit.html', 'grey')
    """
    folders = list(folders)
    sheets = read_sheets(result, folders) or sheets_of_page(Path(outdir) / f"{name}.html", result)
    result = result if result.outcomes else replace(result, outcomes=_outcomes(result, folders))
    page, tables = render(result, sheets), csv_files(result) | export_files(result, name)
    with staged_folder(outdir) as folder:
        for file, text in {f"{name}.html": page, **tables}.items():
            write_text_atomic(folder / file, text)
        write_json_atomic(folder / f"{name}.json", result.to_json())
    return Path(outdir) / f"{name}.html"


def read_result(path: str | Path) -> AuditResult:
    """The result of a finished audit.

    Args:
        path: The audit's folder, or its JSON file.

    Raises:
        DataError: The file is absent, or does not hold an audit; the message is one line and names the file.
    """
    path = Path(path)
    path = path / f"{NAME}.json" if path.is_dir() else path
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        result = AuditResult.from_json(upgraded(content) if isinstance(content, dict) else content)
        _check_whole(result)
        return replace(result, outcomes=_outcomes(result, [path.parent]))
    except OSError as error:
        raise DataError(f"{path}: cannot read the audit: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path}: not JSON; give what `audit run` wrote") from error
    except DataError as error:
        raise DataError(f"{path}: {error}; give what `audit run` wrote") from error
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise DataError(f"{path}: damaged in {error}; give what `audit run` wrote") from error


def _check_whole(result: AuditResult) -> None:
    """DataError where a result has comparisons or settings of which it has no cells."""
    places = {cell.place for cell in result.cells}
    compared = {(side.setting, side.cell) for each in (*result.comparisons, *result.exploratory)
                for side in (each.first, each.second)}  # fmt: skip
    if not places or {setting for setting, _ in places} != set(result.summary) or compared - places:
        raise DataError("damaged, its cells do not fit its settings and comparisons")


def _outcomes(result: AuditResult, folders: Iterable[str | Path]) -> dict[tuple[str, str], dict] | None:
    """The outcomes of the result's cells, where the folders have all of them."""
    found = {cell.place: cell.content["outcomes"] for cell in cells_of(result, folders)}
    is_whole = {cell.place for cell in result.cells} <= found.keys() and all("seeds" in each for each in found.values())
    return found if is_whole else None


def render(result: AuditResult, sheets: dict[tuple[str, str], list[SheetRow]]) -> str:
    """The page as HTML. sheets: rows of images by (setting, composition), as `read_sheets` gives them."""
    anchors = {cell.place: f"cell-{index}" for index, cell in enumerate(result.cells) if cell.place in sheets}
    sentences = result.plan.sentences_of(load_vocabulary(result.plan.vocabulary))
    unprompted = unasked(result, _as_tables("Unprompted attributes", result.unprompted))
    parts = [
        summary(result),
        comparisons.declared(result),
        comparisons.primary(result),
        unprompted,
        appendix.further("edits", "Edits of the faces", to_json(result.edits)) if result.edits else None,
        compositions.compositions(result, anchors, sentences),
        *([] if result.plan.classifier else [compositions.settings(result), compositions.drift(result)]),
        comparisons.exploratory(result),
        *(appendix.further(key, title, to_json(content)) for key, title, content in _further(result) if content),
        comparisons.uncorrected(result),
        appendix.images(result, sheets, anchors, sentences),
        *labels.labels(result),
        appendix.judge(result),
        appendix.limits(result),
    ]
    body: list[Section] = [part for part in parts if part is not None]
    last = appendix.methods(result), appendix.provenance(result)
    headings = {part.anchor: part.heading for part in (*body, *last)}
    body += [questions(result, headings), *last]
    style = files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    return document(f"Audit: {result.plan.name}", style, cover(result), _contents(body), tag("main", body))


def _further(result: AuditResult) -> list[tuple[str, str, Table | Any]]:
    """Anchor, title and content of the sections that a plan may ask for, then of keys that no section knows."""
    return [
        ("curves", "Gaps by setting", result.curves),
        ("adjustment", "Adjustment on and off", result.adjustment),
        ("rarity", "Rarity in the training data", result.rarity),
        ("agreement", "Agreement of the two judges", result.agreement),
        ("quality", "Quality parity", result.quality),
        *((key, key.capitalize(), content) for key, content in result.extra.items()),
    ]


def _as_tables(title: str, content: Table | None) -> Any:
    return None if content is None else appendix.tables(title, to_json(content))


def _contents(parts: Iterable[Section]) -> Markup:
    links = [tag("li", tag("a", part.heading, href=f"#{part.anchor}")) for part in parts]
    return tag("nav", tag("ul", links), aria_label="Contents")
