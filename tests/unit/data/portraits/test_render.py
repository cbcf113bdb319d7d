"""Portraits: pictures are the same twice, one switch changes one thing, and what is said of them is true."""

import ctypes.util
import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from styleT2I.data.portraits.anatomy.head import build_head
from styleT2I.data.portraits.parts import PART, voted_parts
from styleT2I.data.portraits.render import developed, downsampled
from styleT2I.data.portraits.scenes.sampling import sample_scene
from styleT2I.data.portraits.scenes.scene import BACKGROUNDS
from styleT2I.data.portraits.tracing import engine, llvm
from styleT2I.data.portraits.tracing.background import background
from styleT2I.data.portraits.tracing.camera import place_camera
from styleT2I.data.portraits.tracing.colours import linear, luminance, srgb
from styleT2I.data.portraits.tracing.illumination import light_directions
from styleT2I.data.portraits.tracing.light import HEIGHT, WIDTH, environment_map, solid_angles
from styleT2I.data.portraits.tracing.reflections import Reflections
from styleT2I.errors import DependencyError

SIZE = 96


@pytest.fixture(scope="module")
def scene():
    worn = dict.fromkeys(("glasses", "hat", "beard", "earrings"), "none")
    marks = dict.fromkeys(("receding", "lipstick", "makeup", "rosy", "smile", "mouth_open"), 0.0)
    hair = {"bangs": False, "hair_style": "short", "hair_texture": "straight"}
    view = {"yaw": 8.0, "pitch": 0.0, "roll": 0.0, "exposure": 0.0}
    plain = worn | marks | hair | view | {"skin_tone": 0.3, "age": 28.0}
    return dataclasses.replace(sample_scene(11, "balanced"), **plain)


@pytest.fixture(scope="module")
def render(scene):
    """`render` with the pictures of this module kept; tests that draw skip where Mitsuba is absent."""
    pytest.importorskip("mitsuba", reason="the extra 'portraits' is not installed")
    from styleT2I.data.portraits.render import render

    kept = {}

    def rendered(**changes):
        key = tuple(sorted(changes.items()))
        if key not in kept:
            kept[key] = render(dataclasses.replace(scene, **changes), SIZE)
        return kept[key]

    return rendered


def _count(portrait, *names):
    return int(np.isin(portrait.parts, [PART[name] for name in names]).sum())


def _grown(mask, by=4):
    for _ in range(by):
        mask = mask | np.roll(mask, 1, 0) | np.roll(mask, -1, 0) | np.roll(mask, 1, 1) | np.roll(mask, -1, 1)
    return mask


