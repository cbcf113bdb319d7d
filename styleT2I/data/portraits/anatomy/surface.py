"""The skin's surface for hair and clothes: nearest vertex, its normal, signed distance."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial import cKDTree


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return the vectors [..., 3] scaled to length 1; a zero vector stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


@dataclass(frozen=True)
class Surface:
    """Points [V, 3] of a closed skin with outward normals [V, 3].

    Example:
        >>> flat = Surface(np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]]))
        >>> flat.nearest(np.array([[0.0, 0.0, 0.5]]))[1].tolist()
        [0.5]
    """

    points: np.ndarray
    normals: np.ndarray
    tree: cKDTree = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tree", cKDTree(self.points, balanced_tree=False, compact_nodes=False))

    def nearest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the normal [..., 3] of the nearest vertex and the signed distance [...] along it, positive outside."""
        index = self.tree.query(points)[1]
        normals = self.normals[index]
        return normals, np.einsum("...i,...i", points - self.points[index], normals)

    def pushed_out(
        self, points: np.ndarray, clearance: np.ndarray | float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (points [..., 3] moved until they are `clearance` outside, normals there, distances from the skin)."""
        normals, distance = self.nearest(points)
        outside = np.maximum(clearance, distance)
        return points + normals * (outside - distance)[..., None], normals, outside
