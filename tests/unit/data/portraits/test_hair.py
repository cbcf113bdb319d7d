"""Portraits: strands, hair styles, bangs, colours, and where hair must not be."""

import dataclasses

import numpy as np
import pytest

from styleT2I.data.portraits.anatomy.head import build_head
from styleT2I.data.portraits.anatomy.warp import Warp
from styleT2I.data.portraits.grooming import strands as st
from styleT2I.data.portraits.grooming.hair import guide_strands, hair, scalp_paint
from styleT2I.data.portraits.grooming.hair_colours import brow_albedo, hair_albedo
from styleT2I.data.portraits.grooming.hair_layer import scene_hairline
from styleT2I.data.portraits.grooming.hair_styles import layers
from styleT2I.data.portraits.grooming.scalp import azimuth, base_head, draw_roots, hairline, inside
from styleT2I.data.portraits.parts import PART
from styleT2I.data.portraits.scenes.sampling import sample_scene
from styleT2I.data.portraits.scenes.scene import BANG_STYLES, HAIR_COLOURS, HAIR_STYLES, LONG_STYLES
from styleT2I.data.portraits.tracing.colours import luminance
from styleT2I.data.portraits.tracing.mesh import join
from styleT2I.data.portraits.worn.fitting import fitting
from styleT2I.data.portraits.worn.hats import shows_below_hat

PLAIN = {
    "hat": "none", "glasses": "none", "beard": "none", "earrings": "none", "bangs": False, "receding": 0.0,
    "hair_texture": "straight", "hair_style": "short", "hair_colour": "brown", "smile": 0.0, "mouth_open": 0.0,
}  # fmt: skip
GROWN = [style for style in HAIR_STYLES if style != "bald"]


def _scene(seed=3, **changes):
    return dataclasses.replace(sample_scene(seed, "balanced"), **{**PLAIN, **changes})


def _fit(scene):
    return fitting(build_head(scene), scene)


def _hair(scene, detail=0.25):
    return join(hair(_fit(scene), detail))


def _guides(scene):
    return np.concatenate([guide_strands(layer, np.random.default_rng(0)).reshape(-1, 3) for layer in layers(scene)])


# Strands


def _row(count=9, number=3):
    along = np.linspace(0, 1, count, dtype=np.float32)
    return np.stack([np.stack([0.2 * k + 0 * along, -along, 0 * along], 1) for k in range(number)])


def test_a_cut_strand_ends_at_its_share_and_keeps_its_root():
    strands = _row()
    short = st.cut(strands, np.array([0.5, 0.25, 1.0]))
    assert np.allclose(short[:, 0], strands[:, 0])
    assert np.allclose(short[:, -1, 1], [-0.5, -0.25, -1.0], atol=1e-6)
    assert np.allclose(st.cut_at(strands, -0.75)[:, -1, 1], -0.75, atol=0.13)


def test_refining_keeps_both_ends_and_crowding_draws_points_to_the_root():
    strands = _row()
    even, crowded = st.refine(strands, 17), st.refine(strands, 17, 2.0)
    for fine in (even, crowded):
        assert np.allclose(fine[:, [0, -1]], strands[:, [0, -1]], atol=1e-6)
    assert np.allclose(even[0, :, 1], -np.linspace(0, 1, 17), atol=1e-5)
    assert abs(crowded[0, 1, 1]) < abs(even[0, 1, 1]) / 4


def test_a_curl_turns_with_its_pitch_and_radius():
    strands = _row(200, 1)
    outward = np.broadcast_to(np.array([0, 0, 1.0]), strands.shape)
    curled = st.curl(strands, outward, np.array([0.05]), np.array([0.25]), np.zeros(1), flatness=0.0, onset=1e-6)
    x, z = curled[0, :, 0] - strands[0, :, 0], curled[0, :, 2]
    assert np.ptp(x) == pytest.approx(0.1, rel=0.02) and np.ptp(z) == pytest.approx(0.1, rel=0.02)
    turns = (np.diff(np.sign(x - x.mean())) != 0).sum() / 2
    assert turns == pytest.approx(4, abs=0.5)
    flat = st.curl(strands, outward, np.array([0.05]), np.array([0.25]), np.zeros(1), flatness=1.0, onset=1e-6)
    assert np.ptp(flat[0, :, 2]) < 1e-6 < np.ptp(flat[0, :, 0])


