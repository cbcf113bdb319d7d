"""What the discriminator is shown: exact blits, warps that do not blur, colour maps, and the strength that adapts."""

import copy
import math
from dataclasses import replace

import pytest
import torch

from styleT2I.errors import ConfigError
from styleT2I.torch_utils.seeding import generator
from styleT2I.training.stylegan2.augmentation import (
    SYM6,
    AugmentationStrength,
    blit,
    change,
    draw_blits,
    draw_changes,
    draw_colours,
    draw_geometry,
    recolour,
    warp,
)
from styleT2I.training.stylegan2.task import StyleGAN2Task
from tests.unit.training.stylegan2.test_train_stylegan2 import CONFIG, assert_same_state, set_up, steps, train


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def augment(image, p, rng, is_whole=False):
    return change(image, draw_changes(len(image), p, image.shape[-1], rng), is_whole=is_whole)


def matrix(xx, xy, x, yx, yy, y):
    return torch.tensor([[[xx, xy, x], [yx, yy, y], [0, 0, 1]]], dtype=torch.float32)


def turn(angle):
    return matrix(math.cos(angle), -math.sin(angle), 0, math.sin(angle), math.cos(angle), 0)


def test_the_wavelet_is_orthonormal_with_six_vanishing_moments():
    taps = torch.tensor(SYM6, dtype=torch.float64)
    for shift in range(6):
        overlap = (taps[2 * shift :] * taps[: len(taps) - 2 * shift]).sum().item()
        assert overlap == pytest.approx(1.0 if shift == 0 else 0.0, abs=1e-10)
    alternating = taps * torch.tensor([(-1.0) ** k for k in range(12)])
    for moment in range(6):
        assert (alternating * torch.arange(12.0).double() ** moment).sum().abs() < 1e-6 * 11**moment


def test_blits_move_whole_pixels():
    image = torch.rand(1, 3, 12, 12, generator=seeded())
    assert torch.equal(blit(image, matrix(-1, 0, 0, 0, 1, 0)), image.flip(3))
    assert torch.equal(blit(image, turn(math.pi / 2).round()), image.rot90(1, (2, 3)))
    assert torch.equal(blit(image, turn(math.pi).round()), image.flip(2, 3))
    moved = blit(image, matrix(1, 0, 2, 0, 1, -3))
    assert torch.equal(moved[:, :, 3:, :-2], image[:, :, :-3, 2:])
    assert torch.equal(moved[:, :, 2], image[:, :, 0].roll(-2, 2).index_copy(2, torch.tensor([10, 11]),
                                                                            image[:, :, 0, [11, 10]]))  # fmt: skip


def test_drawn_blits_are_blits():
    matrices = draw_blits(500, 1.0, 16, seeded())
    assert torch.equal(matrices, matrices.round())
    assert torch.equal(torch.linalg.det(matrices[:, :2, :2]).abs(), torch.ones(500))
    assert (matrices[:, :2, 2].abs().amax(dim=0) == torch.tensor([2.0, 2.0])).all()
    image = torch.rand(500, 3, 16, 16, generator=seeded(1))
    inner = blit(image, matrices)[:, :, 4:12, 4:12]
    assert all(torch.isin(part, whole).all() for part, whole in zip(inner, image, strict=True))


def test_a_warp_under_the_identity_is_the_image():
    image = torch.rand(2, 3, 32, 32, generator=seeded()) * 2 - 1
    difference = (warp(image, torch.eye(3).repeat(2, 1, 1)) - image).abs()
    assert difference[:, :, 6:-6, 6:-6].max() < 1e-5 and difference.max() < 0.1


@pytest.mark.parametrize("angle", [0.5, 1.3, -2.2, math.pi])
@pytest.mark.parametrize("scale", [0.8, 1.0, 1.25])
def test_a_warp_moves_a_spot_to_where_the_matrix_says(angle, scale):
    """The spot's value comes from (x, y), so it lies at the inverse of (x, y); its volume grows as the area does."""
    place = torch.arange(48) + 0.5 - 24
    spot = torch.exp(-((place[None, :] - 6) ** 2 + (place[:, None] + 4) ** 2) / 18).expand(1, 3, 48, 48)
    change = turn(angle) @ matrix(scale, 0, 0, 0, scale, 0)
    expected = (change[0].inverse() @ torch.tensor([6.0, -4.0, 1.0]))[:2]
    is_near = (place[None, :] - expected[0]).square() + (place[:, None] - expected[1]).square() < 15**2
    warped = warp(spot, change)[0, 0] * is_near  # beyond the border the spot's mirror image comes into view
    centre = torch.stack([(warped * place[None, :]).sum(), (warped * place[:, None]).sum()]) / warped.sum()
    torch.testing.assert_close(centre, expected, atol=0.05, rtol=0)
    assert warped.sum() / spot[0, 0].sum() == pytest.approx(scale**-2, rel=0.02)
    assert warped.max() > 0.95  # linear sampling at the image's own resolution gives less


