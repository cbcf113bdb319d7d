"""The head and what belongs to every face: ears, eyes, nose, mouth, and the lines of old age."""

from __future__ import annotations

import torch

from styleT2I.data.minifaces.canvas import arc, ellipse, segment
from styleT2I.data.minifaces.palette import EYE_WHITE, GLINT, INK, TEETH, mix, rgb
from styleT2I.data.minifaces.portrait import Portrait

_CREASE_OPACITY, _CREASE_SOFTNESS = 0.85, 1.2


def paint_ears(p: Portrait) -> None:
    """Two ears with their hollows, half behind the head."""
    size = 1 + 0.12 * p.nuisance["ears"]
    for side in (-1, 1):
        x, y, rect = p.part(-0.62, 0.62, -0.3, 0.3)
        dx, dy = x - side * (p.face_w + 0.015), y - 0.02
        p.fill(ellipse(dx, dy, 0.065 * size, 0.115 * size), p.colours.skin * 0.90, "ears", rect)
        p.fill(ellipse(dx, dy, 0.030 * size, 0.065 * size), p.colours.skin * 0.74, "ears", rect)


def paint_head(p: Portrait) -> None:
    """The head, lit from one side as a ball would be, with a blush on the cheeks."""
    x, y, rect = p.part(-0.62, 0.62, -0.7, 0.7)
    u, v = x / (p.face_w * 1.15), y / (p.face_h * 1.15)
    roundness = torch.sqrt((1 - u * u - v * v).clamp_min(0.02))
    light_x, light_y = 0.45 * p.nuisance["light_x"], 0.45 * p.nuisance["light_y"]
    light = (0.13 + 0.05 * p.nuisance["light_strength"]) * (u * light_x * 2 + v * light_y * 2)
    shade = 0.80 + 0.22 * roundness + light  # [N, h, w]
    p.fill(p.face_distance(x, y), p.colours.skin * shade.unsqueeze(1), "skin", rect)
    for side in (-1, 1):
        glow = torch.exp(-(((x - side * 0.22 - p.turn) / 0.10).square() + ((y - 0.14) / 0.07).square()))
        p.canvas.paint(glow * (0.16 + 0.14 * p.nuisance["blush"]), p.colours.blush, None, rect)


def paint_eyes(p: Portrait) -> None:
    """White, iris, pupil, glint and lid of both eyes; lashes (she)."""
    he, size = p.on["he"], 1 + 0.09 * p.nuisance["eye_size"]
    for side in (-1, 1):
        x, y, rect = p.side_part(side, -0.02, 0.42, -0.26, 0.12)
        dx, dy = x - side * p.eye_dx - p.turn, y - p.eye_y
        white = ellipse(dx, dy, 0.088 * size, mix(0.056, 0.046, he) * size)
        p.fill(white, rgb(EYE_WHITE), "eyes", rect)
        inside = p.canvas.coverage(white)
        gx = dx - 0.018 * p.nuisance["gaze"]
        p.fill(ellipse(gx, dy, 0.050 * size, 0.052 * size), p.colours.iris, "eyes", rect, inside)
        p.fill(ellipse(gx, dy, 0.024 * size, 0.026 * size), rgb(INK), "eyes", rect, inside)
        p.fill(ellipse(gx + 0.018, dy + 0.02, 0.013, 0.013), rgb(GLINT), "eyes", rect)
        lid = arc(dx, dy + 0.052 * size, 0.098 * size, 0.034, mix(0.023, 0.012, he))
        p.fill(lid, rgb(INK), "eyes", rect)
        for k in (0, 1):
            lash = segment(side * dx, dy, 0.075, -0.03 - 0.012 * k, 0.128, -0.045 - 0.04 * k, 0.011)
            p.fill(lash, rgb(INK), "eyes", rect, 1 - he)


