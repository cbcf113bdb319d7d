"""Hair: a scene's style grown on the base head, carried to the person's head and drawn as ribbons."""

from __future__ import annotations

import numpy as np

from styleT2I.data.portraits.anatomy.surface import unit
from styleT2I.data.portraits.grooming import strands as st
from styleT2I.data.portraits.grooming.hair_colours import hair_albedo, strand_colours
from styleT2I.data.portraits.grooming.hair_layer import Layer, scene_hairline
from styleT2I.data.portraits.grooming.hair_styles import layers
from styleT2I.data.portraits.grooming.scalp import base_head, blend, draw_roots, inside
from styleT2I.data.portraits.grooming.tied_hair import tie_of, wears_bun
from styleT2I.data.portraits.tracing.colours import smoothstep
from styleT2I.data.portraits.tracing.mesh import Mesh, Paint, make_mesh, sphere
from styleT2I.data.portraits.worn.fitting import Fitting
from styleT2I.data.portraits.worn.hats import press_hair, shows_below_hat

CENTRE = np.array([0, 7.55, 0.5], np.float32)
ROUGHNESS = 0.42


def hair(fit: Fitting, detail: float = 0.5) -> list[Mesh]:
    """Return the scene's hair as ribbons that face the camera; `detail` scales the number of strands."""
    rng = fit.stream("hair")
    albedo = hair_albedo(fit.scene)
    meshes = [drawn(layer, fit, detail, rng, albedo, "hair") for layer in layers(fit.scene)]
    return meshes + (_bun(fit, detail, albedo) if wears_bun(fit.scene) else [])


def drawn(layer: Layer, fit: Fitting, detail: float, rng: np.random.Generator, albedo: np.ndarray, part: str) -> Mesh:
    """Return a layer of hair of the given albedo [3] on the person's head, labelled as `part`."""
    strands, owner = grown(layer, fit, detail, rng)
    outward = unit(strands - fit.warp.smooth(CENTRE[None])[0])
    if layer.curl is not None:
        strands = _curled(layer, strands, owner, outward, rng)
    colours = strand_colours(albedo * layer.shade, strands.shape[:2], owner, rng)
    along = np.linspace(0, 1, layer.points)
    taper = np.minimum(1, 0.45 + 4 * along) * (1 - 0.75 * smoothstep(0.55, 1, along))
    width = layer.width / np.sqrt(detail) * rng.uniform(0.7, 1.25, (len(strands), 1)) * taper
    r = st.ribbons(strands, colours, width, outward, fit.eye)
    return make_mesh(r.vertices, r.faces, r.colours, part, roughness=ROUGHNESS, normals=r.normals)


