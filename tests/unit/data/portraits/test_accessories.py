"""Portraits: beards, brows, glasses, jewellery, hats and clothes, by their geometry."""

import dataclasses

import numpy as np
import pytest

from styleT2I.data.portraits.anatomy.head import build_head
from styleT2I.data.portraits.anatomy.regions import region_masks
from styleT2I.data.portraits.grooming.beard import beard, beard_density, beard_paint
from styleT2I.data.portraits.grooming.brows import brow_paint, brows, lashes
from styleT2I.data.portraits.grooming.scalp import base_head
from styleT2I.data.portraits.parts import PART
from styleT2I.data.portraits.person import wear
from styleT2I.data.portraits.scenes.sampling import sample_scene
from styleT2I.data.portraits.scenes.scene import BEARDS, CLOTHES, EARRINGS, GLASSES, HATS, NECKLACES
from styleT2I.data.portraits.tracing.mesh import join, with_normals
from styleT2I.data.portraits.worn.clothes import clothes
from styleT2I.data.portraits.worn.fitting import fitting
from styleT2I.data.portraits.worn.garment import _clipped
from styleT2I.data.portraits.worn.glasses import _RADIUS, glasses
from styleT2I.data.portraits.worn.hats import hat, press_hair
from styleT2I.data.portraits.worn.jewellery import earrings, necklace
from styleT2I.data.portraits.worn.neck import neck_ring

PLAIN = {
    "hat": "none", "glasses": "none", "beard": "none", "earrings": "none", "necklace": "none", "necktie": False,
    "bangs": False, "receding": 0.0, "hair_style": "short", "hair_texture": "straight", "clothes": "tshirt",
    "smile": 0.0, "mouth_open": 0.0,
}  # fmt: skip


def _scene(seed=3, **changes):
    return dataclasses.replace(sample_scene(seed, "balanced"), **{**PLAIN, **changes})


def _fit(**changes):
    scene = _scene(**changes)
    return fitting(build_head(scene), scene)


def _area(mesh):
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    return 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()


def _sound(mesh, *parts):
    assert np.isfinite(mesh.vertices).all() and mesh.faces.max() < len(mesh.vertices)
    assert {int(p) for p in np.unique(mesh.part)} == {PART[name] for name in parts}
    assert mesh.colour.min() >= 0 and mesh.colour.max() <= 1


# Beards


@pytest.mark.parametrize("kind", [k for k in BEARDS if k != "none"])
def test_a_beard_leaves_the_lips_and_grows_where_its_kind_does(kind):
    vertices, masks = base_head().vertices, region_masks()
    density = beard_density(kind, vertices, masks)
    assert density[masks["lips"] > 0.2].max() == 0
    x, y, z = np.abs(vertices[:, 0]), vertices[:, 1], vertices[:, 2]
    has = {
        "chin": density[(y < 6.4) & (y > 6.2) & (z > 1.3)].mean() > 0.3,
        "upper lip": density[(np.abs(x - 0.1) < 0.06) & (np.abs(y - 6.76) < 0.03)].mean() > 0.2,
        "jaw": density[(x > 0.5) & (np.abs(y - 6.6) < 0.1) & (z > 0.8)].mean() > 0.2,
    }
    expected = {
        "full": {"chin", "upper lip", "jaw"},
        "stubble": {"chin", "upper lip", "jaw"},
        "circle": {"chin", "upper lip"},
        "goatee": {"chin"},
        "moustache": {"upper lip"},
    }[kind]
    assert {name for name, grows in has.items() if grows} == expected


@pytest.mark.parametrize("kind", [k for k in BEARDS if k != "none"])
def test_no_beard_hangs_over_the_mouth(kind):
    fit = _fit(beard=kind, beard_length=1.0)
    mesh = join(beard(fit))
    _sound(mesh, "beard")
    assert 1_000 < len(mesh.faces) < 40_000
    mouth = fit.head.anchors["mouth"]
    v = mesh.vertices
    assert not ((np.abs(v[:, 0]) < 0.12) & (np.abs(v[:, 1] - mouth[1]) < 0.02) & (v[:, 2] > mouth[2] - 0.05)).any()
    (paint,) = beard_paint(fit)
    assert paint.part == "beard" and (paint.weight > 0.5).any()


def test_no_beard_is_no_beard():
    fit = _fit()
    assert beard(fit) == [] and beard_paint(fit) == []


