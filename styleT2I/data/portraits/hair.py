"""Hair: a scene's style grown on the base head, carried to the person's head and drawn as ribbons."""

from __future__ import annotations

import numpy as np

from styleT2I.data.portraits import strands as st
from styleT2I.data.portraits.camera import place_camera
from styleT2I.data.portraits.colours import smoothstep
from styleT2I.data.portraits.hair_colours import hair_albedo
from styleT2I.data.portraits.hair_styles import Layer, layers
from styleT2I.data.portraits.head import Head
from styleT2I.data.portraits.mesh import Mesh, Paint, join, make_mesh
from styleT2I.data.portraits.scalp import base_head, draw_roots, hairline, inside
from styleT2I.data.portraits.scene import Scene
from styleT2I.data.portraits.surface import unit
from styleT2I.data.portraits.warp import Warp
from styleT2I.torch_utils.seeding import derive_seed

CENTRE = np.array([0, 7.55, 0.5], np.float32)
ROUGHNESS = 0.42


def hair(head: Head, scene: Scene, detail: float = 0.5) -> Mesh:
    """Return the scene's hair as ribbons that face the camera; `detail` scales the number of strands."""
    eye = place_camera(head.anchors, scene).position
    warp = Warp(head.canonical, head.mesh.vertices)
    rng = np.random.default_rng(derive_seed(scene.seed, "hair"))
    return join([_drawn(layer, scene, warp, eye, detail, rng) for layer in layers(scene)])


def _drawn(layer: Layer, scene: Scene, warp, eye: np.ndarray, detail: float, rng: np.random.Generator) -> Mesh:
    strands, owner = grown(layer, detail, rng)
    strands = warp(strands)
    outward = unit(strands - warp(CENTRE[None])[0])
    if layer.curl is not None:
        strands = _curled(layer, strands, owner, outward, rng)
    colours = strand_colours(hair_albedo(scene) * layer.shade, strands.shape[:2], owner, rng)
    along = np.linspace(0, 1, layer.points)
    taper = np.minimum(1, 0.45 + 4 * along) * (1 - 0.75 * smoothstep(0.55, 1, along))
    width = layer.width * (1 / np.sqrt(detail)) * rng.uniform(0.7, 1.25, (len(strands), 1)) * taper
    r = st.ribbons(strands, colours, width, outward, eye)
    return make_mesh(r.vertices, r.faces, r.colours, "hair", roughness=ROUGHNESS, normals=r.normals)


def grown(layer: Layer, detail: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the layer's strands [N, points, 3] on the base head and the guide [N] that each belongs to."""
    roots = draw_roots(layer.density, layer.guides, rng)
    level = rng.random(layer.guides) ** 1.5
    lift = layer.lift_at(roots.points) if callable(layer.lift_at) else layer.lift_at
    growth = st.Growth(
        layer.length_at(roots.points) * rng.uniform(0.85, 1.1, layer.guides), np.clip(lift + rng.normal(0, 0.06, layer.guides), 0, 1),
        layer.stiffness, layer.hold, layer.hold_tip, layer.gravity, layer.height[0] + (layer.height[1] - layer.height[0]) * level, layer.reach,
    )  # fmt: skip
    guides = st.grow(base_head().surface, roots.points, roots.normals, growth, layer.comb, layer.fence, layer.steps)
    number = int(layer.children * detail)
    at = draw_roots(layer.density, number, rng).points
    strands, owner = _beside_the_part(layer, guides, at, rng)
    strands = strands + (rng.normal(0, 0.012, (number, 1, 3)) * np.linspace(0, 1, layer.steps)[:, None]).astype(np.float32)
    if layer.ends is not None:
        strands = st.cut_at(strands, layer.ends + layer.ragged * rng.normal(0, 1, number))
    return st.refine(strands, layer.points), owner


def _beside_the_part(layer: Layer, guides: np.ndarray, at: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    if layer.parting is None:
        return st.multiply(guides, at, layer.clump, layer.spread, rng)
    strands = np.empty((len(at), *guides.shape[1:]), np.float32)
    owner = np.empty(len(at), np.int64)
    for left in (True, False):
        these, those = (at[:, 0] < layer.parting) == left, np.flatnonzero((guides[:, 0, 0] < layer.parting) == left)
        strands[these], mine = st.multiply(guides[those], at[these], layer.clump, layer.spread, rng)
        owner[these] = those[mine]
    return strands, owner


def _curled(layer: Layer, strands: np.ndarray, owner: np.ndarray, outward: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    radius, pitch, flatness = layer.curl
    guides = rng.random((owner.max() + 1, 3))
    own = rng.normal(0, 1, (len(strands), 2))
    radii = radius * (0.7 + 0.6 * guides[owner, 0]) * (1 + 0.15 * own[:, 0])
    pitches = pitch * (0.85 + 0.3 * guides[owner, 1])
    phases = 2 * np.pi * guides[owner, 2] * (1 - 0.6 * flatness) + 0.45 * own[:, 1]
    return st.curl(strands, outward, radii, pitches, phases, flatness, onset=0.35)


def strand_colours(albedo: np.ndarray, shape: tuple[int, int], owner: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return colours [N, S, 3]: lighter and darker strands and locks, dark roots, lighter tips."""
    lock = rng.normal(0, 0.10, owner.max() + 1)[owner]
    own = np.exp(lock + rng.normal(0, 0.16, shape[0]))[:, None]
    along = 0.62 + 0.38 * smoothstep(0, 0.30, np.linspace(0, 1, shape[1])) + 0.08 * np.linspace(0, 1, shape[1])
    return (albedo * (own * along)[..., None]).astype(np.float32)


def scalp_paint(head: Head, scene: Scene) -> Paint:
    """Return the hair colour laid on the skin below the hair, soft at the hairline."""
    distance = inside(head.canonical, hairline(scene.receding, 0.0 if scene.is_male else -0.15))
    soft = 0.14 if scene.hair_style == "buzz" else 0.09
    return Paint(smoothstep(-0.03, soft, distance) * 0.92, hair_albedo(scene) * 0.75, "hair", 0.7)
