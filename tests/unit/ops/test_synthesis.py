"""The compiled synthesis of a frozen generator against the public ops in fp64, and when a network takes it."""

import copy
import os
import warnings
from pathlib import Path

import pytest
import torch

from styleT2I.errors import ExtensionError
from styleT2I.networks.stylegan2 import frozen as stylegan2_frozen
from styleT2I.networks.stylegan2.generator import Generator, GeneratorConfig
from styleT2I.ops import synthesis
from styleT2I.ops.kernels import CPU, cpu_kernels, default_impl
from styleT2I.ops.synthesis import FrozenSynthesis, Layer, Operands, synthesize, synthesize_plainly
from styleT2I.ops.upfirdn2d import setup_filter
from styleT2I.torch_utils.extensions import why_not_loaded

CHANNELS = (48, 32, 16)  # at 4, 8 and 16 pixels


@pytest.fixture
def kernels():
    kernels = cpu_kernels()
    if kernels is None:
        pytest.skip(f"compiled kernels: {why_not_loaded(CPU)}")
    best = kernels.instruction_set()
    yield kernels
    kernels.use_instruction_set(best)


@pytest.fixture(params=[2, 4])
def tile(request, monkeypatch):
    """All layers in tiles of 2x2, then of 4x4 pixels."""
    for name in ("SMALL_LAYER", "SMALL_UP_LAYER"):
        monkeypatch.setattr(synthesis, name, 1024 if request.param == 2 else 0)


def problem(kernels, num=3, clamp=None, style_scale=1.0, taps=(1, 3, 3, 1)):
    """A FrozenSynthesis drawn at random, operands and noises for `num` samples."""
    rng = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=rng)

    widths = [(CHANNELS[0], CHANNELS[0]), *((n, m) for i, m in enumerate(CHANNELS[1:]) for n in (CHANNELS[i], m))]
    layers = [Layer(normal(num_out, num_in, 3, 3), normal(num_out)) for num_in, num_out in widths]
    rgbs = [Layer(normal(3, n) / n**0.5, normal(3)) for n in CHANNELS]
    frozen = FrozenSynthesis(kernels, normal(CHANNELS[0], 4, 4), layers, rgbs, setup_filter(taps), clamp)
    styles = [1 + style_scale * normal(num, num_in) for num_in, _ in widths]
    demodulation = [(normal(num, num_out).abs() + 0.5) / (3 * num_in**0.5) for num_in, num_out in widths]
    operands = Operands(styles, demodulation, [1 + normal(num, n) for n in CHANNELS])
    sizes = [4, 8, 8, 16, 16]
    noises = [normal(num if i == 3 else 1, size, size) / 2 for i, size in enumerate(sizes)]
    return frozen, operands, noises


def in_double(frozen, operands, noises):
    twin = copy.copy(frozen)
    twin.const, twin.resample_filter = frozen.const.double(), frozen.resample_filter.double()
    twin.layers, twin.rgbs = (
        [Layer(*(t.double() for t in layer)) for layer in ls] for ls in (frozen.layers, frozen.rgbs)
    )
    return twin, Operands(*([t.double() for t in group] for group in operands)), [noise.double() for noise in noises]


def relative_error(ours, exact):
    return ((ours.double() - exact).abs().max() / exact.abs().max()).item()


def flat(operands):
    return [t for group in operands for t in group]


@pytest.mark.parametrize("instruction_set", ["avx512", "avx2", "portable"])
@pytest.mark.parametrize("clamp", [None, 1.5])
@pytest.mark.parametrize("num_threads", [1, 3])
def test_image_and_gradients_match_the_plain_ops(kernels, tile, instruction_set, clamp, num_threads):
    try:
        kernels.use_instruction_set(instruction_set)
    except RuntimeError as error:
        pytest.skip(str(error))
    frozen, operands, noises = problem(kernels, clamp=clamp)
    twin, exact_operands, exact_noises = in_double(frozen, operands, noises)
    for t in flat(operands) + flat(exact_operands):
        t.requires_grad_()
    torch.set_num_threads(num_threads)
    try:
        image = synthesize(frozen, operands, noises)
        cotangent = torch.randn(image.shape, generator=torch.Generator().manual_seed(1))
        grads = torch.autograd.grad(image, flat(operands), cotangent)
    finally:
        torch.set_num_threads(1)
    exact = synthesize_plainly(twin, exact_operands, exact_noises)
    exact_grads = torch.autograd.grad(exact, flat(exact_operands), cotangent.double())
    assert relative_error(image, exact) < 2e-6
    for grad, exact_grad in zip(grads, exact_grads, strict=True):
        assert relative_error(grad, exact_grad) < 2e-5


