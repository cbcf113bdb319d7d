"""Mitsuba as the ray tracer, behind one door: which triangle each pixel shows, and how much light reaches it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from styleT2I.data.portraits.tracing.camera import Camera
from styleT2I.data.portraits.tracing.llvm import modern_llvm
from styleT2I.data.portraits.tracing.mesh import Mesh
from styleT2I.errors import DependencyError

LLVM, SCALAR = "llvm_ad_rgb", "scalar_rgb"
_BUNDLE = 4096  # rays
_HINT = "rendering portraits needs Mitsuba: pip install styleT2I[portraits]"


@dataclass(frozen=True)
class Hits:
    """The first hit of the ray through the middle of each pixel; rows of a square image, top first."""

    triangle: np.ndarray  # int [N, N], -1 where it meets nothing
    weights: np.ndarray  # f32 [N, N, 3], barycentric
    depth: np.ndarray  # f32 [N, N], dm along the camera's axis; 0 where it meets nothing


@lru_cache(maxsize=1)
def mitsuba():
    """Return the `mitsuba` module with a variant chosen that runs here, on one thread.

    `llvm_ad_rgb` where LLVM is modern enough, else the slower `scalar_rgb`: an old LLVM would abort the process.
    Raises DependencyError where Mitsuba is not installed.
    """
    library = modern_llvm()
    if library:
        os.environ["DRJIT_LIBLLVM_PATH"] = library
    try:
        import mitsuba as mi
    except ImportError as error:
        raise DependencyError(_HINT) from error
    mi.set_variant(LLVM if library else SCALAR)
    mi.set_log_level(mi.LogLevel.Error)
    import drjit as dr

    dr.set_thread_count(1)
    return mi


def is_llvm() -> bool:
    """Return whether rays are traced in bundles (LLVM) rather than one by one."""
    return mitsuba().variant() == LLVM


class Engine:
    """A mesh to shoot rays at."""

    def __init__(self, mesh: Mesh, camera: Camera):
        self._camera, self._mesh = camera, mesh
        self._shape = _shape(mesh)
        self._scene = mitsuba().load_dict({"type": "scene", "shape": self._shape})

    def hits(self, resolution: int) -> Hits:
        """Return what the middle of every pixel of an image of this resolution shows."""
        return (self._traced if is_llvm() else self._rendered)(resolution)

    def gathered(self, points, normals, choice, directions, shares) -> np.ndarray:
        """Return the light f32 [P, 3] that reaches surfaces; LLVM only.

        `points` and unit `normals` [P, 3]; `directions` and `shares` [S, L, 3] are S sets of L lights, of which the
        surface at a point sees the set `choice` [P]: sum of shares * cosine over those that nothing is in the way of.
        """
        import drjit as dr

        mi = mitsuba()
        lights, number = directions.shape[1], len(points)
        points, normals, choice = (_padded(v) for v in (points, normals, choice))
        origin, normal = mi.Point3f(_columns(points)), mi.Vector3f(_columns(normals))
        towards, colour = (mi.Vector3f(_columns(v.reshape(-1, 3))) for v in (directions, shares))
        first = mi.UInt32(np.asarray(choice, np.uint32)) * lights
        light = mi.Vector3f(0)
        for k in range(lights):
            direction = dr.gather(mi.Vector3f, towards, first + k)
            cosine = dr.dot(normal, direction)
            lit = cosine > 0
            lit &= ~self._scene.ray_test(mi.Ray3f(origin, direction), lit)
            light += dr.select(lit, cosine, 0) * dr.gather(mi.Vector3f, colour, first + k)
        return np.array(light).T[:number]

    def white_irradiance(self, resolution: int, samples: int, environment: np.ndarray) -> np.ndarray:
        """Return the irradiance over pi f32 [resolution, resolution, 3] under an environment map; slower, any variant.

        The surfaces are rendered white and matte; pixels of their edges are divided by their coverage.
        """
        mi = mitsuba()
        light = {"type": "envmap", "bitmap": mi.Bitmap(environment), "scale": 1.0}
        scene = mi.load_dict({"type": "scene", "shape": self._shape, "light": light})
        integrator = mi.load_dict({"type": "direct", "emitter_samples": 1, "bsdf_samples": 0, "hide_emitters": True})
        sensor = mi.load_dict(_sensor(self._camera, resolution, samples, "rgba", "multijitter"))
        rgba = np.array(mi.render(scene, sensor=sensor, integrator=integrator, spp=samples, seed=0))
        return rgba[..., :3] / np.maximum(rgba[..., 3:], 1 / samples)

    def _traced(self, resolution: int) -> Hits:
        mi = mitsuba()
        origin, directions = self._camera.rays(resolution)
        ray = mi.Ray3f(mi.Point3f(*map(float, origin)), mi.Vector3f(_columns(directions.reshape(-1, 3))))
        found = self._scene.ray_intersect_preliminary(ray)
        seen = np.array(found.is_valid()).reshape(resolution, resolution)
        triangle, distance = np.array(found.prim_index).astype(np.int64), np.array(found.t)
        v, w = np.array(found.prim_uv).reshape(2, resolution, resolution)
        weights = np.where(seen[..., None], np.stack([1 - v - w, v, w], -1), 0).astype(np.float32)
        along = distance.reshape(resolution, resolution) * (directions @ self._camera.rotation[2])
        return Hits(
            np.where(seen, triangle.reshape(seen.shape), -1), weights, np.where(seen, along, 0).astype(np.float32)
        )

    def _rendered(self, resolution: int) -> Hits:
        """The same without bundles: an image of the triangles' numbers, each ray somewhere in its pixel."""
        mi = mitsuba()
        integrator = mi.load_dict({"type": "aov", "aovs": "index:prim_index,depth:depth"})
        sensor = mi.load_dict(_sensor(self._camera, resolution, 1, "rgb", "independent"))
        image = np.array(mi.render(self._scene, sensor=sensor, integrator=integrator, spp=1, seed=0))
        triangle = np.where(image[..., -1] > 0, np.rint(image[..., -2]), -1).astype(np.int64)
        return _pierced(self._mesh, self._camera, triangle)


