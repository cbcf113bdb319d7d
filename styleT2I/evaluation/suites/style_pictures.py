"""Pictures into and out of a style transfer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from styleT2I.torch_utils.images import centre_crop_resize, load_image, make_grid_u8, text_strip_u8

_FACE_SIZE = 128  # pixels, at least: small faces are enlarged
_STRIP_HEIGHT = 16  # narrow columns: a sentence should fit


def open_pictures(paths: Sequence[str | Path], resolution: int) -> torch.Tensor:
    """The centre squares of picture files, resized: [N, 3, R, R] uint8; DataError for what is no picture."""
    arrays = (load_image(path).permute(1, 2, 0).numpy() for path in paths)
    return torch.stack([torch.from_numpy(centre_crop_resize(array, resolution)).permute(2, 0, 1) for array in arrays])


def transfer_grid_u8(styles_u8: torch.Tensor, columns: Sequence[torch.Tensor], texts: Sequence[str]) -> torch.Tensor:
    """One picture [3, H, W] uint8: a row for every style picture [N, 3, R, R], which stands at its left, a column for
    every sentence with its N transfers."""
    scale = -(-_FACE_SIZE // styles_u8.shape[-1])
    parts = []
    for title, images_u8 in zip(("style of", *texts), (styles_u8, *columns), strict=True):
        column = make_grid_u8(images_u8, 1, scale=scale)
        parts.append(torch.cat([_title(title, column.shape[2]), column], dim=1))
    return torch.cat(parts, dim=2)


def _title(text, width):
    """A sentence over as many lines as three, each as wide as a column."""
    lines, size = [""], width // 6  # characters that fit
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > size:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return torch.cat([text_strip_u8(line, width, _STRIP_HEIGHT) for line in (lines + ["", ""])[:3]], dim=1)
