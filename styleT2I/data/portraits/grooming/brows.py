"""Brows: short hairs along an arch over each eye, and the upper and lower lashes."""

from __future__ import annotations

import numpy as np

from styleT2I.data.portraits.anatomy.patch import Patch, front_patch
from styleT2I.data.portraits.anatomy.surface import unit
from styleT2I.data.portraits.grooming import strands as st
from styleT2I.data.portraits.grooming.hair_colours import brow_albedo, strand_colours
from styleT2I.data.portraits.scenes.scene import Scene
from styleT2I.data.portraits.tracing.colours import smoothstep
from styleT2I.data.portraits.tracing.mesh import Mesh, Paint, make_mesh
from styleT2I.data.portraits.worn.fitting import Fitting

_INNER, _OUTER = 0.130, 0.515  # x of the ends of a brow on the base head, dm
_HAIRS = 260  # a side and thickness 1


def brow_line(share: np.ndarray, scene: Scene) -> np.ndarray:
    """Return the middle [N, 2] (x, y) of the left brow on the base head at a fraction 0 (inner) ... 1 (outer end)."""
    arch = 0.026 + 0.018 * scene.brow_arch + (0.0 if scene.is_male else 0.012)
    rise = arch * np.sin(np.pi * np.clip(share / 1.25, 0, 1) ** 1.2) - 0.035 * smoothstep(0.68, 1.05, share)
    return np.stack([_INNER + (_OUTER - _INNER) * share, rise + (7.487 if scene.is_male else 7.505)], -1)


def half_width(share: np.ndarray, scene: Scene) -> np.ndarray:
    """Return half the brow's height [N] in dm at a fraction of its length."""
    widest = 0.015 + 0.032 * scene.brow_thickness + (0.008 if scene.is_male else 0.0)
    return widest * (0.4 + 0.6 * smoothstep(-0.02, 0.3, share)) * (1 - 0.8 * smoothstep(0.5, 1.0, share))


def brows(fit: Fitting) -> list[Mesh]:
    """Return the hairs of the left and the right brow."""
    return [_brow(fit, name, side) for name, side in (("l_brow", 1), ("r_brow", -1))]


def _brow(fit: Fitting, part: str, side: int) -> Mesh:
    scene, rng = fit.scene, fit.stream(part)
    number = int(_HAIRS * (0.45 + 0.75 * scene.brow_thickness))
    share = rng.random(number) ** 0.9
    across = np.clip(rng.normal(0, 0.5, number), -1, 1)
    root = brow_line(share, scene) + np.stack([0 * share, across * half_width(share, scene)], -1)
    rise = np.radians(58 - 52 * smoothstep(0, 0.42, share) - 22 * smoothstep(0.55, 1, share) - 24 * across)
    length = (0.075 + 0.055 * scene.brow_thickness) * rng.uniform(0.7, 1.2, number) * (1 - 0.3 * share)
    step = np.stack([np.cos(rise), np.sin(rise)], -1) * length[:, None]
    bend = np.stack([0.25 * length, -0.30 * length * np.sin(rise)], -1)
    flat = np.stack([root, root + 0.5 * step, root + step + bend], 1)
    flat[..., 0] *= side
    skin: Patch = front_patch()
    points, normals = skin.at(flat)
    height = np.array([0.002, 0.008, 0.010]) * (1 + 1.0 * scene.brow_thickness)
    strands = fit.warp(points + normals * height[:, None])
    colours = strand_colours(brow_albedo(scene), strands.shape[:2], np.arange(number) // 6, rng)
    width = (0.015 + 0.005 * scene.brow_thickness) * rng.uniform(0.8, 1.2, (number, 1)) * np.array([0.8, 1, 0.35])
    r = st.ribbons(strands, colours, width, normals, fit.eye, roundness=0.3)
    return make_mesh(r.vertices, r.faces, r.colours, part, roughness=0.6, normals=r.normals)


def brow_paint(fit: Fitting) -> list[Paint]:
    """Return the shade of the brows on the skin below them, so that no skin shines between their hairs."""
    scene, at = fit.scene, fit.head.canonical.copy()
    at[:, 0] = np.abs(at[:, 0])
    share = (at[:, 0] - _INNER) / (_OUTER - _INNER)
    distance = np.abs(at[:, 1] - brow_line(share, scene)[:, 1]) / np.maximum(
        half_width(np.clip(share, 0, 1), scene), 1e-3
    )
    weight = smoothstep(1.6, 0.5, distance) * ((share > 0) & (share < 0.95) & (at[:, 2] > 0.9))
    return [Paint(weight * (0.25 + 0.3 * scene.brow_thickness), brow_albedo(scene))]


def lashes(fit: Fitting) -> list[Mesh]:
    """Return the lashes of both eyes; longer and darker with make-up, fine otherwise."""
    head, scene, meshes = fit.head, fit.scene, []
    vertices, faces = head.surface("lashes", 0)
    for part, side in (("l_eye", 1), ("r_eye", -1)):
        mine = faces[(vertices[faces[:, 0], 0] * side) > 0]
        used, index = np.unique(mine, return_inverse=True)
        fringe = vertices[used]
        away = fringe - head.anchors[part]
        lid = np.abs(np.linalg.norm(away, axis=1) / head.eye_radius)
        reach = 0.35 + 0.55 * scene.makeup + (0.0 if scene.is_male else 0.15)
        reach = np.where(away[:, 1] < 0, 0.4 * reach, reach)  # the lower ones are shorter
        kept = head.anchors[part] + away * ((1 + (lid - 1) * np.minimum(reach, 1.2)) / lid)[:, None]
        colour = np.array([0.012, 0.010, 0.009]) + (
            0.03 * (1 - scene.makeup) if scene.hair_colour in ("blond", "gray") else 0
        )
        meshes.append(
            make_mesh(
                kept,
                index.reshape(-1, 3),
                colour,
                part,
                roughness=0.8,
                normals=unit(kept - head.anchors[part] + [0, 0, 0.05]),
            )
        )
    return meshes
