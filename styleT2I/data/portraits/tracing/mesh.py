"""Triangle meshes that carry everything the renderer needs per vertex, and the shapes that accessories are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from styleT2I.data.portraits.parts import PART


@dataclass
class Mesh:
    """Triangles in decimetres (x to the person's left, y up, +z out of the face).

    `colour` is linear RGB albedo, `part` the index into `parts.PARTS` of each triangle; `normals` None means smooth
    ones that follow from the triangles.
    """

    vertices: np.ndarray  # f32 [V, 3]
    faces: np.ndarray  # u32 [F, 3]
    colour: np.ndarray  # f32 [V, 3]
    roughness: np.ndarray  # f32 [V], 0.02 (mirror) to 1
    metallic: np.ndarray  # f32 [V], 0 or 1
    part: np.ndarray  # u8 [F]
    normals: np.ndarray | None = None  # f32 [V, 3], unit length


@dataclass
class Paint:
    """Colour that hair or make-up lays on the head's own skin, on the vertices of `Head.mesh` in order.

    Where `weight` exceeds 0.5 at all corners of a triangle, the triangle also becomes `part`, if one is named.
    """

    weight: np.ndarray  # f32 [V], 0 to 1
    colour: np.ndarray  # f32 [3] or [V, 3]
    part: str | None = None
    roughness: float | None = None


def make_mesh(vertices, faces, colour, part, roughness=0.5, metallic=0.0, normals=None) -> Mesh:
    """Return a Mesh; `colour` [3] or [V, 3], `roughness` and `metallic` scalar or [V], `part` a name or u8 [F]."""
    vertices, faces = np.asarray(vertices, np.float32), np.asarray(faces, np.uint32).reshape(-1, 3)
    number = len(vertices)
    part = np.full(len(faces), PART[part]) if isinstance(part, str) else np.asarray(part)
    return Mesh(
        vertices,
        faces,
        np.ascontiguousarray(np.broadcast_to(np.asarray(colour, np.float32), (number, 3))),
        np.ascontiguousarray(np.broadcast_to(np.asarray(roughness, np.float32), number)),
        np.ascontiguousarray(np.broadcast_to(np.asarray(metallic, np.float32), number)),
        part.astype(np.uint8),
        None if normals is None else np.asarray(normals, np.float32),
    )


def triangles(quads: np.ndarray) -> np.ndarray:
    """Split quads [Q, 4] into triangles [2 Q, 3], both of a quad side by side."""
    return quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)


def smooth_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return unit vertex normals [V, 3], triangles weighed by area; vertices without any point up +z."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    cross = np.cross(b - a, c - a)
    total = np.stack(
        [np.bincount(faces.ravel(), np.repeat(cross[:, i], 3), minlength=len(vertices)) for i in range(3)], 1
    )
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 1e-12, total / np.maximum(length, 1e-12), [0, 0, 1]).astype(np.float32)


def with_normals(mesh: Mesh) -> Mesh:
    """Return the mesh with its normals filled in."""
    if mesh.normals is not None:
        return mesh
    return replace(mesh, normals=smooth_normals(mesh.vertices, mesh.faces))


def join(meshes: Sequence[Mesh]) -> Mesh:
    """Return one mesh of all, normals filled in, in the order given."""
    meshes = [with_normals(mesh) for mesh in meshes if len(mesh.faces)]
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    return Mesh(
        *(np.concatenate([getattr(mesh, name) for mesh in meshes]) for name in ("vertices",)),
        np.concatenate([mesh.faces + np.uint32(start) for mesh, start in zip(meshes, starts, strict=True)]),
        *(np.concatenate([getattr(mesh, name) for mesh in meshes])
          for name in ("colour", "roughness", "metallic", "part", "normals")),
    )  # fmt: skip


def grid_faces(rows: int, columns: int, closed: bool = False) -> np.ndarray:
    """Return the triangles of a grid of vertices in row order; `closed` joins the last column to the first."""
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    following = (column + 1) % columns
    a, b = row * columns + column, row * columns + following
    return triangles(np.stack([a, b, b + columns, a + columns], -1).reshape(-1, 4))


def tube(path: np.ndarray, radius, colour, part: str, sides: int = 8, closed: bool = False, **surface) -> Mesh:
    """Return a tube along `path` [P, 3] (`radius` scalar or [P], dm); `closed` joins its end to its start."""
    path = np.asarray(path, float)
    ahead = np.roll(path, -1, 0) - np.roll(path, 1, 0)
    if not closed:
        ahead[0], ahead[-1] = path[1] - path[0], path[-1] - path[-2]
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    side = np.zeros_like(path)
    side[0] = np.cross(ahead[0], np.eye(3)[np.argmin(abs(ahead[0]))])
    for i in range(1, len(path)):  # parallel transport keeps the tube from twisting
        side[i] = side[i - 1] - ahead[i] * (side[i - 1] @ ahead[i])
        side[i] /= np.linalg.norm(side[i])
    side[0] /= np.linalg.norm(side[0])
    other = np.cross(ahead, side)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    out = np.cos(angle)[None, :, None] * side[:, None] + np.sin(angle)[None, :, None] * other[:, None]
    vertices = path[:, None] + out * np.broadcast_to(np.asarray(radius, float), len(path))[:, None, None]
    rows = len(path) + closed
    faces = grid_faces(rows, sides, closed=True) % (len(path) * sides)
    return make_mesh(vertices.reshape(-1, 3), faces, colour, part, normals=out.reshape(-1, 3), **surface)


def sphere(centre, radius, colour, part: str, rings: int = 10, sides: int = 14, **surface) -> Mesh:
    """Return a sphere, or an ellipsoid where `radius` is [3]."""
    polar, angle = np.meshgrid(
        np.linspace(0, np.pi, rings), np.linspace(0, 2 * np.pi, sides, endpoint=False), indexing="ij"
    )
    out = np.stack([np.sin(polar) * np.sin(angle), np.cos(polar), np.sin(polar) * np.cos(angle)], -1).reshape(-1, 3)
    radius = np.broadcast_to(np.asarray(radius, float), 3)
    normals = out / radius
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    faces = grid_faces(rings, sides, closed=True)[:, ::-1]
    return make_mesh(np.asarray(centre) + out * radius, faces, colour, part, normals=normals, **surface)


def revolution(profile: np.ndarray, centre, axes, colour, part: str, sides: int = 48, **surface) -> Mesh:
    """Return the surface of revolution of `profile` [P, 2] (radius factor, height in dm) about +y through `centre`.

    `axes` (x, z) are the half axes in dm of the ellipse that a radius factor of 1 means.
    """
    profile = np.asarray(profile, float)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.stack([np.sin(angle) * axes[0], np.zeros(sides), np.cos(angle) * axes[1]], -1)
    vertices = np.asarray(centre) + profile[:, None, :1] * ring + np.array([0, 1, 0]) * profile[:, None, 1:]
    return make_mesh(vertices.reshape(-1, 3), grid_faces(len(profile), sides, closed=True), colour, part, **surface)
