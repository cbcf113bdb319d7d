"""Contact sheets: the first pictures of a cell by their outcome, in little memory however many there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from styleT2I.fairness.analysis.outcomes import FAILURE, SUCCESS, UNSURE
from styleT2I.torch_utils.images import centre_crop_resize

__all__ = ["MAX_TILE", "ROW_LENGTH", "Sheet"]

ROW_LENGTH = 12
MAX_TILE = 256  # px
OUTCOMES = {SUCCESS: "success", FAILURE: "failure", UNSURE: "unsure"}  # in the order of the rows


class Sheet:
    """Tiles of one cell's pictures, the first ROW_LENGTH of each outcome; a tile is as large as the first picture."""

    def __init__(self):
        self.tile = None
        self._rows = {letter: [] for letter in OUTCOMES}  # (seed, tile [tile, tile, 3])

    def add(self, letters: str, images_u8: Sequence[torch.Tensor], seeds: Sequence[int]) -> None:
        """Take pictures uint8 [3, H, W] with their outcomes, a letter each, and seeds."""
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
        """The rows [3, H, W] uint8, tile beside tile without a border; shorter rows end in white."""
        rows = [row for row in self._rows.values() if row]
        shape = len(rows) * self.tile, max(len(row) for row in rows) * self.tile, 3
        sheet = np.full(shape, 255, np.uint8)
        for top, row in enumerate(rows):
            for left, (_, tile) in enumerate(row):
                sheet[top * self.tile : (top + 1) * self.tile, left * self.tile : (left + 1) * self.tile] = tile
        return torch.from_numpy(sheet).permute(2, 0, 1)
