"""modulated_conv2d in scale-activations form against per-sample weights, and its derivatives."""

import pytest
import torch
import torch.nn.functional as F

from styleT2I.errors import ConfigError
from styleT2I.ops.modulated_conv2d import (
    conv2d_resample,
    demodulation_coefficients,
    modulated_conv2d,
    modulated_layer,
)
from styleT2I.ops.upfirdn2d import setup_filter, upfirdn2d

FILTER = setup_filter([1, 3, 3, 1])


def operands(kernel_size=3, dtype=torch.float64):
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, 6, 5, generator=rng, dtype=dtype)
    weight = torch.randn(2, 4, kernel_size, kernel_size, generator=rng, dtype=dtype)
    return x, weight, torch.randn(3, 4, generator=rng, dtype=dtype)


@pytest.mark.parametrize("up", [1, 2, 4])
@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.parametrize("demodulate", [False, True])
@pytest.mark.parametrize("taps", [[1, 3, 3, 1], [1, 2, 1], [1, 4, 6, 6, 4, 1]])
def test_matches_per_sample_weights(up, kernel_size, demodulate, taps):
    arguments = {"demodulate": demodulate, "up": up, "resample_filter": setup_filter(taps)}
    x, weight, styles = operands(kernel_size)
    result = modulated_conv2d(x, weight, styles, **arguments)
    assert result.shape == (3, 2, 6 * up, 5 * up)
    torch.testing.assert_close(result, modulated_conv2d(x, weight, styles, **arguments, impl="ref"))


def test_matches_the_papers_equations_for_one_sample():
    x, weight, styles = operands()
    w = weight.clone()
    for i in range(4):
        w[:, i] *= styles[1, i]
    for o in range(2):
        w[o] /= torch.sqrt((w[o] ** 2).sum() + 1e-8)
    torch.testing.assert_close(modulated_conv2d(x, weight, styles)[1:2], F.conv2d(x[1:2], w, padding=1))


@pytest.mark.parametrize("up", [1, 2])
def test_layer_matches_its_steps(up):
    x, weight, styles = operands()
    rng = torch.Generator().manual_seed(1)
    bias, noise = (torch.randn(*shape, generator=rng, dtype=torch.float64) for shape in [(2,), (3, 1, 6 * up, 5 * up)])
    arguments = {"noise": noise, "up": up, "resample_filter": FILTER, "act": "lrelu", "gain": 1.5, "clamp": 2}
    wanted = modulated_conv2d(x, weight, styles, up=up, resample_filter=FILTER, impl="ref")
    wanted = (torch.nn.functional.leaky_relu(wanted + noise + bias[:, None, None], 0.2) * 1.5).clamp(-2, 2)
    assert wanted.abs().max() == 2
    for impl in ("auto", "ref"):
        torch.testing.assert_close(modulated_layer(x, weight, styles, bias, **arguments, impl=impl), wanted)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_a_layer_may_multiply_by_the_next_ones_styles(dtype):
    x, weight, styles = operands()
    rng = torch.Generator().manual_seed(1)
    next_weight, next_styles = torch.randn(5, 2, 3, 3, generator=rng).double(), 30 * torch.randn(3, 2, generator=rng)
    bias, next_styles, arguments = torch.ones(2).double(), next_styles.double(), {"up": 2, "resample_filter": FILTER}
    x = x.to(dtype)
    h = modulated_layer(x, weight, styles, bias, **arguments, clamp=2)
    wanted = modulated_layer(h, next_weight, next_styles, None)
    h = modulated_layer(x, weight, styles, bias, **arguments, clamp=2, next_styles=next_styles)
    assert torch.equal(modulated_layer(h, next_weight, next_styles, None, is_scaled=True), wanted)
    for refused in ({"next_styles": next_styles}, {"is_scaled": True}):
        with pytest.raises(ConfigError, match="impl 'ref' of modulated_layer scales weights"):
            modulated_layer(x, weight, styles, bias, **refused, impl="ref")


@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize("kernel_size", [1, 3])
def test_first_and_second_derivatives(up, kernel_size):
    operand_list = [t[:2, :2].clone().requires_grad_() for t in operands(kernel_size)]

    def function(x, weight, styles):
        return modulated_conv2d(x[:, :, :3, :3], weight, styles, up=up, resample_filter=FILTER)

    assert torch.autograd.gradcheck(function, operand_list)
    assert torch.autograd.gradgradcheck(function, operand_list)


def test_no_gradient_is_computed_for_a_frozen_weight():
    x, weight, styles = operands()
    styles.requires_grad_()
    modulated_conv2d(x, weight, styles).sum().backward()
    assert weight.grad is None and styles.grad.abs().min() > 0


def test_demodulated_output_has_unit_variance():
    rng = torch.Generator().manual_seed(0)
    x, styles = torch.randn(4, 32, 32, 32, generator=rng), 5 * torch.randn(4, 32, generator=rng)
    result = modulated_conv2d(x, torch.randn(16, 32, 3, 3, generator=rng), styles)
    assert result[:, :, 1:-1, 1:-1].std().item() == pytest.approx(1, abs=0.03)


def test_demodulation_coefficients_by_loop():
    _, weight, styles = operands()
    wanted = [[(sum((styles[n, i] * weight[o, i]).square().sum() for i in range(4)) + 1e-8) ** -0.5 for o in range(2)]
              for n in range(3)]  # fmt: skip
    torch.testing.assert_close(demodulation_coefficients(weight, styles), torch.tensor(wanted, dtype=torch.float64))


@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.parametrize("up, down", [(1, 1), (2, 1), (1, 2)])
def test_resampling_convolution_filters_then_convolves_the_large_image(kernel_size, up, down):
    """Away from the borders the order of filter and convolution does not matter."""
    x, weight, _ = operands(kernel_size)
    x = F.pad(x, (6, 6, 6, 6))
    bias = torch.tensor([0.5, -2.0], dtype=torch.float64)
    result = conv2d_resample(x, weight, bias, up=up, down=down, resample_filter=FILTER)
    if up == 2:  # a true convolution of the zero-inserted image
        large = upfirdn2d(x, FILTER, up=2, padding=(2, 1, 2, 1), gain=4)
        wanted = F.conv2d(large, weight.flip([2, 3]), bias, padding=kernel_size // 2)
    elif down == 2:
        small = upfirdn2d(x, FILTER, padding=(2, 1, 2, 1))  # the filter's middle lies half a pixel after each pixel
        wanted = F.conv2d(small, weight, bias, padding=kernel_size // 2)[:, :, 1::2, 1::2]
    else:
        wanted = F.conv2d(x, weight, bias, padding=kernel_size // 2)
    torch.testing.assert_close(result, wanted)
