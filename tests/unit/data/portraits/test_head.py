"""Portraits: the packed head, its subdivision, the shape space, regions and landmarks."""

import dataclasses
import hashlib
import re

import numpy as np
import pytest

from styleT2I.data.portraits.anatomy import asset as assets
from styleT2I.data.portraits.anatomy import shape
from styleT2I.data.portraits.anatomy.expression import expression_weights
from styleT2I.data.portraits.anatomy.head import build_head
from styleT2I.data.portraits.anatomy.landmarks import landmark_places
from styleT2I.data.portraits.parts import CELEBAMASK_PARTS, PART, celebamask
from styleT2I.data.portraits.scenes.sampling import sample_scene
from styleT2I.data.portraits.tracing.mesh import join, make_mesh, revolution, smooth_normals, sphere, triangles, tube


@pytest.fixture(scope="module")
def scene():
    return dataclasses.replace(sample_scene(7, "balanced"), smile=0.0, mouth_open=0.0, age=25.0)


def _mouth_width(head):
    return np.linalg.norm(head.anchors["l_mouth"] - head.anchors["r_mouth"])


def test_the_asset_is_the_one_its_licence_names():
    licence = (assets.ASSET_PATH.parent / "LICENCE.md").read_text()
    named = re.search(r"head\.npz` \(SHA-256 `([0-9a-f]{64})`", licence).group(1)
    assert hashlib.sha256(assets.ASSET_PATH.read_bytes()).hexdigest() == named
    assert assets.ASSET_PATH.stat().st_size < 1_100_000 and "CC0 1.0" in licence


def test_every_target_that_scenes_can_weigh_is_in_the_asset():
    targets = assets.load_asset().targets
    for seed in range(40):
        for distribution in ("biased", "balanced"):
            scene = sample_scene(seed, distribution)
            assert set(shape.shape_weights(scene)) | set(expression_weights(scene)) <= set(targets)
    for axis in shape.AXES:
        assert {name.format(side) for name in (axis.positive, axis.negative) for side in "lr"} <= set(targets)


