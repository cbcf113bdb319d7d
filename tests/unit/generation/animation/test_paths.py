"""Ways of latents: ends, pace, great circles, and seams of loops."""

import math

import pytest
import torch

from styleT2I.errors import ConfigError
from styleT2I.generation.animation.paths import (
    along,
    between_seeds,
    between_sentences,
    loop_positions,
    slerp,
    there_and_back,
)
from styleT2I.generation.arguments import EASINGS
from styleT2I.generation.pipeline import StyleT2I
from tests.tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    return StyleT2I.from_pretrained(write_tiny_model(tmp_path_factory.mktemp("tiny")), device="cpu")


@pytest.mark.parametrize("easing", EASINGS)
def test_a_loop_passes_every_stop_and_ends_one_frame_before_its_start(easing):
    positions = loop_positions(12, 3, easing)
    assert positions[[0, 4, 8]].tolist() == pytest.approx([0, 1, 2], abs=1e-12)
    assert 2 < positions[-1] < 3 and (positions.diff() > 0).all()
    there = loop_positions(13, 3, easing, is_loop=False)
    assert (there[0].item(), there[-1].item()) == (0, pytest.approx(2))


def test_smooth_frames_are_slow_at_stops_and_linear_ones_never():
    slow, even = (loop_positions(40, 2, easing).diff() for easing in ("smooth", "linear"))
    assert slow[0] < 0.1 * slow.max()
    torch.testing.assert_close(even, torch.full_like(even, 0.05))


@pytest.mark.parametrize("frames, keys, easing", [(1, 1, "linear"), (3, 4, "smooth"), (8, 2, "bouncing")])
def test_what_cannot_be_a_way_is_refused(frames, keys, easing):
    with pytest.raises(ConfigError):
        loop_positions(frames, keys, easing)


def test_slerp_turns_evenly_and_keeps_the_length():
    rng = torch.Generator().manual_seed(0)
    a, b = (torch.randn(1, 16, generator=rng, dtype=torch.float64) for _ in range(2))
    a, b = a / a.norm(), b / b.norm()
    angle = math.acos((a @ b.T).item())
    shares = torch.linspace(0, 1, 5, dtype=torch.float64)
    made = slerp(a.expand(5, -1), b.expand(5, -1), shares)
    torch.testing.assert_close(made.norm(dim=1), torch.ones(5, dtype=torch.float64))
    turned = (made[:-1] * made[1:]).sum(dim=1).arccos()
    torch.testing.assert_close(turned, torch.full((4,), angle / 4, dtype=torch.float64), rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(slerp(a, a, torch.tensor([0.3])), a)


def test_straight_ways_are_between_their_ends_and_close():
    keys = torch.tensor([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0]])
    made = along(keys, torch.tensor([0.0, 0.25, 1.5, 2.5]))
    assert made.tolist() == [[0, 0], [1, 0], [4, 2], [2, 2]]


def test_a_walk_passes_the_faces_of_its_seeds(pipeline):
    ws = between_seeds(pipeline, [3, 5, 8], loop_positions(6, 3))
    torch.testing.assert_close(ws[::2], pipeline.latents([3, 5, 8]))
    with pytest.raises(ConfigError, match="two seeds"):
        between_seeds(pipeline, [3], loop_positions(6, 3))


def test_sentences_are_passed_in_their_order(pipeline):
    texts = ["she is smiling", "he is wearing a hat"]
    ws = between_sentences(pipeline, texts, 4, loop_positions(6, 3), True)
    torch.testing.assert_close(ws[:1], pipeline.latents([4]))
    for place, text in zip((2, 4), texts, strict=True):
        torch.testing.assert_close(ws[place : place + 1], pipeline.generate(text, [4]).ws)


def test_a_sweep_swings_between_its_strengths_and_through_the_face_as_it_is(pipeline):
    ws, strengths = there_and_back(pipeline, "hat", -1, 1, 2, 8)
    assert strengths == pytest.approx([-math.cos(2 * math.pi * k / 8) for k in range(8)], abs=1e-12)
    face = pipeline.latents([2])
    torch.testing.assert_close(ws[2:3], face)
    torch.testing.assert_close(ws[4:5], pipeline.edit(face, {"hat": 1.0}).ws)
    torch.testing.assert_close(ws[5], pipeline.edit(face, {"hat": strengths[5]}).ws[0])
    torch.testing.assert_close(ws[1], ws[7])
    with pytest.raises(ConfigError, match="backwards"):
        there_and_back(pipeline, "hat", 1, 1, 2, 8)