def test_a_long_beard_reaches_farther_down_than_a_trimmed_one():
    low = [join(beard(_fit(beard="full", beard_length=long))).vertices[:, 1].min() for long in (0.0, 1.0)]
    assert low[1] < low[0] - 0.12


# Brows and lashes


def test_brows_lie_above_their_own_eyes_and_bushy_ones_are_larger():
    areas = []
    for thickness in (0.1, 0.9):
        fit = _fit(brow_thickness=thickness)
        left, right = brows(fit)
        _sound(left, "l_brow")
        _sound(right, "r_brow")
        assert left.vertices[:, 0].min() > 0 > right.vertices[:, 0].max()
        assert left.vertices[:, 1].min() > fit.head.anchors["l_eye"][1] + 0.05
        areas.append(_area(left) + _area(right))
    assert areas[1] > 2 * areas[0]


def test_brows_are_level_rather_than_angry():
    for sex in (-0.9, 0.9):
        fit = _fit(sex=sex, brow_arch=0.0, shape=(0.0,) * 40)
        left = brows(fit)[0].vertices
        third = np.ptp(left[:, 0]) / 3
        inner, outer = left[left[:, 0] < left[:, 0].min() + third], left[left[:, 0] > left[:, 0].max() - third]
        slope = (np.median(outer[:, 1]) - np.median(inner[:, 1])) / (2 * third)
        assert -0.35 < slope < 0.2, (sex, slope)


def test_make_up_lengthens_lashes_and_the_paint_below_brows_stays_near_them():
    lengths = []
    for makeup in (0.0, 1.0):
        fit = _fit(makeup=makeup)
        left, right = lashes(fit)
        _sound(left, "l_eye")
        _sound(right, "r_eye")
        lengths.append(np.linalg.norm(left.vertices - fit.head.anchors["l_eye"], axis=1).max())
    assert lengths[1] > lengths[0] + 0.02
    fit = _fit()
    where = fit.head.canonical[brow_paint(fit)[0].weight > 0.05]
    assert 7.3 < where[:, 1].min() and where[:, 1].max() < 7.7 and where[:, 2].min() > 0.9


# Glasses


@pytest.mark.parametrize("kind", [k for k in GLASSES if k != "none"])
def test_glasses_frame_the_eyes_in_front_of_them_and_rest_on_the_ears(kind):
    for seed in (3, 8):
        fit = _fit(seed=seed, glasses=kind)
        mesh = join(glasses(fit))
        _sound(mesh, "glasses")
        anchors, v = fit.head.anchors, mesh.vertices
        for eye, side in ((anchors["l_eye"], 1), (anchors["r_eye"], -1)):
            rim = v[(v[:, 0] * side > 0.02) & (v[:, 2] > eye[2] + fit.head.eye_radius)]
            assert rim[:, 1].max() > eye[1] + 0.12 and rim[:, 1].min() < eye[1] - 0.15
            assert np.abs(rim[:, 0]).max() > abs(eye[0]) + 0.2
        ear = anchors["l_ear_top"]
        assert np.linalg.norm(v - ear, axis=1).min() < 0.2


def test_frames_are_thick_enough_for_small_pictures():
    assert min(_RADIUS.values()) >= 0.013  # dm


def test_sunglasses_cover_the_eyes_with_dark_lenses_that_face_forward():
    fit = _fit(glasses="sunglasses")
    lenses = [with_normals(mesh) for mesh in glasses(fit)[-2:]]
    for mesh, name in zip(lenses, ("l_eye", "r_eye"), strict=True):
        eye = fit.head.anchors[name]
        assert mesh.normals[:, 2].mean() > 0.8 and mesh.colour.max() < 0.05
        assert np.abs(mesh.vertices.mean(0)[:2] - eye[:2]).max() < 0.1
        assert (np.ptp(mesh.vertices[:, :2], axis=0) > 0.35).all() and mesh.vertices[:, 2].min() > eye[2]


# Jewellery


@pytest.mark.parametrize("kind", [k for k in EARRINGS if k != "none"])
def test_earrings_hang_from_both_lobes_and_are_large_enough(kind):
    for size in (0.0, 1.0):
        fit = _fit(earrings=kind, earring_size=size)
        mesh = join(earrings(fit))
        _sound(mesh, "ear_r")
        for name, side in (("l_ear_lobe", 1), ("r_ear_lobe", -1)):
            mine = mesh.vertices[mesh.vertices[:, 0] * side > 0]
            lobe = fit.head.anchors[name]
            assert np.linalg.norm(mine - lobe, axis=1).min() < 0.06
            assert lobe[1] - mine[:, 1].min() > 0.2  # 10 pixels of a picture of 128