def test_children_start_at_their_roots_and_never_average_guides_that_part_ways():
    left, right = _row(9, 1), _row(9, 1)
    left[..., 0] -= np.linspace(0, 1, 9)
    right[..., 0] += 0.02 + np.linspace(0, 1, 9)
    guides = np.concatenate([left, right, left - [0.03, 0, 0]]).astype(np.float32)
    roots = np.array([[0.004, 0, 0], [0.016, 0, 0]], np.float32)
    children, owner = st.multiply(guides, roots, clump=0.0, spread=0.2, rng=np.random.default_rng(0))
    assert np.allclose(children[:, 0], roots, atol=1e-6)
    assert list(owner) == [0, 1]
    assert children[0, -1, 0] < -0.9 and children[1, -1, 0] > 0.9


def test_ribbons_face_the_camera_and_have_the_width_they_are_given():
    strands = _row(5, 2)
    eye = np.array([0.1, -0.5, 20.0])
    outward = np.broadcast_to(np.array([0, 0, 1.0]), strands.shape)
    made = st.ribbons(strands, np.full((*strands.shape[:2], 3), 0.3), np.full(strands.shape[:2], 0.02), outward, eye)
    pairs = made.vertices.reshape(2, 5, 2, 3)
    assert np.allclose(np.linalg.norm(pairs[:, :, 0] - pairs[:, :, 1], axis=-1), 0.02, atol=1e-6)
    assert np.allclose(np.linalg.norm(made.normals, axis=1), 1, atol=1e-5) and (made.normals[:, 2] > 0.1).all()
    assert len(made.faces) == 2 * 4 * 2 and made.faces.max() == len(made.vertices) - 1


# The way to a person's head


def test_the_warp_is_the_identity_for_the_base_head_and_exact_on_a_persons_skin():
    base = base_head().vertices
    points = np.random.default_rng(0).uniform([-1, 5.5, -1], [1, 9, 2], (50, 3)).astype(np.float32)
    assert np.allclose(Warp(base, base)(points), points, atol=1e-4)
    head = build_head(_scene())
    warp = Warp(head.canonical, head.mesh.vertices)
    assert np.abs(warp(base[::37]) - head.mesh.vertices[::37]).max() < 0.02


def test_roots_lie_where_the_density_is():
    up = base_head().vertices[:, 1] > 8.0
    roots = draw_roots(up.astype(float), 400, np.random.default_rng(1))
    assert roots.points[:, 1].min() > 7.9
    assert np.allclose(np.linalg.norm(roots.normals, axis=1), 1, atol=1e-5)


def test_the_hairline_lets_brows_and_ears_free_and_recedes_at_the_temples():
    line = hairline()
    probes = np.array([[0, 7.55, 1.52], [0, 8.45, 0.4], [0, 7.4, -0.35], [0.85, 7.1, 0.45]])
    assert list(inside(probes, line) > 0) == [False, True, True, False]
    front, temple, back = (np.array([[0, 8.0, 1.4]]), np.array([[0.5, 8.0, 1.1]]), np.array([[0, 7.0, -0.3]]))
    lost = [float(inside(p, line)[0] - inside(p, hairline(1.0))[0]) for p in (front, temple, back)]
    assert lost[1] > lost[0] > 0.05 and lost[2] == pytest.approx(0)


# Styles


@pytest.mark.parametrize("style", GROWN)
def test_every_style_and_texture_makes_sound_triangles_of_hair_within_the_budget(style):
    for texture in HAIR_STYLES[style]:
        mesh = _hair(_scene(hair_style=style, hair_texture=texture), detail=0.5)
        assert np.isfinite(mesh.vertices).all() and np.isfinite(mesh.colour).all()
        assert set(np.unique(mesh.part)) == {PART["hair"]}
        assert mesh.faces.max() < len(mesh.vertices)
        assert np.allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-4)
        assert 5_000 < len(mesh.faces) < 150_000, (style, texture, len(mesh.faces))


def test_a_bald_head_has_neither_hair_nor_paint():
    fit = _fit(_scene(hair_style="bald"))
    assert hair(fit) == [] and scalp_paint(fit) == []


