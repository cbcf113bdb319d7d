"""Hairs as polylines: grown from roots over the skin, multiplied by interpolation, curled, and drawn as ribbons.

A strand is a row of S points from root to tip; arrays of strands are [N, S, 3] in dm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from styleT2I.data.portraits.anatomy.surface import Surface, unit

Comb = Callable[[np.ndarray, float], np.ndarray]  # points [N, 3], fraction of the length grown -> direction [N, 3]
Fence = Callable[[np.ndarray], np.ndarray]  # points [N, 3] -> points [N, 3] where hair may be
DOWN = np.array([0, -1, 0], np.float32)


@dataclass(frozen=True)
class Growth:
    """How guide strands grow; each field is a number or an array [N], one value per strand."""

    length: np.ndarray  # dm
    lift: np.ndarray | float  # 0 along the comb ... 1 straight out of the skin, at the root
    stiffness: float  # 0 follows comb and gravity at once ... 1 goes on as it started
    hold: float  # strength of the comb at the root; it fades to `hold_tip` at the tip
    hold_tip: float
    gravity: float
    height: np.ndarray | float  # dm above the skin that a strand keeps once it has left its root
    reach: float = 0.1  # dm beyond `height` at which the comb no longer has a hold


def grow(
    surface: Surface,
    roots: np.ndarray,
    normals: np.ndarray,
    growth: Growth,
    comb: Comb,
    fence: Fence | None,
    steps: int,
) -> np.ndarray:
    """Return strands [N, steps, 3] that follow comb and gravity with inertia and stay outside the surface.

    The comb works along the skin: only the tangential part of its direction counts, and less the farther a strand is
    off the skin.
    """
    stride = (np.broadcast_to(growth.length, len(roots)) / (steps - 1))[:, None]
    lift = np.broadcast_to(growth.lift, len(roots))[:, None]
    direction = unit(lift * normals + (1 - lift) * unit(along(comb(roots, 0.0), normals)))
    strands, distance = [roots], np.zeros(len(roots))
    for k in range(1, steps):
        share, here = k / (steps - 1), strands[-1]
        off = np.exp(-np.maximum(distance - growth.height, 0) / growth.reach)[:, None]
        hold = (growth.hold + (growth.hold_tip - growth.hold) * share) * off
        wanted = hold * unit(along(comb(here, share), normals)) + growth.gravity * DOWN
        direction = unit(growth.stiffness * direction + (1 - growth.stiffness) * wanted)
        clearance = np.minimum(growth.height, 0.5 * k * stride[:, 0] + 0.004)
        there, normals, distance = surface.pushed_out(here + stride * direction, clearance)
        there = there if fence is None else fence(there)
        moved = there - here
        length = np.linalg.norm(moved, axis=1)[:, None]
        direction = moved / np.maximum(length, 1e-6)
        strands.append(here + np.clip(length, 0.5 * stride, 1.25 * stride) * direction)
    return np.stack(strands, 1).astype(np.float32)


def along(directions: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Return the tangential part of directions [N, 3] on a surface with the given normals [N, 3]."""
    return directions - np.einsum("ni,ni->n", directions, normals)[:, None] * normals


def multiply(
    guides: np.ndarray, roots: np.ndarray, clump: float, spread: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return children [N, S, 3] with the given roots [N, 3], and each one's guide [N].

    A child blends its three nearest guides, those that part ways from the nearest one by more than `spread` dm at
    the tip weigh nothing, so that no child crosses a parting. With `clump` 0 ... 1 children draw near their guide
    towards the tip.
    """
    distance, index = cKDTree(guides[:, 0]).query(roots, k=3)
    apart = np.linalg.norm(guides[index, -1] - guides[index[:, :1], -1], axis=2)
    weights = np.exp(-np.square(apart / spread)) / (distance + 0.02)
    weights /= weights.sum(1, keepdims=True)
    shapes = guides - guides[:, :1]
    blended = np.einsum("nk,nksi->nsi", weights.astype(np.float32), shapes[index])
    children = roots[:, None] + blended
    along = np.linspace(0, 1, guides.shape[1], dtype=np.float32)
    pull = clump * along * rng.uniform(0.5, 1.0, (len(roots), 1)).astype(np.float32)
    return children + pull[..., None] * (guides[index[:, 0]] - children), index[:, 0]


def cut(strands: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return the strands shortened to the first `share` [N] of their parameter, resampled to as many points."""
    count = strands.shape[1]
    at = np.clip(share, 1e-3, 1)[:, None] * np.arange(count)
    low = np.minimum(at.astype(np.int64), count - 2)
    part = (at - low)[..., None].astype(np.float32)
    rows = np.arange(len(strands))[:, None]
    return strands[rows, low] * (1 - part) + strands[rows, low + 1] * part


def cut_at(strands: np.ndarray, height: np.ndarray | float) -> np.ndarray:
    """Return the strands cut where they first fall below `height` (or [N])."""
    below = strands[..., 1] < np.reshape(height, (-1, 1))
    first = np.where(below.any(1), below.argmax(1), strands.shape[1] - 1)
    return cut(strands, np.where(below.any(1), first / (strands.shape[1] - 1), 1.0))


def refine(strands: np.ndarray, count: int, crowding: float = 1.0) -> np.ndarray:
    """Return the strands with `count` points each (Catmull-Rom); `crowding` > 1 draws them towards the root."""
    s = strands.shape[1]
    padded = np.concatenate([2 * strands[:, :1] - strands[:, 1:2], strands, 2 * strands[:, -1:] - strands[:, -2:-1]], 1)
    at = (s - 1) * np.linspace(0, 1, count) ** crowding
    low = np.minimum(at.astype(np.int64), s - 2)
    t = (at - low)[None, :, None].astype(np.float32)
    p0, p1, p2, p3 = (padded[:, low + k] for k in range(4))
    return p1 + 0.5 * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)))


