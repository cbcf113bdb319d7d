"""Wrinkles: creases along lines drawn on the front of the base head, as real displacement and a little shade."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from styleT2I.data.portraits.anatomy.shape import old_share
from styleT2I.data.portraits.scenes.scene import Scene
from styleT2I.data.portraits.tracing.colours import smoothstep
from styleT2I.torch_utils.seeding import derive_seed


class Crease(NamedTuple):
    """A line (x, y) in dm on the left of the base head's front, mirrored to the right."""

    line: tuple[tuple[float, float], ...]
    depth: float  # dm, at the deepest
    width: float  # dm, the bell's standard deviation


_FOREHEAD = tuple(
    Crease(((0.0, y), (0.16, y + 0.015), (0.34, y + 0.02), (0.47, y - 0.02)), depth, 0.017)
    for y, depth in ((7.64, 0.011), (7.74, 0.015), (7.85, 0.013), (7.96, 0.008))
)
_CREASES = _FOREHEAD + (
    Crease(((0.055, 7.35), (0.065, 7.42), (0.05, 7.52)), 0.015, 0.015),  # frown
    Crease(((0.47, 7.28), (0.55, 7.32), (0.62, 7.38)), 0.011, 0.014),  # crow's feet
    Crease(((0.48, 7.25), (0.57, 7.255), (0.65, 7.27)), 0.013, 0.014),
    Crease(((0.46, 7.22), (0.54, 7.18), (0.61, 7.12)), 0.012, 0.014),
    Crease(((0.17, 7.21), (0.26, 7.145), (0.37, 7.135), (0.45, 7.18)), 0.014, 0.018),  # bags
    Crease(((0.16, 7.14), (0.25, 7.07), (0.38, 7.06)), 0.010, 0.02),
    Crease(((0.44, 6.98), (0.50, 6.82), (0.47, 6.66)), 0.010, 0.025),  # cheek
    Crease(((0.28, 6.57), (0.315, 6.48), (0.32, 6.37)), 0.022, 0.02),  # marionette
    Crease(((0.0, 6.45), (0.1, 6.445), (0.17, 6.42)), 0.012, 0.02),  # below the lip
    Crease(((0.0, 5.98), (0.2, 6.0), (0.42, 6.06)), 0.014, 0.018),  # neck
    Crease(((0.0, 5.84), (0.22, 5.86), (0.45, 5.93)), 0.014, 0.018),
    Crease(((0.09, 6.10), (0.085, 5.9), (0.07, 5.7)), 0.018, 0.025),
)
_SMILE_FOLD = Crease(((0.185, 6.95), (0.245, 6.85), (0.30, 6.74), (0.335, 6.62), (0.33, 6.55)), 0.024, 0.022)
_SHADE = 12.0  # of the albedo lost per dm of depth


def wrinkle_depth(base: np.ndarray, scene: Scene) -> np.ndarray:
    """Return how deep, in dm, the scene's wrinkles press each vertex [V, 3] of the base head in."""
    old = smoothstep(0.3, 0.95, old_share(scene))
    fold = max(old, 0.3 * scene.smile)
    depth = np.zeros(len(base))
    if max(old, fold) < 0.02:
        return depth
    front = (base[:, 2] > 0.55) & (base[:, 1] > 5.5)
    place = _wandering(base[front], scene)
    rng = np.random.default_rng(derive_seed(scene.seed, "wrinkles"))
    strengths = old * rng.uniform(0.6, 1.25, len(_CREASES))
    total = fold * rng.uniform(0.8, 1.2) * _pressed(place, _SMILE_FOLD)
    for crease, strength in zip(_CREASES, strengths, strict=True):
        if strength > 0.02:
            total += strength * _pressed(place, crease)
    depth[front] = total
    return depth


def shaded(colour: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Return the skin's albedo [V, 3], darker and redder in creases."""
    return colour * np.exp(-_SHADE * depth[:, None] * np.array([0.8, 1.15, 1.15]))


def _wandering(points: np.ndarray, scene: Scene) -> np.ndarray:
    """Return (|x|, y) [P, 2] of points, wavering in a way of the person's own."""
    a, b, c, d = np.random.default_rng(derive_seed(scene.seed, "wrinkle lines")).uniform(0, 2 * np.pi, 4)
    x, y = points[:, 0], points[:, 1]
    wave = 0.012 * np.sin(9 * x + a) + 0.007 * np.sin(21 * x + b)
    return np.stack([np.abs(x) + 0.008 * np.sin(13 * y + c), y + wave + 0.01 * np.sin(d) * x], 1)


def _pressed(place: np.ndarray, crease: Crease) -> np.ndarray:
    """Return the crease's depth [P] at places [P, 2]: a bell about the line, running out at its ends."""
    line = np.array(crease.line)
    nearest, along = np.full(len(place), np.inf), np.zeros(len(place))
    for i, (start, end) in enumerate(zip(line[:-1], line[1:], strict=True)):
        t = np.clip(((place - start) @ (end - start)) / ((end - start) @ (end - start)), 0, 1)
        distance = np.hypot(*(place - start - t[:, None] * (end - start)).T)
        along = np.where(distance < nearest, (i + t) / (len(line) - 1), along)
        nearest = np.minimum(nearest, distance)
    begin = 1.0 if line[0, 0] == 0 else smoothstep(-0.05, 0.25, along)  # lines that start at the middle go on across it
    return crease.depth * np.exp(-0.5 * (nearest / crease.width) ** 2) * begin * (1 - smoothstep(0.7, 1.05, along))
