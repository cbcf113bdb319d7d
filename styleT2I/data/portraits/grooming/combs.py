"""Which way hair is combed on the base head, and the fences that keep it out of the face and behind the ears."""

from __future__ import annotations

import numpy as np

from styleT2I.data.portraits.anatomy.surface import unit
from styleT2I.data.portraits.grooming.scalp import AXIS_Z, azimuth
from styleT2I.data.portraits.grooming.strands import Comb, Fence
from styleT2I.data.portraits.scenes.scene import Scene
from styleT2I.data.portraits.tracing.colours import smoothstep

# Heights and the least azimuth that hair may have there
SHORT = ((6.9, 7.5, 7.7, 7.85, 7.96, 8.06), (55, 54, 46, 34, 16, 0))
OPEN_FACE = ((5.0, 6.1, 6.9, 7.5, 7.75, 7.92, 8.03, 8.12), (50, 56, 57, 56, 50, 38, 20, 0))
_TUCKED = ((5.0, 6.2, 7.10, 7.36, 7.48, 7.62, 7.80, 7.95, 8.05, 8.12), (70, 108, 112, 110, 84, 62, 50, 38, 18, 0))


def fence(table: tuple[tuple[float, ...], tuple[float, ...]]) -> Fence:
    """Return the fence that turns points about the head's axis until their azimuth is at least the table's."""

    def turn(points: np.ndarray) -> np.ndarray:
        side = np.where(points[:, 0] < 0, -1, 1)
        least = np.interp(points[:, 1], *table)
        angle = np.radians(np.maximum(np.abs(azimuth(points)), least))
        radius = np.hypot(points[:, 0], points[:, 2] - AXIS_Z)
        turned = points.copy()
        turned[:, 0], turned[:, 2] = side * radius * np.sin(angle), AXIS_Z + radius * np.cos(angle)
        return turned

    return turn


def fence_of(scene: Scene, open_face: tuple) -> Fence:
    """Return the fence of a style that covers the ears; tucked hair goes behind them."""
    return fence(_TUCKED if scene.tucked else open_face)


def away_from(centre: np.ndarray) -> Comb:
    return lambda points, _: points - centre


def constant(x: float, y: float, z: float) -> Comb:
    direction = np.array([x, y, z], np.float32)
    return lambda points, _: np.broadcast_to(direction, points.shape)


def from_part(part_x: float, back: float) -> Comb:
    """Sideways from a line front to back, downwards and a little back; on the shoulders off them, forwards or back."""

    def comb(points: np.ndarray, _: float) -> np.ndarray:
        side = np.where(points[:, 0] < part_x, -1.0, 1.0)
        front = smoothstep(0.2, 1.2, points[:, 2])
        low = smoothstep(6.4, 6.1, points[:, 1])
        off = np.where(points[:, 2] > 0.35, 2.0, -2.0) * low
        return np.stack([side * (1 - low), np.full(len(points), -0.55), off - back * front * (1 - low)], 1)

    return comb


def with_sideburns(comb: Comb) -> Comb:
    """The comb, but straight down before the ears."""

    def combed(points: np.ndarray, share: float) -> np.ndarray:
        before = (smoothstep(7.55, 7.40, points[:, 1]) * smoothstep(0.48, 0.58, points[:, 2]))[:, None]
        return unit(comb(points, share)) * (1 - before) + np.array([0, -1, 0.1]) * before

    return combed


def across_from(part_x: float, side: float, sides: tuple[float, float, float], top: tuple[float, float, float]) -> Comb:
    """From a line at x = `part_x` to `side` (-1, 1) and the other way; (outwards, y, z) at the sides and on top."""

    def comb(points: np.ndarray, _: float) -> np.ndarray:
        out = np.where(points[:, 0] * side > part_x * side, side, -side)
        share = smoothstep(7.6, 8.1, points[:, 1])[:, None]
        direction = np.array(sides) * (1 - share) + np.array(top) * share
        return direction * np.stack([out, np.ones(len(out)), np.ones(len(out))], 1)

    return comb
