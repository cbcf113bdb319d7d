"""The tiles of upfirdn2d's separable four-tap filters, and the packs of bias_act, at every kind of edge."""

import pytest
import torch

from styleT2I.ops.bias_act import bias_act
from styleT2I.ops.upfirdn2d import setup_filter, upfirdn2d
from tests.gpu.twins import FORMATS, TOLERANCE, derivatives, image, relative_error

TAPS = [1, 2, 5, 3]  # none like another
KINDS = {"filter": {}, "up": {"up": 2}, "down": {"down": 2}}
SHAPES = [(2, 1, 1, 1), (1, 1032, 3, 3), (2, 40, 24, 24), (3, 300, 2, 2), (2, 4, 33, 80)]
SIZES = [
    (1, 1),
    (5, 2),
    (33, 64),
    (70, 131),
]  # one tile, a tile's edge, several in both axes; rows of whole packs and not


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("padding", [(2, 1, 2, 1), (3, 4, 1, 2)], ids=str)
def test_every_edge_of_a_tile(device, kind, memory_format, size, padding):
    x, f = image(device, 5 if size[0] == 70 else 20, torch.float32, memory_format, size), setup_filter(TAPS).to(device)
    arguments = {**KINDS[kind], "padding": padding, "gain": 1.7}
    y, (grad,), second = derivatives(lambda x: upfirdn2d(x, f, **arguments, impl="cuda"), [x])
    exact = derivatives(lambda x: upfirdn2d(x, f, **arguments, impl="ref"), [x.double()])
    assert y.shape == exact[0].shape
    assert x.is_contiguous() or y.is_contiguous(memory_format=FORMATS[memory_format])  # a pixel alone is both
    for ours, wanted in ((y, exact[0]), (grad, exact[1][0]), (second[0], exact[2][0])):
        assert relative_error(ours, wanted) < 2e-6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("padding", [(-3, 4, 5, -6), (-2, -5, -1, -4)], ids=str)
def test_crops(device, kind, memory_format, padding):
    x, f = image(device, 8, torch.float32, memory_format, (39, 70)), setup_filter(TAPS).to(device)
    arguments = {**KINDS[kind], "padding": padding, "flip_filter": True}
    y, (grad,), _ = derivatives(lambda x: upfirdn2d(x, f, **arguments, impl="cuda"), [x])
    exact, (wanted,), _ = derivatives(lambda x: upfirdn2d(x, f, **arguments, impl="ref"), [x.double()])
    assert relative_error(y, exact) < 2e-6 and relative_error(grad, wanted) < 2e-6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("channels", [3, 24])
def test_types(device, kind, memory_format, dtype, channels):
    """Rows of 37 numbers begin at every place of a pack."""
    x, f = image(device, channels, dtype, memory_format, (18, 37)), setup_filter(TAPS).to(device)
    ours = upfirdn2d(x, f, **KINDS[kind], padding=2, impl="cuda")
    assert relative_error(ours, upfirdn2d(x.double(), f, **KINDS[kind], padding=2, impl="ref")) < TOLERANCE[dtype]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("memory_format", FORMATS)
def test_a_filter_of_one_axis_is_that_of_its_outer_product(device, kind, memory_format):
    """Which the general kernel takes."""
    x, f = image(device, 8, torch.float32, memory_format, (20, 35)), setup_filter(TAPS).to(device)
    ours, general = (upfirdn2d(x, t, **KINDS[kind], padding=1, impl="cuda") for t in (f, f.outer(f)))
    assert relative_error(ours, general) < 1e-6 and not torch.equal(ours, torch.zeros_like(ours))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("memory_format", FORMATS)
