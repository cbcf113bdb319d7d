"""The pictures of an audit's cells, read back for its report."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.config import from_dict
from styleT2I.errors import DataError
from styleT2I.fairness.merge import kept_cells
from styleT2I.fairness.plan import AuditPlan
from styleT2I.torch_utils.files import check_writable_dir, write_bytes_atomic
from styleT2I.torch_utils.images import decode_image

__all__ = ["SheetRow", "keep_cells", "read_sheets"]

MAX_BYTES = 3_200_000  # of all pictures of a report; base64 adds a third
_QUALITIES = (90, 75, 60, 45, 30)


class SheetRow(NamedTuple):
    """Pictures of one outcome, side by side."""

    outcome: str  # "success", "failure" or "unsure"
    seeds: tuple[int, ...]
    webp: bytes
    size: tuple[int, int]  # width and height


def read_sheets(result: dict, folders: Iterable[str | Path]) -> dict[tuple[str, str], list[SheetRow]]:
    """Rows of pictures by (setting, composition), of those cells in the folders that the result was made of.

    A cell without a sheet, or with a damaged one, is left out.
    """
    found = [cell for cell in _cells_of(result, folders) if "sheet" in cell.content]
    sheets = {cell.place: _read_sheet(cell, MAX_BYTES // len(found)) for cell in found}
    return {place: rows for place, rows in sheets.items() if rows}


def keep_cells(result: dict, folders: Iterable[str | Path], outdir: str | Path) -> None:
    """Copy the cells that the result was made of, and their pictures, to outdir/cells, where they are not there yet."""
    target = check_writable_dir(Path(outdir) / "cells")
    for cell in list(_cells_of(result, folders)):
        for file in (cell.path.with_suffix(".png"), cell.path):
            if file.is_file() and not (target / file.name).exists():
                write_bytes_atomic(target / file.name, file.read_bytes())


def _cells_of(result, folders):
    """The cells in the folders that belong to the result, each once."""
    plan, seen = from_dict(AuditPlan, result["plan"]), set()
    for cell in kept_cells(plan, load_vocabulary(plan.vocabulary), folders):
        is_own = all(result.get(key) == value for key, value in cell.origin.items())
        if is_own and cell.place not in seen:
            seen.add(cell.place)
            yield cell


def _read_sheet(cell, budget):
    """Rows of one sheet in about so many bytes; none where the picture and its description do not fit."""
    try:
        sheet, png = cell.content["sheet"], cell.path.with_suffix(".png")
        tile, rows = int(sheet["tile"]), [(row["outcome"], tuple(row["seeds"])) for row in sheet["rows"]]
        pixels = decode_image(png.read_bytes(), png)
    except (OSError, ValueError, KeyError, TypeError, DataError):
        return []
    if not rows or pixels.shape[0] != len(rows) * tile or pixels.shape[1] < tile * max(len(seeds) for _, seeds in rows):
        return []
    share = budget // sum(len(seeds) for _, seeds in rows)  # of a picture
    found = []
    for index, (outcome, seeds) in enumerate(rows):
        row = pixels[index * tile : (index + 1) * tile, : len(seeds) * tile]
        found.append(SheetRow(outcome, seeds, *_webp(row, share * len(seeds))))
    return found


def _webp(pixels, budget):
    """A picture of this many bytes at most, as large and as good as that allows, and its width and height."""
    height, width = pixels.shape[:2]
    for scale in (1, 2, 4):
        size = width // scale, height // scale
        smaller = pixels if scale == 1 else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        for quality in _QUALITIES:
            bgr = np.ascontiguousarray(smaller[:, :, ::-1])
            _, data = cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, quality])
            if len(data) <= budget:
                return data.tobytes(), size
    return data.tobytes(), size
