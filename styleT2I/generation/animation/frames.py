"""Frames of a video: faces side by side at every point of their ways, a few drawn at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch

from styleT2I.errors import ConfigError
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.torch_utils.images import text_strip_u8

MAX_SIDE = 4096  # pixels of a frame, which is what players take
_LABEL_HEIGHT = 20  # pixels of a line of text above a face


def layout(num_cells: int, columns: int | None, size: int, has_labels: bool) -> tuple[int, int, int]:
    """Columns, width and height in pixels of a frame of `num_cells` faces of `size` pixels.

    columns: faces in a row; None: as near a square as there is, wider than high. Both sides are even, as H.264 wants
    them. ConfigError where the frame would be larger than MAX_SIDE.
    """
    columns = min(columns or int(np.ceil(np.sqrt(num_cells))), num_cells)
    rows = -(-num_cells // columns)
    width, height = columns * size, rows * (size + _LABEL_HEIGHT * has_labels)
    if max(width, height) > MAX_SIDE:
        raise ConfigError(
            f"frames of {width} x {height} pixels are larger than {MAX_SIDE}; take a smaller --size or fewer faces"
        )
    return columns, width + width % 2, height + height % 2


def frames_u8(
    pipeline: StyleT2I,
    ways: Sequence[torch.Tensor],
    *,
    size: int,
    columns: int | None = None,
    labels: Sequence[Sequence[str]] | None = None,
    noise_mode: str = "const",
) -> Iterator[np.ndarray]:
    """Frame after frame of faces that go their ways at the same time.

    Args:
        pipeline: Draws the latents.
        ways: C ways, each ws [F, num_ws, w_dim].
        size: Pixels of a face; it is enlarged (cubic) or made smaller (by area) from what the model draws.
        columns: Faces in a row; None: see `layout`.
        labels: For each way a line of text per frame, written above its face; None: no text.
        noise_mode: "const" or "none": noise that changes from frame to frame would flicker.

    Yields:
        F frames [H, W, 3] uint8 RGB, white where there is no face.
    """
    columns, width, height = layout(len(ways), columns, size, labels is not None)
    top = _LABEL_HEIGHT if labels is not None else 0
    for k in range(len(ways[0])):
        images = pipeline.images_u8(torch.stack([way[k] for way in ways]), range(len(ways)), noise_mode)
        frame = np.full((height, width, 3), 255, np.uint8)
        for cell, image in enumerate(images.permute(0, 2, 3, 1).numpy()):
            y, x = cell // columns * (size + top), cell % columns * size
            if labels is not None:
                strip = text_strip_u8(labels[cell][k], size, top)
                frame[y : y + top, x : x + size] = strip.permute(1, 2, 0).numpy()
            frame[y + top : y + top + size, x : x + size] = _resized(image, size)
        yield frame


def _resized(image, size):
    if image.shape[0] == size:
        return image
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if image.shape[0] > size else cv2.INTER_CUBIC)
