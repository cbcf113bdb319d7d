"""Glasses: round, square, browline and aviator frames without lenses (clear ones cannot be seen), and sunglasses."""

from __future__ import annotations

import numpy as np

from styleT2I.data.portraits.tracing.colours import linear
from styleT2I.data.portraits.tracing.mesh import Mesh, grid_faces, make_mesh, tube
from styleT2I.data.portraits.worn.fitting import Fitting

_OUTLINES = {  # half width, half height (dm), exponent of the superellipse, droop of the outer lower corner
    "round": (0.240, 0.232, 2.0, 0.0),
    "square": (0.272, 0.205, 4.5, 0.0),
    "browline": (0.262, 0.212, 3.0, 0.0),
    "aviator": (0.275, 0.240, 2.4, 0.06),
    "sunglasses": (0.290, 0.235, 3.2, 0.03),
}
_RADIUS = {"round": 0.0165, "square": 0.0215, "browline": 0.0145, "aviator": 0.0145, "sunglasses": 0.021}
_METAL = ("round", "aviator")
_POINTS = 30


def glasses(fit: Fitting) -> list[Mesh]:
    """Return the scene's glasses: rims, bridge and temples, and dark lenses in sunglasses."""
    kind = fit.scene.glasses
    if kind == "none":
        return []
    frame = _Frame(fit)
    rims = [frame.rim(side) for side in (1, -1)]
    meshes = (
        [frame.tube(rim, closed=True) for rim in rims] + [frame.bridge()] + [frame.temple(side) for side in (1, -1)]
    )
    if kind == "browline":
        meshes += [frame.tube(frame.brow_bar(rim), radius=0.030, metal=False) for rim in rims]
    if kind == "aviator":
        meshes.append(frame.bar())
    if kind == "sunglasses":
        meshes += [_lens(rims[0]), _lens(rims[1][::-1])]
    return meshes


class _Frame:
    """The frame's plane before the eyes, and the tubes on it."""

    def __init__(self, fit: Fitting) -> None:
        scene, anchors = fit.scene, fit.head.anchors
        self._fit, self._kind = fit, scene.glasses
        self._radius = _RADIUS[self._kind]
        self._size = 0.95 + 0.14 * scene.glasses_size
        apart = 0.5 * (anchors["l_eye"][0] - anchors["r_eye"][0])
        self._scale = self._size * (apart / 0.308) ** 0.7
        half = _OUTLINES[self._kind][0] * self._scale
        self._offset = max(apart * 1.02, half + 0.055)  # the middle of a lens from the middle of the face
        self._y = 0.5 * (anchors["l_eye"][1] + anchors["r_eye"][1]) - 0.025
        self._z = self._clear_of_the_face()

    def outline(self) -> np.ndarray:
        """Return the left rim [P, 2] around the lens's middle, x outward."""
        width, height, power, droop = _OUTLINES[self._kind]
        angle = np.linspace(0, 2 * np.pi, _POINTS, endpoint=False)
        c, s = np.cos(angle), np.sin(angle)
        x, y = (np.sign(v) * np.abs(v) ** (2 / power) for v in (c, s))
        y = y - 0.5 * droop / height * (s < 0) * c * -s  # the outer lower corner hangs
        x = x * (1 - 0.10 * (y < 0) * np.abs(y) * (self._kind in ("browline", "square", "aviator")))
        return np.stack([x * width, y * height], -1) * self._scale

    def rim(self, side: int) -> np.ndarray:
        """Return the rim [P, 3] of one side, bent back a little at the outside and towards the cheeks."""
        flat = self.outline()
        return self._placed(side * (self._offset + flat[:, 0]), flat[:, 1])

    def _placed(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        z = self._z - 0.20 * np.square(x) + 0.10 * y
        return np.stack([x, self._y + y, z], -1)

    def _clear_of_the_face(self) -> float:
        """Return the depth of the frame's plane: the rims touch neither lashes, brows nor cheeks."""
        anchors, vertices = self._fit.head.anchors, self._fit.head.mesh.vertices
        self._z = 0.0
        rim = np.concatenate([self.rim(1), self.rim(-1)])
        front = vertices[(vertices[:, 2] > anchors["l_eye"][2]) & (np.abs(vertices[:, 1] - self._y) < 0.45)]
        apart = np.square(rim[:, None, :2] - front[None, :, :2]).sum(2)
        skin = front[apart.argmin(1), 2]
        lashes = max(anchors["l_eye"][2], anchors["r_eye"][2]) + self._fit.head.eye_radius + 0.10
        return float(min(max(np.quantile(skin - rim[:, 2], 0.93) + 0.02, lashes), lashes + 0.14))

    def tube(
        self, path: np.ndarray, radius: float | None = None, closed: bool = False, metal: bool | None = None
    ) -> Mesh:
        metal = self._kind in _METAL if metal is None else metal
        colour = self._fit.scene.metal if metal else self._fit.scene.glasses_colour
        return tube(
            path,
            radius or self._radius,
            linear(colour),
            "glasses",
            sides=7,
            closed=closed,
            roughness=0.32 if metal else 0.22,
            metallic=float(metal),
        )

    def bridge(self) -> Mesh:
        inner = self._offset - _OUTLINES[self._kind][0] * self._scale
        x = np.linspace(-inner - 0.01, inner + 0.01, 9)
        return self.tube(self._placed(x, 0.055 + 0.030 * (1 - np.square(x / inner))) + [0, 0, 0.015])

    def bar(self) -> Mesh:
        """Return the aviator's second bridge, above."""
        x = np.linspace(-0.8, 0.8, 9) * self._offset
        return self.tube(self._placed(x, np.full(9, 0.9 * _OUTLINES["aviator"][1] * self._scale)))

    def brow_bar(self, rim: np.ndarray) -> np.ndarray:
        """Return the upper part of a rim, which a browline frame makes thick."""
        order = np.argsort(rim[:, 0])
        upper = order[rim[order, 1] > self._y + 0.045]
        return rim[upper]

    def temple(self, side: int) -> Mesh:
        """Return the arm from the rim's outer end over the ear."""
        anchors = self._fit.head.anchors
        ear = anchors["l_ear_top" if side > 0 else "r_ear_top"]
        outer = self._offset + _OUTLINES[self._kind][0] * self._scale
        hinge = self._placed(np.array([side * outer * 0.985]), np.array([0.075]))[0]
        corner = hinge + [side * 0.045, 0.0, -0.05]
        over = np.array([side * max(abs(ear[0]) - 0.04, abs(corner[0]) * 0.98), ear[1] - 0.015, ear[2] + 0.12])
        behind = np.array([over[0] - side * 0.05, ear[1] - 0.30, ear[2] - 0.10])
        return self.tube(
            np.stack([hinge, corner, 0.5 * (corner + over), over, 0.5 * (over + behind) + [0, 0.08, -0.02], behind])
        )


def _lens(rim: np.ndarray) -> Mesh:
    """Return a dark, bulging lens inside a rim that runs counter-clockwise as seen from the front."""
    middle = rim.mean(0)
    rings = np.linspace(1, 0, 5)
    vertices = middle + rings[:, None, None] * (rim - middle)
    vertices[..., 2] += 0.03 * (1 - np.square(rings))[:, None]
    return make_mesh(
        vertices.reshape(-1, 3),
        grid_faces(len(rings), len(rim), closed=True),
        (0.012, 0.012, 0.014),
        "glasses",
        roughness=0.12,
    )
