"""The CUDA kernels of bias_act and upfirdn2d against the ops as published: values, first and second derivatives.

They run on a GPU (-m gpu) or, compiled for the processor, wherever there is a C++ compiler (-m slow).
"""

import pytest
import torch

from styleT2I.errors import ConfigError, ExtensionError
from styleT2I.networks.stylegan2.config import GeneratorConfig, set_precision
from styleT2I.networks.stylegan2.generator import Generator
from styleT2I.ops import cuda_ops
from styleT2I.ops.activations import ACTIVATIONS
from styleT2I.ops.bias_act import bias_act
from styleT2I.ops.kernels import default_impl
from styleT2I.ops.upfirdn2d import setup_filter, upfirdn2d
from tests.gpu.twins import FORMATS, TOLERANCE, derivatives, image, relative_error


@pytest.mark.parametrize("act", ACTIVATIONS)
@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("channels", [16, 5])
def test_bias_act_and_its_derivatives(device, act, memory_format, channels):
    x = image(device, channels, torch.float32, memory_format)
    rng = torch.Generator().manual_seed(2)
    shapes = [(channels,), (3, channels), (3, 1, 6, 10), (3, channels)]
    operands = [x, *(torch.randn(shape, generator=rng).to(device) for shape in shapes)]
    for noise in (operands[3], operands[3][0, 0]):
        operands[3] = noise

        def function(x, b, scale, noise, next_styles, impl):
            arguments = {"scale": scale, "noise": noise, "next_styles": next_styles}
            return bias_act(x, b, **arguments, act=act, gain=1.3, clamp=1.5, impl=impl)

        y, grads, second = derivatives(lambda *t: function(*t, "cuda"), operands)
        wanted = derivatives(lambda *t: function(*t, "ref"), [t.double() for t in operands])
        assert y.stride() == x.stride() and relative_error(y, wanted[0]) < 2e-6
        for ours, exact in zip([*grads, *second], [*wanted[1], *wanted[2]], strict=True):
            assert relative_error(ours, exact) < 1e-4 or exact.abs().max() == 0


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("memory_format", FORMATS)
def test_bias_act_in_half_precision_and_alone(device, dtype, memory_format):
    x = image(device, 24, dtype, memory_format)
    b = torch.linspace(-1, 1, 24, device=device)
    for arguments in ({"b": b.to(dtype)}, {"b": None}, {"b": b, "act": "swish", "clamp": 0.5}):
        ours, exact = bias_act(x, **arguments, impl="cuda"), bias_act(x.double(), **arguments, impl="ref")
        assert ours.dtype == dtype and relative_error(ours, exact) < TOLERANCE[dtype]
    row = x[:, :, 0, 0]
    for next_styles in (None, row.float().flip(0)):
        exact = bias_act(row.double(), b, next_styles=next_styles, act="lrelu", impl="ref")
        ours = bias_act(row, b, next_styles=next_styles, act="lrelu", impl="cuda")
        assert ours.dtype == dtype and relative_error(ours, exact) < TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("memory_format", FORMATS)
def test_gradients_of_styles_are_sums_in_float32(device, dtype, memory_format):
    """Sums of 70000 lie outside float16, and in bfloat16 they would stop growing at 256."""
    x = torch.full((2, 8, 100, 175), 2.0, device=device, dtype=dtype).contiguous(memory_format=FORMATS[memory_format])
    next_styles = torch.linspace(-1, 1, 16, device=device).reshape(2, 8).requires_grad_()
    y = bias_act(x, next_styles=next_styles, act="relu", gain=2, impl="cuda")
    (grad,) = torch.autograd.grad(y, next_styles, torch.ones_like(y))
    assert grad.dtype == torch.float32 and (grad == 70000).all()


