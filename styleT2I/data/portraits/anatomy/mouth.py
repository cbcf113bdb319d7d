"""Teeth and tongue, built only where an open mouth shows them."""

from __future__ import annotations

import numpy as np

from styleT2I.data.portraits.anatomy.head import Head
from styleT2I.data.portraits.anatomy.shape import old_share
from styleT2I.data.portraits.scenes.scene import Scene
from styleT2I.data.portraits.tracing.colours import mixed, smoothstep
from styleT2I.data.portraits.tracing.mesh import Mesh, make_mesh

_UPPER_SHIFT = (0.0, -0.055, 0.035)  # dm: towards where lips uncover them
_LOWER_SHIFT = (0.0, 0.0, 0.02)
_WHITE, _GUM, _TONGUE = np.array([0.72, 0.67, 0.57]), np.array([0.38, 0.12, 0.11]), np.array([0.36, 0.12, 0.11])


def build_mouth(head: Head, scene: Scene) -> list[Mesh]:
    """Return teeth and tongue; nothing where the mouth is closed, as they would poke through the lips."""
    if not scene.is_mouth_open:
        return []
    return [
        _teeth(head, scene, "upper_teeth", _UPPER_SHIFT, 1),
        _teeth(head, scene, "lower_teeth", _LOWER_SHIFT, -1),
        _tongue(head),
    ]


def _teeth(head: Head, scene: Scene, row: str, shift, up: int) -> Mesh:
    vertices, faces = head.surface(row, 2)
    height = (vertices[:, 1] - vertices[:, 1].mean()) * up / max(np.ptp(vertices[:, 1]), 1e-6)
    old = old_share(scene)
    white = _WHITE * (1 - np.array([0.12, 0.16, 0.28]) * old)
    gaps = 0.5 + 0.5 * np.cos(2 * np.pi * vertices[:, 0] / 0.085)  # a tooth every 8.5 mm
    white = white * (1 - 0.28 * smoothstep(0.9, 1.0, gaps))[:, None]
    far = smoothstep(0.1, 0.33, np.abs(vertices[:, 0]))  # darker towards the cheeks
    colour = mixed(mixed(white, _GUM, smoothstep(0.33, 0.45, height)), (0.1, 0.04, 0.03), 0.55 * far)
    return make_mesh(vertices + shift, faces, colour, "mouth", roughness=0.25)


def _tongue(head: Head) -> Mesh:
    vertices, faces = head.surface("tongue", 1)
    return make_mesh(vertices, faces, _TONGUE, "mouth", roughness=0.4)