def paint_nose(p: Portrait) -> None:
    """One side of the bridge in shadow, the line below the tip, and its shine."""
    x, y, rect = p.part(-0.22, 0.22, -0.1, 0.26)
    dx, dy = x - 1.35 * p.turn, y - p.tilt  # it stands out, so it moves more than the face that turns
    tip = 0.115 + 0.02 * p.nuisance["nose_length"]
    wide = 0.052 + 0.010 * p.nuisance["nose_width"]
    bridge = segment(dx, dy, 0.012, -0.03, wide, tip - 0.02, 0.010)
    p.fill(bridge, p.colours.skin * 0.74, "skin", rect, 0.55, 1.6)
    p.fill(arc(dx, dy - tip, wide, -0.022, 0.014), p.colours.skin * 0.56, "skin", rect, 0.9)
    p.fill(ellipse(dx + 0.012, dy - tip + 0.045, 0.016, 0.020), p.colours.skin * 1.14, "skin", rect, 0.6, 1.5)


def paint_wrinkles(p: Portrait) -> None:
    """Old age: folds, hollow cheeks, bags, crow's feet, lines on forehead and neck; no other part hides them all."""
    old = p.on["old"] * p.much["old"]
    x, y, rect = p.part(-0.5, 0.5, -0.55, 0.6)
    fx, fy = x - p.turn, y - p.tilt
    eye_y = fy - p.eye_y + p.tilt
    lines = [arc(fx, fy + 0.235 + 0.075 * k, 0.20 - 0.03 * k, 0.018, 0.013) for k in (0, 1)]  # forehead
    for side in (-1, 1):
        sx = side * fx
        lines.append(segment(sx, fy, 0.105, 0.115, 0.225, 0.30, 0.021))  # nasolabial fold
        lines.append(segment(sx, fy, 0.275, 0.13, 0.285, 0.33, 0.016))  # hollow of the cheek
        lines.append(arc(sx - p.eye_dx, eye_y - 0.105, 0.085, -0.035, 0.015))  # bag
        for dy in (-0.045, 0.0, 0.045):
            lines.append(segment(sx, eye_y, 0.275, 0.5 * dy, 0.335, 1.4 * dy, 0.009))  # crow's foot
    distance = lines[0]
    for line in lines[1:]:
        distance = torch.minimum(distance, line)
    inside = p.canvas.coverage(p.face_distance(x, y) + 0.02)
    alpha = p.canvas.coverage(distance, _CREASE_SOFTNESS) * inside * old * _CREASE_OPACITY
    p.canvas.paint(alpha, p.colours.crease, "skin", rect)
    x, y, rect = p.part(-0.3, 0.3, 0.5, 0.8)
    neck = torch.minimum(arc(x, y - 0.60, 0.12, 0.02, 0.014), arc(x, y - 0.685, 0.12, 0.02, 0.014))
    p.canvas.paint(p.canvas.coverage(neck, _CREASE_SOFTNESS) * old * _CREASE_OPACITY, p.colours.crease, "skin", rect)


def paint_mouth(p: Portrait) -> None:
    """Lips that bend, widen and open over the teeth in a smile; a line between them where they are closed."""
    nuisance, smile, paint = p.nuisance, p.on["smiling"] * p.much["smiling"], p.on["lipstick"]
    x, y, rect = p.part(-0.36, 0.36, 0.1, 0.52)
    half = 0.118 + 0.055 * smile + 0.012 * nuisance["mouth_width"]
    dx, dy = x - 1.1 * p.turn, y - p.mouth_y
    t = (dx / half).clamp(-1.05, 1.05)  # -1 and 1 at the corners
    bow = (1 - t * t).clamp_min(0)
    centre = 0.012 - (0.100 * smile - 0.012) * t * t + 0.03 * smile
    gap = (0.042 + 0.010 * nuisance["mouth_open"]) * smile * bow
    full = mix(mix(0.026, 0.018, p.on["he"]), 0.050 * p.much["lipstick"], paint) + 0.004 * nuisance["lip_fullness"]
    across = (dy - centre).abs()
    lip = torch.maximum(dx.abs() - half, across - gap - full * (0.25 + 0.75 * bow.sqrt()))
    p.fill(lip, p.colours.lips, "mouth", rect)
    inner = torch.maximum(dx.abs() - half * 0.96, across - gap)
    p.fill(inner, rgb(TEETH), "mouth", rect, smile.sqrt())
    line = torch.maximum(dx.abs() - half * 0.95, across - 0.009)
    p.fill(line, p.colours.lip_line, "mouth", rect, 1 - smile)
