"""The scalp of the base head: the hairline, the distance of a point from it, and roots of hair drawn inside it.

Points are canonical (dm, on the unmorphed base head). Azimuth is the angle about a vertical axis through the ears:
0 at the nose, 90 at an ear, 180 at the back.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from styleT2I.data.portraits.anatomy import head
from styleT2I.data.portraits.anatomy.regions import region_masks
from styleT2I.data.portraits.anatomy.surface import Surface, unit
from styleT2I.data.portraits.tracing.mesh import smooth_normals

AXIS_Z = 0.45
_HAIRLINE = np.array(  # azimuth, height
    [
        (0, 7.94),
        (16, 7.94),
        (28, 7.90),
        (37, 7.84),
        (45, 7.74),
        (51, 7.58),
        (56, 7.36),
        (59, 7.05),
        (67, 7.05),
        (69, 7.42),
        (94, 7.42),
        (103, 7.16),
        (112, 6.84),
        (130, 6.66),
        (150, 6.60),
        (180, 6.60),
    ]
)
_DM_PER_DEGREE = 0.8 * np.pi / 180


def azimuth(points: np.ndarray) -> np.ndarray:
    """Return the azimuth [...] of points [..., 3], degrees in -180 ... 180, positive on the person's left."""
    return np.degrees(np.arctan2(points[..., 0], points[..., 2] - AXIS_Z))


def hairline(receding: float = 0.0, sideburn: float = 0.0) -> np.ndarray:
    """Return the hairline as rows (azimuth, height) [K, 2].

    `receding` 0 ... 1 lifts the front and opens the temples; `sideburn` in dm lengthens the hair before the ears.
    """
    line = _HAIRLINE.copy()
    degrees = line[:, 0]
    line[:, 1] += receding * (0.12 + 0.26 * np.exp(-np.square((degrees - 32) / 15))) * (degrees < 50)
    line[:, 1] -= sideburn * ((degrees > 57) & (degrees < 68))
    return line


def inside(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Return the distance [N] in dm from the hairline, positive within the hair."""
    at = np.stack([np.abs(azimuth(points)) * _DM_PER_DEGREE, points[:, 1]], -1)
    knots = np.stack([line[:, 0] * _DM_PER_DEGREE, line[:, 1]], -1)
    nearest = np.full(len(points), np.inf)
    for a, b in zip(knots[:-1], knots[1:], strict=True):
        along = np.clip((at - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(at - a - along[:, None] * (b - a), axis=1))
    above = points[:, 1] > np.interp(np.abs(azimuth(points)), line[:, 0], line[:, 1])
    return np.where(above, nearest, -nearest)


@dataclass(frozen=True)
class BaseHead:
    """The base head once subdivided: all of it, and the surface that hair slides over (ears pressed to the head)."""

    vertices: np.ndarray  # [V, 3]
    normals: np.ndarray
    faces: np.ndarray  # [F, 3]
    surface: Surface


@lru_cache(maxsize=1)
def base_head() -> BaseHead:
    """Return the base head, made once per process."""
    vertices, faces = head.base_head()
    vertices = vertices.astype(np.float32)
    normals = smooth_normals(vertices, faces)
    skin = (region_masks()["ears"] < 0.3) & (region_masks()["inside_mouth"] < 0.5)
    return BaseHead(vertices, normals, faces, Surface(vertices[skin], normals[skin]))


@dataclass(frozen=True)
class Roots:
    """Points on the base head: corners [N, 3] of their triangles, barycentric weights, place and normal [N, 3]."""

    corners: np.ndarray
    weights: np.ndarray
    points: np.ndarray
    normals: np.ndarray

    def where(self, kept: np.ndarray) -> Roots:
        """Return the roots with a flag [N]."""
        return Roots(self.corners[kept], self.weights[kept], self.points[kept], self.normals[kept])


def draw_roots(density: np.ndarray, count: int, rng: np.random.Generator) -> Roots:
    """Return up to `count` roots spread evenly over the base head where `density` [V] (0 ... 1) is, by area."""
    base = base_head()
    corners = base.vertices[base.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    total = np.cumsum(area * density[base.faces].mean(1))
    at = (np.arange(count) + rng.random(count)) / count * total[-1]
    triangle = np.minimum(np.searchsorted(total, at), len(base.faces) - 1)
    a, b = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.stack([1 - a, a * (1 - b), a * b], 1).astype(np.float32)
    corners = base.faces[triangle]
    return Roots(corners, weights, blend(base.vertices, corners, weights), unit(blend(base.normals, corners, weights)))


def blend(values: np.ndarray, corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return `values` [V, C] at points of triangles: corners [N, 3] and barycentric weights [N, 3]."""
    return np.einsum("nk,nki->ni", weights, values[corners])
