"""Smooth value noise over points in space, the same for the same seed on every machine."""

from __future__ import annotations

import numpy as np

_PRIMES = np.array([73856093, 19349663, 83492791], np.uint64)


def _lattice(cells: np.ndarray, seed: int) -> np.ndarray:
    """Return a number in [-1, 1] for each integer cell [..., 3]."""
    mixed = (cells.astype(np.int64).astype(np.uint64) * _PRIMES).sum(-1, dtype=np.uint64) ^ np.uint64(seed)
    for shift, factor in ((33, 0xFF51AFD7ED558CCD), (33, 0xC4CEB9FE1A85EC53), (33, 1)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return (mixed >> np.uint64(11)).astype(float) / 2**52 - 1


def value_noise(points: np.ndarray, per_dm: float, seed: int) -> np.ndarray:
    """Return noise [N], about -1 to 1, of points [N, 3] in dm with `per_dm` cells a decimetre."""
    scaled = np.asarray(points, float) * per_dm + 1000.0
    cell = np.floor(scaled)
    part = scaled - cell
    part = part * part * (3 - 2 * part)
    total = np.zeros(len(scaled))
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, part, 1 - part), axis=1)
        total += weight * _lattice(cell + corner, seed)
    return total


def octaves(points: np.ndarray, per_dm: float, seed: int, number: int = 3) -> np.ndarray:
    """Return the sum [N] of `number` octaves of value noise, each twice as fine and half as strong."""
    return sum(value_noise(points, per_dm * 2**i, seed + i) / 2**i for i in range(number))