def grown(layer: Layer, fit: Fitting, detail: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the layer's strands [N, points, 3] on the person's head and the guide [N] that each belongs to."""
    base = guide_strands(layer, rng)
    room = 0.0 if layer.curl is None else layer.curl[0]
    guides = fit.warp(press_hair(fit.scene, base, room))
    roots = draw_roots(layer.density, int(layer.children * detail), rng)
    roots = roots.where(shows_below_hat(fit.scene, roots.points, layer.length_at(roots.points)))
    number = len(roots.points)
    at = blend(fit.head.mesh.vertices, roots.corners, roots.weights)
    part = -np.inf if layer.parting is None else layer.parting
    strands, owner = _on_each_side(guides, at, (base[:, 0, 0] < part, roots.points[:, 0] < part), layer, rng)
    along = np.linspace(0, 1, strands.shape[1])[:, None]
    strands = strands + (rng.normal(0, layer.stray, (number, 1, 3)) * along).astype(np.float32)
    return st.cut(strands, 1 - layer.ragged * np.abs(rng.normal(0, 1, number))), owner


def guide_strands(layer: Layer, rng: np.random.Generator) -> np.ndarray:
    """Return the layer's guides [G, points, 3] on the base head."""
    roots = draw_roots(layer.density, layer.guides, rng)
    level = rng.random(layer.guides) ** 1.5
    lift = layer.lift_at(roots.points) if callable(layer.lift_at) else layer.lift_at
    low, high = layer.height
    growth = st.Growth(
        length=layer.length_at(roots.points) * rng.uniform(0.85, 1.1, layer.guides),
        lift=np.clip(lift + rng.normal(0, 0.06, layer.guides), 0, 1),
        stiffness=layer.stiffness,
        hold=layer.hold,
        hold_tip=layer.hold_tip,
        gravity=layer.gravity,
        height=low + (high - low) * level,
        reach=layer.reach,
    )
    guides = st.grow(base_head().surface, roots.points, roots.normals, growth, layer.comb, layer.fence, layer.steps)
    if layer.ends is not None:
        guides = st.cut_at(guides, layer.ends(roots.points) if callable(layer.ends) else layer.ends)
    return st.refine(guides, layer.points, layer.crowding)


def _on_each_side(
    guides: np.ndarray, roots: np.ndarray, is_left: tuple[np.ndarray, np.ndarray], layer: Layer, rng
) -> tuple[np.ndarray, np.ndarray]:
    """Return children of guides on their own side of the parting; `is_left` are flags of guides and of roots."""
    strands = np.empty((len(roots), *guides.shape[1:]), np.float32)
    owner = np.empty(len(roots), np.int64)
    for side in (True, False):
        mine, theirs = np.flatnonzero(is_left[0] == side), is_left[1] == side
        if len(mine) >= 3 and theirs.any():
            strands[theirs], nearest = st.multiply(guides[mine], roots[theirs], layer.clump, layer.spread, rng)
            owner[theirs] = mine[nearest]
    return strands, owner


def _curled(
    layer: Layer, strands: np.ndarray, owner: np.ndarray, outward: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    radius, pitch, flatness = layer.curl
    guides = rng.random((owner.max() + 1, 3))
    own = rng.normal(0, 1, (len(strands), 2))
    radii = radius * (0.7 + 0.6 * guides[owner, 0]) * (1 + 0.15 * own[:, 0])
    pitches = pitch * (1 + (0.2 - 0.15 * flatness) * (2 * guides[owner, 1] - 1))
    phases = 2 * np.pi * guides[owner, 2] * (1 - flatness) + (0.5 - 0.35 * flatness) * own[:, 1]
    return st.curl(strands, outward, radii, pitches, phases, flatness, layer.onset)


def _bun(fit: Fitting, detail: float, albedo: np.ndarray) -> list[Mesh]:
    """Return the knot of tied hair: a dark core and locks wound around it."""
    rng = fit.stream("bun")
    radius = 0.25 + 0.04 * fit.scene.hair_volume
    middle = fit.warp.smooth(tie_of(fit.scene)[None])[0] + radius * unit(tie_of(fit.scene) - CENTRE) * 0.75
    number = int(300 * detail)
    axis = unit(np.array([0.1, 1.0, 0.35]) + rng.normal(0, 0.28, (number, 3)))
    across = unit(np.cross(axis, [0, 0, 1.0]))
    turn = (rng.random((number, 1)) * 2 * np.pi + np.linspace(0, 3.2, 12))[..., None]
    around = np.cos(turn) * across[:, None] + np.sin(turn) * np.cross(axis, across)[:, None]
    tilt = rng.normal(0, 0.45, (number, 1, 1))
    outward = unit(around + tilt * axis[:, None])
    strands = (middle + radius * np.array([1.08, 0.9, 1.0]) * outward * (1 + 0.05 * rng.random((number, 1, 1)))).astype(
        np.float32
    )
    colours = strand_colours(albedo, (number, 24), np.arange(number) // 5, rng)[:, 12:]
    width = 0.026 / np.sqrt(detail) * rng.uniform(0.7, 1.2, (number, 1)) * np.ones(12)
    r = st.ribbons(strands, colours, width, outward, fit.eye)
    core = sphere(
        middle, radius * np.array([1.02, 0.85, 0.95]), 0.35 * albedo, "hair", rings=12, sides=18, roughness=0.7
    )
    return [core, make_mesh(r.vertices, r.faces, r.colours, "hair", roughness=ROUGHNESS, normals=r.normals)]


def scalp_paint(fit: Fitting) -> list[Paint]:
    """Return the hair colour laid on the skin below the hair, soft at the hairline."""
    scene = fit.scene
    if scene.is_bald:
        return []
    distance = inside(fit.head.canonical, scene_hairline(scene))
    soft = 0.14 if scene.hair_style == "buzz" else 0.09
    return [Paint(smoothstep(-0.03, soft, distance) * 0.92, hair_albedo(scene) * 0.75, "hair", 0.7)]
