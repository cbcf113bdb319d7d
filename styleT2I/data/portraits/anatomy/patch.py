"""The face seen from the front as a height field, on which brows, beards and wrinkles can be laid out in x and y."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.spatial import cKDTree

from styleT2I.data.portraits.anatomy.surface import unit
from styleT2I.data.portraits.grooming.scalp import base_head


@dataclass(frozen=True)
class Patch:
    """Skin vertices that face forward: their tree over (x, y), places and normals [V, 3]."""

    tree: cKDTree
    points: np.ndarray
    normals: np.ndarray

    def at(self, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the points and normals [..., 3] of the skin at (x, y) [..., 2], blended from the nearest vertices."""
        distance, index = self.tree.query(flat, k=6)
        weights = 1 / (distance + 0.004) ** 2
        weights /= weights.sum(-1, keepdims=True)
        normals = unit(np.einsum("...k,...ki->...i", weights, self.normals[index]))
        near = self.points[index]
        nx, ny, nz = (self.normals[index][..., i] for i in range(3))
        planes = (
            near[..., 2] - (nx * (flat[..., None, 0] - near[..., 0]) + ny * (flat[..., None, 1] - near[..., 1])) / nz
        )
        return np.concatenate([flat, np.einsum("...k,...k->...", weights, planes)[..., None]], -1), normals


@lru_cache(maxsize=1)
def front_patch() -> Patch:
    """Return the front of the base head but for lips' insides and ears."""
    head = base_head()
    front = (head.normals[:, 2] > 0.2) & (head.vertices[:, 2] > 0.75) & (head.vertices[:, 1] > 6.1)
    front &= ~((head.vertices[:, 2] < 1.25) & (np.abs(head.vertices[:, 0]) < 0.3))  # the mouth's inside
    points, normals = head.vertices[front], head.normals[front]
    return Patch(cKDTree(points[:, :2]), points, normals)