def test_an_uneven_filter_keeps_its_direction(kernels, tile):
    frozen, operands, noises = problem(kernels, taps=(1, 2, 4, 8))
    exact = synthesize_plainly(*in_double(frozen, operands, noises))
    assert relative_error(synthesize(frozen, operands, noises), exact) < 2e-6
    for t in flat(operands):
        t.requires_grad_()
    ours = torch.autograd.grad(synthesize(frozen, operands, noises).square().sum(), flat(operands))
    plain = torch.autograd.grad(synthesize_plainly(frozen, operands, noises).square().sum(), flat(operands))
    for grad, plain_grad in zip(ours, plain, strict=True):
        assert relative_error(grad, plain_grad.double()) < 1e-4


def test_wide_styles_keep_the_error_bound(kernels, tile):
    frozen, operands, noises = problem(kernels, style_scale=10.0)
    exact = synthesize_plainly(*in_double(frozen, operands, noises))
    assert relative_error(synthesize(frozen, operands, noises), exact) < 1e-5


def test_gradients_can_be_differentiated(kernels):
    frozen, operands, noises = problem(kernels, num=1)
    style = operands.styles[1].requires_grad_()

    def gradient_penalty(function):
        image = function(frozen, operands, noises)
        (grad,) = torch.autograd.grad(image.square().sum(), style, create_graph=True)
        (second,) = torch.autograd.grad(grad.square().sum(), style)
        return second

    ours, plain = gradient_penalty(synthesize), gradient_penalty(synthesize_plainly)
    assert relative_error(ours, plain.double()) < 1e-4


def generator(resolution=32, **settings):
    torch.manual_seed(0)
    config = GeneratorConfig(resolution=resolution, z_dim=16, w_dim=16, mapping_layers=2, channel_max=32, **settings)
    G = Generator(config).eval().requires_grad_(False)
    for name, parameter in G.named_parameters():
        if name.endswith(("noise_strength", "bias")):
            parameter += 0.3 * torch.randn_like(parameter)
    return G


