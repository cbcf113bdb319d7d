"""Everything behind the head: background, clothes and neck."""

from __future__ import annotations

import torch

from styleT2I.data.minifaces.canvas import box, ellipse
from styleT2I.data.minifaces.palette import mix
from styleT2I.data.minifaces.portrait import Portrait


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
