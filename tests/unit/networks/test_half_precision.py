"""Half precision in the highest resolutions of generator and discriminator: agreement, range, gradients, settings."""

import copy

import pytest
import torch

from styleT2I.errors import ConfigError, ExtensionError
from styleT2I.networks.stylegan2.config import DiscriminatorConfig, GeneratorConfig, check_precision, set_precision
from styleT2I.networks.stylegan2.discriminator import Discriminator
from styleT2I.networks.stylegan2.generator import Generator, SynthesisLayer
from styleT2I.ops.kernels import default_impl
from styleT2I.ops.modulated_conv2d import modulated_conv2d, modulated_layer, normalized_for_half
from styleT2I.ops.upfirdn2d import setup_filter

FILTER = setup_filter([1, 3, 3, 1])
# Of max |difference| to max |value|; a unit in the last place is 2^-11 and 2^-8.
TOLERANCE = {"fp16": 4e-3, "bf16": 3e-2}
DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
SMALL = {"z_dim": 8, "w_dim": 8, "mapping_layers": 2, "channel_base": 256, "channel_max": 16}


def relative_error(ours, exact):
    return ((ours.double() - exact.double()).abs().max() / exact.double().abs().max()).item()


def generator(resolution=32, **settings):
    torch.manual_seed(0)
    G = Generator(GeneratorConfig(resolution, **{**SMALL, **settings}))
    for name, parameter in G.synthesis.named_parameters():
        if name.endswith(("noise_strength", ".bias")) and "affine" not in name:
            parameter.data += 0.1 * torch.randn(parameter.shape)
    return G


def discriminator(resolution=32, **settings):
    torch.manual_seed(0)
    return Discriminator(DiscriminatorConfig(resolution, channel_base=256, channel_max=16, **settings))


def operands(num_in=24, size=6):
    rng = torch.Generator().manual_seed(0)
    shapes = [(2, num_in, size, size), (8, num_in, 3, 3), (2, num_in), (8,)]
    return [torch.randn(shape, generator=rng) for shape in shapes]


@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize("factor", [1, 10, 1000])
def test_a_layer_agrees_with_float32_however_wide_its_styles_are(precision, up, factor):
    x, weight, styles, bias = operands()
    x, dtype = x.to(DTYPES[precision]), DTYPES[precision]
    exact = modulated_layer(x.double(), weight.double(), factor * styles.double(), bias.double(), up=up,
                            resample_filter=FILTER)  # fmt: skip
    y = modulated_layer(x, weight, factor * styles, bias, up=up, resample_filter=FILTER)
    assert y.dtype == dtype and relative_error(y, exact) < TOLERANCE[precision]
    plain = modulated_conv2d(x, weight, factor * styles, up=up, resample_filter=FILTER)
    twin = modulated_conv2d(x, weight, factor * styles, up=up, resample_filter=FILTER, impl="ref")
    assert plain.dtype == twin.dtype == dtype and relative_error(plain, twin) < TOLERANCE[precision]


def test_the_widest_layer_of_clamped_activations_does_not_overflow_float16():
    """Every term of every sum at its largest and of one sign."""
    x, weight, styles = torch.full((1, 512, 4, 4), 256.0), torch.full((4, 512, 3, 3), 7.0), torch.full((1, 512), 1e4)
    for up in (1, 2):
        y = modulated_conv2d(x.half(), weight, styles, up=up, resample_filter=FILTER)
        exact = modulated_conv2d(x, weight, styles, up=up, resample_filter=FILTER)
        assert exact.max() > 1e4 and torch.isfinite(y).all() and relative_error(y, exact) < TOLERANCE["fp16"]


def test_normalising_changes_nothing_but_the_scale():
    _, weight, styles, _ = operands()
    weight[3] = 0  # an output without weights
    normal, scaled, factors = normalized_for_half(weight, styles, torch.float64)
    assert torch.isfinite(factors).all() and scaled.abs().amax(dim=1) == pytest.approx([1, 1])
    restored = normal[None] * scaled[:, None, :, None, None] * factors[:, :, None, None, None]
    torch.testing.assert_close(restored.float(), weight[None] * styles[:, None, :, None, None])


