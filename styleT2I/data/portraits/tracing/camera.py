"""The camera: FFHQ's framing of a face, seen from the direction that the scene's head pose asks for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from styleT2I.data.portraits.scenes.scene import Scene

_FFHQ_MARGIN = 1.06
_SHIFT = 0.03  # of the image's side, for a scene's shift of 1
_ZOOM = 0.08


@dataclass(frozen=True)
class Camera:
    """A pinhole camera over a square image, in the head's coordinates (dm).

    The head stands still and the camera goes around it: `rotation` has the rows right, up and ahead (out of the
    image, towards the face).
    """

    position: np.ndarray  # f64 [3]
    rotation: np.ndarray  # f64 [3, 3]
    tan_half: float  # of half the field of view

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (image coordinates [N, 2] in 0 ... 1, x right and y down; depths [N] in dm) of points [N, 3]."""
        right, up, ahead = self.rotation @ (np.asarray(points, float) - self.position).T
        scale = ahead * self.tan_half
        return np.stack([0.5 + 0.5 * right / scale, 0.5 - 0.5 * up / scale], 1), ahead

    def to_view(self, directions: np.ndarray) -> np.ndarray:
        """Return directions [..., 3] as (right, up, towards the camera)."""
        return directions @ (self.rotation * [[1], [1], [-1]]).T

    def to_head(self, directions: np.ndarray) -> np.ndarray:
        """Return directions (right, up, towards the camera) [..., 3] in the head's coordinates."""
        return directions @ (self.rotation * [[1], [1], [-1]])

    def rays(self, resolution: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (origin [3], unit directions [resolution, resolution, 3]) through the middles of the pixels."""
        middle = (np.arange(resolution) + 0.5) / resolution * 2 - 1
        x, y = np.meshgrid(middle * self.tan_half, -middle * self.tan_half)
        directions = np.stack([x, y, np.ones_like(x)], -1) @ self.rotation
        return self.position, directions / np.linalg.norm(directions, axis=-1, keepdims=True)

    def to_json(self) -> dict:
        """Return the camera as plain numbers."""
        return {
            "position": self.position.tolist(),
            "rotation": self.rotation.tolist(),
            "fov": math.degrees(2 * math.atan(self.tan_half)),
        }


def pose(scene: Scene) -> np.ndarray:
    """Return the rotation [3, 3] that turns the head's coordinates into the viewer's (right, up, towards them)."""
    yaw, pitch, roll = np.radians([scene.yaw, scene.pitch, scene.roll])
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    nod = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    tilt = np.array([[np.cos(roll), np.sin(roll), 0], [-np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return tilt @ nod @ turn


def place_camera(anchors: dict[str, np.ndarray], scene: Scene) -> Camera:
    """Return the camera that frames a head with these anchors (`Head.anchors`) as FFHQ does, and as the scene asks."""
    eyes = (anchors["l_eye"] + anchors["r_eye"]) / 2
    to_mouth = (anchors["l_mouth"] + anchors["r_mouth"]) / 2 - eyes
    apart = np.linalg.norm(anchors["l_eye"] - anchors["r_eye"])
    side = _FFHQ_MARGIN * max(4 * apart, 3.6 * float(np.linalg.norm(to_mouth))) * (1 - _ZOOM * scene.zoom)
    right, up, towards = pose(scene)
    tan_half = math.tan(math.radians(scene.fov) / 2)
    middle = eyes + 0.1 * to_mouth - _SHIFT * side * (scene.shift_x * right - scene.shift_y * up)
    return Camera(middle + towards * side / 2 / tan_half, np.stack([right, up, -towards]), tan_half)
