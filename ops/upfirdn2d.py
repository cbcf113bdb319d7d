"""Upsample, filter and downsample images: zero-insertion, padding, FIR filter, decimation."""

import torch
import torch.nn.functional as F

from styleT2I.errors import ConfigError
from styleT2I.ops.kernels import resolve_impl, takes_cuda

# A separable filter up to this many taps is faster as one depthwise 2-D convolution than as two 1-D ones.
MAX_OUTER_TAPS = 5


def setup_filter(taps, *, normalize=True, device=None):
    """Turn a list of taps into a float32 filter tensor.

    taps: k numbers (a separable filter) or kh rows of kw numbers. normalize: scale to sum 1.
    Returns [k] or [kh, kw].
    """
    f = torch.as_tensor(taps, dtype=torch.float32, device=device)
    if f.ndim not in (1, 2) or f.numel() == 0:
        raise ConfigError(f"a resampling filter is one or two non-empty dimensions of taps, got shape {tuple(f.shape)}")
    return f / f.sum() if normalize else f


def parse_padding(padding):
    """Expand an int, (x, y) or (x0, x1, y0, y1) to four ints (left, right, top, bottom)."""
    if isinstance(padding, int):
        return (padding,) * 4
    if len(padding) == 2:
        return padding[0], padding[0], padding[1], padding[1]
    left, right, top, bottom = padding
    return left, right, top, bottom


def filter_size(f):
    """Return (kw, kh) of a filter, (1, 1) for None."""
    if f is None:
        return 1, 1
    return f.shape[-1], f.shape[0]


def upfirdn2d(x, f, *, up=1, down=1, padding=0, flip_filter=False, gain=1, impl="auto"):
    """Insert zeros, pad, convolve with `f` and decimate, for every channel alike.

    x: [N,C,H,W]. f: [k] (separable), [kh,kw] or None (identity). up, down: factors of both axes.
    padding: int, (x, y) or (left, right, top, bottom) of the zero-inserted image [H*up, W*up]; negative crops.
    flip_filter: False convolves, True correlates. gain: factor of the result.
    Returns [N, C, (H*up + top + bottom - kh) // down + 1, and alike for W].
    """
    impl = resolve_impl(impl, ["cuda"])
    left, right, top, bottom = parse_padding(padding)
    if f is None:
        f = x.new_ones([1])
    is_cuda = takes_cuda(x, impl)
    f = f.to(torch.float32 if is_cuda else x.dtype) * (gain ** (f.ndim / 2))
    if impl == "ref":
        return _by_definition(x, f, up, down, (left, right, top, bottom), flip_filter)
    filter_axes = _filter_axes
    if is_cuda:
        from styleT2I.ops.cuda_ops import upfirdn2d_cuda as filter_axes
    is_one_pass = f.ndim == 2 or len(f) <= MAX_OUTER_TAPS
    if f.ndim == 1 and is_one_pass and not is_cuda:  # the CUDA kernels make more of a separable filter
        f = f.outer(f)
    correlation = f if flip_filter else f.flip(list(range(f.ndim)))
    if is_one_pass:
        return filter_axes(x, correlation, (up, up), (down, down), (left, right, top, bottom))
    x = filter_axes(x, correlation[None, :], (1, up), (1, down), (left, right, 0, 0))
    return filter_axes(x, correlation[:, None], (up, 1), (down, 1), (0, 0, top, bottom))


def _by_definition(x, f, up, down, padding, flip_filter):
    num, channels, height, width = x.shape
    x = F.pad(x.reshape(num, channels, height, 1, width, 1), (0, up - 1, 0, 0, 0, up - 1))  # [N, C, H, up, W, up]
    x = F.pad(x.reshape(num, channels, height * up, width * up), padding)
    f = f.outer(f) if f.ndim == 1 else f
    f = f if flip_filter else f.flip([0, 1])
    return F.conv2d(x, f.expand(channels, 1, *f.shape), groups=channels)[:, :, ::down, ::down]


