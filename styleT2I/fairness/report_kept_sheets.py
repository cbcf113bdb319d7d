"""The pictures of an earlier page of the same audit, for a report whose cells are gone."""

from __future__ import annotations

import base64
import binascii
from html.parser import HTMLParser
from pathlib import Path

from styleT2I.fairness.report.contact_sheets import SheetRow

__all__ = ["sheets_of_page"]

_URI = "data:image/webp;base64,"


def sheets_of_page(page: str | Path, result: dict) -> dict[tuple[str, str], list[SheetRow]]:
    """Rows of pictures by (setting, composition), as `read_sheets` has them, out of the page that was written before.

    {} where there is no page, or it is that of another plan, model or judge: their hashes are in it.
    """
    try:
        text = Path(page).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    hashes = [result["plan_sha256"], result["judge"].get("sha256"), *result["model"]["components"].values()]
    if not all(sha256 in text for sha256 in hashes if sha256):
        return {}
    places = {f"cell-{index}": (one["setting"], one["cell"]) for index, one in enumerate(result["cells"])}
    reader = _Sheets()
    reader.feed(text)
    found = {places[anchor]: rows for anchor, rows in reader.found.items() if anchor in places and rows}
    return found if len(found) == len(reader.found) else {}


class _Sheets(HTMLParser):
    """Articles that are cells, and in each the figures that are rows of pictures."""

    def __init__(self):
        super().__init__()
        self.found = {}
        self._rows = self._outcome = self._image = self._caption = None

    def handle_starttag(self, name, attributes):
        given = dict(attributes)
        if name == "article":
            self._rows = self.found.setdefault(given.get("id"), [])
        elif name == "figure" and (given.get("class") or "").startswith("sheet "):
            self._outcome, self._image, self._caption = given["class"].split()[1], None, ""
        elif name == "img" and self._outcome:
            self._image = given

    def handle_endtag(self, name):
        if name == "article":
            self._rows = None
        elif name == "figure" and self._outcome:
            self._keep()
            self._outcome = None

    def handle_data(self, data):
        if self._outcome:
            self._caption += data

    def _keep(self):
        _, _, listed = self._caption.rpartition("seeds ")
        try:
            seeds = tuple(int(seed) for seed in listed.split(","))
            webp = base64.b64decode(self._image["src"].removeprefix(_URI), validate=True)
            size = int(self._image["width"]), int(self._image["height"])
        except (TypeError, KeyError, ValueError, binascii.Error):
            return
        if self._rows is not None:
            self._rows.append(SheetRow(self._outcome, seeds, webp, size))
