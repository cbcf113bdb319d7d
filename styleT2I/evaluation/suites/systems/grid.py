"""The comparison as an image: one row per sentence, one column per system, the same seeds everywhere."""

from __future__ import annotations

import torch

from styleT2I.evaluation.suites import Request
from styleT2I.evaluation.suites.compositions.cells import composition_cells
from styleT2I.torch_utils.images import make_grid_u8, text_strip_u8, to_uint8

_SEEDS = (0, 1)
_FACE_SIZE = 128  # pixels, at least: small faces are enlarged


def systems_grid(request: Request) -> torch.Tensor:
    """One image [3, H, W] uint8: rare compositions, each below its frequent twin, by every system.

    Above a row stand its sentence and how often the biased training scenes show it, above each column its system.
    PromptError where a system cannot read the sentences.
    """
    rows, world = request.options["rows"], request.needed_world()
    unseen = {composition.name for composition in world.held_out}
    cells = [cell for cell in composition_cells(world, 1) if cell.composition in world.shown]
    cells.sort(key=lambda cell: (world.shown.index(cell.composition), cell.kind))  # "frequent" comes before "rare"
    strips, columns = [], [[] for _ in rows]
    for cell in cells:
        often = "never in training" if cell.composition in unseen else "rare in training"
        strips.append(f"{cell.sentences[0]}  ({often if cell.kind == 'rare' else 'frequent'})")
        for row, column in zip(rows, columns, strict=True):
            drawn = row.system.sample([row.system.understand(cell.sentences[0])] * len(_SEEDS), _SEEDS)
            scale = -(-_FACE_SIZE // row.system.resolution)
            column.append(make_grid_u8(to_uint8(drawn), len(_SEEDS), scale=scale))
    height = max(column[0].shape[1] for column in columns)
    bands = [torch.cat([_padded(image, height) for image in band], dim=2) for band in zip(*columns, strict=True)]
    titles = [text_strip_u8(row.name, column[0].shape[2]) for row, column in zip(rows, columns, strict=True)]
    parts = [torch.cat(titles, dim=2)]
    for text, band in zip(strips, bands, strict=True):
        parts += [text_strip_u8(text, band.shape[2]), band]
    return torch.cat(parts, dim=1)


def _padded(image_u8, height):
    """The image on white, `height` pixels high."""
    white = image_u8.new_full((3, height - image_u8.shape[1], image_u8.shape[2]), 255)
    return torch.cat([image_u8, white], dim=1)
