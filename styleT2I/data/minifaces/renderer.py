"""Paints MiniFaces scenes: cartoon portraits of any size, anti-aliased, with the visible region of every part."""

from __future__ import annotations

import torch
from torch import Tensor

from styleT2I.data.minifaces.accessories import paint_earrings, paint_glasses, paint_hat
from styleT2I.data.minifaces.canvas import Canvas, box, ellipse
from styleT2I.data.minifaces.face import paint_ears, paint_eyes, paint_head, paint_mouth, paint_nose, paint_wrinkles
from styleT2I.data.minifaces.hair import paint_beard, paint_brows, paint_hair_behind, paint_hair_front
from styleT2I.data.minifaces.palette import mix
from styleT2I.data.minifaces.portrait import Portrait
from styleT2I.data.minifaces.scene import Scenes


def paint_background(p: Portrait) -> None:
    """One colour, darker towards the corners."""
    x, y = p.canvas.grid_x, p.canvas.grid_y
    fade = 1 - 0.16 * (x * x + y * y) - 0.10 * p.nuisance["background_gradient"] * y
    p.canvas.paint(torch.ones_like(p.x), p.colours.background * fade.unsqueeze(1), "background")


def paint_body(p: Portrait) -> None:
    """Shoulders, neck and the opening of the collar; "clothes" is no region, but it hides those behind it."""
    he = p.on["he"]
    x, y, rect = p.part(-1, 1, 0.3, 1)
    shoulders = ellipse(x, y - 1.06, mix(0.72, 0.84, he), 0.43)
    p.fill(shoulders, p.colours.clothes * (1.05 - 0.25 * (y - 0.7)).unsqueeze(1), "clothes", rect)
    neck_w = mix(0.125, 0.175, he) + 0.015 * p.nuisance["neck"]
    neck = box(x, y - 0.55, neck_w, 0.26, 0.06)
    shadow = 0.84 - 0.10 * (0.6 - y).clamp(0, 0.3) * 2  # of the chin
    p.fill(neck, p.colours.skin * shadow.unsqueeze(1), "skin", rect)
    opening = ellipse(x, y - 0.74, neck_w + 0.05, 0.09 + 0.03 * p.nuisance["collar"])
    p.fill(opening, p.colours.skin * 0.88, "skin", rect)


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
