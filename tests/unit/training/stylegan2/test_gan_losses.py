"""GAN losses and regularisers against values worked out by hand and against finite differences."""

import math

import pytest
import torch

from styleT2I.networks.stylegan2.config import DiscriminatorConfig, GeneratorConfig
from styleT2I.networks.stylegan2.discriminator import Discriminator
from styleT2I.networks.stylegan2.generator import Generator
from styleT2I.training.stylegan2.losses import (
    logistic_discriminator_loss,
    nonsaturating_generator_loss,
    path_length_loss,
    path_lengths,
    r1_penalty,
)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_losses_are_negative_log_probabilities():
    real, fake = torch.tensor([[2.0], [-1.0]]), torch.tensor([[0.5], [3.0]])

    def log_sigmoid(x):
        return -math.log1p(math.exp(-x))

    wanted_g = -(log_sigmoid(0.5) + log_sigmoid(3.0)) / 2
    wanted_d = -(log_sigmoid(2.0) + log_sigmoid(-1.0)) / 2 - (log_sigmoid(-0.5) + log_sigmoid(-3.0)) / 2
    assert nonsaturating_generator_loss(fake).item() == pytest.approx(wanted_g)
    assert logistic_discriminator_loss(real, fake).item() == pytest.approx(wanted_d)


def test_r1_of_a_quadratic_by_hand():
    """D(x) = sum a x^2 / 2 has gradient a x, so its penalty is sum (a x)^2 with derivative 2 a x^2 in a."""
    a, image = normal(3, 2, 2).requires_grad_(), normal(4, 3, 2, 2, seed=1).requires_grad_()
    penalty = r1_penalty((a * image.square() / 2).sum(dim=[1, 2, 3])[:, None], image)
    torch.testing.assert_close(penalty, (a * image).square().sum(dim=[1, 2, 3]))
    penalty.sum().backward()
    torch.testing.assert_close(a.grad, (2 * a * image.square()).sum(dim=0))


def test_path_length_of_a_linear_generator_by_hand():
    """image = A ws has Jacobian A, whatever the ws."""
    num, num_ws, w_dim = 5, 3, 4
    A, noise = normal(num_ws, w_dim, 3, 2, 2), normal(num, 3, 2, 2, seed=1)
    ws = normal(num, num_ws, w_dim, seed=2).requires_grad_()
    lengths = path_lengths(torch.einsum("nlw,lwchv->nchv", ws, A), ws, noise)
    for n in range(num):
        products = torch.stack([(A[layer] * noise[n] / 2).sum(dim=[1, 2, 3]) for layer in range(num_ws)])  # [L, w_dim]
        assert lengths[n].item() == pytest.approx((products.square().sum() / num_ws).sqrt().item())


def test_path_length_loss_by_hand():
    loss, mean = path_length_loss(torch.tensor([1.0, 3.0]), torch.tensor(1.0), decay=0.5)
    assert mean.item() == pytest.approx(1.5)
    assert loss.item() == pytest.approx((0.5**2 + 1.5**2) / 2)


def directional_derivatives(network, loss_function, step=1e-6):
    """The derivative of the loss along a random direction of all parameters: by autograd, by finite differences."""
    parameters = list(network.parameters())
    directions = [normal(*p.shape, seed=i) for i, p in enumerate(parameters)]
    network.zero_grad()
    loss_function().backward()
    # a bias shifts no gradient while it moves no unit across zero: its derivative may be absent
    analytic = sum((p.grad * d).sum().item() for p, d in zip(parameters, directions, strict=True) if p.grad is not None)
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            for p, d in zip(parameters, directions, strict=True):
                p.add_(d, alpha=sign * step)
        values.append(loss_function().item())
        with torch.no_grad():
            for p, d in zip(parameters, directions, strict=True):
                p.sub_(d, alpha=sign * step)
    return analytic, (values[0] - values[1]) / (2 * step)


@pytest.mark.parametrize("architecture", ["resnet", "skip", "orig"])
def test_r1_gradient_through_the_discriminator(architecture):
    torch.manual_seed(0)
    D = Discriminator(DiscriminatorConfig(16, channel_base=64, channel_max=4, architecture=architecture)).double()
    image = normal(4, 3, 16, 16).requires_grad_()
    analytic, numeric = directional_derivatives(D, lambda: r1_penalty(D(image), image).mean())
    assert analytic == pytest.approx(numeric, rel=1e-5)


@pytest.mark.parametrize("architecture", ["resnet", "skip", "orig"])
def test_path_length_gradient_through_the_generator(architecture):
    torch.manual_seed(0)
    config = GeneratorConfig(
        16, z_dim=4, w_dim=4, mapping_layers=2, mapping_lr_multiplier=1.0, channel_base=64, channel_max=4,
        architecture=architecture,
    )  # fmt: skip
    G = Generator(config).double()
    z, noise = normal(3, 4), normal(3, 3, 16, 16, seed=1)

    def loss():
        ws = G.mapping(z)
        return path_lengths(G.synthesis(ws), ws, noise).square().mean()

    analytic, numeric = directional_derivatives(G, loss)
    assert analytic == pytest.approx(numeric, rel=1e-5)