def _filter_axes(x, correlation, up, down, padding):
    """Correlate [N,C,H,W] with [kh,kw]; `up` and `down` are (y, x), `padding` is (left, right, top, bottom)."""
    kh, kw = correlation.shape
    left, right, top, bottom = padding
    if up != (1, 1):
        # The transposed convolution yields the full response of the zero-inserted image, which starts kh - 1 rows
        # before the unpadded one and ends without the last up - 1 zeros: cropping (or padding) it gives our window.
        crops = [kw - 1 - left, kw - up[1] - right, kh - 1 - top, kh - up[0] - bottom]
        both_x, both_y = max(min(crops[:2]), 0), max(min(crops[2:]), 0)
        x = _filter_depthwise(x, correlation.flip([0, 1]), up, (both_y, both_x), True)
        rest = [both_x - crops[0], both_x - crops[1], both_y - crops[2], both_y - crops[3]]
        x = F.pad(x, rest) if any(rest) else x
        return x[:, :, :: down[0], :: down[1]] if down != (1, 1) else x
    if left == right >= 0 and top == bottom >= 0:
        return _filter_depthwise(x, correlation, down, (top, left), False)
    return _filter_depthwise(F.pad(x, (left, right, top, bottom)), correlation, down, (0, 0), False)


def _filter_depthwise(x, f, stride, padding, is_transposed):
    """_DepthwiseFilter, which exporters do not know, only where a way back is wanted."""
    apply = _DepthwiseFilter.apply if torch.is_grad_enabled() and x.requires_grad else _convolve_depthwise
    return apply(x, f, stride, padding, is_transposed)


def _convolve_depthwise(x, f, stride, padding, is_transposed, output_padding=(0, 0)):
    channels = int(x.shape[1])  # a number for tracers too, who need the shape of the weight
    weight = f.expand(channels, 1, *f.shape)
    if is_transposed:
        return F.conv_transpose2d(x, weight, None, stride, padding, output_padding, channels)
    return F.conv2d(x, weight, None, stride, padding, groups=channels)


class _DepthwiseFilter(torch.autograd.Function):
    """Depthwise convolution, or its transpose, with one constant filter [kh,kw]; each is the other's derivative.

    torch's own second derivative of a grouped convolution computes the filter's gradients too, group by group.
    """

    @staticmethod
    def forward(ctx, x, f, stride, padding, is_transposed, output_padding=(0, 0)):
        ctx.filter, ctx.stride, ctx.padding = f, stride, padding
        ctx.is_transposed, ctx.size = is_transposed, x.shape[2:]
        return _convolve_depthwise(x, f, stride, padding, is_transposed, output_padding)

    @staticmethod
    def backward(ctx, grad):
        rest = [0, 0]
        if not ctx.is_transposed:  # rows and columns at the end that no output saw
            rest = [size - ((n - 1) * s - 2 * p + k) for size, n, s, p, k in
                    zip(ctx.size, grad.shape[2:], ctx.stride, ctx.padding, ctx.filter.shape, strict=True)]  # fmt: skip
        dx = _DepthwiseFilter.apply(grad, ctx.filter, ctx.stride, ctx.padding, not ctx.is_transposed, tuple(rest))
        return (dx,) + (None,) * 5


def upsample2d(x, f, *, up=2, padding=0, flip_filter=False, gain=1, impl="auto"):
    """Enlarge [N,C,H,W] `up` times with `f`; brightness is kept, the image stays centred."""
    left, right, top, bottom = parse_padding(padding)
    kw, kh = filter_size(f)
    left, right = left + (kw + up - 1) // 2, right + (kw - up) // 2
    top, bottom = top + (kh + up - 1) // 2, bottom + (kh - up) // 2
    padding, gain = (left, right, top, bottom), gain * up**2
    return upfirdn2d(x, f, up=up, padding=padding, flip_filter=flip_filter, gain=gain, impl=impl)


def downsample2d(x, f, *, down=2, padding=0, flip_filter=False, gain=1, impl="auto"):
    """Shrink [N,C,H,W] `down` times with `f`; brightness is kept, the image stays centred."""
    left, right, top, bottom = parse_padding(padding)
    kw, kh = filter_size(f)
    left, right = left + (kw - down + 1) // 2, right + (kw - down) // 2
    top, bottom = top + (kh - down + 1) // 2, bottom + (kh - down) // 2
    return upfirdn2d(x, f, down=down, padding=(left, right, top, bottom), flip_filter=flip_filter, gain=gain, impl=impl)
