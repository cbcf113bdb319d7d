"""The image's surfaces: what each pixel shows, interpolated from the mesh's vertices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from styleT2I.data.portraits.tracing.camera import Camera
from styleT2I.data.portraits.tracing.engine import Hits
from styleT2I.data.portraits.tracing.mesh import Mesh

_BACK = -0.35  # cosine to the camera below which a normal belongs to the back of a thin surface


@dataclass
class Surfaces:
    """Square images [N, N, ...] of the first surface in sight; all zero where there is none."""

    seen: np.ndarray  # bool
    part: np.ndarray  # u8, index into `parts.PARTS`
    depth: np.ndarray  # f32, dm along the camera's axis
    position: np.ndarray  # f32 [N, N, 3], head's coordinates
    normal: np.ndarray  # f32 [N, N, 3], head's coordinates, turned towards the camera
    to_camera: np.ndarray  # f32 [N, N, 3], unit
    albedo: np.ndarray  # f32 [N, N, 3], linear
    roughness: np.ndarray  # f32
    metallic: np.ndarray  # f32


def surfaces(mesh: Mesh, hits: Hits, camera: Camera) -> Surfaces:
    """Return the surfaces that the hits show."""
    seen = hits.triangle >= 0
    corners, weights = mesh.faces[hits.triangle[seen]], hits.weights[seen]
    shape = hits.triangle.shape

    def over_image(values: np.ndarray) -> np.ndarray:
        image = np.zeros(shape + values.shape[1:], values.dtype)
        image[seen] = values
        return image

    def interpolated(values: np.ndarray) -> np.ndarray:
        if values.ndim == 1:
            return (values[corners] * weights).sum(1)
        return sum(values[corners[:, k]] * weights[:, k, None] for k in range(3))

    position = interpolated(mesh.vertices)
    to_camera = _unit(camera.position.astype(np.float32) - position)
    normal = _facing(_unit(interpolated(mesh.normals)), to_camera)
    return Surfaces(
        seen,
        over_image(mesh.part[hits.triangle[seen]]),
        hits.depth,
        *(over_image(v) for v in (position, normal, to_camera)),
        *(over_image(interpolated(v)) for v in (mesh.colour, mesh.roughness, mesh.metallic)),
    )


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _facing(normal: np.ndarray, to_camera: np.ndarray) -> np.ndarray:
    """Turn normals that look away from the camera into its half space: backs are turned round, ribbons bent."""
    towards = (normal * to_camera).sum(-1, keepdims=True)
    normal, towards = np.where(towards < _BACK, -normal, normal), np.where(towards < _BACK, -towards, towards)
    return np.where(towards < 0.02, _unit(normal + (0.02 - towards) * to_camera), normal)