def latents(G, num=3):
    return G.mapping(torch.randn(num, G.z_dim, generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("noise_mode", ["const", "random", "none"])
@pytest.mark.parametrize("settings", [{}, {"conv_clamp": 1.0}, {"use_noise": False}], ids=str)
def test_a_frozen_generator_draws_and_differentiates_as_its_twin(kernels, noise_mode, settings):
    G = generator(**settings)
    ws = latents(G).requires_grad_()

    def draw(impl):
        with default_impl(impl):
            noise = [torch.Generator().manual_seed(seed) for seed in range(3)]
            image = G.synthesis(ws, noise_mode=noise_mode, generator=noise)
            return image, torch.autograd.grad(image.square().sum(), ws)[0]

    image, grad = draw("cpp")
    twin_image, twin_grad = draw("ref")
    assert relative_error(image, twin_image.double()) < 1e-5
    assert (grad - twin_grad).norm() < 1e-3 * twin_grad.norm()


def test_an_image_is_the_same_in_any_batch(kernels, tile):
    frozen, operands, noises = problem(kernels)
    together = synthesize(frozen, operands, noises)
    for i in range(3):
        own = Operands(*([t[i : i + 1].contiguous() for t in group] for group in operands))
        image = synthesize(frozen, own, [noise if len(noise) == 1 else noise[i : i + 1] for noise in noises])
        assert torch.equal(image[0], together[i])


def test_changed_weights_change_the_image(kernels):
    G = generator()
    ws = latents(G)
    with default_impl("cpp"):
        images = [G.synthesis(ws)]
        G.synthesis.b16.conv1.weight *= -1
        images.append(G.synthesis(ws))
        G.synthesis.b16.conv1.weight.data *= -1  # counts no version
        images.append(G.synthesis(ws))
    assert not torch.equal(images[0], images[1])
    assert torch.equal(images[0], images[2])


def test_what_inference_mode_prepared_serves_gradients_as_well(kernels):
    G = generator()
    ws = latents(G)
    with default_impl("cpp"):
        with torch.inference_mode():
            image = G.synthesis(ws)
        again = G.synthesis(ws.clone().requires_grad_())
        again.sum().backward()
    assert torch.equal(image, again)


def test_memory_of_feature_maps_is_taken_again_once_it_is_free_and_released_with_the_network(kernels):
    frozen, operands, _ = problem(kernels, num=1)
    x, style, demodulation = torch.randn(1, 3, 128, 128, 16), operands.styles[0], operands.demodulation[0]
    noise = torch.zeros(1, 128, 128)

    def draw():
        return kernels.conv_forward(x, style, frozen.weights[0], None, demodulation, frozen.layers[0].bias, noise, 1, 1)

    first, second = draw(), draw()
    assert first.data_ptr() != second.data_ptr() and torch.equal(first, second)
    places, expected = {first.data_ptr(), second.data_ptr()}, first.clone()
    del first, second
    third, fourth, fifth = draw(), draw(), draw()
    assert {third.data_ptr(), fourth.data_ptr()} == places and fifth.data_ptr() not in places
    assert torch.equal(third, expected) and torch.equal(fifth, expected)
    del third, fourth, fifth
    assert resident_bytes_freed_by(kernels.release_memory) > 2 * expected.nbytes


def resident_bytes_freed_by(function):
    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    before = resident()
    function()
    return before - resident()


def test_saved_activations_are_at_most_a_third(kernels):
    G = generator(64)
    ws = latents(G).requires_grad_()

    def saved(impl):
        sizes = {}

        def pack(t):
            sizes[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
            return t

        with default_impl(impl), torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            image = G.synthesis(ws)  # alive, so that no storage is counted for two
        return sum(sizes.values()), image

    assert saved("cpp")[0] <= saved("ref")[0] / 3


@pytest.mark.parametrize(
    "change, reason",
    [
        (lambda G: G.requires_grad_(True), "frozen float32 generator"),
        (lambda G: G.double(), "float32"),
        (lambda G: G.synthesis.b8.register_forward_hook(lambda *args: None), "hooks"),
    ],
)
def test_what_the_kernels_cannot_draw_is_drawn_by_pytorch(change, reason):
    G = generator()
    change(G)
    ws = latents(G.double() if reason == "float32" else G)
    assert torch.isfinite(G.synthesis(ws)).all()
    with default_impl("cpp"), pytest.raises(ExtensionError, match=reason):
        G.synthesis(ws)


@pytest.mark.parametrize(
    "settings",
    [
        {"architecture": "resnet"},
        {"activation": "relu"},
        {"image_channels": 1},
        {"resample_filter": (1, 2, 1)},
        {"channels": {4: 8, 8: 8, 16: 8, 32: 8}},
    ],
    ids=str,
)
def test_other_kinds_of_generators_are_refused(settings):
    G = generator(**settings)
    with default_impl("cpp"), pytest.raises(ExtensionError, match="they "):
        G.synthesis(latents(G))


def test_kernels_that_are_not_built_are_missed_once_and_aloud(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path))
    monkeypatch.setattr(stylegan2_frozen, "_has_warned", False)
    monkeypatch.setattr(stylegan2_frozen, "SLOW_RESOLUTION", 32)
    G = generator()
    with pytest.warns(UserWarning, match="several times slower than compiled: .*doctor --build|several times slower"):
        G.synthesis(latents(G))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        G.synthesis(latents(G))
    with default_impl("cpp"), pytest.raises(ExtensionError, match="not built yet|no C.. compiler|ninja"):
        G.synthesis(latents(G))