def test_colours_keep_what_each_change_keeps():
    grey = torch.tensor([1.0, 1.0, 1.0]) / math.sqrt(3)
    maps = draw_colours(300, 1.0, seeded())
    assert torch.linalg.det(maps[:, :3, :3]).abs().min() > 1e-4  # invertible, or the change leaks into the samples
    # Greys stay greys whatever is drawn: brightness, contrast and luma flip move along them, the others leave them.
    image = torch.full((300, 3, 2, 2), 0.25)
    mapped = recolour(image, maps)
    torch.testing.assert_close(mapped, mapped.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1), atol=1e-4, rtol=1e-4)
    turned = (maps[:, :3, :3] @ grey) @ grey
    assert (turned < 0).float().mean() == pytest.approx(0.5, abs=0.1)  # luma flips, half of those drawn
    assert torch.equal(draw_colours(3, 0.0, seeded()), torch.eye(4).expand(3, 4, 4))


def test_every_change_is_drawn_with_probability_p():
    geometry = draw_geometry(4000, 0.3, 32, seeded())
    assert (geometry[:, :2, 2].abs().amax(dim=1) > 0).float().mean() == pytest.approx(0.3, abs=0.03)
    # Up to stretching, which alone leaves both off-diagonals 0, an image is turned with probability p.
    assert (geometry[:, 0, 1] != 0).float().mean() == pytest.approx(0.3, abs=0.03)
    colours = draw_colours(4000, 0.3, seeded(1))
    assert (colours[:, 0, 3] != 0).float().mean() == pytest.approx(0.3, abs=0.03)  # brightness alone moves the origin


def test_augment_changes_images_by_p_and_is_differentiable():
    image = torch.rand(4, 3, 16, 16, generator=seeded()) * 2 - 1
    assert torch.equal(augment(image, 0.0, seeded()), image)
    assert not torch.equal(augment(image, 0.9, seeded()), image)
    assert torch.equal(augment(image, 0.9, seeded(3)), augment(image, 0.9, seeded(3)))
    rows_alone, whole = (augment(image, 0.3, seeded(5), is_whole) for is_whole in (False, True))
    torch.testing.assert_close(rows_alone, whole)
    # It is affine, so <v, f(x + d) - f(x)> = <grad of <v, f>, d> without any step size.
    x, d, v = (torch.randn(4, 3, 16, 16, generator=seeded(k), dtype=torch.float64) for k in (1, 2, 3))
    x.requires_grad_(True)
    (gradient,) = torch.autograd.grad((augment(x, 0.9, seeded(4)) * v).sum(), x)
    moved = ((augment(x + d, 0.9, seeded(4)) - augment(x, 0.9, seeded(4))) * v).sum().item()
    assert moved == pytest.approx((gradient * d).sum().item(), rel=1e-9)


def test_strength_rises_while_the_discriminator_is_surer_than_its_target():
    strength = AugmentationStrength(0.6, images=100, interval=2)
    strength.observe(4.0, 4)
    assert strength.move() is None and strength.p == 0
    strength.observe(2.0, 4)
    assert strength.move() == pytest.approx(0.75) and strength.p == pytest.approx(0.08)
    for _ in range(2):
        strength.observe(-50.0, 50)
        strength.move()
    assert strength.p == 0  # not below
    fixed = AugmentationStrength(None, 1.0, p=0.4)
    for _ in range(8):
        fixed.observe(4.0, 4)
        fixed.move()
    assert fixed.p == 0.4


def test_training_adapts_logs_and_resumes(tmp_path):
    config = replace(CONFIG, augment="adaptive", augment_target=0.0, augment_kimg=0.02)
    task = set_up(config)
    figures = steps(task, range(4))
    assert ["real_sign" in f for f in figures] == [False, False, False, True]
    sign = figures[3]["real_sign"]
    assert task.augmentation.p == pytest.approx(0.8 if sign > 0 else 0.0)  # 16 images of 20
    other = set_up(config)
    other.load_state_dict(copy.deepcopy(task.state_dict()))
    for each in (task, other):
        steps(each, range(4, 6))
    assert_same_state(task.state_dict(), other.state_dict())
    train(tmp_path, steps=2, task=StyleGAN2Task(replace(config, augment="fixed", augment_p=0.5), 2, seed=1))


def test_what_is_shown_to_the_discriminator_is_changed(monkeypatch):
    shown = []
    task = set_up(replace(CONFIG, augment="fixed", augment_p=0.9, r1_interval=1))
    forward = task.D.forward
    monkeypatch.setattr(task.D, "forward", lambda image, c=None: shown.append(image.detach()) or forward(image, c))
    image, c = task._real_batch(0, generator("step", 1, 0))
    task._regularise_discriminator((task.draws.reals(image, c, 0.9, seeded()),))
    task._update_discriminator((task.draws.pairs(image, c, 1.0, 0.9, seeded(1)),))
    assert len(shown) == 3 and not any(torch.equal(seen, image) for seen in shown)


def test_unknown_settings_are_refused():
    with pytest.raises(ConfigError, match="augment"):
        replace(CONFIG, augment="ada")
