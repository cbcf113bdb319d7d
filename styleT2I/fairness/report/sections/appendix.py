"""Appendix of an audit's report: images, the judge, limits, methods, and what it takes to run the audit again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from styleT2I.config import to_dict
from styleT2I.fairness.report.contact_sheets import SheetRow
from styleT2I.fairness.report.elements.columns import cell_of, columns_of, heading, is_pair, shown_value, spaced
from styleT2I.fairness.report.names import setting_words
from styleT2I.fairness.report.sections.comparisons import rate_cell
from styleT2I.fairness.report.sections.labels import basis_sentence, rests_on_labels
from styleT2I.fairness.report.verdict_words import circle_of
from styleT2I.fairness.report.wording import interval, method_notes, percent
from styleT2I.fairness.results import AuditResult, CellResult, to_json
from styleT2I.statistics.intervals import wilson_interval
from styleT2I.statistics.misclassification import Confusion
from styleT2I.torch_utils.markup import Markup, Section, data_uri, details, scrolled, section, table, tag
from styleT2I.torch_utils.words import counted

__all__ = ["further", "images", "judge", "limits", "methods", "provenance", "tables"]

_OUTCOMES = {"success": "Successes", "failure": "Failures", "unsure": "Undetermined"}
_MAX_UNFOLDED = 20  # rows of a table
_MAX_COLUMNS = 18
_FITS = 1000  # px: wider rows of images scroll, narrower ones shrink with the page

Sheets = Mapping[tuple[str, str], Sequence[SheetRow]]  # by (setting, composition)


def images(
    result: AuditResult, sheets: Sheets, anchors: Mapping[tuple[str, str], str], sentences: Mapping[str, str]
) -> Section:
    """Contact sheets by setting and composition."""
    if not sheets:
        text = "The images of this audit are not available, so none are shown."
        return section("images", "Images", tag("p", text))
    names = list(result.summary)
    shown = [
        details(
            f"Images of every composition, drawn {setting_words(name)}",
            [
                _sheet(cell, sheets.get(cell.place, ()), anchors.get(cell.place), sentences[cell.cell])
                for cell in result.cells
                if cell.setting == name
            ],
            is_open=name == names[0],
        )
        for name in names
    ]
    lead = (
        "The first images of each outcome in the order of their seeds; nobody selected them. The judge's verdicts on "
        "them may be wrong."
    )
    return section("images", "Images", tag("p", lead), shown)


def _sheet(cell: CellResult, sheet: Sequence[SheetRow], anchor: str | None, sentence: str) -> Markup:
    counts = {"success": cell.successes, "unsure": cell.undetermined}
    counts["failure"] = cell.num - sum(counts.values())
    lead = f"“{sentence}”: {percent(cell.success)} perceived success, {counted(cell.num, 'image')}"
    rows = []
    for row in sheet:
        num, title = len(row.seeds), _OUTCOMES.get(row.outcome, row.outcome)
        which = f"{num} of {counts.get(row.outcome, num)}" if num < counts.get(row.outcome, num) else f"all {num}"
        alt = f"{counted(num, 'face')} drawn for {cell.cell}: {title.lower()} to the judge"
        image = tag("img", src=data_uri(row.kind, row.data), alt=alt, width=row.size[0], height=row.size[1])
        caption = tag("figcaption", tag("strong", f"{title} ({which})"), f" seeds {', '.join(map(str, row.seeds))}")
        shown = scrolled(alt, image) if row.size[0] > _FITS else image
        rows.append(tag("figure", caption, shown, class_=f"sheet {row.outcome}"))
    missing = None if rows else tag("p", "Its images are not available.")
    return tag("article", tag("h3", cell.cell), tag("p", lead), rows, missing, id=anchor, class_="cell")


def judge(result: AuditResult) -> Section:
    """The judges, and how often the first one errs."""
    judges = {"The judge": result.provenance.judge, "The second judge, for agreement": result.provenance.second_judge}
    who = [
        table(name, ("What", "Value"), [[heading(key), shown_value(key, value)] for key, value in _flat(facts).items()])
        for name, facts in judges.items()
        if facts
    ]
    calibration = result.calibration
    who = [tag("p", circle) for circle in [circle_of(result)] if circle] + who
    if not calibration and rests_on_labels(result):
        lead = f"{basis_sentence(result)} Where a value is the judge's alone, a gap may come from its errors."
        return section("judge", "The judge", tag("p", lead), who)
    if not calibration:
        lead = (
            "The judge was not calibrated for this audit. A gap may therefore come from the judge: it may miss an "
            "attribute more often in one group than in another. “audit label” lets people label some of these images; "
            "“audit calibrate” measures its errors on others."
        )
        return section("judge", "The judge", tag("p", lead), who)
    lead = (
        f"The judge's errors were measured on up to {calibration.num} labelled images with each composition and as "
        f"many without it ({calibration.data}). Sensitivity: the rate of images with the composition that the judge "
        "recognises. Specificity: the rate of images without it that the judge does not mistake for it."
    )
    confusion = table("Verdicts of the judge on labelled images", *_confusion(calibration.cells))
    return section("judge", "The judge", tag("p", lead), who, confusion)


def _confusion(cells: Mapping[str, Confusion]) -> tuple[list[str], list[list]]:
    """Columns and rows of the judge's errors by composition."""
    columns = ["Composition", "True positive", "False negative", "False positive", "True negative"]
    columns += ["Sensitivity (95 % interval)", "Specificity (95 % interval)"]
    rows = []
    for name, counts in cells.items():
        with_it = counts.true_positive, counts.true_positive + counts.false_negative
        without = counts.true_negative, counts.true_negative + counts.false_positive
        rates = (rate_cell(k / n, interval(wilson_interval(k, n))) for k, n in (with_it, without))
        rows.append([name, *to_json(counts).values(), *rates])
    return columns, rows


