"""The head that every portrait is built on: MakeHuman's CC0 mesh and displacement targets, and its subdivision."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import scipy.sparse as sp

ASSET_PATH = Path(__file__).parents[1] / "assets" / "head.npz"
_UNITS = 10000  # stored vertices are in tenths of a thousandth of a dm
_TARGET_UNITS = 1000


@dataclass(frozen=True)
class Asset:
    """The control mesh: what `tools/pack_head_asset.py` packed, in decimetres.

    `quads` holds body, tights (a close jumper), upper_teeth, lower_teeth, tongue, lashes; `points` the vertices of
    helpers (l_eye, r_eye, joints); `masks` lips, eyelids, ears, inside_mouth per vertex.
    """

    vertices: np.ndarray  # f64 [V, 3]
    masks: dict[str, np.ndarray]  # f64 [V], 0 to 1
    quads: dict[str, np.ndarray]  # int [Q, 4]
    points: dict[str, np.ndarray]  # int [n]
    targets: dict[str, tuple[np.ndarray, np.ndarray]]  # indices [n], displacements f64 [n, 3]

    def morphed(self, weights: dict[str, float]) -> np.ndarray:
        """Return the control vertices [V, 3] moved by the weighted targets; KeyError names an unknown target."""
        vertices = self.vertices.copy()
        for name, weight in weights.items():
            index, moves = self.targets[name]
            vertices[index] += weight * moves  # a target names each vertex once
        return vertices


@dataclass(frozen=True)
class Subdivision:
    """A surface of the control mesh after Catmull-Clark: vertices = `matrix` @ control vertices."""

    matrix: sp.csr_matrix  # [V', V]
    quads: np.ndarray  # int [Q', 4]
    parent: np.ndarray  # int [Q'], the quad of the control surface that each came from


@lru_cache(maxsize=1)
def load_asset() -> Asset:
    """Return the packed head, read once per process."""
    with np.load(ASSET_PATH) as stored:
        arrays = dict(stored)
    ends = np.cumsum(arrays["target_sizes"].astype(int))
    moves = arrays["target_moves"] / _TARGET_UNITS
    spans = {n: slice(e - s, e) for n, s, e in zip(arrays["target_names"], arrays["target_sizes"], ends, strict=True)}
    mask_names = ("lips", "eyelids", "ears", "inside_mouth")
    return Asset(
        arrays["vertices"] / _UNITS,
        dict(zip(mask_names, arrays["masks"] / 255, strict=True)),
        {name[6:]: arrays[name].astype(int) for name in arrays if name.startswith("quads_")},
        {name.split("_", 2)[-1] if "helper" in name else name[7:]: arrays[name].astype(int)
         for name in arrays if name.startswith("points_")},
        {str(name): (arrays["target_indices"][span].astype(int), moves[span]) for name, span in spans.items()},
    )  # fmt: skip


def catmull_clark(quads: np.ndarray, count: int) -> tuple[sp.csr_matrix, np.ndarray]:
    """Return (matrix [V', count], quads [4 Q, 4]) of one Catmull-Clark step over quads [Q, 4] of `count` vertices.

    New vertices: the old ones in order, one per edge, one per quad. Edges of one quad are a border, which stays a
    cubic spline of its own; vertices that no quad uses stay where they are.
    """
    corner, following = quads.ravel(), np.roll(quads, -1, 1).ravel()
    ends = np.sort(np.stack([corner, following], 1), 1)
    edges, edge_of = np.unique(ends, axis=0, return_inverse=True)
    edge_of = edge_of.ravel()
    number_of_quads, number_of_edges = len(quads), len(edges)
    face_points = sp.csr_matrix(
        (np.full(quads.size, 0.25), (np.repeat(np.arange(number_of_quads), 4), corner)), (number_of_quads, count)
    )
    quads_at_edge = sp.csr_matrix(
        (np.ones(quads.size), (edge_of, np.repeat(np.arange(number_of_quads), 4))), (number_of_edges, number_of_quads)
    )
    middles = sp.csr_matrix(
        (np.full(2 * number_of_edges, 0.5), (np.repeat(np.arange(number_of_edges), 2), edges.ravel())),
        (number_of_edges, count),
    )
    border = np.bincount(edge_of, minlength=number_of_edges) != 2
    inner = sp.diags((~border).astype(float))
    edge_points = sp.diags(border.astype(float)) @ middles + inner @ (
        0.5 * middles + 0.25 * (quads_at_edge @ face_points)
    )
    matrix = sp.vstack([_moved_vertices(quads, edges, border, count, face_points, middles), edge_points, face_points])
    edge_of = edge_of.reshape(-1, 4) + count
    middle = np.arange(number_of_quads) + count + number_of_edges
    fine = [np.stack([quads[:, i], edge_of[:, i], middle, edge_of[:, i - 1]], 1) for i in range(4)]
    return matrix.tocsr(), np.stack(fine, 1).reshape(-1, 4)


def _moved_vertices(quads, edges, border, count: int, face_points, middles) -> sp.csr_matrix:
    """Return the rows [count, count] of the old vertices after a step."""

    def mean_over(index: np.ndarray, owner: np.ndarray, rows: sp.csr_matrix) -> sp.csr_matrix:
        gather = sp.csr_matrix((np.ones(len(index)), (index, owner)), (count, rows.shape[0]))
        number = np.asarray(gather.sum(1)).ravel()
        return sp.diags(1 / np.maximum(number, 1)) @ (gather @ rows)

    valence = np.bincount(quads.ravel(), minlength=count)
    at_border = np.zeros(count, bool)
    at_border[edges[border]] = True
    inside, outside = (valence > 0) & ~at_border, at_border
    n = np.maximum(valence, 1)
    faces = mean_over(quads.ravel(), np.repeat(np.arange(len(quads)), 4), face_points)
    ends = mean_over(edges.ravel(), np.repeat(np.arange(len(edges)), 2), middles)
    rim = mean_over(edges[border].ravel(), np.repeat(np.arange(border.sum()), 2), middles[border])
    smooth = sp.diags(inside / n) @ faces + sp.diags(2 * inside / n) @ ends + sp.diags(inside * (n - 3) / n)
    return smooth + sp.diags(outside * 0.5) @ rim + sp.diags(outside * 0.5 + (valence == 0))


@lru_cache(maxsize=16)
def subdivision(surface: str, levels: int) -> Subdivision:
    """Return the named surface of the asset after `levels` Catmull-Clark steps, only its own vertices kept."""
    asset = load_asset()
    quads, matrix = asset.quads[surface], sp.identity(len(asset.vertices), format="csr")
    parent = np.arange(len(quads))
    for _ in range(levels):
        step, quads = catmull_clark(quads, matrix.shape[0])
        matrix, parent = step @ matrix, np.repeat(parent, 4)
    used, quads = np.unique(quads, return_inverse=True)
    return Subdivision(matrix[used].tocsr(), quads.reshape(-1, 4), parent)
