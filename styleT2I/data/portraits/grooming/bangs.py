"""Bangs: a layer of hair that hangs from the front of the scalp over the forehead."""

from __future__ import annotations

import numpy as np

from styleT2I.data.portraits.grooming.combs import constant
from styleT2I.data.portraits.grooming.hair_layer import Layer, scalp_density
from styleT2I.data.portraits.grooming.scalp import azimuth, base_head
from styleT2I.data.portraits.scenes.scene import Scene
from styleT2I.data.portraits.tracing.colours import smoothstep

RINGLETS = (0.055, 0.17, 0.2)  # a `Layer.curl`


def bangs(scene: Scene) -> Layer:
    """Return the layer of the scene's bangs."""
    return _curly(scene) if scene.hair_texture == "curly" else _straight(scene)


def _front_density(scene: Scene) -> np.ndarray:
    points = base_head().vertices
    front = (
        smoothstep(46, 34, np.abs(azimuth(points)))
        * smoothstep(8.42, 8.3, points[:, 1])
        * smoothstep(0.5, 0.8, points[:, 2])
    )
    return scalp_density(scene, 0.06) * front


def _straight(scene: Scene) -> Layer:
    """Straight bangs, blunt or in wisps, swept as the parting sweeps the rest; longer at the sides, as curtains are."""
    sweep = -0.55 * scene.parting
    wispy = 0.5 - 0.5 * scene.hair_length

    def comb(points: np.ndarray, _: float) -> np.ndarray:
        x = points[:, 0]
        return np.stack([sweep + 0.9 * x * np.abs(x), np.full(len(x), -0.55), np.full(len(x), 0.8)], 1)

    def ends(points: np.ndarray) -> np.ndarray:
        return 7.56 - 0.55 * np.clip(np.abs(points[:, 0]) - 0.24, 0, 0.4)

    return Layer(
        _front_density(scene),
        170,
        1500,
        lambda p: np.full(len(p), 1.3 + 0.15 * abs(sweep)),
        comb,
        lift_at=0.22,
        stiffness=0.55,
        hold_tip=0.25,
        gravity=0.9,
        height=(0.045, 0.10),
        ends=ends,
        ragged=0.05 + 0.05 * wispy,
        clump=0.5 + 0.35 * wispy,
        spread=0.2,
        steps=14,
        points=9,
    )


def _curly(scene: Scene) -> Layer:
    return Layer(
        _front_density(scene),
        120,
        900,
        lambda p: np.full(len(p), 1.0),
        constant(0.1 * scene.parting, -0.5, 0.9),
        lift_at=0.4,
        stiffness=0.6,
        hold_tip=0.2,
        gravity=0.7,
        height=(0.06, 0.16),
        ends=7.58,
        ragged=0.12,
        clump=0.8,
        width=0.018,
        steps=12,
        points=20,
        curl=RINGLETS,
    )
