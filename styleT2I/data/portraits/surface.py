"""The skin as hair and clothes feel it: nearest vertex, its normal, and how deep a point is inside."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial import cKDTree


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return the vectors [..., 3] scaled to length 1; a zero vector stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return the area-weighted normals [V, 3] of a mesh of triangles or quads [F, 3 or 4]."""
    a, b, c = (vertices[faces[:, k]] for k in (0, 1, 2))
    d = vertices[faces[:, -1]]
    face = np.cross(c - a, d - b) if faces.shape[1] == 4 else np.cross(b - a, c - a)
    total = np.empty_like(vertices)
    for axis in range(3):
        weights = np.repeat(face[:, axis], faces.shape[1])
        total[:, axis] = np.bincount(faces.ravel(), weights, minlength=len(vertices))
    return unit(total)


@dataclass(frozen=True)
class Surface:
    """Points [V, 3] of a closed skin with outward normals [V, 3]."""

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

    def push_out(self, points: np.ndarray, clearance: np.ndarray | float) -> np.ndarray:
        """Return the points [..., 3] moved along the normals until they are `clearance` [...] outside."""
        normals, distance = self.nearest(points)
        return points + normals * np.maximum(clearance - distance, 0)[..., None]
