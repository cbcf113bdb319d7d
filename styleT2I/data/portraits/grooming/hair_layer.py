"""A layer of hair: what its guide strands are grown with, and where on the scalp."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from styleT2I.data.portraits.grooming.scalp import base_head, hairline, inside
from styleT2I.data.portraits.grooming.strands import Comb, Fence
from styleT2I.data.portraits.scenes.scene import Scene
from styleT2I.data.portraits.tracing.colours import smoothstep

_WITH_SIDEBURNS = ("buzz", "short", "side", "quiff", "curls", "pixie")


@dataclass(frozen=True)
class Layer:
    """Hair that grows alike. `*_at` take canonical points [N, 3] of roots; lengths in dm.

    `height` is how far above the skin the lowest and the highest strands lie. `ends` cuts strands off at a height (y);
    every strand is then shorter by a random fraction around `ragged`, and its tip off by `stray` dm. `curl` is (radius,
    pitch, flatness), reached `onset` dm from the root, or None where hair is straight.
    """

    density: np.ndarray  # [V] of the base head, 0 ... 1
    guides: int
    children: int
    length_at: Callable[[np.ndarray], np.ndarray]
    comb: Comb
    fence: Fence | None = None
    lift_at: Callable[[np.ndarray], np.ndarray] | float = 0.3
    stiffness: float = 0.5
    hold: float = 1.0
    hold_tip: float = 0.3
    gravity: float = 0.3
    height: tuple[float, float] = (0.01, 0.08)
    reach: float = 0.1
    ends: float | Callable[[np.ndarray], np.ndarray] | None = None  # or by root
    ragged: float = 0.06
    stray: float = 0.012
    clump: float = 0.4
    spread: float = 0.35
    width: float = 0.016
    steps: int = 14
    points: int = 8
    crowding: float = 1.0  # > 1: more of the points near the root
    curl: tuple[float, float, float] | None = None
    onset: float = 0.35
    shade: float = 1.0
    parting: float | None = None  # x of a line that no strand of the layer crosses


def scalp_density(scene: Scene, feather: float = 0.10) -> np.ndarray:
    """Return the density [V] of hair over the base head, soft at the hairline."""
    return smoothstep(-0.01, feather, inside(base_head().vertices, scene_hairline(scene)))


def scene_hairline(scene: Scene) -> np.ndarray:
    """Return the hairline of the scene: hers is a little lower; only he has sideburns, and with short hair only."""
    line = hairline(scene.receding, sideburn=0.0 if scene.is_male and scene.hair_style in _WITH_SIDEBURNS else -0.33)
    line[:, 1] -= 0.03 * (line[:, 0] < 50) * (not scene.is_male)
    return line


def by_height(sides: float, top: float, low: float = 7.55, high: float = 8.15) -> Callable[[np.ndarray], np.ndarray]:
    """Return a length for each root: `sides` below `low`, `top` above `high`."""
    return lambda points: sides + (top - sides) * smoothstep(low, high, points[:, 1])
