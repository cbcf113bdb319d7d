"""Tied hair: drawn back over the head to a knot on top of it or behind it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from styleT2I.data.portraits.anatomy.surface import unit
from styleT2I.data.portraits.grooming.combs import OPEN_FACE, SHORT, away_from, fence
from styleT2I.data.portraits.grooming.hair_layer import Layer, scalp_density
from styleT2I.data.portraits.grooming.scalp import azimuth, base_head
from styleT2I.data.portraits.scenes.scene import Scene
from styleT2I.data.portraits.tracing.colours import smoothstep

_BACK, _TOP = np.array([0.0, 7.90, -0.45], np.float32), np.array([0.0, 8.42, -0.02], np.float32)  # where hair is tied


def wears_bun(scene: Scene) -> bool:
    """Return whether tied hair makes a knot on top of the head; else it hangs behind the head."""
    return scene.hair_style == "tied" and scene.hat == "none" and scene.hair_length > -0.2


def tie_of(scene: Scene) -> np.ndarray:
    """Return the point [3] on the base head where tied hair is held."""
    return _TOP if wears_bun(scene) else _BACK


def tied(scene: Scene) -> list[Layer]:
    """Return the layers of tied hair: all drawn to one point; wavy hair lets locks hang from the temples."""
    tie = tie_of(scene)

    def comb(points: np.ndarray, _: float) -> np.ndarray:
        return unit(tie - points) + np.array([0, 0.12, 0])

    drawn_back = Layer(
        scalp_density(scene),
        460,
        6000,
        lambda p: 1.3 * np.linalg.norm(p - tie, axis=1),
        comb,
        fence(SHORT),
        lift_at=0.10,
        stiffness=0.15,
        hold_tip=1.0,
        gravity=0.0,
        height=(0.008, 0.05 * (1 + 0.3 * scene.hair_volume)),
        clump=0.25,
        ragged=0.0,
        steps=18,
        points=10,
    )
    if scene.hair_texture == "straight":
        return [drawn_back]
    return [replace(drawn_back, curl=(0.02, 0.30, 0.6), points=18, clump=0.5), _tendrils(scene)]


def _tendrils(scene: Scene) -> Layer:
    """Curled locks that hang from the temples, left out of what is tied."""
    points = base_head().vertices
    temple = smoothstep(38, 46, np.abs(azimuth(points))) * smoothstep(66, 58, np.abs(azimuth(points)))
    temple *= smoothstep(7.42, 7.5, points[:, 1]) * smoothstep(7.85, 7.75, points[:, 1])
    return Layer(
        scalp_density(scene, 0.05) * temple,
        40,
        320,
        lambda p: np.full(len(p), 0.95 + 0.2 * scene.hair_length),
        away_from(_TOP),
        fence(OPEN_FACE),
        lift_at=0.25,
        hold_tip=0.0,
        gravity=0.9,
        height=(0.03, 0.09),
        clump=0.8,
        ragged=0.2,
        width=0.017,
        steps=14,
        points=28,
        curl=(0.045, 0.27, 0.3),
        onset=0.3,
        parting=0.0,
    )
