"""The page as a PDF, printed by a Chromium or Chrome of this machine, small enough to be sent."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from styleT2I.errors import DependencyError, OutputError
from styleT2I.fairness.report.contact_sheets import SheetRow, read_sheets
from styleT2I.fairness.report.earlier_page import sheets_of_page
from styleT2I.fairness.report.page import render
from styleT2I.fairness.results import AuditResult
from styleT2I.torch_utils.files import write_bytes_atomic

__all__ = ["find_browser", "write_pdf"]

MAX_BYTES = 3_000_000
# Bytes of all images, and flags; the first attempt that is small enough is taken. A PDF keeps JPEG data as it is,
# and would unpack WebP. Tags tell a screen reader what is a heading or a table, and take half of a large file.
_ATTEMPTS = ((900_000, ()), (450_000, ()), (450_000, ("--disable-pdf-tagging",)))
_QUALITIES = (80, 65, 50, 35, 20)
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_FLAGS = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-pdf-header-footer",
)  # fmt: skip
_SECONDS = 180


def find_browser() -> str:
    """The program that CHROMIUM names in the environment, else the first Chromium or Chrome on the path.

    Raises:
        DependencyError: There is none.
    """
    named = os.environ.get("CHROMIUM")
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, _NAMES)), None)
    if not found:
        where = f"CHROMIUM names {named!r}, which is no program" if named else "none is on the path"
        raise DependencyError(
            f"a PDF needs Chromium or Chrome, and {where}; install one, name it in CHROMIUM, or print audit.html"
        )
    return found


def write_pdf(result: AuditResult, outdir: str | Path, folders: Iterable[str | Path], name: str = "audit") -> Path:
    """Print the page to outdir/NAME.pdf.

    Args:
        result: As `write_report` takes it.
        outdir: Of the report; where the cells are gone, the images come from the NAME.html that is there.
        folders: Where the cells are.
        name: Of the PDF, without its suffix.

    Returns:
        The path.

    Raises:
        DependencyError: There is no Chromium or Chrome.
        OutputError: It fails, or the file cannot be written.
    """
    browser, path = find_browser(), Path(outdir) / f"{name}.pdf"
    sheets = read_sheets(result, folders) or sheets_of_page(Path(outdir) / f"{name}.html", result)
    for budget, flags in _ATTEMPTS:
        pdf = _printed(browser, render(result, as_jpeg(sheets, budget)), flags, path)
        if len(pdf) <= MAX_BYTES:
            break
    write_bytes_atomic(path, pdf)
    return path


def _printed(browser: str, html: str, flags: Sequence[str], path: Path) -> bytes:
    """The PDF of a page. path: that of the file it becomes, for messages."""
    with tempfile.TemporaryDirectory() as folder:
        page, target = Path(folder) / "page.html", Path(folder) / "page.pdf"
        page.write_text(html, encoding="utf-8")
        given = [*_FLAGS, *flags, f"--user-data-dir={folder}/profile", f"--print-to-pdf={target}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            given.append("--no-sandbox")
        try:
            said = subprocess.run([browser, *given, page.as_uri()], capture_output=True, timeout=_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise OutputError(f"{path}: {browser} made no PDF: {error}; print audit.html instead") from error
        if not target.is_file():
            lines = said.stderr.decode(errors="replace").strip().splitlines()
            reason = lines[-1][:200] if lines else f"exit status {said.returncode}"
            raise OutputError(f"{path}: {browser} made no PDF: {reason}; print audit.html instead")
        return target.read_bytes()


def as_jpeg(sheets: Mapping[tuple[str, str], Sequence[SheetRow]], budget: int) -> dict[tuple[str, str], list[SheetRow]]:
    """Rows of images encoded as JPEG, together at most `budget` bytes as far as the least quality allows."""
    rows = {place: [(row, _decoded(row)) for row in found] for place, found in sheets.items()}
    for quality in _QUALITIES:
        made = {
            place: [row._replace(data=_encoded(pixels, quality), kind="image/jpeg") for row, pixels in found]
            for place, found in rows.items()
        }
        if sum(len(row.data) for found in made.values() for row in found) <= budget:
            break
    return made if rows else {}


def _decoded(row: SheetRow) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(row.data, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None  # written by `read_sheets`
    return pixels


def _encoded(pixels: np.ndarray, quality: int) -> bytes:
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
