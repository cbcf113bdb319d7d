"""The CUDA kernels of bias_act and upfirdn2d against the ops as published: values, first and second derivatives."""

import pytest
import torch

from styleT2I.ops.bias_act import ACTIVATIONS, bias_act
from styleT2I.ops.impl import default_impl
from styleT2I.ops.kernels import cuda_extension
from styleT2I.ops.upfirdn2d import setup_filter, upfirdn2d
from styleT2I.torch_utils.extensions import build

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

DEVICE = "cuda"
TOLERANCE = {torch.float32: 2e-6, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


@pytest.fixture(scope="module", autouse=True)
def kernels():
    build(cuda_extension())


def relative_error(ours, exact):
    return ((ours.double() - exact.double()).abs().max() / exact.double().abs().max().clamp(min=1e-30)).item()


def image(channels, dtype, memory_format="contiguous", size=(6, 10)):
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(3, channels, *size, generator=rng).to(dtype)
    return x.to(DEVICE).contiguous(memory_format=FORMATS[memory_format])


def derivatives(function, operands):
    """The function's value, its gradients for a fixed cotangent, and the gradients of these."""
    rng = torch.Generator().manual_seed(1)

    def like(t):
        return torch.randn(t.shape, generator=rng, dtype=torch.float64).to(t)

    operands = [t.detach().requires_grad_() for t in operands]
    y = function(*operands)
    cotangent = like(y).requires_grad_()
    grads = torch.autograd.grad(y, operands, cotangent, create_graph=True)
    second = torch.autograd.grad(grads, [cotangent, *operands], [like(g) for g in grads], allow_unused=True)
    second = [torch.zeros_like(t) if g is None else g for g, t in zip(second, [cotangent, *operands], strict=True)]
    return y, grads, second


@pytest.mark.parametrize("act", ACTIVATIONS)
@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("channels", [16, 5])
def test_bias_act_and_its_derivatives(act, memory_format, channels):
    x = image(channels, torch.float32, memory_format)
    rng = torch.Generator().manual_seed(2)
    shapes = [(channels,), (3, channels), (3, 1, 6, 10)]
    operands = [x, *(torch.randn(shape, generator=rng).to(DEVICE) for shape in shapes)]
    for noise in (operands[3], operands[3][0, 0]):
        operands[3] = noise

        def function(x, b, scale, noise, impl):
            return bias_act(x, b, scale=scale, noise=noise, act=act, gain=1.3, clamp=1.5, impl=impl)

        y, grads, second = derivatives(lambda *t: function(*t, "cuda"), operands)
        wanted = derivatives(lambda *t: function(*t, "ref"), [t.double() for t in operands])
        assert y.stride() == x.stride() and relative_error(y, wanted[0]) < 2e-6
        for ours, exact in zip([*grads, *second], [*wanted[1], *wanted[2]], strict=True):
            assert relative_error(ours, exact) < 1e-4 or exact.abs().max() == 0


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("memory_format", FORMATS)
def test_bias_act_in_half_precision_and_alone(dtype, memory_format):
    x = image(24, dtype, memory_format)
    b = torch.linspace(-1, 1, 24, device=DEVICE)
    for arguments in ({"b": b.to(dtype)}, {"b": None}, {"b": b, "act": "swish", "clamp": 0.5}):
        ours, exact = bias_act(x, **arguments, impl="cuda"), bias_act(x.double(), **arguments, impl="ref")
        assert ours.dtype == dtype and relative_error(ours, exact) < TOLERANCE[dtype]
    row = x[:, :, 0, 0]
    exact = bias_act(row.double(), b, act="lrelu", impl="ref")
    assert relative_error(bias_act(row, b, act="lrelu", impl="cuda"), exact) < TOLERANCE[dtype]


@pytest.mark.parametrize("taps", [[1, 3, 3, 1], list(range(1, 8)), [[1, 2, 3], [0, 1, 5]], None], ids=str)
@pytest.mark.parametrize(
    "up, down, padding", [(1, 1, (1, 2, 0, 3)), (2, 1, (2, 1, 2, 1)), (1, 2, 3), (3, 2, (-1, 7, 8, -2))]
)
@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("flip_filter", [False, True])
def test_upfirdn2d_and_its_derivatives(taps, up, down, padding, memory_format, flip_filter):
    f = None if taps is None else setup_filter(taps, device=DEVICE)
    x = image(8, torch.float32, memory_format, size=(8, 9))
    arguments = {"up": up, "down": down, "padding": padding, "flip_filter": flip_filter, "gain": 1.7}
    y, (grad,), second = derivatives(lambda x: upfirdn2d(x, f, **arguments, impl="cuda"), [x])
    exact = derivatives(lambda x: upfirdn2d(x, f, **arguments, impl="ref"), [x.double()])
    assert y.is_contiguous(memory_format=FORMATS[memory_format])
    assert relative_error(y, exact[0]) < 2e-6 and relative_error(grad, exact[1][0]) < 2e-6
    assert relative_error(second[0], exact[2][0]) < 2e-6


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("channels", [3, 16])
def test_upfirdn2d_in_half_precision(dtype, memory_format, channels):
    x, f = image(channels, dtype, memory_format), setup_filter([1, 3, 3, 1], device=DEVICE)
    for arguments in ({"padding": 1}, {"up": 2, "padding": (2, 1, 2, 1), "gain": 4}, {"down": 2, "padding": 1}):
        ours, exact = upfirdn2d(x, f, **arguments, impl="cuda"), upfirdn2d(x.double(), f, **arguments, impl="ref")
        assert ours.dtype == dtype and relative_error(ours, exact) < TOLERANCE[dtype]


def test_auto_takes_the_kernels_and_ref_does_not():
    x, f = image(16, torch.float32), setup_filter([1, 3, 3, 1], device=DEVICE)
    assert torch.equal(upfirdn2d(x, f, padding=1), upfirdn2d(x, f, padding=1, impl="cuda"))
    with default_impl("ref"):
        assert torch.equal(upfirdn2d(x, f, padding=1), upfirdn2d(x, f, padding=1, impl="ref"))
