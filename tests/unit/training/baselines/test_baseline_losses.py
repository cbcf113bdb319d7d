"""Losses of the baselines against hand-computed values, torch.distributions and autograd row by row."""

import math

import pytest
import torch

from styleT2I.baselines.config import DFGANDiscriminatorConfig
from styleT2I.baselines.dfgan import DFGANDiscriminator
from styleT2I.baselines.gan_int_cls import style_loss
from styleT2I.torch_utils.seeding import generator
from styleT2I.training.baselines.losses import (
    draw_pairs,
    hinge_matching_loss,
    kl_to_standard_normal,
    matching_aware_loss,
    matching_gradient_penalty,
    midpoint_texts,
    two_headed_discriminator_loss,
)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cross_entropy(logit, is_real):
    probability = 1 / (1 + math.exp(-logit))
    return -math.log(probability if is_real else 1 - probability)


def test_wrong_texts_and_fakes_count_half_each_beside_real_pictures():
    real, wrong, fake = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 1.5]), torch.tensor([-3.0, 0.25])
    wanted = sum(cross_entropy(logit, True) for logit in (2, -1)) / 2
    wanted += (cross_entropy(0.5, False) + cross_entropy(1.5, False)) / 4
    wanted += (cross_entropy(-3, False) + cross_entropy(0.25, False)) / 4
    assert matching_aware_loss(real, wrong, fake).item() == pytest.approx(wanted)


def test_two_heads_average_two_real_and_three_negative_terms():
    logits = [0.7, -0.2, 1.1, -1.3, 0.4]  # real, wrong, fake, real alone, fake alone
    wanted = (cross_entropy(0.7, True) + cross_entropy(-1.3, True)) / 2
    wanted += (cross_entropy(-0.2, False) + cross_entropy(1.1, False) + cross_entropy(0.4, False)) / 3
    found = two_headed_discriminator_loss(*(torch.tensor([logit]) for logit in logits))
    assert found.item() == pytest.approx(wanted)


def test_kl_is_that_of_torch_distributions():
    mu, logvar = normal(4, 5), normal(4, 5, seed=1)
    condition = torch.distributions.Normal(mu, (logvar / 2).exp())
    standard = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    wanted = torch.distributions.kl_divergence(condition, standard).mean()
    torch.testing.assert_close(kl_to_standard_normal(mu, logvar), wanted)
    assert kl_to_standard_normal(torch.zeros(2, 3), torch.zeros(2, 3)).item() == 0


def test_hinge_stops_at_the_margins():
    real, wrong, fake = torch.tensor([0.5, 3.0]), torch.tensor([-2.0, 0.0]), torch.tensor([-0.5, 1.0])
    assert hinge_matching_loss(real, wrong, fake).item() == pytest.approx(0.5 / 2 + (1 / 2 + (0.5 + 2) / 2) / 2)
    assert hinge_matching_loss(torch.tensor([1.0]), torch.tensor([-1.0]), torch.tensor([-4.0])).item() == 0


def test_midpoints_lie_halfway_between_two_different_texts():
    text = torch.eye(6)
    midpoints = midpoint_texts(text, 0.5, draw_pairs(6, generator("pairs")))
    assert midpoints.shape == (3, 6)
    torch.testing.assert_close(midpoints.sum(dim=0), torch.full((6,), 0.5))  # every text is in exactly one pair
    assert (midpoints.count_nonzero(dim=1) == 2).all()
    leaning = midpoint_texts(text, 0.75, draw_pairs(6, generator("pairs")))
    assert sorted(leaning[leaning > 0].tolist()) == [0.25] * 3 + [0.75] * 3


def test_gradient_penalty_is_that_of_each_row_alone():
    torch.manual_seed(0)
    D = DFGANDiscriminator(DFGANDiscriminatorConfig(5, (3, 4), 3)).double()
    for block in D.blocks:
        block.gain.data.fill_(0.5)
    image, text = normal(3, 3, 8, 8).requires_grad_(), normal(3, 5, seed=1).requires_grad_()
    found = matching_gradient_penalty(D(image, text), image, text)
    wanted = 0.0
    for row in range(3):
        one, said = image.detach()[row : row + 1].requires_grad_(), text.detach()[row : row + 1].requires_grad_()
        D(one, said).backward()
        norm = math.sqrt(one.grad.square().sum().item() + said.grad.square().sum().item())
        wanted += 2 * norm**6 / 3
    assert found.item() == pytest.approx(wanted, rel=1e-10)


def test_gradient_penalty_moves_the_weights_by_its_derivative():
    """D = w (sum x + sum t) has gradient w everywhere: norm w sqrt(n), penalty 2 w^6 n^3, derivative 12 w^5 n^3."""
    w = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    image, text = normal(2, 1, 2, 2).requires_grad_(), normal(2, 3, seed=1).requires_grad_()
    penalty = matching_gradient_penalty(w * (image.flatten(1).sum(1) + text.sum(1)), image, text)
    penalty.backward()
    assert penalty.item() == pytest.approx(2 * 0.8**6 * 7**3)
    assert w.grad.item() == pytest.approx(12 * 0.8**5 * 7**3)


def test_style_loss_is_the_squared_distance_of_each_z():
    z, recovered = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [3.0, 0.0]])
    assert style_loss(z, recovered).item() == pytest.approx((5 + 9) / 2)
