"""Pictures of a cell that is not finished, so that a killed audit of what draws slowly draws none of them again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from styleT2I.torch_utils.images import load_image, save_png

__all__ = ["UnfinishedCell"]


class UnfinishedCell:
    """A PNG a seed in a folder of its own, there until the cell is finished; with None nothing is kept."""

    def __init__(self, folder: Path | None):
        self.folder = folder

    def pictures(
        self, seeds: Sequence[int], draw: Callable[[Sequence[int]], Sequence[torch.Tensor]]
    ) -> list[torch.Tensor]:
        """Pictures uint8 [3, H, W] of seeds: those kept, and the others as draw(seeds) gives them, one by one."""
        if self.folder is None:
            return draw(seeds)
        self.folder.mkdir(exist_ok=True)
        return [self._picture(seed, draw) for seed in seeds]

    def finish(self) -> None:
        """Drop the pictures."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _picture(self, seed, draw):
        path = self.folder / f"{seed}.png"
        if path.is_file():
            return load_image(path)
        (picture,) = draw([seed])
        save_png(path, picture)
        return picture
