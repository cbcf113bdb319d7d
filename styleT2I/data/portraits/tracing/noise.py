"""Smooth value noise over points in space, the same for the same seed on every machine."""

from __future__ import annotations

import numpy as np

_CELLS = 32  # after which the lattice repeats, each way


def value_noise(points: np.ndarray, per_dm: float, seed: int) -> np.ndarray:
    """Random values on a lattice, interpolated between by a smooth step along each axis.

    Args:
        points: [N, 3] in dm.
        per_dm: Cells of the lattice per decimetre; it repeats after 32 of them.
        seed: Of the lattice's values.

    Returns:
        Noise [N], about -1 to 1; points that are nearer to each other than a cell get similar values.

    Example:
        >>> value_noise(np.zeros((2, 3)), per_dm=10, seed=0).astype(float).round(3).tolist()
        [0.274, 0.274]
    """
    lattice = np.random.default_rng(seed).uniform(-1, 1, _CELLS**3).astype(np.float32)
    scaled = (np.asarray(points, np.float32) * np.float32(per_dm)).T
    cell = np.floor(scaled)
    part = scaled - cell
    part = part * part * (3 - 2 * part)
    low = cell.astype(np.int32) % _CELLS
    high = (low + 1) % _CELLS
    (x0, y0, z0), (x1, y1, z1) = low, high
    total = 0.0
    for x, wx in ((x0, 1 - part[0]), (x1, part[0])):
        for y, wy in ((y0, 1 - part[1]), (y1, part[1])):
            row, weight = (x * _CELLS + y) * _CELLS, wx * wy
            total += weight * (lattice[row + z0] * (1 - part[2]) + lattice[row + z1] * part[2])
    return total


def octaves(points: np.ndarray, per_dm: float, seed: int, number: int = 3) -> np.ndarray:
    """Return the sum [N] of `number` octaves of value noise, each twice as fine and half as strong."""
    return sum(value_noise(points, per_dm * 2**i, seed + i) / 2**i for i in range(number))
