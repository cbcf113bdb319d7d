"""Eyeballs: a sphere with a cornea, its pupil, iris, limbus and white painted on, turned to where the scene looks."""

from __future__ import annotations

import numpy as np

from styleT2I.data.portraits.anatomy.head import Head
from styleT2I.data.portraits.scenes.scene import Scene
from styleT2I.data.portraits.tracing.colours import linear, mixed, smoothstep
from styleT2I.data.portraits.tracing.mesh import Mesh, grid_faces, make_mesh
from styleT2I.data.portraits.tracing.noise import value_noise
from styleT2I.torch_utils.seeding import derive_seed

IRIS, PUPIL = 0.385, 0.145  # radians about the axis of the gaze
_TO_CAMERA = 0.75  # of the head's turn that the eyes make good
_SIDES = 40
_RINGS = np.concatenate(
    [np.linspace(0, PUPIL, 4), np.linspace(PUPIL + 0.02, IRIS + 0.06, 11), np.linspace(0.5, 2.1, 10)]
)
ROUGHNESS = 0.1


def build_eyes(head: Head, scene: Scene) -> list[Mesh]:
    """Return the left and right eyeball."""
    return [_eyeball(head, scene, side) for side in ("l_eye", "r_eye")]


def _gaze(scene: Scene) -> tuple[float, float]:
    """Return (yaw, pitch) of the eyes in the head, radians: mostly into the camera, then as the scene says."""
    yaw = np.clip(-_TO_CAMERA * scene.yaw + scene.gaze_yaw, -24, 24)
    pitch = np.clip(-_TO_CAMERA * scene.pitch + scene.gaze_pitch, -9, 9)
    return np.radians(yaw), np.radians(pitch)


def _eyeball(head: Head, scene: Scene, side: str) -> Mesh:
    polar, angle = np.meshgrid(_RINGS, np.linspace(0, 2 * np.pi, _SIDES, endpoint=False), indexing="ij")
    out = np.stack([np.sin(polar) * np.cos(angle), np.sin(polar) * np.sin(angle), np.cos(polar)], -1).reshape(-1, 3)
    polar, angle = polar.ravel(), angle.ravel()
    yaw, pitch = _gaze(scene)
    yaw += 0.02 * (-1 if side == "l_eye" else 1)  # both look at a point, not at infinity
    nod = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    bulge = 1 + 0.045 * (1 - smoothstep(0.0, IRIS + 0.08, polar))
    out_there = out @ (turn @ nod).T
    vertices = head.anchors[side] + out_there * bulge[:, None] * head.eye_radius
    faces = grid_faces(len(_RINGS), _SIDES, closed=True)
    return make_mesh(vertices, faces, _paint(polar, angle, out, scene), side, roughness=ROUGHNESS, normals=out_there)


def _paint(polar, angle, out, scene: Scene) -> np.ndarray:
    """Return linear colours [V, 3]."""
    seed = derive_seed(scene.seed, "eyes")
    ring = np.stack([np.cos(angle) * 3, np.sin(angle) * 3, polar * 2], 1)
    fibres = 1 + 0.28 * value_noise(ring, 3.2, seed) + 0.2 * value_noise(ring, 1.3, seed + 1)
    iris = np.clip(0.8 * linear(scene.eye_colour) + 0.004, 0, 0.25) * fibres[:, None]
    iris = mixed(iris, iris * [1.5, 1.25, 0.9], 0.5 * (1 - smoothstep(PUPIL, PUPIL + 0.12, polar)))
    limbus = smoothstep(IRIS - 0.10, IRIS, polar)
    iris = mixed(iris, iris * 0.22, limbus)
    white = np.array([0.60, 0.565, 0.535]) * (1 - 0.22 * smoothstep(0.6, 1.2, polar))[:, None]
    white = mixed(white, white * [1.0, 0.80, 0.76], 0.6 * smoothstep(0.7, 1.25, polar) * np.abs(out[:, 0]))
    colour = mixed(iris, white, smoothstep(IRIS - 0.01, IRIS + 0.05, polar))
    return mixed(np.full(3, 0.004), colour, smoothstep(PUPIL - 0.03, PUPIL + 0.02, polar))