@pytest.mark.parametrize("architecture", ["skip", "resnet"])
@pytest.mark.parametrize("precision, tolerance", [("fp32", 1e-5), ("fp16", 1e-2), ("bf16", 6e-2)])
def test_a_generator_on_the_kernels_agrees_with_the_ops_as_published(device, architecture, precision, tolerance):
    torch.manual_seed(0)
    config = GeneratorConfig(
        16, z_dim=8, w_dim=8, mapping_layers=2, channel_max=16, channel_base=256, architecture=architecture
    )
    G = Generator(config).to(device)
    ws = G.mapping(torch.randn(2, 8).to(device)).detach().requires_grad_()
    # The gradient of a noise's strength, one sum over all pixels, may nearly cancel and has no precision of its own.
    parameters = [p for name, p in G.synthesis.named_parameters() if not name.endswith("noise_strength")]
    seen = []
    G.synthesis.b16.conv1.register_forward_pre_hook(
        lambda module, args, named: seen.append(named["scaled_by"]), with_kwargs=True
    )

    def image_and_gradients():
        image = G.synthesis(ws)
        return image, *torch.autograd.grad(image.square().mean(), [ws, *parameters])

    with default_impl("ref"):
        exact = image_and_gradients()
    set_precision(G, precision)
    ours = image_and_gradients()
    assert seen[0] is None and seen[1].shape == (2, 16)
    for one, wanted in zip(ours, exact, strict=True):
        assert relative_error(one, wanted) < tolerance


@pytest.mark.parametrize("taps", [[1, 3, 3, 1], list(range(1, 8)), [[1, 2, 3], [0, 1, 5]], None], ids=str)
@pytest.mark.parametrize(
    "up, down, padding", [(1, 1, (1, 2, 0, 3)), (2, 1, (2, 1, 2, 1)), (1, 2, 3), (3, 2, (-1, 7, 8, -2))]
)
@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("flip_filter", [False, True])
def test_upfirdn2d_and_its_derivatives(device, taps, up, down, padding, memory_format, flip_filter):
    f = None if taps is None else setup_filter(taps, device=device)
    x = image(device, 8, torch.float32, memory_format, size=(8, 9))
    arguments = {"up": up, "down": down, "padding": padding, "flip_filter": flip_filter, "gain": 1.7}
    y, (grad,), second = derivatives(lambda x: upfirdn2d(x, f, **arguments, impl="cuda"), [x])
    exact = derivatives(lambda x: upfirdn2d(x, f, **arguments, impl="ref"), [x.double()])
    assert y.is_contiguous(memory_format=FORMATS[memory_format])
    assert relative_error(y, exact[0]) < 2e-6 and relative_error(grad, exact[1][0]) < 2e-6
    assert relative_error(second[0], exact[2][0]) < 2e-6


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("channels", [3, 16])
def test_upfirdn2d_in_half_precision(device, dtype, memory_format, channels):
    x, f = image(device, channels, dtype, memory_format), setup_filter([1, 3, 3, 1], device=device)
    for arguments in ({"padding": 1}, {"up": 2, "padding": (2, 1, 2, 1), "gain": 4}, {"down": 2, "padding": 1}):
        ours, exact = upfirdn2d(x, f, **arguments, impl="cuda"), upfirdn2d(x.double(), f, **arguments, impl="ref")
        assert ours.dtype == dtype and relative_error(ours, exact) < TOLERANCE[dtype]


def test_auto_takes_the_kernels_and_ref_does_not(device):
    x, f = image(device, 16, torch.float32), setup_filter([1, 3, 3, 1], device=device)
    assert torch.equal(upfirdn2d(x, f, padding=1), upfirdn2d(x, f, padding=1, impl="cuda"))
    with default_impl("ref"):
        assert torch.equal(upfirdn2d(x, f, padding=1), upfirdn2d(x, f, padding=1, impl="ref"))


@pytest.mark.parametrize("memory_format", FORMATS)
def test_tensors_that_start_between_packs(device, memory_format):
    """16 bytes are read at a time, but a view may start at any number."""
    base = torch.randn(3 * 16 * 6 * 10 + 1, device=device)
    x = base[1:].as_strided((3, 16, 6, 10), image(device, 16, torch.float32, memory_format).stride(), 1)
    f = setup_filter([1, 3, 3, 1], device=device)
    assert relative_error(bias_act(x, act="lrelu", impl="cuda"), bias_act(x.double(), act="lrelu", impl="ref")) < 2e-6
    assert (
        relative_error(upfirdn2d(x, f, padding=1, impl="cuda"), upfirdn2d(x.double(), f, padding=1, impl="ref")) < 2e-6
    )


