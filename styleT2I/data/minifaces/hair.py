"""Hair of every kind: behind the head, around the face with or without bangs, brows and beard."""

from __future__ import annotations

import torch
from torch import Tensor

from styleT2I.data.minifaces.canvas import arc, box, ellipse
from styleT2I.data.minifaces.palette import mix
from styleT2I.data.minifaces.portrait import Portrait


def paint_hair_behind(p: Portrait) -> None:
    """The crown and the locks that hang down behind the ears; short (he)."""
    he, x, y = p.on["he"], p.x, p.y
    width = p.face_w + mix(0.125, 0.02, he) + 0.02 * p.nuisance["hair_volume"]
    bottom = mix(0.52, 0.02, he) + 0.09 * p.nuisance["hair_length"] * (1 - he)
    crown = ellipse(x, y + 0.12, width, 0.50 + 0.02 * p.nuisance["hair_volume"])
    middle = (bottom - 0.15) / 2
    flare = 1 + 0.10 * (y / 0.5).clamp(0, 1) * (1 - he)
    locks = box(x / flare, y - middle, width, (bottom + 0.15) / 2, 0.16)
    shade = _hair_shade(p, x, y) * (1 - 0.22 * (y + 0.1).clamp(0, 1)).unsqueeze(1)
    p.fill(torch.minimum(crown, locks), shade * 0.88, "hair")


def paint_hair_front(p: Portrait) -> None:
    """A cap of hair minus the bare face: all of the forehead, or what is below the bangs."""
    he, bangs = p.on["he"], p.on["bangs"]
    x, y, rect = p.part(-0.7, 0.7, -0.8, 0.3)
    volume = 0.02 * p.nuisance["hair_volume"]
    cap = ellipse(x, y + 0.13, p.face_w + mix(0.105, 0.045, he) + volume, 0.475 + volume)
    parting = 0.14 * p.nuisance["parting"]
    receding = 0.05 * p.on["old"]
    hairline = -0.345 - receding - 0.5 * p.tilt
    forehead = ellipse(x - 0.3 * parting, y - 0.16, p.face_w * mix(0.90, 0.97, he), 0.16 - hairline)
    fringe_end = p.eye_y - 0.155 + 0.012 * torch.sin(30 * x + 8 * parting)
    bare = torch.maximum(forehead, -(y - fringe_end) * bangs - (1 - bangs))
    sideburn = mix(0.30, -0.02, he)
    distance = torch.maximum(torch.maximum(cap, -bare), y - sideburn)
    p.fill(distance, _hair_shade(p, x, y), "hair", rect)
    strand = (fringe_end - y).abs() - 0.012
    edge = torch.maximum(torch.maximum(strand, forehead), cap)
    p.fill(edge, p.colours.hair * 0.62, "hair", rect, bangs * 0.8, 1.3)


def paint_brows(p: Portrait) -> None:
    """Arched brows, thicker and lower (he); part of the region "skin"."""
    he = p.on["he"]
    for side in (-1, 1):
        x, y, rect = p.side_part(side, -0.04, 0.42, -0.36, -0.06)
        dx = side * (x - side * p.eye_dx - p.turn)
        dy = y - p.eye_y + mix(0.140, 0.118, he) + (0.10 * p.nuisance["brow_angle"]) * dx
        thick = mix(0.014, 0.030, he) + 0.004 * p.nuisance["brow_thickness"]
        p.fill(arc(dx, dy, 0.115, 0.030, thick), p.colours.brow, "skin", rect)


def paint_beard(p: Portrait) -> None:
    """A full beard along the jaw, with a moustache; the cheeks stay bare."""
    beard = p.on["beard"]
    x, y, rect = p.part(-0.55, 0.55, 0.0, 0.75)
    length = 0.05 + 0.03 * p.nuisance["beard_length"] + 0.04 * (p.much["beard"] - 0.8)
    narrowing = p.chin_narrowing((y.clamp_min(0) / p.face_h).clamp_max(1.2))
    outer = ellipse(x / narrowing, y - 0.05, p.face_w + 0.012, p.face_h + length - 0.05)
    cheek = ellipse(x - 0.5 * p.turn, y - 0.02, p.face_w * 0.80, 0.22)
    distance = torch.maximum(torch.maximum(outer, -cheek), 0.10 - y)
    shade = 1 + 0.07 * torch.sin(46 * x) - 0.15 * (y - 0.35)
    p.fill(distance, p.colours.beard * shade.unsqueeze(1), "beard", rect, beard)
    moustache = arc(x - p.turn, y - p.mouth_y + 0.088, 0.165, 0.045, 0.034)
    p.fill(moustache, p.colours.beard * 0.94, "beard", rect, beard)


def _hair_shade(p: Portrait, x: Tensor, y: Tensor) -> Tensor:
    """Strands and a sheen over the hair colour, [N, 3, h, w]."""
    strands = 0.05 * torch.sin(34 * x + 5 * y * x.sign())
    sheen = 0.20 * torch.exp(-((y + 0.40 - 0.5 * x * x) / 0.09).square())
    depth = -0.14 * (x.abs() * 1.6).clamp_max(1)
    return p.colours.hair * (1 + strands + sheen + depth).unsqueeze(1) + 0.05 * sheen.unsqueeze(1)
