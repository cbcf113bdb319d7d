"""float16's way back under losses of any size: gradients, first and second, are float32's and never overflow."""

import copy

import pytest
import torch

from styleT2I.networks.stylegan2.config import DiscriminatorConfig, GeneratorConfig, set_precision
from styleT2I.networks.stylegan2.discriminator import Discriminator
from styleT2I.networks.stylegan2.generator import Generator
from styleT2I.networks.stylegan2.gradient_scale import scaled_way_back
from styleT2I.ops.bias_act import in_type_of

LOSSES = [1e-8, 1.0, 1e8]
TOLERANCE = 0.04  # leaky ReLU turns a rounding near 0 into another slope, so gradients agree in the mean alone
SMALL = {"channel_base": 256, "channel_max": 16}


def pair(network):
    """A network in float32 and the same in float16."""
    return network, set_precision(copy.deepcopy(network), "fp16")


def generators(*, is_frozen, architecture="skip"):
    torch.manual_seed(0)
    config = GeneratorConfig(32, z_dim=8, w_dim=8, mapping_layers=2, architecture=architecture, **SMALL)
    return pair(Generator(config).requires_grad_(not is_frozen))


def discriminators(*, is_frozen, architecture="resnet"):
    torch.manual_seed(0)
    return pair(
        Discriminator(DiscriminatorConfig(32, architecture=architecture, **SMALL)).requires_grad_(not is_frozen)
    )


def is_near(ours, exact, tolerance=TOLERANCE):
    return bool(torch.isfinite(ours).all()) and (ours - exact).norm() < tolerance * exact.norm()


def parameters_of(network):
    # A noise's strength has for a gradient one sum over all pixels, which may nearly cancel.
    return [p for name, p in network.named_parameters() if p.requires_grad and "noise_strength" not in name]


def flat(gradients):
    return torch.cat([g.flatten() for g in gradients if g is not None])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("is_frozen", [True, False])
@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_a_generators_gradients(loss, is_frozen, architecture):
    found = []
    for G in generators(is_frozen=is_frozen, architecture=architecture):
        ws = torch.randn(3, G.num_ws, 8, generator=torch.Generator().manual_seed(1)).requires_grad_()
        gradients = torch.autograd.grad(loss * G.synthesis(ws).square().sum(), [ws, *parameters_of(G.synthesis)])
        found.append((gradients[0], flat(gradients)))
    assert all(is_near(ours, exact) for exact, ours in zip(*found, strict=True))


def test_a_sample_has_its_own_scale():
    """Losses sixteen powers of ten apart in one batch: float16 has a range of twelve."""
    losses = torch.tensor([1e-8, 1.0, 1e8])
    found = []
    for G in generators(is_frozen=True):
        ws = torch.randn(3, G.num_ws, 8, generator=torch.Generator().manual_seed(1)).requires_grad_()
        (gradient,) = torch.autograd.grad((losses * G.synthesis(ws).square().sum([1, 2, 3])).sum(), ws)
        found.append(gradient)
    assert all(is_near(ours, exact) for exact, ours in zip(*found, strict=True))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("is_frozen", [True, False])
def test_a_generators_second_derivatives(loss, is_frozen):
    """The path length regularisation: the size of the gradient in the styles, differentiated."""
    found = []
    for G in generators(is_frozen=is_frozen):
        rng = torch.Generator().manual_seed(1)
        ws = torch.randn(2, G.num_ws, 8, generator=rng).requires_grad_()
        image = G.synthesis(ws, noise_mode="random", generator=rng)
        pixels = torch.randn(image.shape, generator=rng) / 32
        (first,) = torch.autograd.grad((image * pixels).sum(), ws, create_graph=True)
        penalty = first.square().sum()
        gradients = torch.autograd.grad(loss * penalty, [ws, *parameters_of(G.synthesis)], allow_unused=True)
        found.append((penalty, gradients[0], flat(gradients)))
    assert all(is_near(ours, exact) for exact, ours in zip(*found, strict=True))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("architecture, tolerance", [("skip", TOLERANCE), ("resnet", TOLERANCE), ("orig", 0.12)])
def test_a_discriminators_gradients_and_its_gradient_penalty(loss, architecture, tolerance):
    found = []
    for D in discriminators(is_frozen=False, architecture=architecture):
        image = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1)).requires_grad_()
        logits = D(image)
        first = torch.autograd.grad(loss * logits.sum(), [image, *parameters_of(D)], retain_graph=True)
        (slope,) = torch.autograd.grad(logits.sum(), image, create_graph=True)
        second = torch.autograd.grad(loss * slope.square().sum(), parameters_of(D), allow_unused=True)
        found.append((first[0], flat(first), flat(second)))
    assert all(is_near(ours, exact, tolerance) for exact, ours in zip(*found, strict=True))


def test_a_frozen_discriminator_passes_gradients_on():
    found = []
    for D in discriminators(is_frozen=True):
        image = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1)).requires_grad_()
        found.append(torch.autograd.grad(1e-8 * D(image).sum(), image)[0])
    assert is_near(found[1], found[0])


def test_the_scale_is_exact_and_a_second_backward_pass_finds_the_graph():
    """In float32 throughout nothing is rounded by it, whatever the sizes."""

    def run(x, nothing):
        return (x * x * weight,)

    weight = torch.tensor([3.0, 5.0], requires_grad=True)
    x = torch.randn(2, 2, requires_grad=True)
    y = scaled_way_back(run, (x, None), [weight])[0]
    for size in (1e-30, 1e-3, 7.0, 1e20):
        ours = torch.autograd.grad(y, (x, weight), torch.full_like(y, size), retain_graph=True)
        exact = torch.autograd.grad(run(x, None)[0], (x, weight), torch.full_like(y, size))
        assert all(torch.equal(a, b) for a, b in zip(ours, exact, strict=True))
    with torch.no_grad():
        assert torch.equal(scaled_way_back(run, (x, None), [weight])[0], y)


def test_zero_and_infinite_gradients_stay_what_they_are():
    x = torch.ones(3, 2, requires_grad=True)
    (y,) = scaled_way_back(lambda x: (2 * x,), (x,))
    grad = torch.tensor([[0.0, 0.0], [1.0, 2.0], [float("inf"), 1.0]])
    assert torch.equal(torch.autograd.grad(y, x, grad)[0], 2 * grad)


def test_small_operands_have_gradients_summed_in_float32():
    """65536 ones sum to more than float16 holds."""
    x, t = torch.ones(2, 4, 256, 256).half(), torch.ones(4, 1, 1, requires_grad=True)
    (grad,) = torch.autograd.grad((x * in_type_of(x, t)).sum(dtype=torch.float32), t)
    assert grad.dtype == torch.float32 and (grad == 2 * 65536).all()
    assert in_type_of(x.float(), t) is t