def tangents(strands: np.ndarray) -> np.ndarray:
    """Return unit tangents [N, S, 3]."""
    inner = strands[:, 2:] - strands[:, :-2]
    return unit(np.concatenate([strands[:, 1:2] - strands[:, :1], inner, strands[:, -1:] - strands[:, -2:-1]], 1))


def curl(
    strands: np.ndarray,
    outward: np.ndarray,
    radius: np.ndarray,
    pitch: np.ndarray,
    phase: np.ndarray,
    flatness: float,
    onset: float,
) -> np.ndarray:
    """Return the strands wound into a helix around themselves.

    `radius` [N], `pitch` [N] (dm per turn) and `phase` [N] belong to a strand; `outward` [N, S, 3] is away from the
    head. `flatness` 1 leaves a wave sideways only; the amplitude grows over the first `onset` dm.
    """
    tangent = tangents(strands)
    side = unit(np.cross(tangent, outward))
    up = np.cross(side, tangent)
    step = np.linalg.norm(np.diff(strands, axis=1), axis=2)
    length = np.concatenate([np.zeros((len(strands), 1), np.float32), np.cumsum(step, 1)], 1)
    angle = 2 * np.pi * length / pitch[:, None] + phase[:, None]
    grown = radius[:, None] * np.clip(length / onset, 0, 1)
    sideways = (grown * (np.cos(angle) - np.cos(phase)[:, None]))[..., None] * side
    outwards = (grown * (1 - flatness) * (1 + np.sin(angle)))[..., None] * up
    return (strands + sideways + outwards).astype(np.float32)


@dataclass(frozen=True)
class Ribbons:
    """Camera-facing strips: vertices, normals, colours [V, 3], triangles [F, 3]."""

    vertices: np.ndarray
    normals: np.ndarray
    colours: np.ndarray
    faces: np.ndarray


def ribbons(
    strands: np.ndarray,
    colours: np.ndarray,
    width: np.ndarray,
    outward: np.ndarray,
    eye: np.ndarray,
    roundness: float = 0.6,
) -> Ribbons:
    """Return strips of 2 (S - 1) triangles per strand that turn their flat side to the camera at `eye` [3].

    `colours` [N, S, 3], `width` [N, S] in dm, `outward` [N, S, 3] unit vectors away from the body. Normals lean left
    and right by `roundness` so that a strip is shaded like a cylinder, and are perpendicular to the strand, so that
    light makes the band across the hair that one expects.
    """
    view = unit(eye - strands)
    tangent = tangents(strands)
    side = unit(np.cross(tangent, view))
    across = 0.5 * width[..., None] * side
    vertices = np.stack([strands - across, strands + across], 2)
    base = outward + 0.55 * view
    base = unit(base - 0.85 * np.einsum("nsi,nsi->ns", base, tangent)[..., None] * tangent)
    normals = np.stack([base - roundness * side, base + roundness * side], 2)
    away = np.minimum(np.einsum("nski,nsi->nsk", normals, view) - 0.12, 0)[..., None]
    normals = unit(normals - away * view[:, :, None])
    return Ribbons(
        _flat(vertices), _flat(normals), _flat(np.repeat(colours[:, :, None], 2, 2)), _strip_faces(*strands.shape[:2])
    )


def _flat(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values.reshape(-1, 3), np.float32)


def _strip_faces(strands: int, points: int) -> np.ndarray:
    rung = 2 * np.arange(points - 1)[:, None]
    strip = (rung[:, None] + np.array([[0, 1, 2], [1, 3, 2]])).reshape(-1, 3)
    return (2 * points * np.arange(strands)[:, None, None] + strip).reshape(-1, 3).astype(np.uint32)
