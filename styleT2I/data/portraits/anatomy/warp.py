"""A smooth map of space that carries what was made around the base head over to a morphed head."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.spatial import cKDTree

_CONTROLS = 260
_SMOOTHING = 2e-3
_NEAR = 0.25  # dm from the skin


class Warp:
    """Biharmonic interpolation of a head's displacements, made exact on the skin by its nearest vertices.

    The correction fades with the distance from the skin, so that nothing that hangs free is bent by a single wrinkle.
    """

    def __init__(self, canonical: np.ndarray, vertices: np.ndarray) -> None:
        canonical = np.ascontiguousarray(canonical, np.float32)
        controls = _controls(len(canonical), canonical.tobytes())
        moves = np.zeros((len(controls.index) + 4, 3))
        moves[:-4] = vertices[controls.index] - canonical[controls.index]
        solution = controls.solver @ moves
        self._centres, self._tree = controls.centres, controls.tree
        self._weights, self._affine = solution[:-4].astype(np.float32), solution[-4:].astype(np.float32)
        self._left = (vertices - self.smooth(canonical)).astype(np.float32)

    def smooth(self, points: np.ndarray) -> np.ndarray:
        """Return points [..., 3] of the base head's space in the person's, without the correction near the skin."""
        flat = np.ascontiguousarray(points.reshape(-1, 3), np.float32)
        moves = _distances(flat, self._centres) @ self._weights + flat @ self._affine[1:] + self._affine[0]
        return (flat + moves).reshape(points.shape)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return points [..., 3] of the base head's space in the person's."""
        distance, index = self._tree.query(points, k=4)
        weights = 1 / (distance + 0.01) ** 2
        weights *= np.exp(-np.square(distance[..., :1] / _NEAR)) / weights.sum(-1, keepdims=True)
        return self.smooth(points) + np.einsum("...k,...ki->...i", weights.astype(np.float32), self._left[index])


def _distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    squares = (points * points).sum(1)[:, None] + (centres * centres).sum(1) - 2 * points @ centres.T
    return np.sqrt(np.maximum(squares, 0))


@dataclass(frozen=True)
class _Controls:
    index: np.ndarray  # int [K]: vertices
    centres: np.ndarray  # f32 [K, 3]: their places on the base head
    solver: np.ndarray  # f64 [K + 4, K + 4]: displacements to weights
    tree: cKDTree  # of all vertices of the base head


@lru_cache(maxsize=2)
def _controls(count: int, canonical_bytes: bytes) -> _Controls:
    canonical = np.frombuffer(canonical_bytes, np.float32).reshape(count, 3)
    index = _spread_out(canonical, _CONTROLS)
    centres = canonical[index]
    kernel = _distances(centres, centres).astype(np.float64) - _SMOOTHING * np.eye(len(index))
    linear = np.concatenate([np.ones((len(index), 1)), centres], 1)
    system = np.block([[kernel, linear], [linear.T, np.zeros((4, 4))]])
    return _Controls(index, centres, np.linalg.inv(system), cKDTree(canonical))


def _spread_out(points: np.ndarray, number: int) -> np.ndarray:
    """Return the indices of `number` points, each one the farthest from those before it."""
    chosen = np.zeros(number, np.int64)
    distance = np.full(len(points), np.inf)
    for k in range(1, number):
        distance = np.minimum(distance, np.square(points - points[chosen[k - 1]]).sum(1))
        chosen[k] = distance.argmax()
    return chosen
