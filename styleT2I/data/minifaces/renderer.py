"""Paints MiniFaces scenes: cartoon portraits of any size, anti-aliased, with the visible region of every part."""

from __future__ import annotations

import torch
from torch import Tensor

from styleT2I.data.minifaces.accessories import paint_earrings, paint_glasses, paint_hat
from styleT2I.data.minifaces.backdrop import paint_background, paint_body
from styleT2I.data.minifaces.canvas import Canvas
from styleT2I.data.minifaces.face import paint_ears, paint_eyes, paint_head, paint_mouth, paint_nose, paint_wrinkles
from styleT2I.data.minifaces.hair import paint_beard, paint_brows, paint_hair_behind, paint_hair_front
from styleT2I.data.minifaces.portrait import Portrait
from styleT2I.data.minifaces.scene import Scenes

REGIONS = ("hair", "skin", "eyes", "glasses", "mouth", "beard", "ears", "earrings", "hat", "background")
_LAYERS = (  # back to front
    paint_background,
    paint_hair_behind,
    paint_body,
    paint_ears,
    paint_head,
    paint_eyes,
    paint_nose,
    paint_beard,
    paint_wrinkles,
    paint_mouth,
    paint_hair_front,
    paint_brows,
    paint_glasses,
    paint_hat,
    paint_earrings,
)
_CHUNK = 32  # images painted at once: small enough for the caches


def render(scenes: Scenes, size: int = 64, with_masks: bool = False) -> tuple[Tensor, Tensor | None]:
    """Paint scenes, size x size pixels each.

    Returns the images, float [N, 3, size, size] in [-1, 1], and the visible area of each of REGIONS, bool
    [N, 10, size, size], or None without masks.
    """
    images, masks = [], []
    for start in range(0, len(scenes), _CHUNK):
        chunk = scenes[start : start + _CHUNK]
        canvas = Canvas(len(chunk), size, REGIONS if with_masks else ())
        portrait = Portrait(chunk, canvas)
        for paint in _LAYERS:
            paint(portrait)
        images.append(canvas.rgb.clamp(0, 1) * 2 - 1)
        if with_masks:
            masks.append(canvas.masks())
    return torch.cat(images), torch.cat(masks) if with_masks else None
