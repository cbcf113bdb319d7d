"""A smooth map of space that carries what was made around the base head over to a morphed head."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

_CONTROLS = 260
_SMOOTHING = 2e-3


class Warp:
    """The biharmonic interpolation of a head's displacements: exact at some vertices but for a little smoothing."""

    def __init__(self, canonical: np.ndarray, vertices: np.ndarray) -> None:
        index, centres, solver = _controls(len(canonical), canonical.astype(np.float32).tobytes())
        moves = np.zeros((len(index) + 4, 3))
        moves[: len(index)] = vertices[index] - canonical[index]
        solution = solver @ moves
        self._centres = centres
        self._weights = solution[:-4].astype(np.float32)
        self._affine = solution[-4:].astype(np.float32)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Return the points [..., 3] of the base head's space in the morphed head's space."""
        flat = np.ascontiguousarray(points.reshape(-1, 3), np.float32)
        moves = _distances(flat, self._centres) @ self._weights + flat @ self._affine[1:] + self._affine[0]
        return (flat + moves).reshape(points.shape)


def _distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    squares = (points * points).sum(1)[:, None] + (centres * centres).sum(1) - 2 * points @ centres.T
    return np.sqrt(np.maximum(squares, 0))


@lru_cache(maxsize=4)
def _controls(count: int, canonical_bytes: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (vertex index [K], their canonical places [K, 3], the matrix that solves for weights)."""
    canonical = np.frombuffer(canonical_bytes, np.float32).reshape(count, 3)
    index = _spread_out(canonical, _CONTROLS)
    centres = canonical[index]
    kernel = _distances(centres, centres).astype(np.float64) - _SMOOTHING * np.eye(len(index))
    linear = np.concatenate([np.ones((len(index), 1)), centres], 1)
    system = np.block([[kernel, linear], [linear.T, np.zeros((4, 4))]])
    return index, centres, np.linalg.inv(system)


def _spread_out(points: np.ndarray, number: int) -> np.ndarray:
    """Return the indices of `number` points, each one the farthest from those before it."""
    chosen = np.zeros(number, np.int64)
    distance = np.full(len(points), np.inf)
    for k in range(1, number):
        distance = np.minimum(distance, np.square(points - points[chosen[k - 1]]).sum(1))
        chosen[k] = distance.argmax()
    return chosen