def test_the_same_scene_gives_the_same_bytes(render, scene):
    from styleT2I.data.portraits.render import render as afresh

    first, second = render(), afresh(scene, SIZE)
    for name in ("image", "parts", "depth", "normals", "landmarks"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_lipstick_changes_lips_and_nothing_else(render):
    bare, made_up = render(), render(lipstick=1.0, lipstick_colour=(0.72, 0.05, 0.10))
    np.testing.assert_array_equal(bare.parts, made_up.parts)
    np.testing.assert_array_equal(bare.depth, made_up.depth)
    lips = np.isin(bare.parts, [PART["u_lip"], PART["l_lip"]])
    difference = np.abs(bare.image.astype(int) - made_up.image).max(-1)
    assert lips.sum() > 60 and difference[lips].mean() > 25
    assert difference[~_grown(lips)].max() <= 2
    red = made_up.image[lips].astype(float)
    assert (red[:, 0] - red[:, 1]).mean() > (bare.image[lips].astype(float) @ [1, -1, 0]).mean() + 25


def test_glasses_are_on_the_map_where_they_are_in_the_picture(render):
    bare, worn = render(), render(glasses="square", glasses_colour=(0.05, 0.05, 0.06))
    frame = worn.parts == PART["glasses"]
    assert _count(bare, "glasses") == 0 and frame.sum() > 40
    eyes = worn.landmarks[36:48].mean(0)
    assert np.abs(np.argwhere(frame)[:, ::-1].mean(0) - eyes).max() < 0.08 * SIZE
    assert worn.image[frame].mean() < 0.6 * bare.image[frame].mean()
    np.testing.assert_array_equal(bare.landmarks, worn.landmarks)


def test_a_switched_attribute_leaves_background_pose_and_light_as_they_are(render):
    bare = render()
    for changes in ({"smile": 1.0, "mouth_open": 0.8}, {"beard": "full"}, {"lipstick": 1.0}, {"hair_colour": "blond"}):
        other = render(**changes)
        behind = _grown((bare.parts == 0) & (other.parts == 0), 0)
        inner = behind & ~_grown(~behind, 2)
        assert inner.sum() > 500
        np.testing.assert_array_equal(bare.image[inner], other.image[inner])
        assert bare.camera.to_json()["rotation"] == other.camera.to_json()["rotation"]


def test_an_open_smile_shows_teeth_and_a_closed_mouth_none(render):
    assert _count(render(), "mouth") < 4
    assert _count(render(smile=1.0, mouth_open=0.8), "mouth") > 15


def test_skin_tone_darkens_the_skin_and_keeps_the_shape(render):
    pale, dark = render(skin_tone=0.05), render(skin_tone=0.95)
    np.testing.assert_array_equal(pale.parts, dark.parts)
    skin = pale.parts == PART["skin"]
    assert pale.image[skin].mean() > 1.7 * dark.image[skin].mean()


def test_landmarks_lie_on_the_parts_they_name(render):
    portrait = render()
    marks = portrait.landmarks
    assert ((marks >= 0) & (marks < SIZE)).all()
    assert (
        marks[36:42, 0].mean() < marks[30, 0] < marks[42:48, 0].mean()
    )  # the person's right eye is at the viewer's left
    for part, index in (("r_eye", range(36, 42)), ("l_eye", range(42, 48))):
        shown = np.argwhere(portrait.parts == PART[part])[:, ::-1].mean(0)
        assert np.abs(marks[list(index)].mean(0) - shown).max() < 2.5
    lips = np.argwhere(np.isin(portrait.parts, [PART["u_lip"], PART["l_lip"]]))[:, ::-1]
    assert np.abs(marks[48:60].mean(0) - lips.mean(0)).max() < 2.5


def test_depth_and_normals_belong_to_what_is_seen(render):
    portrait = render()
    seen = portrait.parts > 0
    assert (portrait.depth[portrait.parts == 0] == 0).mean() > 0.95 and (portrait.depth[seen] > 0).all()
    nose, ear = (portrait.depth[portrait.parts == PART[name]].mean() for name in ("nose", "r_ear"))
    assert nose < ear
    length = np.linalg.norm(portrait.normals[seen], axis=-1)
    np.testing.assert_allclose(length, 1, atol=1e-4)
    assert portrait.normals[portrait.parts == PART["skin"]][:, 2].mean() > 0.5


def test_the_head_turns_to_the_side_that_yaw_says(scene):
    def nose(yaw):
        turned = dataclasses.replace(scene, yaw=yaw)
        head = build_head(turned)
        camera = place_camera(head.anchors, turned)
        places, depths = camera.project(
            np.stack([head.anchors["nose_tip"], head.anchors["l_eye"], head.anchors["r_eye"]])
        )
        assert depths[0] < depths[1:].min()
        return places[0, 0] - places[1:, 0].mean()

    assert nose(25.0) > 0.05 and nose(-25.0) < -0.05


def test_rays_meet_the_points_that_the_camera_projects(scene):
    head = build_head(scene)
    camera = place_camera(head.anchors, scene)
    origin, directions = camera.rays(64)
    places, _ = camera.project(origin + 7 * directions.reshape(-1, 3))
    grid = (np.stack(np.meshgrid(np.arange(64), np.arange(64)), -1).reshape(-1, 2) + 0.5) / 64
    np.testing.assert_allclose(places, grid, atol=1e-9)
    np.testing.assert_allclose(camera.to_head(camera.to_view(directions)), directions, atol=1e-12)


def test_light_directions_carry_the_maps_whole_light(scene):
    camera = place_camera(build_head(scene).anchors, scene)
    environment = environment_map(camera, scene)
    directions, shares = light_directions(environment, 256)
    whole = (environment * solid_angles()[..., None]).sum((0, 1)) / np.pi
    np.testing.assert_allclose(shares.sum(0), whole, rtol=0.05)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, atol=1e-6)


