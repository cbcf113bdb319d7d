"""HTML and SVG elements from values. Everything that is not markup is escaped, so no name or sentence becomes any."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import unicodedata
from collections.abc import Iterable, Sequence

__all__ = ["PLAIN_STYLE", "Markup", "Section", "data_uri", "details", "document", "scrolled", "section", "table", "tag"]

_NUMBER_STARTS = tuple("0123456789+−-±<")
_LONG = 34  # characters of a cell beyond which its lines break
PLAIN_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222;"
    "background:#fff}h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}img{max-width:100%}"
    "table{border-collapse:collapse}caption{text-align:left;color:#555;padding:.3rem 0}"
    "th,td{border-bottom:1px solid #ddd;padding:.25rem .7rem;text-align:left;vertical-align:top}"
    ".num{text-align:right;font-variant-numeric:tabular-nums}.scroll{overflow-x:auto}code{background:#f3f3f3}"
)  # of pages without a style sheet of their own
_VOID = {"br", "col", "hr", "img", "meta"}
# Controls and marks of direction are shown by number: one in a name could turn round the text beside it.
_PER_CENT = re.compile(r"(\d) %")  # a number and its sign stay on one line
_UNSEEN = {"Cc", "Cf", "Co", "Cs"}


class Markup(str):
    """Text that is HTML."""


class Section(Markup):
    """A part of the page with its entry in the table of contents."""

    anchor: str
    heading: str


def tag(name: str, /, *children, **attributes) -> Markup:
    """An element. Children: Markup as it is, None left out, several at once, anything else as escaped text.

    Attributes: None and False are left out, True has no value; "class_" is class, "aria_label" is aria-label.
    """
    listed = "".join(
        _attribute(key, value) for key, value in attributes.items() if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{listed}>")
    return Markup(f"<{name}{listed}>{_inside(children)}</{name}>")


def data_uri(kind: str, data: bytes) -> str:
    """A file as an address that needs no file; kind: its media type."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def document(title: str, style: str, *body) -> str:
    """A page that loads nothing: its policy allows one style sheet, known by its hash, and images inside the page."""
    sha256 = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{sha256}'; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", Markup(style)),
    )
    return "<!doctype html>\n" + tag("html", head, tag("body", *body), lang="en") + "\n"


def section(anchor: str, heading: str, *body) -> Section:
    """A part of the page under its heading, which links point to by `anchor`."""
    title = tag("h2", heading, id=f"{anchor}-title")
    part = Section(tag("section", title, *body, id=anchor, aria_labelledby=f"{anchor}-title"))
    part.anchor, part.heading = anchor, heading
    return part


def details(summary: str, *body, is_open: bool = False) -> Markup:
    """A part that opens on a click, and is open in print."""
    return tag("details", tag("summary", summary), *body, open=is_open)


def table(caption: str, columns: Sequence, rows: Iterable[Sequence], class_: str | None = None) -> Markup:
    """A table that scrolls sideways where it is wider than the page; the first cell of a row is its heading.

    columns: texts, or whole header rows. A cell that is a <td> is taken as it is.
    """
    rows = list(rows)
    if not (columns and isinstance(columns[0], Markup)):
        numbers = [False, *map(_is_number, rows[0][1:])] if rows else [False] * len(columns)
        headings = zip(columns, numbers, strict=True)
        columns = tag(
            "tr", [tag("th", text, scope="col", class_="num" if is_num else None) for text, is_num in headings]
        )
    body = [tag("tr", tag("th", row[0], scope="row"), map(_cell, row[1:])) for row in rows]
    parts = tag("caption", caption), tag("thead", columns), tag("tbody", body)
    return scrolled(f"Table: {caption}", tag("table", *parts, class_=class_))


def scrolled(label: str, *body) -> Markup:
    """A part that scrolls sideways where it is wider than the page; reachable by keyboard."""
    return tag("div", *body, class_="scroll", role="region", aria_label=label, tabindex=0)


def _cell(cell):
    if isinstance(cell, Markup) and cell.startswith("<td"):
        return cell
    return tag("td", cell, class_="num" if _is_number(cell) else "text" if len(str(cell)) > _LONG else None)


def _is_number(cell):
    return str(cell).startswith('<td class="num"' if isinstance(cell, Markup) else _NUMBER_STARTS)


def _inside(child) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, str) or not isinstance(child, Iterable):
        return _escaped(str(child))
    return "".join(map(_inside, child))


def _attribute(key, value):
    key = key.rstrip("_").replace("_", "-")
    return f" {key}" if value is True else f' {key}="{_escaped(str(value))}"'


def _escaped(text):
    shown = (c if c in "\n\t" or unicodedata.category(c) not in _UNSEEN else f"\\u{ord(c):04x}" for c in text)
    return _PER_CENT.sub("\\1\u00a0%", html.escape("".join(shown)))