def test_tensors_that_are_no_dense_images(device):
    x = image(device, 16, torch.float32)
    f = setup_filter([1, 3, 3, 1], device=device)
    for view in (x[:, ::2], x.transpose(2, 3), x[:, :, 1:, :-1], x[:1].expand(4, -1, -1, -1)):
        exact = bias_act(view.double(), act="tanh", impl="ref")
        assert relative_error(bias_act(view, act="tanh", impl="cuda"), exact) < 2e-6
        exact = upfirdn2d(view.double(), f, up=2, padding=1, impl="ref")
        assert relative_error(upfirdn2d(view, f, up=2, padding=1, impl="cuda"), exact) < 2e-6


def test_an_empty_batch(device):
    x = image(device, 16, torch.float32)[:0].requires_grad_()
    b = torch.zeros(16, device=device, requires_grad=True)
    y = upfirdn2d(bias_act(x, b, act="lrelu", impl="cuda"), setup_filter([1, 2, 1], device=device), impl="cuda")
    assert y.shape == (0, 16, 4, 8)
    y.sum().backward()
    assert x.grad.shape == x.shape and b.grad.abs().max() == 0


@pytest.mark.parametrize("act", ACTIVATIONS)
@pytest.mark.parametrize("clamp", [None, 1.0])
def test_what_is_no_number_stays_so(device, act, clamp):
    x = torch.full((1, 4, 2, 2), float("nan"), device=device)
    assert bias_act(x, act=act, clamp=clamp, impl="cuda").isnan().all()


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_large_numbers(device, act):
    x = torch.tensor([-1e4, -200.0, -60.0, 0.0, 60.0, 200.0, 1e4], device=device).reshape(1, 7, 1, 1).requires_grad_()
    y, exact = (bias_act(t, act=act, impl=impl) for t, impl in ((x, "cuda"), (x.double(), "ref")))
    torch.testing.assert_close(y.double(), exact, rtol=1e-5, atol=1e-6)
    grads = (torch.autograd.grad(t.sum(), x, create_graph=True)[0] for t in (y, exact))
    torch.testing.assert_close(*grads, rtol=1e-5, atol=1e-6)


def test_sums_of_half_precision_are_taken_in_float32(device):
    """Near 4912 neighbours in float16 are 4 apart: partial sums of 100.25 in it would drift."""
    x = torch.full((1, 8, 16, 16), 100.25, device=device).half()
    y = upfirdn2d(x, torch.full((7, 7), 1.0, device=device), impl="cuda")
    assert (y == torch.tensor(49 * 100.25).half().to(device)).all()


@pytest.mark.parametrize(
    "operands, message",
    [
        ({"b": (5,)}, r"b of bias_act is \[4\] beside x \[3, 4, 6, 10\], got \[5\]"),
        ({"scale": (3, 5)}, r"scale of bias_act is \[3, 4\]"),
        ({"next_styles": (4,)}, r"next_styles of bias_act is \[3, 4\]"),
        ({"noise": (2, 1, 6, 10)}, "noise of bias_act does not fit"),
        ({"noise": (3, 4, 6, 10)}, "noise of bias_act does not fit"),
        ({"noise": (6, 9)}, "noise of bias_act does not fit"),
    ],
)
def test_wrong_operands_of_bias_act_are_refused_before_the_call(device, monkeypatch, operands, message):
    monkeypatch.setattr(cuda_ops, "cuda_kernels", None)  # not reached
    operands = {name: torch.zeros(shape, device=device) for name, shape in operands.items()}
    b = operands.pop("b", None)
    named = {name: operands.get(name) for name in ("scale", "noise", "next_styles")}
    with pytest.raises(ConfigError, match=message):
        cuda_ops.bias_act_cuda(image(device, 4, torch.float32), b, **named, act="lrelu", alpha=0.2, gain=1, clamp=None)


