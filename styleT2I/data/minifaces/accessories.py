"""Accessories: glasses, a hat, earrings."""

from __future__ import annotations

import torch

from styleT2I.data.minifaces.canvas import arc, box, ellipse
from styleT2I.data.minifaces.palette import EARRING_GLINT, EARRING_RIM, GLASS, rgb
from styleT2I.data.minifaces.portrait import Portrait


def paint_glasses(p: Portrait) -> None:
    """Two tinted lenses, angular to round, their frame, bridge and arms."""
    on = p.on["eyeglasses"]
    x, y, rect = p.part(-0.55, 0.55, -0.28, 0.16)
    dx, dy = x - p.turn, y - p.eye_y - 0.01
    thick = 0.015 + 0.006 * p.much["eyeglasses"]
    radius = 0.075 + 0.035 * p.nuisance["glasses_shape"]
    lens = box(dx.abs() - p.eye_dx - 0.005, dy, 0.135, 0.112, radius)
    p.fill(lens, rgb(GLASS), None, rect, 0.16 * on)
    bridge = box(dx, dy + 0.03, 0.045, thick, 0.01)
    arms = torch.maximum(box(dx.abs() - 0.36, dy + 0.035, 0.065, thick, 0.01), dx.abs() - p.face_w - 0.02)
    frame = torch.minimum(torch.minimum(lens.abs() - thick, bridge), arms)
    p.fill(frame, p.colours.frame, "glasses", rect, on)


def paint_hat(p: Portrait) -> None:
    """A bowler above the hairline: hair, bangs and earrings stay in sight."""
    on = p.on["hat"]
    x, y, rect = p.part(-0.8, 0.8, -1, -0.2)
    rise = 0.03 * (p.much["hat"] - 0.9) * 5
    crown = torch.maximum(ellipse(x, y + 0.44, p.face_w + 0.075, 0.42 + rise), y + 0.42)
    shine = 0.25 * torch.exp(-((x + 0.16) / 0.12).square() - ((y + 0.66) / 0.12).square())
    shade = 1 + 0.20 * (0.2 - x.abs()) + shine
    p.fill(crown, p.colours.hat * shade.unsqueeze(1), "hat", rect, on)
    band = torch.maximum(crown, (y + 0.47).abs() - 0.035)
    p.fill(band, p.colours.hat * 0.45, "hat", rect, on)
    brim = arc(x, y + 0.435, 0.60, 0.035, 0.055)
    p.fill(brim, p.colours.hat * 0.82, "hat", rect, on)


def paint_earrings(p: Portrait) -> None:
    """A rimmed disc with a glint below each ear."""
    on = p.on["earrings"]
    for side in (-1, 1):
        x, y, rect = p.side_part(side, 0.25, 0.75, 0.05, 0.5)
        dx, dy = x - side * (p.face_w + 0.045), y - 0.245
        radius = 0.098 + 0.012 * (p.much["earrings"] - 0.8) * 5
        disc = torch.sqrt(dx * dx + dy * dy) - radius
        p.fill(disc, rgb(EARRING_RIM), "earrings", rect, on)
        p.fill(disc + 0.032, p.colours.earring, "earrings", rect, on)
        p.fill(ellipse(dx + 0.02, dy + 0.025, 0.022, 0.022), rgb(EARRING_GLINT), "earrings", rect, on * 0.8)
