"""The neck's skin by azimuth and height, along which necklines, collars and necklaces run."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.spatial import cKDTree

from styleT2I.data.portraits.grooming.scalp import base_head
from styleT2I.data.portraits.worn.fitting import Fitting

_AXIS_Z = 0.25
_DM_PER_RADIAN = 0.6


def neck_azimuth(points: np.ndarray) -> np.ndarray:
    """Return the angle [...] of points [..., 3] of the base head about the neck's axis: radians, 0 in front."""
    return np.arctan2(points[..., 0], points[..., 2] - _AXIS_Z)


def neck_line(angle: np.ndarray, front: float, back: float, depth: float = 0.0) -> np.ndarray:
    """Return the height [N] of a line around the neck; `depth` > 0 points it downwards in front, as a V."""
    round_part = back + (front - back) * (0.5 + 0.5 * np.cos(angle))
    return round_part - depth * np.clip(1 - np.abs(angle) / 1.0, 0, 1)


def neck_ring(fit: Fitting, count: int, front: float, back: float, clearance: float, depth: float = 0.0) -> np.ndarray:
    """Return a closed path [count, 3] around the person's neck, `clearance` dm off the skin, starting in front."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    angle = np.where(angle > np.pi, angle - 2 * np.pi, angle)
    return on_neck(fit, angle, neck_line(angle, front, back, depth), clearance)


def on_neck(fit: Fitting, angle: np.ndarray, height: np.ndarray, clearance: np.ndarray | float) -> np.ndarray:
    """Return the person's points [..., 3] at azimuths and heights of the base head's neck and shoulders."""
    tree, points, normals = _neck()
    distance, index = tree.query(np.stack([angle * _DM_PER_RADIAN, height], -1), k=4)
    weights = 1 / (distance + 0.01) ** 2
    weights /= weights.sum(-1, keepdims=True)
    radius = np.einsum("...k,...k->...", weights, np.hypot(points[..., 0], points[..., 2] - _AXIS_Z)[index])
    base = np.stack([radius * np.sin(angle), height, _AXIS_Z + radius * np.cos(angle)], -1)
    outward = np.einsum("...k,...ki->...i", weights, normals[index])
    return fit.warp(base) + outward * np.asarray(clearance)[..., None]


@lru_cache(maxsize=1)
def _neck() -> tuple[cKDTree, np.ndarray, np.ndarray]:
    """Return the tree over (azimuth, height) of the neck's and shoulders' vertices, their places and normals."""
    head = base_head()
    y, z = head.vertices[:, 1], head.vertices[:, 2]
    under_the_chin = (z > 0.76) & (y > 6.0)
    near = (y > 5.2) & (y < 6.6) & ~under_the_chin & (np.hypot(head.vertices[:, 0], z - _AXIS_Z) < 1.6)
    points, normals = head.vertices[near], head.normals[near]
    angle = neck_azimuth(points)
    around = np.concatenate(
        [np.stack([(angle + turn) * _DM_PER_RADIAN, points[:, 1]], 1) for turn in (0, 2 * np.pi, -2 * np.pi)]
    )
    return cKDTree(around), np.tile(points, (3, 1)), np.tile(normals, (3, 1))
