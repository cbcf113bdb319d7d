"""Contact sheets: the first images of a cell by their outcome, in little memory, and their place on the page."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.errors import DataError
from styleT2I.fairness.analysis.outcomes import FAILURE, SUCCESS, UNSURE
from styleT2I.fairness.cells.cached import CachedCell, cached_cells
from styleT2I.fairness.results import AuditResult, to_json
from styleT2I.torch_utils.files import check_writable_dir, write_bytes_atomic
from styleT2I.torch_utils.images import centre_crop_resize, decode_image

__all__ = ["MAX_TILE", "ROW_LENGTH", "Sheet", "SheetRow", "cells_of", "keep_cells", "read_sheets"]

ROW_LENGTH = 12
MAX_TILE = 256  # px
OUTCOMES = {SUCCESS: "success", FAILURE: "failure", UNSURE: "unsure"}  # in the order of the rows


class Sheet:
    """Tiles of the images of a cell, the first ROW_LENGTH of each outcome; a tile is as large as the first image."""

    def __init__(self):
        self.tile = 0  # side of a tile, px; that of the first image decides
        self._rows: dict[str, list[tuple[int, np.ndarray]]] = {letter: [] for letter in OUTCOMES}  # seed and tile

    def add(self, letters: str, images_u8: Sequence[torch.Tensor], seeds: Sequence[int]) -> None:
        """Take images uint8 [3, H, W] with their seeds and outcomes, one character per image."""
        for letter, image, seed in zip(letters, images_u8, seeds, strict=True):
            if len(self._rows[letter]) < ROW_LENGTH:
                self.tile = self.tile or min(MAX_TILE, *image.shape[1:])
                array = image.cpu().permute(1, 2, 0).numpy()
                self._rows[letter].append((int(seed), centre_crop_resize(array, self.tile).copy()))

    def describe(self) -> dict:
        """Size of a tile in pixels, and the outcome and seeds of every row that is not empty."""
        rows = [
            {"outcome": OUTCOMES[letter], "seeds": [seed for seed, _ in row]}
            for letter, row in self._rows.items()
            if row
        ]
        return {"tile": self.tile, "rows": rows}

    def image_u8(self) -> torch.Tensor:
        """The rows as one image uint8 [3, H, W], tile beside tile without a border; shorter rows end in white."""
        rows = [row for row in self._rows.values() if row]
        shape = len(rows) * self.tile, max(len(row) for row in rows) * self.tile, 3
        sheet = np.full(shape, 255, np.uint8)
        for top, row in enumerate(rows):
            for left, (_, tile) in enumerate(row):
                sheet[top * self.tile : (top + 1) * self.tile, left * self.tile : (left + 1) * self.tile] = tile
        return torch.from_numpy(sheet).permute(2, 0, 1)


MAX_BYTES = 3_200_000  # of all images of a report; base64 adds a third
_QUALITIES = (90, 75, 60, 45, 30)


class SheetRow(NamedTuple):
    """Images of one outcome side by side, encoded."""

    outcome: str  # "success", "failure" or "unsure"
    seeds: tuple[int, ...]
    data: bytes
    size: tuple[int, int]  # width and height
    kind: str = "image/webp"


def read_sheets(result: AuditResult, folders: Iterable[str | Path]) -> dict[tuple[str, str], list[SheetRow]]:
    """Rows of images by (setting, composition), of the cells in the folders that belong to the result.

    A cell without a sheet, or with a damaged one, is left out.
    """
    cells = [cell for cell in cells_of(result, folders) if "sheet" in cell.content]
    sheets = {cell.place: _read_sheet(cell, MAX_BYTES // len(cells)) for cell in cells}
    return {place: rows for place, rows in sheets.items() if rows}


def keep_cells(result: AuditResult, folders: Iterable[str | Path], outdir: str | Path) -> None:
    """Copy the cells that belong to the result, with their images, to outdir/cells where they are not there yet."""
    target = check_writable_dir(Path(outdir) / "cells")
    for cell in list(cells_of(result, folders)):
        for file in (cell.path.with_suffix(".png"), cell.path):
            if file.is_file() and not (target / file.name).exists():
                write_bytes_atomic(target / file.name, file.read_bytes())


def cells_of(result: AuditResult, folders: Iterable[str | Path]) -> Iterator[CachedCell]:
    """The cells in the folders that belong to the result, each once."""
    plan, provenance, seen = result.plan, to_json(result.provenance), set()
    for cell in cached_cells(plan, load_vocabulary(plan.vocabulary), folders):
        is_own = all(provenance.get(key) == value for key, value in cell.origin.items())
        if is_own and cell.place not in seen:
            seen.add(cell.place)
            yield cell


def _read_sheet(cell, budget):
    """Rows of one sheet in about `budget` bytes; none where the image and its description do not fit together."""
    try:
        sheet, png = cell.content["sheet"], cell.path.with_suffix(".png")
        tile, rows = int(sheet["tile"]), [(row["outcome"], tuple(row["seeds"])) for row in sheet["rows"]]
        data = png.read_bytes()
        pixels = decode_image(data, png)
    except (OSError, ValueError, KeyError, TypeError, DataError):
        return []
    if sheet.get("sha256") not in (None, hashlib.sha256(data).hexdigest()):  # changed since it was written
        return []
    if not rows or pixels.shape[0] != len(rows) * tile or pixels.shape[1] < tile * max(len(seeds) for _, seeds in rows):
        return []
    per_image = budget // sum(len(seeds) for _, seeds in rows)
    shown = []
    for index, (outcome, seeds) in enumerate(rows):
        row = pixels[index * tile : (index + 1) * tile, : len(seeds) * tile]
        shown.append(SheetRow(outcome, seeds, *_webp(row, per_image * len(seeds))))
    return shown


def _webp(pixels, budget):
    """WebP data of at most `budget` bytes, as large and as good as that allows, and its width and height."""
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
