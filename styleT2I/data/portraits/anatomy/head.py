"""The head of one person: the control mesh morphed and subdivided, with what hair and accessories hang on to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from styleT2I.data.portraits.anatomy.asset import load_asset, subdivision
from styleT2I.data.portraits.anatomy.expression import expression_weights
from styleT2I.data.portraits.anatomy.landmarks import landmark_vertices
from styleT2I.data.portraits.anatomy.regions import LEVELS, base_parts, region_masks
from styleT2I.data.portraits.anatomy.shape import shape_weights
from styleT2I.data.portraits.anatomy.wrinkles import wrinkle_depth
from styleT2I.data.portraits.scenes.scene import Scene
from styleT2I.data.portraits.tracing.mesh import Mesh, make_mesh, smooth_normals, triangles


@dataclass
class Head:
    """A morphed head in decimetres, the middle between its eyes where the base head's is.

    Regions, hair roots and the like are defined once on `canonical`, the same vertices on the unmorphed base head,
    and carried to the person by index.
    """

    mesh: Mesh  # skin, lips, ears, neck, shoulders; inside of the mouth
    canonical: np.ndarray  # f64 [V, 3]: the mesh's vertices on the base head
    vertex_normals: np.ndarray  # f32 [V, 3]
    masks: dict[str, np.ndarray]  # f64 [V] 0 to 1: lips, eyelids, ears, inside_mouth and more (`regions.py`)
    anchors: dict[str, np.ndarray]  # f64 [3]: `ANCHORS`, and the eyeballs' centres l_eye, r_eye
    eye_radius: float  # dm
    control: np.ndarray  # f64 [C, 3]: all control vertices, for helper surfaces
    landmarks: np.ndarray  # f64 [68, 3], iBUG's order

    def surface(self, name: str, levels: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Return (vertices [V, 3], triangles [F, 3]) of a helper surface that follows the head (`Asset.quads`)."""
        fine = subdivision(name, levels)
        return fine.matrix @ self.control, triangles(fine.quads)


ANCHORS = {  # on the base head, the nearest skin vertex: (x, y, z) in dm; the left side is +x, the right its mirror
    "l_mouth": (0.25, 6.613, 1.43),
    "l_ear_lobe": (0.725, 6.835, 0.57),
    "l_ear_top": (0.83, 7.345, 0.48),
    "l_temple": (0.68, 7.35, 0.85),
    "nose_bridge": (0.0, 7.23, 1.52),
    "nose_tip": (0.0, 6.93, 1.68),
    "mouth": (0.0, 6.61, 1.55),
    "chin": (0.0, 6.20, 1.43),
    "crown": (0.0, 8.48, 0.3),
    "neck": (0.0, 5.78, 0.69),
    "nape": (0.0, 6.4, -0.10),
    "l_shoulder": (1.6, 5.6, 0.0),
}


@lru_cache(maxsize=1)
def base_head() -> tuple[np.ndarray, np.ndarray]:
    """Return (vertices [V, 3], triangles [F, 3]) of the unmorphed head."""
    fine = subdivision("body", LEVELS)
    return fine.matrix @ load_asset().vertices, triangles(fine.quads)


@lru_cache(maxsize=1)
def anchor_vertices() -> dict[str, int]:
    """Return {anchor: vertex}, both sides."""
    vertices, _ = base_head()
    found = {}
    for name, place in ANCHORS.items():
        found[name] = int(np.argmin(((vertices - place) ** 2).sum(1)))
        if name.startswith("l_"):
            found["r_" + name[2:]] = int(np.argmin(((vertices - np.array(place) * [-1, 1, 1]) ** 2).sum(1)))
    return found


def build_head(scene: Scene) -> Head:
    """Return the scene's head with its expression, in plain skin colour."""
    asset, fine = load_asset(), subdivision("body", LEVELS)
    control = asset.morphed(shape_weights(scene) | expression_weights(scene))
    middle = [_eye(asset.points, vertices).mean(0) for vertices in (asset.vertices, control)]
    control += middle[0] - middle[1]
    canonical, faces = base_head()
    vertices = fine.matrix @ control
    vertices -= wrinkle_depth(canonical, scene)[:, None] * smooth_normals(vertices, faces)
    normals = smooth_normals(vertices, faces)
    eyes = _eye(asset.points, control)
    anchors = {name: vertices[index] for name, index in anchor_vertices().items()}
    anchors |= {"l_eye": eyes[0], "r_eye": eyes[1]}
    return Head(
        mesh=make_mesh(vertices, faces, (0.55, 0.36, 0.27), base_parts(), roughness=0.45, normals=normals),
        canonical=canonical,
        vertex_normals=normals,
        masks=region_masks(),
        anchors=anchors,
        eye_radius=_eye_radius(asset.points["l_eye"], control),
        control=control,
        landmarks=vertices[landmark_vertices()],
    )


def _eye(points: dict[str, np.ndarray], control: np.ndarray) -> np.ndarray:
    return np.stack([control[points[name]].mean(0) for name in ("joint_l_eye", "joint_r_eye")])


def _eye_radius(points: np.ndarray, control: np.ndarray) -> float:
    ball = control[points]
    return float(np.median(np.linalg.norm(ball - ball.mean(0), axis=1)))