@pytest.mark.parametrize("kind", [k for k in NECKLACES if k != "none"])
def test_a_necklace_lies_around_the_neck_just_off_the_skin(kind):
    fit = _fit(necklace=kind, clothes="vneck")
    mesh = join(necklace(fit))
    _sound(mesh, "neck_l")
    v, chin = mesh.vertices, fit.head.anchors["chin"]
    assert v[:, 1].max() < chin[1] + 0.4 and (v[:, 0] > 0.3).any() and (v[:, 0] < -0.3).any()
    ring = neck_ring(fit, 24, 6.0, 6.28, 0.045)
    skin = fit.head.mesh.vertices
    apart = np.sqrt(np.square(ring[:, None] - skin[None]).sum(2)).min(1)
    assert 0.01 < apart.min() and apart.max() < 0.2


# Hats


@pytest.mark.parametrize("kind", [k for k in HATS if k != "none"])
def test_a_hat_holds_the_crown_and_leaves_the_eyes_free(kind):
    for seed in (3, 11):
        fit = _fit(seed=seed, hat=kind)
        mesh = join(hat(fit))
        _sound(mesh, "hat")
        anchors, v = fit.head.anchors, mesh.vertices
        assert v[:, 1].max() > anchors["crown"][1] + 0.02
        assert np.ptp(v[:, 0]) > 1.5 and np.ptp(v[:, 2]) > 1.8
        middle = v[(np.abs(v[:, 0]) < 0.5) & (v[:, 2] > anchors["l_eye"][2])]
        assert middle[:, 1].min() > anchors["l_eye"][1] + 0.12


@pytest.mark.parametrize("kind", [k for k in HATS if k != "none"])
def test_a_hats_crown_encloses_the_skull_with_normals_outwards(kind):
    fit = _fit(hat=kind)
    crown = with_normals(hat(fit)[0])
    middle = fit.warp.smooth(np.array([[0, 7.75, 0.53]]))[0]
    outward = crown.vertices - middle
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    upper = crown.vertices[:, 1] > middle[1] + 0.3
    assert (np.einsum("ni,ni->n", crown.normals, outward)[upper] > 0).mean() > 0.97
    skull = fit.head.mesh.vertices[fit.head.canonical[:, 1] > 8.0]
    for point in skull[::40]:
        toward = (point - middle) / np.linalg.norm(point - middle)
        nearest = (outward @ toward).argmax()
        assert np.linalg.norm(crown.vertices[nearest] - middle) > np.linalg.norm(point - middle) - 0.03


def test_hair_is_pressed_inside_the_hat_and_untouched_without_one():
    points = np.random.default_rng(0).uniform([-1.5, 5, -1], [1.5, 9.5, 2.2], (500, 3))
    assert np.array_equal(press_hair(_scene(), points), points)
    pressed = press_hair(_scene(hat="cap"), points)
    high = points[:, 1] > 8.0
    assert np.hypot(pressed[high, 0] / 0.8, (pressed[high, 2] - 0.545) / 1.02).max() < 1.02
    assert pressed[:, 1].max() < 8.75
    assert np.allclose(press_hair(_scene(hat="cap"), pressed), pressed, atol=1e-6)
    near = (points[:, 1] < 6.4) & (np.hypot(points[:, 0], points[:, 2] - 0.545) < 1.0)
    assert near.any() and np.allclose(pressed[near], points[near])


# Clothes


@pytest.mark.parametrize("kind", CLOTHES)
def test_clothes_cover_the_shoulders_and_end_below_the_chin(kind):
    fit = _fit(clothes=kind)
    mesh = join(clothes(fit))
    _sound(mesh, "cloth")
    v, anchors = mesh.vertices, fit.head.anchors
    assert np.ptp(v[:, 0]) > 3 and len(mesh.faces) < 16_000
    front = v[(np.abs(v[:, 0]) < 0.2) & (v[:, 2] > 0.9)]
    assert len(front) == 0 or front[:, 1].max() < anchors["chin"][1] + 0.02
    shoulders = fit.head.mesh.vertices[(fit.head.canonical[:, 1] < 5.5) & (np.abs(fit.head.canonical[:, 0]) > 0.9)]
    apart = np.sqrt(np.square(shoulders[::60, None] - v[None]).sum(2)).min(1)
    assert apart.max() < 0.3


