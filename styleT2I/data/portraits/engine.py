"""Mitsuba behind one door: a mesh, a camera and an environment in, radiance and what each sub-pixel hits out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from styleT2I.data.portraits.camera import Camera
from styleT2I.data.portraits.llvm import modern_llvm
from styleT2I.data.portraits.mesh import Mesh
from styleT2I.errors import DependencyError

LLVM, SCALAR = "llvm_ad_rgb", "scalar_rgb"
_HINT = "rendering portraits needs Mitsuba: pip install styleT2I[portraits]"


@dataclass(frozen=True)
class Hits:
    """What the ray through the middle of each sub-pixel meets first; rows of a square picture, top first."""

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
    if library:
        import drjit as dr

        dr.set_thread_count(0)  # no workers besides this thread: one process a core
    mi.set_log_level(mi.LogLevel.Error)
    return mi


def is_llvm() -> bool:
    """Return whether rays are traced in bundles (LLVM) rather than one by one."""
    return mitsuba().variant() == LLVM


class Engine:
    """One scene to trace: build, `radiance`, `hits`."""

    def __init__(self, mesh: Mesh, camera: Camera, environment: np.ndarray):
        self._camera, self._mesh = camera, mesh
        self._scene = _load(mesh, environment)

    def radiance(self, resolution: int, samples: int, seed: int) -> np.ndarray:
        """Return linear RGB and coverage f32 [resolution, resolution, 4], premultiplied, of direct light."""
        mi = mitsuba()
        sensor = mi.load_dict(_sensor(self._camera, resolution, samples, "gaussian", "rgba"))
        integrator = mi.load_dict({"type": "path", "max_depth": 2, "hide_emitters": True})
        return np.array(mi.render(self._scene, sensor=sensor, integrator=integrator, spp=samples, seed=seed % 2**32))

    def hits(self, resolution: int) -> Hits:
        """Return what the middle of every pixel of a picture of this resolution shows."""
        origin, directions = self._camera.rays(resolution)
        triangle = (_traced if is_llvm() else _rendered)(self._scene, self._camera, resolution, directions)
        return _hits(self._mesh, origin, directions, triangle, self._camera)


def _load(mesh: Mesh, environment: np.ndarray):
    mi = mitsuba()
    props = mi.Properties()
    props["bsdf"] = mi.load_dict(_surface())
    shape = mi.Mesh("portrait", len(mesh.vertices), len(mesh.faces), has_vertex_normals=True, props=props)
    for name, size in (("colour", 3), ("roughness", 1), ("metallic", 1)):
        shape.add_attribute(f"vertex_{name}", size, getattr(mesh, name).ravel())
    params = mi.traverse(shape)
    params["vertex_positions"] = mesh.vertices.ravel()
    params["vertex_normals"] = mesh.normals.ravel()
    params["faces"] = mesh.faces.ravel()
    params.update()
    light = {"type": "envmap", "bitmap": mi.Bitmap(environment), "scale": 1.0}
    return mi.load_dict({"type": "scene", "shape": shape, "light": light})


def _surface() -> dict:
    attribute = {name: {"type": "mesh_attribute", "name": f"vertex_{name}"} for name in ("colour", "roughness", "metallic")}
    principled = {
        "type": "principled",
        "base_color": attribute["colour"],
        "roughness": attribute["roughness"],
        "metallic": attribute["metallic"],
        "specular": 0.4,
    }
    return {"type": "twosided", "bsdf": principled}


def _sensor(camera: Camera, resolution: int, samples: int, rfilter: str, pixels: str) -> dict:
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
            "component_format": "float32", "rfilter": {"type": rfilter},
        },
        "sampler": {"type": "independent", "sample_count": samples},
    }  # fmt: skip


def _traced(scene, camera: Camera, resolution: int, directions: np.ndarray) -> np.ndarray:
    """Return the first triangle [resolution, resolution] of each ray, -1 for none."""
    mi = mitsuba()
    flat = directions.reshape(-1, 3).astype(np.float32)
    ray = mi.Ray3f(mi.Point3f(*map(float, camera.position)), mi.Vector3f(*np.ascontiguousarray(flat.T)))
    found = scene.ray_intersect_preliminary(ray)
    index = np.where(np.array(found.is_valid()), np.array(found.prim_index).astype(np.int64), -1)
    return index.reshape(resolution, resolution)


def _rendered(scene, camera: Camera, resolution: int, directions: np.ndarray) -> np.ndarray:
    """The same without bundles: the position that each pixel shows is rendered, and its triangle with it."""
    mi = mitsuba()
    integrator = mi.load_dict({"type": "aov", "aovs": "index:prim_index,depth:depth"})
    sensor = mi.load_dict(_sensor(camera, resolution, 1, "box", "rgb"))
    index, depth = np.moveaxis(np.array(mi.render(scene, sensor=sensor, integrator=integrator, spp=1, seed=0))[..., -2:], -1, 0)
    return np.where(depth > 0, np.rint(index), -1).astype(np.int64)


def _hits(mesh: Mesh, origin, directions, triangle, camera: Camera) -> Hits:
    """Return the hits of rays on known triangles: where they pierce the triangles' planes."""
    a, b, c = (mesh.vertices[mesh.faces[np.maximum(triangle, 0), i]].astype(float) for i in range(3))
    edge_1, edge_2, from_a = b - a, c - a, origin - a
    p = np.cross(directions, edge_2)
    determinant = (edge_1 * p).sum(-1)
    determinant = np.where(np.abs(determinant) > 1e-12, determinant, 1e-12)
    q = np.cross(from_a, edge_1)
    v = (from_a * p).sum(-1) / determinant
    w = (directions * q).sum(-1) / determinant
    distance = (edge_2 * q).sum(-1) / determinant
    weights = np.clip(np.stack([1 - v - w, v, w], -1), 0, 1)
    weights /= np.maximum(weights.sum(-1, keepdims=True), 1e-9)
    depth = np.where(triangle >= 0, distance * (directions @ camera.rotation[2]), 0)
    return Hits(triangle, weights.astype(np.float32), depth.astype(np.float32))
