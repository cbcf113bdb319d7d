"""Convolution with style-modulated, demodulated weights (StyleGAN2, section 2.2, equations 1-3)."""

import math

import torch
import torch.nn.functional as F

from styleT2I.errors import ConfigError
from styleT2I.ops.bias_act import HALF_DTYPES, bias_act, in_type_of
from styleT2I.ops.kernels import resolve_impl
from styleT2I.ops.upfirdn2d import downsample2d, filter_size, upfirdn2d, upsample2d


def tap_squares(weight):
    """Return sum over k of weight[O,I,k,k]^2, [O,I]: the part of the demodulation that needs no styles."""
    return weight.square().sum([2, 3])


def demodulation_coefficients(weight, styles, eps=1e-8, squares=None):
    """Return 1 / sqrt(sum over i, k of (styles_i * weight_oik)^2 + eps) (equation 3).

    weight: [O,I,k,k]. styles: [N,I]. squares: tap_squares(weight) where it is at hand. Returns [N,O].
    """
    squares = tap_squares(weight) if squares is None else squares
    return (styles.square() @ squares.t() + eps).rsqrt()


def conv2d_resample(x, weight, bias=None, *, up=1, down=1, resample_filter=None, impl="auto"):
    """Convolve [N,I,H,W] with [O,I,k,k] at `up` times or 1 / `down` of the size, low-pass filtered, centred; add [O].

    Upsampling spreads each pixel by the kernel (a true convolution of the zero-inserted image) and filters afterwards;
    otherwise the kernel correlates, as torch's conv2d does. Returns [N, O, H*up/down, W*up/down].
    """
    k = weight.shape[2]
    kw, kh = filter_size(resample_filter)
    if up > 1:
        if k == 1:  # nothing to spread: convolve at the low resolution, then enlarge
            x = upsample2d(F.conv2d(x, weight), resample_filter, up=up, impl=impl)
            return x if bias is None else x + bias[:, None, None]
        x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=up)  # [N, O, (H-1)*up + k, (W-1)*up + k]
        padding = []
        for taps in (kw, kh):
            padding += [k // 2 + (taps + up - 1) // 2 - (k - 1), k // 2 + (taps - up) // 2 - (k - up)]
        x = upfirdn2d(x, resample_filter, padding=padding, gain=up**2, impl=impl)
        return x if bias is None else x + bias[:, None, None]
    if down > 1:
        if k == 1:  # decimate first: a 1x1 convolution sees single pixels only
            return F.conv2d(downsample2d(x, resample_filter, down=down, impl=impl), weight, bias)
        padding = []
        for taps in (kw, kh):
            padding += [k // 2 + (taps - down + 1) // 2, k // 2 + (taps - down) // 2]
        return F.conv2d(upfirdn2d(x, resample_filter, padding=padding, impl=impl), weight, bias, stride=down)
    return F.conv2d(x, weight, bias, padding=k // 2)


def modulated_conv2d(x, weight, styles, *, demodulate=True, up=1, resample_filter=None, eps=1e-8, impl="auto"):
    """Convolve each sample with its own modulated weight, by scaling activations around one shared convolution.

    x: [N,I,H,W]. weight: [O,I,k,k], k odd. styles: [N,I]. up: the factor by which the image grows, through
    `resample_filter` ([k] or [kh,kw]). Returns [N, O, H*up, W*up] of x's type; weight and styles are float32 where x is
    in half precision.
    """
    if resolve_impl(impl) == "ref":
        return _grouped(x, weight, styles, demodulate, up, resample_filter, eps)
    demodulation = demodulation_coefficients(weight, styles, eps) if demodulate else None
    if weight.shape[2] == 1 and up == 1:
        # One pixel sees one pixel: a product with a small matrix per sample spares the scaled copy of x.
        w = weight[None, :, :, 0, 0] * styles[:, None, :]  # [N, O, I]
        w = w if demodulation is None else w * demodulation[:, :, None]
        return torch.bmm(w.to(x.dtype), x.flatten(2)).unflatten(2, x.shape[2:])
    resampling = {"up": up, "resample_filter": resample_filter, "impl": impl}
    x, factors = _scale_and_convolve(x, weight, styles, demodulation, **resampling)
    return x if factors is None else x * in_type_of(x, factors[:, :, None, None])


def modulated_layer(
    x,
    weight,
    styles,
    bias,
    *,
    noise=None,
    next_styles=None,
    is_scaled=False,
    up=1,
    resample_filter=None,
    act="lrelu",
    gain=None,
    clamp=None,
    impl="auto",
):
    """Compute bias_act(modulated_conv2d(..), bias, noise..), the demodulation within the pass of bias_act.

    Arguments and result as in these two. next_styles: the [N,O] styles of a modulated_layer that alone reads the result
    and takes it with is_scaled: it then has no scaling to do. Neither exists as published, so impl 'ref' refuses both.
    """
    resampling = {"up": up, "resample_filter": resample_filter, "impl": impl}
    epilogue = {"noise": noise, "act": act, "gain": gain, "clamp": clamp, "impl": impl}
    if resolve_impl(impl) == "ref":
        if is_scaled or next_styles is not None:
            raise ConfigError("impl 'ref' of modulated_layer scales weights: give no next_styles and no scaled x")
        return bias_act(modulated_conv2d(x, weight, styles, **resampling), bias, **epilogue)
    demodulation = demodulation_coefficients(weight, styles)
    if next_styles is not None and x.dtype in HALF_DTYPES:
        next_styles = next_styles / _style_peaks(next_styles)
    x, factors = _scale_and_convolve(x, weight, styles, demodulation, is_scaled, **resampling)
    return bias_act(x, bias, scale=factors, next_styles=next_styles, **epilogue)


def normalized_for_half(weight, styles, dtype):
    """Return weight and styles scaled for half precision, weight cast too, and the factors [N,O] that undo the scaling.

    weight: [O,I,k,k] to at most 1 / sqrt(I k^2) for each output. styles: [N,I] to at most 1 for each sample. With |x|
    up to 256 no sum of theirs exceeds 256 sqrt(I k^2), which float16 holds for every I up to 7000 and k = 3.
    Source: StyleGAN2-ADA, appendix on mixed precision.
    """
    # The factors undo these peaks whatever they are, so no gradient flows through them.
    tiny = torch.finfo(weight.dtype).tiny
    weight_peaks = weight.detach().abs().amax(dim=[1, 2, 3]).clamp_min(tiny) * math.sqrt(weight[0].numel())  # [O]
    style_peaks = _style_peaks(styles)
    weight = (weight / weight_peaks[:, None, None, None]).to(dtype)
    return weight, styles / style_peaks, style_peaks * weight_peaks


def _style_peaks(styles):
    """Return the largest |style| of each sample, [N,1], never zero; no gradient flows through it."""
    return styles.detach().abs().amax(dim=1, keepdim=True).clamp_min(torch.finfo(styles.dtype).tiny)


def _scale_and_convolve(x, weight, styles, demodulation, is_scaled=False, **resampling):
    """Return the convolution of the scaled activations and the factors [N,O] that it still takes, None for none."""
    if x.dtype in HALF_DTYPES:
        weight, styles, factors = normalized_for_half(weight, styles, x.dtype)
        demodulation = factors if demodulation is None else demodulation * factors
    x = x if is_scaled else x * in_type_of(x, styles[:, :, None, None])
    return conv2d_resample(x, weight, **resampling), demodulation


def _grouped(x, weight, styles, demodulate, up, resample_filter, eps):
    """As published: one weight per sample, the batch folded into convolution groups."""
    if x.dtype in HALF_DTYPES:  # the twin of what is computed in half precision is rounded once
        return _grouped(x.float(), weight, styles, demodulate, up, resample_filter, eps).to(x.dtype)
    num, num_in, height, width = x.shape
    num_out, _, k, _ = weight.shape
    w = weight[None] * styles[:, None, :, None, None]  # [N, O, I, k, k]
    if demodulate:
        w = w * (w.square().sum([2, 3, 4], keepdim=True) + eps).rsqrt()
    x = x.reshape(1, num * num_in, height, width)
    if up == 1:
        x = F.conv2d(x, w.reshape(num * num_out, num_in, k, k), padding=k // 2, groups=num)
        return x.reshape(num, num_out, height, width)
    w = w.transpose(1, 2).reshape(num * num_in, num_out, k, k)
    x = F.conv_transpose2d(x, w, stride=up, groups=num)
    x = x.reshape(num, num_out, *x.shape[2:])
    # The grown image has up*H pixels; the filter's support and the kernel's overhang are split evenly around it.
    padding = []
    for size, grown, taps in zip((width, height), x.shape[:1:-1], filter_size(resample_filter), strict=True):
        total = up * size - grown + taps - 1
        padding += [(total + 1) // 2, total // 2]
    return upfirdn2d(x, resample_filter, padding=padding, gain=up**2, impl="ref")
