"""What backs an audit's findings: pictures, the judge, limits, methods, and what it takes to run the audit again."""

from __future__ import annotations

import yaml

from styleT2I.fairness.report.columns import cell_of, columns_of, heading, is_pair, shown_value, spaced
from styleT2I.fairness.report.comparisons import share_cell
from styleT2I.fairness.report.markup import data_uri, details, scrolled, section, table, tag
from styleT2I.fairness.report.wording import interval, method_notes, percent
from styleT2I.statistics.intervals import wilson_interval
from styleT2I.torch_utils.words import counted

__all__ = ["further", "judge", "limits", "methods", "pictures", "provenance"]

_OUTCOMES = {"success": "Successes", "failure": "Failures", "unsure": "Undetermined"}
_MAX_UNFOLDED = 20  # rows of a table
_MAX_COLUMNS = 18


def pictures(result, sheets, anchors, sentences):
    """Contact sheets by setting and composition."""
    if not sheets:
        text = "No pictures were kept with this audit's cells, so none can be shown."
        return section("pictures", "Contact sheets", tag("p", text))
    names = list(result["summary"])
    shown = [
        details(
            f"Pictures of every composition: {name}",
            [_sheet(one, sheets, anchors, sentences[one["cell"]]) for one in result["cells"] if one["setting"] == name],
            is_open=name == names[0],
        )
        for name in names
    ]
    said = "The first pictures of each outcome by seed, not a choice. What the judge says of them may be wrong."
    return section("pictures", "Contact sheets", tag("p", said), shown)


def _sheet(cell, sheets, anchors, sentence):
    place = cell["setting"], cell["cell"]
    counts = {"success": cell["successes"], "unsure": cell["undetermined"]}
    counts["failure"] = cell["num"] - sum(counts.values())
    said = f"“{sentence}”: {percent(cell['success'])} perceived success, {counted(cell['num'], 'picture')}"
    rows = []
    for row in sheets.get(place, ()):
        num, title = len(row.seeds), _OUTCOMES.get(row.outcome, row.outcome)
        which = f"{num} of {counts.get(row.outcome, num)}" if num < counts.get(row.outcome, num) else f"all {num}"
        alt = f"{counted(num, 'face')} drawn for {cell['cell']}: {title.lower()} to the judge"
        picture = tag("img", src=data_uri("image/webp", row.webp), alt=alt, width=row.size[0], height=row.size[1])
        caption = tag("figcaption", tag("strong", f"{title} ({which})"), f" seeds {', '.join(map(str, row.seeds))}")
        rows.append(tag("figure", caption, scrolled(alt, picture), class_=f"sheet {row.outcome}"))
    missing = None if rows else tag("p", "Its pictures were not kept.")
    return tag("article", tag("h3", cell["cell"]), tag("p", said), rows, missing, id=anchors.get(place), class_="cell")


def judge(result):
    """Who looked, and how often it errs."""
    judges = {"The judge": result["judge"], "The second judge, for agreement": result.get("second_judge")}
    who = [
        table(name, ("What", "Value"), [[heading(key), shown_value(key, value)] for key, value in _flat(one).items()])
        for name, one in judges.items()
        if one
    ]
    calibration = result.get("calibration")
    if not calibration:
        said = (
            "The judge was not calibrated for this audit: a gap may be the judge's own, for it may miss an attribute "
            "more often in one group than in another. audit calibrate measures that, audit run --calibration corrects "
            "for it."
        )
        return section("judge", "The judge", tag("p", said), who)
    said = (
        f"Its errors were measured on up to {calibration['num']} labelled pictures with and as many without each "
        f"composition ({calibration['data']}). Seen where it is: sensitivity. Not seen where it is not: specificity."
    )
    confusion = table("How often the judge is right and wrong, counted in pictures", *_confusion(calibration["cells"]))
    return section("judge", "The judge", tag("p", said), who, confusion)