@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_a_generators_image_and_gradients_agree_with_float32(precision, architecture):
    G, z = generator(architecture=architecture), torch.randn(3, 8)
    half = set_precision(copy.deepcopy(G), precision)
    results = []
    for network in (G, half):
        ws = network.mapping(z).detach().requires_grad_()
        image = network.synthesis(ws)
        (image * torch.linspace(-1, 1, image.numel()).view_as(image)).sum().backward()
        grads = [p.grad.flatten() for p in network.synthesis.parameters()]
        results.append((image.detach(), ws.grad, torch.cat(grads)))
    (image, ws_grad, grads), (half_image, half_ws_grad, half_grads) = results
    assert half_image.dtype == torch.float32 and 0 < relative_error(half_image, image) < 2 * TOLERANCE[precision]
    # Leaky ReLU turns a rounding of its input near 0 into another slope, so gradients agree in the mean alone.
    assert (half_ws_grad - ws_grad).norm() < 10 * TOLERANCE[precision] * ws_grad.norm()
    assert (half_grads - grads).norm() < 10 * TOLERANCE[precision] * grads.norm()


@pytest.mark.parametrize("precision", DTYPES)
def test_styles_ten_times_as_wide_overflow_nowhere(precision):
    G = set_precision(generator(), precision)
    wide = copy.deepcopy(G)
    for name, parameter in wide.synthesis.named_parameters():
        if name.endswith("affine.weight"):
            parameter.data *= 10
    ws = 3 * wide.mapping(torch.randn(2, 8)).detach().requires_grad_()
    image = wide.synthesis(ws)
    exact = set_precision(copy.deepcopy(wide), "fp32").synthesis(ws)
    (grad,) = torch.autograd.grad(image.square().mean(), ws)
    assert torch.isfinite(image).all() and torch.isfinite(grad).all() and grad.abs().max() > 0
    assert relative_error(image, exact) < 3 * TOLERANCE[precision]


@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("architecture", ["resnet", "skip", "orig"])
def test_a_discriminators_logits_and_penalty_agree_with_float32(precision, architecture):
    D, image = discriminator(architecture=architecture), torch.randn(4, 3, 32, 32)
    half = set_precision(copy.deepcopy(D), precision)
    results = []
    for network in (D, half):
        real = image.clone().requires_grad_()
        logits = network(real)
        (grad,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
        penalty = grad.square().sum()
        penalty.backward()
        results.append((logits.detach(), penalty.item(), [p.grad for p in network.parameters() if p.grad is not None]))
    (logits, penalty, _), (half_logits, half_penalty, half_grads) = results
    assert half_logits.dtype == torch.float32
    assert (half_logits - logits).abs().max() < 4 * TOLERANCE[precision] * logits.abs().max()
    assert half_penalty == pytest.approx(penalty, rel=10 * TOLERANCE[precision])
    assert all(torch.isfinite(g).all() for g in half_grads)


def test_the_highest_resolutions_compute_in_half_precision_and_the_rest_in_float32():
    def dtypes(G):
        seen = []
        for module in G.modules():
            if isinstance(module, SynthesisLayer):
                module.register_forward_hook(lambda m, args, y: seen.append((m.resolution, y.dtype)))
        G(torch.randn(1, 8))
        return {resolution: dtype for resolution, dtype in seen}

    full, half = torch.float32, torch.bfloat16
    assert dtypes(set_precision(generator(num_fp16_res=2), "bf16")) == {4: full, 8: full, 16: half, 32: half}
    assert dtypes(set_precision(generator(), "bf16")) == {4: full, 8: half, 16: half, 32: half}
    assert dtypes(set_precision(set_precision(generator(), "bf16"), "fp32")) == dict.fromkeys((4, 8, 16, 32), full)
    assert dtypes(set_precision(generator(), "fp32").double().requires_grad_(False).float())[32] == full


def test_float16_is_clamped_even_where_the_network_is_not():
    G = set_precision(generator(num_fp16_res=1), "fp16")
    G.synthesis.b32.conv1.bias.data[:] = 1e4
    seen = []
    G.synthesis.b32.conv1.register_forward_hook(lambda m, args, y: seen.append(y))
    assert torch.isfinite(G(torch.randn(1, 8))).all() and seen[0].max() == 256


def test_the_twin_of_a_half_precision_generator_is_close():
    G = set_precision(generator(), "bf16").requires_grad_(False)
    ws = G.mapping(torch.randn(2, 8))
    ours = G.synthesis(ws)
    with default_impl("ref"):
        assert relative_error(ours, G.synthesis(ws)) < 2 * TOLERANCE["bf16"]
    with default_impl("cpp"), pytest.raises(ExtensionError, match="set to half precision"):
        G.synthesis(ws)


def test_half_precision_is_refused_without_a_gpu_and_by_unknown_names():
    with pytest.raises(ConfigError, match="'fp16' is for a CUDA device, and this runs on cpu"):
        check_precision("fp16", torch.device("cpu"))
    check_precision("fp32", torch.device("cpu"))
    with pytest.raises(ConfigError, match="unknown precision 'half'; choose one of fp32, fp16, bf16"):
        set_precision(generator(), "half")