def test_one_step_of_catmull_clark_rounds_a_cube_as_it_must():
    corners = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    cube = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    matrix, quads = assets.catmull_clark(cube, 8)
    fine = matrix @ corners
    assert fine.shape == (8 + 12 + 6, 3) and quads.shape == (24, 4)
    np.testing.assert_allclose(fine[:8], corners * 5 / 9, atol=1e-12)  # (Q + 2 R) / 3 with Q 1/3, R 2/3 of a corner
    np.testing.assert_allclose(np.sort(np.abs(fine[8:20]), 1), np.tile([0, 0.75, 0.75], (12, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(fine[20:], axis=1), 1, atol=1e-12)


def test_subdivision_keeps_straight_borders_and_sums_to_one():
    grid = np.arange(9).reshape(3, 3)
    quads = np.array([[grid[i, j], grid[i, j + 1], grid[i + 1, j + 1], grid[i + 1, j]] for i in (0, 1) for j in (0, 1)])
    places = np.array([(j, i, 0) for i in range(3) for j in range(3)], float)
    matrix, _ = assets.catmull_clark(quads, 9)
    np.testing.assert_allclose(np.asarray(matrix.sum(1)).ravel(), 1)
    fine = matrix @ places
    np.testing.assert_allclose(fine[1], places[1])  # the middle of a border stays on it
    np.testing.assert_allclose(fine[4], places[4])
    assert (fine[:, 2] == 0).all()


def test_he_has_the_wider_jaw_lower_brow_and_thicker_neck(scene):
    def measures(sex):
        head = build_head(dataclasses.replace(scene, sex=sex))
        base, now = head.canonical, head.mesh.vertices
        jaw = (np.abs(base[:, 1] - 6.4) < 0.06) & (base[:, 2] > 0.6) & (base[:, 2] < 1.5)
        neck = (np.abs(base[:, 1] - 5.9) < 0.06) & (np.abs(base[:, 0]) < 0.7)
        return np.ptp(now[jaw, 0]), head.landmarks[[19, 24], 1].mean(), np.ptp(now[neck, 0])

    (jaw_he, brow_he, neck_he), (jaw_she, brow_she, neck_she) = measures(0.9), measures(-0.9)
    assert jaw_he > 1.1 * jaw_she and brow_he < brow_she - 0.03 and neck_he > 1.15 * neck_she


def test_a_smile_widens_the_mouth_and_lifts_its_corners_against_the_lips_middle(scene):
    rest, smiling = (build_head(dataclasses.replace(scene, smile=s)) for s in (0.0, 1.0))
    lift = [np.mean(h.landmarks[[48, 54], 1]) - np.mean(h.landmarks[[62, 66], 1]) for h in (rest, smiling)]
    assert _mouth_width(smiling) > 1.08 * _mouth_width(rest) and lift[1] > lift[0] + 0.03


def test_resting_mouths_are_level_or_better():
    for seed in range(24):
        scene = dataclasses.replace(sample_scene(seed, "balanced"), smile=0.0, mouth_open=0.0)
        marks = build_head(scene).landmarks
        assert np.mean(marks[[48, 54], 1]) - np.mean(marks[[62, 66], 1]) > -0.045, seed


def test_old_faces_are_creased_and_young_ones_are_not(scene):
    from styleT2I.data.portraits.anatomy.wrinkles import wrinkle_depth

    base = build_head(scene).canonical
    assert not wrinkle_depth(base, scene).any()
    depth = wrinkle_depth(base, dataclasses.replace(scene, age=75.0))
    assert 0.01 < depth.max() < 0.1 and (depth >= 0).all()


def test_skin_tone_leaves_the_shape_alone(scene):
    pale, dark = (build_head(dataclasses.replace(scene, skin_tone=t)).mesh.vertices for t in (0.0, 1.0))
    np.testing.assert_array_equal(pale, dark)


def test_landmarks_are_mirrored_and_in_order():
    places = landmark_places()
    assert places.shape == (68, 3)
    np.testing.assert_allclose(places[:17], places[16::-1] * [-1, 1, 1])
    np.testing.assert_allclose(places[36:40], places[45:41:-1] * [-1, 1, 1])
    np.testing.assert_allclose(places[48:55], places[54:47:-1] * [-1, 1, 1])
    np.testing.assert_allclose(places[60:65], places[64:59:-1] * [-1, 1, 1])
    assert (places[[36, 48, 0], 0] < 0).all() and places[51, 1] > places[62, 1] > places[66, 1] > places[57, 1]


def test_shapes_face_outwards():
    ball = sphere((1, 2, 3), (0.5, 1, 0.5), (1, 1, 1), "ear_r")
    ring = tube(np.array([(np.cos(a), 0, np.sin(a)) for a in np.linspace(0, 2 * np.pi, 24, endpoint=False)]), 0.1,
                (1, 1, 1), "ear_r", closed=True)  # fmt: skip
    dome = revolution(np.array([[1, 0], [1, 1], [0.5, 1.5]]), (0, 0, 0), (1, 1), (1, 1, 1), "hat")
    for mesh in (ball, ring):
        assert ((smooth_normals(mesh.vertices, mesh.faces) * mesh.normals).sum(1) > 0.9).mean() > 0.9
    assert ((smooth_normals(dome.vertices, dome.faces) * dome.vertices * [1, 0, 1]).sum(1) > 0).all()


def test_joined_meshes_keep_their_triangles_and_parts():
    quad = make_mesh(
        [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)], triangles(np.array([[0, 1, 2, 3]])), (1, 0, 0), "hat"
    )
    ball = sphere((0, 0, 5), 1, (0, 1, 0), "cloth")
    both = join([quad, ball])
    assert len(both.vertices) == 4 + len(ball.vertices) and both.faces.max() == len(both.vertices) - 1
    np.testing.assert_array_equal(both.part[:2], PART["hat"])
    np.testing.assert_allclose(both.normals[:4], [[0, 0, 1]] * 4)


def test_celebamask_counts_the_beard_as_skin():
    assert len(CELEBAMASK_PARTS) == 19
    parts = np.array([[PART["beard"], PART["hair"]]], np.uint8)
    np.testing.assert_array_equal(celebamask(parts), [[PART["skin"], PART["hair"]]])
