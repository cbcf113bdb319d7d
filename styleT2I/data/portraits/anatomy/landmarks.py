"""The 68 landmarks of iBUG, as vertices of the base head that a person's head carries along."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from styleT2I.data.portraits.anatomy.asset import load_asset, subdivision
from styleT2I.data.portraits.anatomy.regions import LEVELS

_Point = tuple[float, float, float]
_JAW: tuple[_Point, ...] = (  # from the chin to the left ear
    (0.0, 6.18, 1.40), (0.17, 6.20, 1.36), (0.33, 6.25, 1.20), (0.46, 6.33, 1.05), (0.57, 6.45, 0.90),
    (0.64, 6.60, 0.78), (0.68, 6.80, 0.72), (0.69, 7.00, 0.68), (0.68, 7.20, 0.66),
)  # fmt: skip
_BROW = (
    (0.13, 7.47, 1.51),
    (0.23, 7.50, 1.50),
    (0.34, 7.51, 1.45),
    (0.45, 7.49, 1.37),
    (0.55, 7.43, 1.22),
)  # inner first
_BRIDGE = ((0.0, 7.29, 1.51), (0.0, 7.18, 1.54), (0.0, 7.07, 1.60), (0.0, 6.93, 1.68))
_NOSTRILS = ((0.0, 6.83, 1.61), (0.07, 6.85, 1.57), (0.15, 6.87, 1.50))  # from the middle
_EYE = ((0.165, 7.265, 1.40), (0.255, 7.318, 1.40), (0.37, 7.328, 1.40),
        (0.455, 7.28, 1.34), (0.375, 7.248, 1.38), (0.26, 7.247, 1.383))  # fmt: skip  # along the upper lid first
_UPPER_LIP = ((0.0, 6.70, 1.595), (0.08, 6.715, 1.582), (0.17, 6.69, 1.53), (0.25, 6.613, 1.43))  # from the middle
_LOWER_LIP = ((0.0, 6.49, 1.54), (0.09, 6.495, 1.52), (0.18, 6.535, 1.48))
_INNER_UPPER = ((0.0, 6.613, 1.545), (0.10, 6.615, 1.53), (0.235, 6.613, 1.44))
_INNER_LOWER = ((0.0, 6.603, 1.535), (0.10, 6.603, 1.52))


def _right(points: tuple[_Point, ...]) -> list[_Point]:
    return [(-x, y, z) for x, y, z in points]


def landmark_places() -> np.ndarray:
    """Return the landmarks f64 [68, 3] on the base head in iBUG's order; it starts at the person's right ear."""
    jaw = _right(_JAW[:0:-1]) + list(_JAW)
    brows = _right(_BROW[::-1]) + list(_BROW)
    nose = list(_BRIDGE) + _right(_NOSTRILS[:0:-1]) + list(_NOSTRILS)
    inner, *upper_right, outer, lower_outer, lower_inner = _right(_EYE)
    eyes = [outer, *upper_right[::-1], inner, lower_inner, lower_outer, *_EYE]
    lips = (
        _right(_UPPER_LIP[:0:-1])
        + list(_UPPER_LIP)
        + list(_LOWER_LIP[:0:-1])
        + _right(_LOWER_LIP[:1])
        + _right(_LOWER_LIP[1:])
    )
    inside = (
        _right(_INNER_UPPER[:0:-1])
        + list(_INNER_UPPER)
        + list(_INNER_LOWER[:0:-1])
        + [_INNER_LOWER[0]]
        + _right(_INNER_LOWER[1:])
    )
    return np.array(jaw + brows + nose + eyes + lips + inside)


@lru_cache(maxsize=1)
def landmark_vertices() -> np.ndarray:
    """Return the vertex [68] of the subdivided head nearest to each landmark."""
    vertices = subdivision("body", LEVELS).matrix @ load_asset().vertices
    return np.array([np.argmin(((vertices - place) ** 2).sum(1)) for place in landmark_places()])