def test_one_pixel_is_met_by_no_other_results(device, kind, memory_format):
    x, f = image(device, 8, torch.float32, memory_format, (40, 67)), setup_filter(TAPS).to(device)
    for place in ((0, 0), (21, 33), (39, 66)):
        spoilt = x.clone(memory_format=torch.preserve_format)
        spoilt[(1, 2, *place)] = float("nan")
        ours, exact = (upfirdn2d(spoilt, f, **KINDS[kind], padding=2, impl=impl) for impl in ("cuda", "ref"))
        assert torch.equal(ours.isnan(), exact.isnan()) and exact.isnan().any()


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("start", [1, 3])
def test_rows_that_start_between_packs(device, memory_format, start):
    base = torch.randn(2 * 8 * 9 * 31 + start, device=device).half()
    strides = torch.empty(2, 8, 9, 31).contiguous(memory_format=FORMATS[memory_format]).stride()
    x, f = base.as_strided((2, 8, 9, 31), strides, start), setup_filter(TAPS).to(device)
    for kind in KINDS.values():
        exact = upfirdn2d(x.double(), f, **kind, padding=2, impl="ref")
        assert relative_error(upfirdn2d(x, f, **kind, padding=2, impl="cuda"), exact) < 2e-3


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_bias_act_of_any_size(device, shape, memory_format, dtype):
    """Fewer packs than a block's threads and more, one stretch and several."""
    rng = torch.Generator().manual_seed(3)
    num, channels, *size = shape
    x = torch.randn(shape, generator=rng).to(device, dtype).contiguous(memory_format=FORMATS[memory_format])
    shapes = {"b": (channels,), "scale": (num, channels), "noise": (num, 1, *size), "next_styles": (num, channels)}
    small = {name: torch.randn(shape, generator=rng).to(device) for name, shape in shapes.items()}
    for names in (small, ["b"], ["scale"], ["noise"], ["next_styles"], []):
        operands = {name: small[name] for name in names}
        y, (grad,), _ = derivatives(lambda x, on=operands: bias_act(x, **on, act="lrelu", clamp=2, impl="cuda"), [x])
        with torch.no_grad():
            exact = bias_act(x.double(), **operands, act="lrelu", clamp=2, impl="ref")
        assert relative_error(y, exact) < TOLERANCE[dtype]
        unclamped = bias_act(x.double(), **operands | {"next_styles": None}, act="lrelu", impl="ref")
        slope = torch.where(unclamped > 0, 1.0, 0.2) * (unclamped.abs() < 2) * 2**0.5
        for name in {"scale", "next_styles"} & set(names):
            slope = slope * small[name][:, :, None, None]
        cotangent = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(y)
        is_sure = (unclamped.abs() > 1e-3) & ((unclamped.abs() - 2).abs() > 1e-3)  # on which side of a bend
        assert relative_error(grad.double() * is_sure, cotangent.double() * slope * is_sure) < 2 * TOLERANCE[dtype]


def test_noise_and_bias_that_start_between_packs(device):
    x = image(device, 16, torch.float32)
    noise, b = (torch.randn(61 + 16, device=device)[1:], torch.randn(17, device=device)[1:])
    operands = {"noise": noise[:60].reshape(6, 10), "b": b}
    for memory_format in FORMATS.values():
        image_ = x.contiguous(memory_format=memory_format)
        exact = bias_act(image_.double(), **operands, act="tanh", impl="ref")
        assert relative_error(bias_act(image_, **operands, act="tanh", impl="cuda"), exact) < 2e-6


def test_the_tiles_are_what_is_tested(device, monkeypatch):
    """A short list of taps reaches the kernels as it is; a long one as two filters."""
    seen = []
    monkeypatch.setattr("styleT2I.ops.cuda_ops.upfirdn2d_cuda", lambda x, f, *rest: seen.append(f.ndim) or x)
    x = image(device, 8, torch.float32)
    for taps in (TAPS, [1] * 5, [1] * 6, [TAPS] * 4):
        upfirdn2d(x, setup_filter(taps, device=device), impl="cuda")
    assert seen == [1, 1, 2, 2, 2]
