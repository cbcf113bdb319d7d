"""Cloth laid over shoulders and neck: the skin pushed outwards and cut along a neckline, exactly and with a hem."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from styleT2I.data.portraits.grooming.scalp import base_head
from styleT2I.data.portraits.tracing.mesh import Mesh, make_mesh
from styleT2I.data.portraits.worn.fitting import Fitting
from styleT2I.data.portraits.worn.neck import neck_azimuth, neck_line


@lru_cache(maxsize=1)
def _bust() -> tuple[np.ndarray, np.ndarray]:
    """Return (vertex [B], triangles [F, 3] over them) of the base head's neck and shoulders."""
    head = base_head()
    y, z = head.vertices[:, 1], head.vertices[:, 2]
    is_bust = (y < 6.62) & ~((z > 0.80) & (y > 6.0))
    faces = head.faces[is_bust[head.faces].all(1)]
    used, index = np.unique(faces, return_inverse=True)
    return used, index.reshape(-1, 3)


def cloth(
    fit: Fitting,
    colour: np.ndarray,
    front: float,
    back: float,
    depth: float = 0.0,
    thickness: float = 0.05,
    loose: float = 0.05,
    slit: float = 0.0,
    roughness: float = 0.9,
) -> Mesh:
    """Return the cloth below the line around the neck that `neck_line` describes.

    It lies `thickness` off the skin, `loose` dm more at the shoulders. With `slit` the front stays open by that half
    width (dm) below the line, as a jacket's does.
    """
    vertex, faces = _bust()
    base = base_head().vertices[vertex]
    angle = neck_azimuth(base)
    above = base[:, 1] - neck_line(angle, front, back, depth)
    if slit:
        open_front = np.where(base[:, 2] > 0.2, slit - np.abs(base[:, 0]), -1.0)
        above = np.maximum(above, open_front)
    skin = fit.head.mesh.vertices[vertex]
    out = thickness + loose * np.clip((6.05 - base[:, 1]) / 0.5, 0, 1)
    return _clipped(skin, skin + out[:, None] * fit.head.vertex_normals[vertex], above, faces, colour, roughness)


def _clipped(
    skin: np.ndarray, surface: np.ndarray, above: np.ndarray, faces: np.ndarray, colour: np.ndarray, roughness: float
) -> Mesh:
    """Return the part of the surface with `above` < 0, closed towards the skin by a hem along the cut."""
    inside = above < 0
    count = inside[faces].sum(1)
    whole = faces[count == 3]
    cuts = _Cuts(skin, surface, above)
    one, two = _lone_first(faces[count == 1], inside), _lone_first(faces[count == 2], ~inside)
    a, b = cuts.between(one[:, 0], one[:, 1]), cuts.between(one[:, 0], one[:, 2])
    c, d = cuts.between(two[:, 1], two[:, 0]), cuts.between(two[:, 2], two[:, 0])
    triangles = [
        whole,
        np.stack([one[:, 0], a, b], 1),
        np.stack([c, two[:, 1], two[:, 2]], 1),
        np.stack([c, two[:, 2], d], 1),
    ]
    edge = np.concatenate([np.stack([a, b], 1), np.stack([d, c], 1)])
    vertices, hem = cuts.finished(edge)
    mesh = make_mesh(vertices, np.concatenate([*triangles, hem]), colour, "cloth", roughness=roughness)
    return mesh


def _lone_first(faces: np.ndarray, flag: np.ndarray) -> np.ndarray:
    """Return triangles turned so that their only vertex with the flag comes first."""
    first = flag[faces].argmax(1)[:, None]
    return np.take_along_axis(faces, (first + np.arange(3)) % 3, 1)


class _Cuts:
    """Points where edges cross the neckline, on the cloth and on the skin below it."""

    def __init__(self, skin: np.ndarray, surface: np.ndarray, above: np.ndarray) -> None:
        self._skin, self._surface, self._above = skin, surface, above
        self._points, self._below, self._size = [], [], len(surface)

    def between(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return new vertices [N] on the edges from a [N] (inside) to b [N] (outside)."""
        share = (self._above[a] / np.minimum(self._above[a] - self._above[b], -1e-9))[:, None]
        for kept, source in ((self._points, self._surface), (self._below, self._skin)):
            kept.append(source[a] + np.clip(share, 0, 1) * (source[b] - source[a]))
        start = self._size
        self._size += len(a)
        return np.arange(start, self._size)

    def finished(self, edge: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (all vertices, triangles of the hem from the cut edges [E, 2] down to just below the skin)."""
        points, below = np.concatenate(self._points), np.concatenate(self._below)
        lowered = below - 0.35 * (points - below)
        a, b = edge.T
        shift = len(points)
        hem = np.concatenate([np.stack([b, a, a + shift], 1), np.stack([b, a + shift, b + shift], 1)])
        return np.concatenate([self._surface, points, lowered]), hem