@pytest.mark.parametrize(
    "shape, taps, up, down, padding, message",
    [
        ((4, 6, 10), (3, 3), (1, 1), (1, 1), (0,) * 4, r"takes \[N,C,H,W\]"),
        ((3, 4, 6, 10), (3, 3, 3), (1, 1), (1, 1), (0,) * 4, "filter of upfirdn2d is"),
        ((3, 4, 6, 10), (3, 3), (1, 0), (1, 1), (0,) * 4, "start at 1"),
        ((3, 4, 6, 10), (3, 3), (1, 1), (1, 1), (-8, 0, 0, 0), "smaller than the filter"),
        ((3, 4, 6, 10), (3, 3), (1, 1), (1, 1), (2**31, 0, 0, 0), "too long"),
        ((3, 4, 6, 10), (3, 3), (1, 1), (1, 1), (2**31, -(2**31), 0, 0), "too long"),
        ((3, 4, 6, 10), (3, 3), (2**30, 1), (1, 1), (0,) * 4, "too long"),
    ],
)
def test_wrong_operands_of_upfirdn2d_are_refused_before_the_call(
    device, monkeypatch, shape, taps, up, down, padding, message
):
    monkeypatch.setattr(cuda_ops, "cuda_kernels", None)  # not reached
    x, f = torch.zeros(shape, device=device), torch.ones(taps, device=device)
    with pytest.raises(ConfigError, match=message):
        cuda_ops.upfirdn2d_cuda(x, f, up, down, padding)


def test_operands_elsewhere_are_refused(device):
    x, far = image(device, 4, torch.float32), torch.zeros(4, device="meta")
    with pytest.raises(ConfigError, match="b lies on meta, and x on"):
        cuda_ops.bias_act_cuda(x, far, None, None, None, "lrelu", 0.2, 1, None)


def test_an_operator_answers_wrong_operands_with_a_number(device):
    """Of what Python lets pass nothing is wrong; the operators look again, and throw nothing."""
    kernels = cuda_ops.cuda_kernels()
    x, f, ones, none = image(device, 4, torch.float32), torch.ones(3, 3, device=device), (1, 1), [None] * 6
    y, small = torch.empty_like(x), torch.empty(3, 4, 4, 8, device=device)
    alone = 0, 0, 0.0, 1.0, None  # order, activation, alpha, gain, clamp
    assert kernels.bias_act(x, y, *none, *alone) == kernels.upfirdn2d(x, small, f, ones, ones, (0, 0)) == 0
    wrong = [
        lambda: kernels.upfirdn2d(x.double(), small, f, ones, ones, (0, 0)),
        lambda: kernels.upfirdn2d(x, small.half(), f, ones, ones, (0, 0)),
        lambda: kernels.upfirdn2d(x[0], small, f, ones, ones, (0, 0)),
        lambda: kernels.upfirdn2d(x, small, f.half(), ones, ones, (0, 0)),
        lambda: kernels.upfirdn2d(x, small, f[None], ones, ones, (0, 0)),
        lambda: kernels.upfirdn2d(x, small, f, (1, 0), ones, (0, 0)),
        lambda: kernels.upfirdn2d(x, small, f, ones, ones, (2**31, 0)),
        lambda: kernels.upfirdn2d(x[:, ::2], small, f, ones, ones, (0, 0)),
        lambda: kernels.bias_act(x, y[:2], *none, *alone),
        lambda: kernels.bias_act(x, y, f, *none[1:], *alone),
        lambda: kernels.bias_act(x, y, *none[:3], f, None, None, *alone),
        lambda: kernels.bias_act(x, y, *none, 1, *alone[1:]),
        lambda: kernels.bias_act(x, y, *none[:4], x, None, *alone),
        lambda: kernels.bias_act(x, y, *none[:4], x[:2], None, 1, *alone[1:]),
        lambda: kernels.bias_act(x, y, *none, 0, 99, *alone[2:]),
    ]
    assert [call() for call in wrong] == [cuda_ops.WRONG_OPERANDS] * len(wrong)
    with pytest.raises(ExtensionError, match="bias_act refuses its operands"):
        cuda_ops._must_start(wrong[-1](), "bias_act")


def test_double_precision_is_not_theirs():
    with pytest.raises(ExtensionError, match="impl 'cuda' does not apply: it computes in float32"):
        bias_act(torch.zeros(1, 1, 1, 1, dtype=torch.float64), impl="cuda")