def test_under_an_even_sky_everything_mirrors_and_gathers_the_same():
    sky = Reflections(np.full((HEIGHT, WIDTH, 3), 0.7, np.float32))
    directions = np.random.default_rng(0).normal(size=(500, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    np.testing.assert_allclose(sky.mirrored(directions, np.linspace(0.05, 1, 500)), 0.7, rtol=1e-3)
    np.testing.assert_allclose(sky.irradiance(directions), 0.7, rtol=0.02)  # pi times the radiance, over pi


def test_a_ball_under_an_even_sky_is_lit_as_its_radiance_says():
    pytest.importorskip("mitsuba", reason="the extra 'portraits' is not installed")
    if not engine.is_llvm():
        pytest.skip("rays are traced in bundles only where LLVM is modern")
    from styleT2I.data.portraits.tracing.mesh import join, sphere

    environment = np.full((HEIGHT, WIDTH, 3), 0.5, np.float32)
    directions, shares = light_directions(environment, 16 * 12)
    scene = sample_scene(0)
    tracer = engine.Engine(
        join([sphere((0, 0, 0), 1.0, (1, 1, 1), "skin", 40, 60)]), place_camera(build_head(scene).anchors, scene)
    )
    normals = np.random.default_rng(1).normal(size=(200, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    sets, choice = [v.reshape(12, 16, 3).swapaxes(0, 1) for v in (directions, 16 * shares)], np.arange(200) % 16
    outside = tracer.gathered(normals * 1.01, normals, choice, *sets)
    inside = tracer.gathered(normals * 0.5, normals, choice, *sets)
    np.testing.assert_allclose(outside.mean(), 0.5, rtol=0.05)
    assert (inside == 0).all()


def test_every_background_is_painted_and_the_same_at_every_size(scene):
    for kind in BACKGROUNDS:
        own = dataclasses.replace(scene, background=kind)
        large, small = background(own, 128), background(own, 32)
        assert large.shape == (128, 128, 3) and np.isfinite(large).all() and (large >= 0).all()
        assert np.abs(downsampled(large, 4) - small).mean() < 0.04


def test_development_keeps_grey_grey_and_never_inverts(scene):
    ramp = np.repeat(np.linspace(0, 3, 64)[:, None, None], 3, -1).astype(np.float32).repeat(64, 1)
    image = developed(ramp, scene).astype(int)
    assert (np.ptp(image, axis=-1) == 0).all() and (np.diff(image[:, 0, 0]) >= 0).all() and image.max() > 245
    np.testing.assert_allclose(srgb(linear(np.linspace(0, 1, 50))), np.linspace(0, 1, 50), atol=1e-9)
    assert luminance(np.ones(3)) == pytest.approx(1)


def test_thin_things_win_a_pixel_they_share():
    part = np.full((4, 4), PART["skin"], np.uint8)
    part[:2, 1] = part[0, 3] = PART["glasses"]
    voted = voted_parts(part, 2)
    np.testing.assert_array_equal(voted[0], [PART["glasses"], PART["skin"]])


@pytest.mark.parametrize(
    "path, version",
    [
        ("/usr/lib/x/libLLVM-14.so.1", 14),
        ("/usr/lib/x/libLLVM.so.19.1", 19),
        ("/opt/libLLVM.18.dylib", 18),
        ("/no/where/libLLVM.so", None),
    ],
)
def test_the_version_of_llvm_is_read_from_its_name(path, version):
    assert llvm.library_version(path) == version


def test_an_old_llvm_is_not_taken(monkeypatch, tmp_path):
    for name in ("libLLVM-14.so.1", "libLLVM-15.so", "libLLVM-19.so"):
        (tmp_path / name).touch()
    monkeypatch.delenv("DRJIT_LIBLLVM_PATH", raising=False)
    monkeypatch.setattr(llvm, "_FOLDERS", (str(tmp_path),))
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    assert llvm.modern_llvm() == str(tmp_path / "libLLVM-19.so")
    monkeypatch.setenv("DRJIT_LIBLLVM_PATH", str(tmp_path / "libLLVM-15.so"))
    assert llvm.modern_llvm() is None


def test_with_an_old_llvm_portraits_are_rendered_without_it_and_nothing_aborts(tmp_path):
    pytest.importorskip("mitsuba", reason="the extra 'portraits' is not installed")
    old = tmp_path / "libLLVM-14.so.1"
    old.touch()
    code = (
        "from styleT2I.data.portraits import render\n"
        "from styleT2I.data.portraits.scenes import sampling\n"
        "from styleT2I.data.portraits.tracing import engine\n"
        "picture = render.render(sampling.sample_scene(3), 32)\n"
        "assert not engine.is_llvm() and picture.image.shape == (32, 32, 3) and picture.image.std() > 10\n"
        "assert (picture.parts == 1).sum() > 50\n"
    )
    root = Path(__file__).resolve().parents[4]
    env = {"DRJIT_LIBLLVM_PATH": str(old), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_without_mitsuba_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "mitsuba", None)
    engine.mitsuba.cache_clear()
    try:
        with pytest.raises(DependencyError, match=r"pip install styleT2I\[portraits\]"):
            engine.mitsuba()
    finally:
        engine.mitsuba.cache_clear()