def test_a_surface_is_cut_exactly_along_its_line_and_closed_there_to_the_skin():
    x, y = np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, 1, 9), indexing="ij")
    skin = np.stack([x, y, 0 * x], -1).reshape(-1, 3)
    corner = np.arange(8)[:, None] * 9 + np.arange(8)
    quads = np.stack([corner, corner + 9, corner + 10, corner + 1], -1).reshape(-1, 4)
    faces = quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)
    above = skin[:, 1] - 0.3 - 0.4 * skin[:, 0]
    mesh = _clipped(skin, skin + [0, 0, 0.1], above, faces, np.full(3, 0.5), 0.9)
    flat = mesh.vertices[mesh.faces][:, :, 2].min(1) > 0.0999
    top = dataclasses.replace(mesh, faces=mesh.faces[flat])
    assert _area(top) == pytest.approx(0.5, abs=1e-6)  # the line from (0, 0.3) to (1, 0.7) leaves half
    used = mesh.vertices[np.unique(mesh.faces)]
    assert (used[:, 1] - 0.3 - 0.4 * used[:, 0]).max() < 1e-6
    hem = dataclasses.replace(mesh, faces=mesh.faces[~flat])
    assert _area(hem) == pytest.approx(np.hypot(1, 0.4) * 0.135, rel=1e-4)
    assert with_normals(top).normals[np.unique(top.faces)][:, 2].min() > 0.9


def test_a_necktie_hangs_in_front_of_the_collar_below_the_chin():
    for kind in ("shirt", "suit"):
        plain, tied = (_fit(clothes=kind, necktie=tie) for tie in (False, True))
        tie = with_normals(clothes(tied)[-1])
        assert len(clothes(tied)) == len(clothes(plain)) + 1
        v = tie.vertices
        assert v[:, 1].max() < tied.head.anchors["chin"][1] + 0.1 and abs(v[:, 0].mean()) < 0.05
        assert tie.normals[:, 2].mean() > 0.6
        shirt = join(clothes(tied)[:-1]).vertices
        at_knot = shirt[(np.abs(shirt[:, 0]) < 0.06) & (np.abs(shirt[:, 1] - v[:, 1].max() + 0.1) < 0.05)]
        assert len(at_knot) == 0 or at_knot[:, 2].max() < v[:, 2].max() + 0.02


# All together

RARE = (
    {"sex": 0.9, "lipstick": 0.9, "earrings": "hoop", "hair_style": "buzz"},
    {"sex": -0.9, "beard": "full", "hair_style": "long", "hair_texture": "curly", "hat": "beanie"},
    {
        "sex": -0.9,
        "beard": "circle",
        "hair_style": "tied",
        "bangs": True,
        "glasses": "sunglasses",
        "necklace": "pearls",
    },
    {"sex": 0.9, "beard": "moustache", "hair_style": "bald", "hat": "brimmed", "clothes": "suit", "necktie": True},
)


@pytest.mark.parametrize("changes", RARE)
def test_rare_combinations_are_dressed_within_the_budget(changes):
    scene = _scene(**changes)
    meshes, paints = wear(build_head(scene), scene)
    mesh = join(meshes)
    assert np.isfinite(mesh.vertices).all() and np.isfinite(mesh.normals).all() and len(mesh.faces) < 190_000
    assert all(0 <= p.weight.min() and p.weight.max() <= 1 for p in paints)


def test_the_same_scene_dresses_alike_and_a_switch_leaves_everything_else_as_it_was():
    scene = _scene(beard="full", glasses="round", earrings="drop", clothes="shirt")
    head = build_head(scene)
    first, second = (join(wear(head, scene)[0]) for _ in range(2))
    assert np.array_equal(first.vertices, second.vertices) and np.array_equal(first.colour, second.colour)
    hatted = join(wear(head, dataclasses.replace(scene, hat="brimmed"))[0])
    for part in ("beard", "l_brow", "glasses", "ear_r", "cloth"):
        before, after = (m.vertices[m.faces[m.part == PART[part]]] for m in (first, hatted))
        assert np.array_equal(before, after), part