@pytest.mark.parametrize("style", GROWN)
def test_no_strand_of_a_style_without_bangs_crosses_the_face(style):
    for texture in HAIR_STYLES[style]:
        scene = _scene(hair_style=style, hair_texture=texture, hair_length=1.0, parting=0.4)
        points = _guides(scene)
        y, angle = points[:, 1], np.abs(azimuth(points))
        assert angle[(y > 6.2) & (y < 7.5) & (points[:, 2] > 0.5)].min(initial=90) > 48, texture
        fit = _fit(scene)
        eyes, chin = fit.head.anchors["l_eye"], fit.head.anchors["chin"]
        v = join(hair(fit, 0.25)).vertices
        in_face = (np.abs(v[:, 0]) < 1.25 * eyes[0]) & (v[:, 1] > chin[1]) & (v[:, 1] < eyes[1] + 0.1)
        assert not (in_face & (v[:, 2] > eyes[2] - 0.3)).any(), texture


@pytest.mark.parametrize("style", GROWN)
def test_strands_stay_outside_the_skull(style):
    points = _guides(_scene(hair_style=style))
    _, distance = base_head().surface.nearest(points)
    assert np.quantile(distance, 0.01) > -0.02 and distance.min() > -0.12


@pytest.mark.parametrize("style", BANG_STYLES)
def test_bangs_hang_over_the_forehead_but_not_over_the_eyes(style):
    for texture in HAIR_STYLES[style]:
        scene = _scene(hair_style=style, hair_texture=texture)
        counts = []
        for with_bangs in (False, True):
            fit = _fit(dataclasses.replace(scene, bangs=with_bangs))
            v = join(hair(fit, 0.25)).vertices
            eye = fit.head.anchors["l_eye"]
            middle = (np.abs(v[:, 0]) < eye[0]) & (v[:, 2] > eye[2])
            counts.append((middle & (v[:, 1] > eye[1] + 0.25) & (v[:, 1] < eye[1] + 0.5)).sum())
            assert not (middle & (v[:, 1] < eye[1] + 0.08)).any(), texture
        assert counts[1] > counts[0] + 100, (texture, counts)


@pytest.mark.parametrize("style", LONG_STYLES)
def test_long_hair_falls_below_the_chin_on_both_sides_and_short_hair_does_not(style):
    fit = _fit(_scene(hair_style=style))
    v, chin = join(hair(fit, 0.25)).vertices, fit.head.anchors["chin"]
    below = v[v[:, 1] < chin[1] - 0.1]
    assert (below[:, 0] > 0.3).mean() > 0.2 and (below[:, 0] < -0.3).mean() > 0.2
    short = _fit(_scene(hair_style="side"))
    assert join(hair(short, 0.25)).vertices[:, 1].min() > short.head.anchors["chin"][1] - 0.1


@pytest.mark.parametrize("style", ["bob", "long", "shoulder", "afro"])
def test_tucked_hair_goes_behind_the_ears(style):
    texture = HAIR_STYLES[style][-1]
    points = _guides(_scene(hair_style=style, hair_texture=texture, tucked=True))
    low = points[(points[:, 1] < 7.2) & (points[:, 1] > 6.3)]
    assert (np.abs(azimuth(low)) > 100).mean() > 0.995


def test_textures_differ_in_how_much_strands_bend():
    bends = []
    for texture in ("straight", "wavy", "curly"):
        layer = layers(_scene(hair_style="shoulder", hair_texture=texture))[0]
        radius, pitch, _ = layer.curl or (0.0, 1.0, 1.0)
        bends.append(radius / pitch)
        assert layer.curl is None or layer.points > 4 * 2.2 / pitch  # enough points to draw a turn
    assert bends[0] == 0 and bends[2] > 1.4 * bends[1] > 0