def _confusion(cells):
    kinds = ("true_positive", "false_negative", "false_positive", "true_negative")
    columns = ["Composition", *(spaced(kind).capitalize() for kind in kinds)]
    columns += ["Sensitivity (95 % interval)", "Specificity (95 % interval)"]
    rows = []
    for name, one in cells.items():
        right = one["true_positive"], one["true_positive"] + one["false_negative"]
        wrong = one["true_negative"], one["true_negative"] + one["false_positive"]
        rates = (share_cell(k / n, interval(wilson_interval(k, n))) for k, n in (right, wrong))
        rows.append([name, *(one[kind] for kind in kinds), *rates])
    return columns, rows


def limits(result):
    return section("limits", "Limits", tag("ul", [tag("li", text) for text in result["limits"]]))


def methods(result):
    notes = [(tag("dt", name), tag("dd", text)) for name, text in method_notes(result)]
    return section("methods", "How to read the numbers", tag("dl", notes))


def provenance(result):
    """The command, hashes, versions and the plan."""
    seeds = f"{result['first_seed']} to {result['first_seed'] + result['num'] - 1}"
    rows = [["Plan", result["plan_sha256"]]]
    rows += [[f"Model {result['model']['name']}: {role}", sha256 or "built in memory, no file"]
             for role, sha256 in result["model"]["components"].items()]  # fmt: skip
    judges = {"Judge": result["judge"], "Second judge": result.get("second_judge") or {}}
    rows += [[name, one["sha256"]] for name, one in judges.items() if one.get("sha256")]
    if result.get("calibration"):
        rows.append(["Judge that was calibrated", result["calibration"]["judge_sha256"]])
    versions = [[name, tag("td", version)] for name, version in result["versions"].items()]
    return section(
        "again",
        "To run it again",
        tag("pre", tag("code", result["rerun"]), tabindex=0) if result.get("rerun") else None,
        tag("p", f"Seeds of each composition: {seeds}."),
        table("SHA-256 of what was used", ("What", "SHA-256"), [[a, tag("td", tag("code", b))] for a, b in rows]),
        table("Versions", ("Software", "Version"), versions),
        tag("h3", "The plan in full"),
        tag("pre", tag("code", yaml.safe_dump(result["plan"], sort_keys=False, allow_unicode=True)), tabindex=0),
    )


def further(anchor, title, value):
    """Any result without a section of its own, as tables."""
    return section(anchor, title, _generic(title, value))


def _generic(title, value):
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return _table_of(title, [_flat(one) for one in value])
    if not isinstance(value, dict):
        return tag("p", tag("strong", f"{title}: "), shown_value("", value))
    if isinstance(value.get("explanation"), str):
        rest = {key: one for key, one in value.items() if key not in ("explanation", "rows")}
        rows = [_generic(title, value["rows"])] if value.get("rows") else []
        return [tag("p", value["explanation"]), rows, _generic(title, rest) if rest else None]
    if value and all(isinstance(one, dict) for one in value.values()):
        rows = [{"": key, **_flat(one)} for key, one in value.items()]
        if max(map(len, rows)) <= _MAX_COLUMNS:
            return _table_of(title, rows)
    nested = {key: one for key, one in value.items() if isinstance(one, (dict, list)) and not is_pair(one)}
    rows = [[heading(key), shown_value(key, one)] for key, one in value.items() if key not in nested]
    parts = [table(title, ("What", "Value"), rows)] if rows else []
    return parts + [_generic(f"{title}: {spaced(key)}", one) for key, one in nested.items()]


def _table_of(title, rows):
    keys = columns_of(rows)
    more = " (more columns are in the JSON)" if len(keys) > _MAX_COLUMNS else ""
    keys = keys[:_MAX_COLUMNS]
    cells = [[cell_of(key, one) for key in keys] for one in rows]
    shown = table(title + more, [heading(key, rows) for key in keys], cells)
    return shown if len(rows) <= _MAX_UNFOLDED else details(f"{title}: {len(rows)} rows", shown)


def _flat(value, prefix=""):
    found = {}
    for key, one in value.items():
        found |= _flat(one, f"{prefix}{key} ") if isinstance(one, dict) else {f"{prefix}{key}": one}
    return found