def limits(result: AuditResult) -> Section:
    """What the audit cannot say."""
    return section("limits", "Limits", tag("ul", [tag("li", text) for text in result.limits]))


def methods(result: AuditResult) -> Section:
    """What each number of the page means."""
    notes = [(tag("dt", name), tag("dd", text)) for name, text in method_notes(result)]
    return section("methods", "How to read the numbers", tag("dl", notes))


def provenance(result: AuditResult) -> Section:
    """The command, hashes, versions and the plan."""
    origin = result.provenance
    seeds = f"{origin.first_seed} to {origin.first_seed + origin.num - 1}"
    rows: list[list[str | None]] = [["Plan", result.plan_sha256]]
    rows += [[f"Model {origin.model['name']}: {role}", sha256 or "built in memory, no file"]
             for role, sha256 in origin.model["components"].items()]  # fmt: skip
    judges = {"Judge": origin.judge, "Second judge": origin.second_judge or {}}
    rows += [[name, facts["sha256"]] for name, facts in judges.items() if facts.get("sha256")]
    if result.calibration:
        rows.append(["Judge that was calibrated", result.calibration.judge_sha256])
    versions = [[name, tag("td", version)] for name, version in origin.versions.items()]
    plan = yaml.safe_dump(to_dict(result.plan), sort_keys=False, allow_unicode=True)
    return section(
        "again",
        "To run it again",
        tag("pre", tag("code", result.rerun), tabindex=0) if result.rerun else None,
        tag("p", f"Seeds of each composition: {seeds}."),
        table("SHA-256 of what was used", ("What", "SHA-256"), [[a, tag("td", tag("code", b))] for a, b in rows]),
        table("Versions", ("Software", "Version"), versions),
        tag("h3", "The plan in full"),
        tag("pre", tag("code", plan), tabindex=0),
    )


def further(anchor: str, title: str, content: Any) -> Section:
    """A part of the result without a section of its own, given as JSON, as tables."""
    return section(anchor, title, tables(title, content))


def tables(title: str, value: Any) -> Any:
    """A part of the result, given as JSON, as tables and paragraphs."""
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        return _table_of(title, [_flat(row) for row in value])
    if not isinstance(value, dict):
        return tag("p", tag("strong", f"{title}: "), shown_value("", value))
    if isinstance(value.get("explanation"), str):
        rest = {key: content for key, content in value.items() if key not in ("explanation", "rows")}
        rows = [tables(title, value["rows"])] if value.get("rows") else []
        return [tag("p", value["explanation"]), rows, tables(title, rest) if rest else None]
    if value and all(isinstance(row, dict) for row in value.values()):
        named = [{"": key, **_flat(row)} for key, row in value.items()]
        if max(map(len, named)) <= _MAX_COLUMNS:
            return _table_of(title, named)
    nested = {key: each for key, each in value.items() if isinstance(each, (dict, list)) and not is_pair(each)}
    lines = [[heading(key), shown_value(key, each)] for key, each in value.items() if key not in nested]
    parts = [table(title, ("What", "Value"), lines)] if lines else []
    return parts + [tables(f"{title}: {spaced(key)}", each) for key, each in nested.items()]


def _table_of(title: str, rows: Sequence[Mapping[str, Any]]) -> Markup:
    keys = columns_of(rows)
    more = " (more columns are in the JSON)" if len(keys) > _MAX_COLUMNS else ""
    keys = keys[:_MAX_COLUMNS]
    cells = [[cell_of(key, row) for key in keys] for row in rows]
    shown = table(title + more, [heading(key, rows) for key in keys], cells)
    return shown if len(rows) <= _MAX_UNFOLDED else details(f"{title}: {len(rows)} rows", shown)


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, their keys joined by spaces."""
    flat: dict[str, Any] = {}
    for key, each in value.items():
        flat |= _flat(each, f"{prefix}{key} ") if isinstance(each, dict) else {f"{prefix}{key}": each}
    return flat
