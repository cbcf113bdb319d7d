"""Earrings and necklaces, large enough to be seen in a small image."""

from __future__ import annotations

import numpy as np

from styleT2I.data.portraits.tracing.colours import linear
from styleT2I.data.portraits.tracing.mesh import Mesh, sphere, tube
from styleT2I.data.portraits.worn.fitting import Fitting
from styleT2I.data.portraits.worn.neck import neck_ring

_METAL = {"roughness": 0.30, "metallic": 1.0}


def earrings(fit: Fitting) -> list[Mesh]:
    """Return the scene's pair of earrings, hanging from the lobes."""
    kind = fit.scene.earrings
    if kind == "none":
        return []
    hang = _hoop if kind == "hoop" else _drop
    return [mesh for side in (1, -1) for mesh in hang(fit, _lobe(fit, side), side)]


def _lobe(fit: Fitting, side: int) -> np.ndarray:
    return fit.head.anchors["l_ear_lobe" if side > 0 else "r_ear_lobe"] + [0.025 * side, 0.01, 0.02]


def _hoop(fit: Fitting, lobe: np.ndarray, side: int) -> list[Mesh]:
    radius = 0.125 + 0.075 * fit.scene.earring_size
    angle = np.linspace(0, 2 * np.pi, 26, endpoint=False)
    across = np.array([0.72 * side, 0, 0.70])  # turned to the front, as an ear turns it
    ring = lobe + radius * (np.sin(angle)[:, None] * across + (np.cos(angle) - 1)[:, None] * [0, 1, 0])
    ring[:, 0] += side * 0.35 * radius
    return [
        tube(
            ring,
            0.019 + 0.006 * fit.scene.earring_size,
            linear(fit.scene.metal),
            "ear_r",
            sides=7,
            closed=True,
            **_METAL,
        )
    ]


def _drop(fit: Fitting, lobe: np.ndarray, side: int) -> list[Mesh]:
    size = 0.055 + 0.03 * fit.scene.earring_size
    length = 0.12 + 0.10 * fit.scene.earring_size
    below = lobe + [0.015 * side, -length, 0.01]
    stone = np.array([0.75, 0.06, 0.12]) if fit.stream("stone").random() < 0.3 else linear(fit.scene.metal)
    gem = sphere(
        below - [0, 1.1 * size, 0],
        (0.8 * size, 1.3 * size, 0.8 * size),
        stone,
        "ear_r",
        rings=9,
        sides=12,
        roughness=0.25,
    )
    return [
        sphere(lobe, 0.028, linear(fit.scene.metal), "ear_r", rings=7, sides=9, **_METAL),
        tube(np.stack([lobe, 0.5 * (lobe + below), below]), 0.012, linear(fit.scene.metal), "ear_r", sides=5, **_METAL),
        gem,
    ]


def necklace(fit: Fitting) -> list[Mesh]:
    """Return the scene's necklace on the skin or the clothes' edge around the neck."""
    scene = fit.scene
    if scene.necklace == "none":
        return []
    if scene.necklace == "pearls":
        beads = neck_ring(fit, 46, front=6.00, back=6.28, clearance=0.045)
        return [sphere(bead, 0.043, (0.80, 0.76, 0.69), "neck_l", rings=7, sides=9, roughness=0.25) for bead in beads]
    ring = neck_ring(fit, 60, front=5.93, back=6.26, clearance=0.03)
    chain = tube(ring, 0.021, linear(scene.metal), "neck_l", sides=6, closed=True, **_METAL)
    if scene.necklace == "chain":
        return [chain]
    front = ring[ring[:, 2].argmax()]
    return [
        chain,
        sphere(
            front + [0, -0.085, 0.02], (0.065, 0.085, 0.03), linear(scene.metal), "neck_l", rings=9, sides=14, **_METAL
        ),
    ]
