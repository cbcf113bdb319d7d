"""upfirdn2d against zero-insertion, scipy's convolution and slicing, and its derivatives."""

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d

from styleT2I.errors import ConfigError
from styleT2I.ops.upfirdn2d import downsample2d, setup_filter, upfirdn2d, upsample2d

FILTERS = {
    "none": None,
    "1331": setup_filter([1, 3, 3, 1]),
    "long": setup_filter(list(range(1, 8))),
    "odd": setup_filter([1, 2, 4]),
    "2d": setup_filter([[1, 2, 3, 4], [5, 6, 7, 9], [0, 1, -1, 2]]),
}


def by_definition(x, f, up, down, padding, flip_filter, gain):
    """x [H,W] and f [k], [kh,kw] or None as numpy arrays."""
    f = np.ones((1, 1)) if f is None else np.outer(f, f) if f.ndim == 1 else f
    f = f[::-1, ::-1] if flip_filter else f
    large = np.zeros((x.shape[0] * up, x.shape[1] * up))
    large[::up, ::up] = x
    left, right, top, bottom = padding
    large = np.pad(large, [(max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))])
    large = large[max(-top, 0) : large.shape[0] - max(-bottom, 0), max(-left, 0) : large.shape[1] - max(-right, 0)]
    return convolve2d(large, f, mode="valid")[::down, ::down] * gain


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("up, down", [(1, 1), (2, 1), (1, 2), (3, 2), (2, 3)])
@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (3, 3, 2, 2), (1, 4, 3, 0), (-1, 2, 0, -2), (-2, -2, -1, -1)])
@pytest.mark.parametrize("flip_filter", [False, True])
def test_matches_the_definition(name, up, down, padding, flip_filter):
    x = torch.randn(2, 3, 11, 13, generator=torch.Generator().manual_seed(0))
    f = FILTERS[name]
    arguments = {"up": up, "down": down, "padding": padding, "flip_filter": flip_filter, "gain": 1.7}
    result = upfirdn2d(x, f, **arguments)
    torch.testing.assert_close(upfirdn2d(x, f, **arguments, impl="ref"), result, atol=2e-6, rtol=0)
    array = None if f is None else f.double().numpy()
    for n, c in [(0, 0), (1, 2)]:
        wanted = by_definition(x[n, c].double().numpy(), array, up, down, padding, flip_filter, 1.7)
        np.testing.assert_allclose(result[n, c].numpy(), wanted, atol=2e-6)


@pytest.mark.parametrize("name", ["1331", "long", "2d"])
@pytest.mark.parametrize(
    "up, down, padding", [(1, 1, (1, 2, -1, 2)), (2, 1, (2, 1, 2, 1)), (1, 2, 3), (2, 1, (-1, 4, 0, 9))]
)
def test_first_and_second_derivatives(name, up, down, padding):
    x = torch.randn(1, 2, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    padding = tuple(p + 2 for p in padding) if name == "long" and not isinstance(padding, int) else padding

    def function(x):
        return upfirdn2d(x, FILTERS[name], up=up, down=down, padding=padding)

    assert torch.autograd.gradcheck(function, (x,))
    assert torch.autograd.gradgradcheck(function, (x,))


def test_memory_format_does_not_change_the_result():
    x = torch.randn(2, 24, 9, 9, generator=torch.Generator().manual_seed(0))
    last = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(upsample2d(last, FILTERS["1331"]), upsample2d(x, FILTERS["1331"]))


@pytest.mark.parametrize("name", ["1331", "odd", "long"])
def test_resizing_keeps_size_brightness_and_centre(name):
    x = torch.zeros(1, 1, 24, 24)
    x[:, :, 11:13, 11:13] = 1  # symmetric around the middle, as the symmetric part of the result must be
    f = FILTERS[name] + FILTERS[name].flip(0)
    f = f / f.sum()
    for result, size in [(upsample2d(x, f), 48), (downsample2d(x, f), 12)]:
        assert result.shape[2:] == (size, size)
        assert result.sum().item() == pytest.approx(4 * (size / 24) ** 2, rel=1e-5)
        if len(f) % 2 == 0:
            torch.testing.assert_close(result, result.flip([2, 3]))


def test_upsampling_by_1331_is_bilinear():
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    wanted = torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(upsample2d(x, FILTERS["1331"])[:, :, 1:-1, 1:-1], wanted[:, :, 1:-1, 1:-1])


def test_odd_shapes_of_filters_are_refused():
    with pytest.raises(ConfigError, match="one or two non-empty dimensions"):
        setup_filter([[[1.0]]])
    with pytest.raises(ConfigError, match="one or two non-empty dimensions"):
        setup_filter([])