def _padded(rows: np.ndarray) -> np.ndarray:
    """Return the rows with zeros up to a multiple of `_BUNDLE`: other lengths compile kernels of their own."""
    missing = -len(rows) % _BUNDLE
    return np.concatenate([rows, np.zeros((missing, *rows.shape[1:]), rows.dtype)])


def _columns(rows: np.ndarray) -> np.ndarray:
    """Return rows [R, 3] as the f32 columns that Dr.Jit takes."""
    return np.ascontiguousarray(rows.T, np.float32)


def _shape(mesh: Mesh):
    mi = mitsuba()
    props = mi.Properties()
    props["bsdf"] = mi.load_dict(
        {"type": "twosided", "bsdf": {"type": "diffuse", "reflectance": {"type": "rgb", "value": 1.0}}}
    )
    shape = mi.Mesh("portrait", len(mesh.vertices), len(mesh.faces), has_vertex_normals=True, props=props)
    params = mi.traverse(shape)
    params["vertex_positions"] = mesh.vertices.ravel()
    params["vertex_normals"] = mesh.normals.ravel()
    params["faces"] = mesh.faces.ravel()
    params.update()
    return shape


def _sensor(camera: Camera, resolution: int, samples: int, pixels: str, sampler: str) -> dict:
    mi = mitsuba()
    right, up, ahead = camera.rotation
    to_world = np.eye(4)
    to_world[:3] = np.stack([-right, up, ahead, camera.position], 1)  # Mitsuba's cameras have +x at the left
    return {
        "type": "perspective",
        "fov": float(np.degrees(2 * np.arctan(camera.tan_half))),
        "near_clip": 0.1,
        "far_clip": 1000.0,
        "to_world": mi.ScalarTransform4f(to_world),
        "film": {
            "type": "hdrfilm", "width": resolution, "height": resolution, "pixel_format": pixels,
            "component_format": "float32", "rfilter": {"type": "box"},
        },
        "sampler": {"type": sampler, "sample_count": samples},
    }  # fmt: skip


def _pierced(mesh: Mesh, camera: Camera, triangle: np.ndarray) -> Hits:
    """Return the hits of pixels whose triangles are known: where their rays pierce the triangles' planes."""
    origin, directions = camera.rays(len(triangle))
    found = np.nonzero(triangle >= 0)
    a, b, c = (mesh.vertices[mesh.faces[triangle[found], i]].astype(float) for i in range(3))
    towards, edge_1, edge_2, from_a = directions[found], b - a, c - a, origin - a
    p = np.cross(towards, edge_2)
    determinant = (edge_1 * p).sum(-1)
    determinant = np.where(np.abs(determinant) > 1e-12, determinant, 1e-12)
    v = (from_a * p).sum(-1) / determinant
    w = (towards * np.cross(from_a, edge_1)).sum(-1) / determinant
    inside = np.clip(np.stack([1 - v - w, v, w], -1), 0, 1)
    inside /= np.maximum(inside.sum(-1, keepdims=True), 1e-9)
    middle = np.einsum("nk,nkc->nc", inside, np.stack([a, b, c], 1))
    weights, depth = np.zeros((*triangle.shape, 3), np.float32), np.zeros(triangle.shape, np.float32)
    weights[found], depth[found] = inside, (middle - origin) @ camera.rotation[2]
    return Hits(triangle, weights, depth)