def test_tied_hair_makes_a_knot_above_the_head_or_hides_it_behind_and_wavy_locks_hang_at_the_temples():
    knotted, plain = (_fit(_scene(hair_style="tied", hair_length=length)) for length in (0.5, -0.8))
    top = [join(hair(fit, 0.25)).vertices[:, 1].max() - fit.head.anchors["crown"][1] for fit in (knotted, plain)]
    assert top[0] > 0.32 > 0.26 > top[1]
    low = {}
    for texture in ("straight", "wavy"):
        fit = _fit(_scene(hair_style="tied", hair_texture=texture))
        v = join(hair(fit, 0.25)).vertices
        low[texture] = v[(v[:, 1] < fit.head.anchors["l_eye"][1] - 0.25) & (v[:, 2] > 0.4)]
    assert len(low["straight"]) == 0 and (low["wavy"][:, 0] > 0.5).any() and (low["wavy"][:, 0] < -0.5).any()


def test_a_parting_is_crossed_by_no_strand_near_it():
    scene = _scene(hair_style="long", parting=1.0)
    layer = layers(scene)[0]
    guides = guide_strands(layer, np.random.default_rng(0))
    left = guides[:, 0, 0] < layer.parting - 0.02
    top = guides[..., 1] > 8.1
    assert (guides[left][..., 0][top[left]] < layer.parting + 0.05).all()


def test_the_same_scene_grows_the_same_hair_and_another_seed_other_hair():
    scene = _scene(hair_style="side")
    first, second = _hair(scene), _hair(scene)
    assert np.array_equal(first.vertices, second.vertices) and np.array_equal(first.colour, second.colour)
    other = _hair(dataclasses.replace(scene, seed=scene.seed + 1))
    assert not np.array_equal(first.vertices, other.vertices)


def test_the_colour_of_hair_changes_no_strand():
    black, gray = (_hair(_scene(hair_style="bob", hair_colour=c)) for c in ("black", "gray"))
    assert np.array_equal(black.vertices, gray.vertices) and not np.allclose(black.colour, gray.colour)


def test_detail_scales_the_number_of_strands():
    scene = _scene(hair_style="short")
    assert len(_hair(scene, 0.5).faces) == pytest.approx(2 * len(_hair(scene, 0.25).faces), rel=0.02)


# Colours


def _extremes(colour):
    shades = [_scene(hair_colour=colour, hair_shade=s, hair_warmth=w) for s in (-1.0, 1.0) for w in (-1.0, 1.0)]
    return np.array([hair_albedo(scene) for scene in shades])


def test_hair_colours_are_apart_at_their_nearest_shades():
    light = {name: luminance(_extremes(name)) for name in HAIR_COLOURS}
    assert light["brown"].min() > 1.6 * light["black"].max()
    assert light["blond"].min() > 2.5 * light["brown"].max()
    assert light["gray"].min() > 2.5 * light["brown"].max()
    saturation = {name: 1 - (c := _extremes(name)).min(1) / c.max(1) for name in ("blond", "gray")}
    assert saturation["gray"].max() < 0.15 < 0.4 < saturation["blond"].min()


@pytest.mark.parametrize("colour", HAIR_COLOURS)
def test_brows_are_never_lighter_than_the_hair_and_darker_where_it_is_light(colour):
    scene = _scene(hair_colour=colour)
    share = luminance(brow_albedo(scene)) / luminance(hair_albedo(scene))
    assert share <= (0.5 if colour in ("blond", "gray") else 1.0)


def test_the_painted_scalp_is_labelled_hair_and_stays_off_the_face():
    scene = _scene()
    fit = _fit(scene)
    (paint,) = scalp_paint(fit)
    assert paint.part == "hair" and paint.weight.min() >= 0 and paint.weight.max() <= 1
    where = fit.head.canonical[paint.weight > 0.5]
    assert inside(where, scene_hairline(scene)).min() > 0 and where[:, 1].max() > 8.4
    receded = scalp_paint(_fit(_scene(receding=1.0)))[0]
    assert (receded.weight > 0.5).sum() < 0.95 * (paint.weight > 0.5).sum()


def test_strands_that_a_hat_hides_are_not_drawn():
    scene = _scene(hair_style="short", hat="beanie")
    bare, covered = _hair(dataclasses.replace(scene, hat="none")), _hair(scene)
    assert len(covered.faces) < 0.6 * len(bare.faces)
    crown, nape = np.array([[0, 8.45, 0.4]]), np.array([[0, 6.7, -0.2]])
    assert not shows_below_hat(scene, crown, np.array([0.3]))[0] and shows_below_hat(scene, nape, np.array([0.3]))[0]
