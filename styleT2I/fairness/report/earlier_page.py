"""Images of an earlier page of the same audit, for a report whose cells are gone."""

from __future__ import annotations

import base64
import binascii
from html.parser import HTMLParser
from pathlib import Path

from styleT2I.fairness.report.contact_sheets import SheetRow
from styleT2I.fairness.results import AuditResult

__all__ = ["sheets_of_page"]

_URI = "data:image/webp;base64,"


def sheets_of_page(page: str | Path, result: AuditResult) -> dict[tuple[str, str], list[SheetRow]]:
    """Rows of images by (setting, composition), as `read_sheets` gives them, from the page that was written before.

    {} where there is no page, or it is of another plan, model or judge: their hashes are in it.
    """
    try:
        text = Path(page).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    judge, model = result.provenance.judge, result.provenance.model
    hashes = [result.plan_sha256, judge.get("sha256"), *model["components"].values()]
    if not all(sha256 in text for sha256 in hashes if sha256):
        return {}
    places = {f"cell-{index}": cell.place for index, cell in enumerate(result.cells)}
    reader = _Sheets()
    reader.feed(text)
    sheets = {places[anchor]: rows for anchor, rows in reader.rows_by_id.items() if anchor in places and rows}
    return sheets if len(sheets) == len(reader.rows_by_id) else {}


class _Sheets(HTMLParser):
    """Reads the cells (article elements) of a page, and the rows of images (figure elements) in each."""

    def __init__(self):
        super().__init__()
        self.rows_by_id: dict[str | None, list[SheetRow]] = {}
        self._rows: list[SheetRow] | None = None  # of the article that is being read
        self._outcome = self._caption = ""  # of its figure
        self._image: dict[str, str | None] = {}

    def handle_starttag(self, name, attributes):
        given = dict(attributes)
        if name == "article":
            self._rows = self.rows_by_id.setdefault(given.get("id"), [])
        elif name == "figure" and (given.get("class") or "").startswith("sheet "):
            self._outcome, self._image, self._caption = (given["class"] or "").split()[1], {}, ""
        elif name == "img" and self._outcome:
            self._image = given

    def handle_endtag(self, name):
        if name == "article":
            self._rows = None
        elif name == "figure" and self._outcome:
            self._keep()
            self._outcome = ""

    def handle_data(self, data):
        if self._outcome:
            self._caption += data

    def _keep(self):
        _, _, listed = self._caption.rpartition("seeds ")
        try:
            seeds = tuple(int(seed) for seed in listed.split(","))
            source, width, height = (self._image[key] or "" for key in ("src", "width", "height"))
            webp = base64.b64decode(source.removeprefix(_URI), validate=True)
            size = int(width), int(height)
        except (KeyError, ValueError, binascii.Error):
            return
        if self._rows is not None:
            self._rows.append(SheetRow(self._outcome, seeds, webp, size))
