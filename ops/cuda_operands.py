"""Operands of the CUDA operators, checked before these are called: no error has to leave a compiled library."""

from styleT2I.errors import ConfigError

MAX_SIDE = (1 << 30) - 1  # of an image, zeros included


def check_bias_act(x, b, scale, noise, next_styles):
    """Raise ConfigError unless b [C], scale and next_styles [N,C] and noise [H,W] or [N,1,H,W] fit x [N,C,H,W]."""
    if x.ndim != 4:
        raise ConfigError(f"bias_act takes [N,C] or [N,C,H,W], got {list(x.shape)}")
    for name, t, shape in (
        ("b", b, x.shape[1:2]),
        ("scale", scale, x.shape[:2]),
        ("next_styles", next_styles, x.shape[:2]),
    ):
        if t is not None and t.shape != shape:
            raise ConfigError(f"{name} of bias_act is {list(shape)} beside x {list(x.shape)}, got {list(t.shape)}")
    if noise is not None:
        sizes = zip(noise.shape[::-1], (x.shape[3], x.shape[2], 1, x.shape[0]), strict=False)
        if noise.ndim not in (2, 4) or any(size not in (1, whole) for size, whole in sizes):
            raise ConfigError(f"noise of bias_act does not fit x {list(x.shape)}, got {list(noise.shape)}")
    for name, t in (("b", b), ("scale", scale), ("noise", noise), ("next_styles", next_styles)):
        _check_place(name, t, x)


def check_upfirdn2d(x, correlation, up, down, padding):
    """Raise ConfigError unless there is a result; up and down are (y, x), padding is (left, right, top, bottom)."""
    if x.ndim != 4:
        raise ConfigError(f"upfirdn2d takes [N,C,H,W], got {list(x.shape)}")
    if correlation.ndim not in (1, 2):
        raise ConfigError(f"the filter of upfirdn2d is [kh,kw] or [k], got {list(correlation.shape)}")
    _check_place("filter", correlation, x)
    if min(*up, *down) < 1:
        raise ConfigError(f"up and down of upfirdn2d start at 1, got {up} and {down}")
    for axis, before, after in ((0, *padding[2:]), (1, *padding[:2])):
        padded, taps = x.shape[2 + axis] * up[axis] + before + after, taps_of(correlation)[axis]
        if padded < taps:
            raise ConfigError(f"the padded image of {padded} pixels is smaller than the filter of {taps}")
        if max(padded, x.shape[2 + axis] * up[axis], abs(before), abs(after), down[axis]) > MAX_SIDE:
            raise ConfigError(f"an image side of upfirdn2d is too long: {padded} pixels with padding {tuple(padding)}")


def size_after_upfirdn2d(x, correlation, up, down, padding):
    """Height and width of the result."""
    taps = taps_of(correlation)
    padded = x.shape[2] * up[0] + padding[2] + padding[3], x.shape[3] * up[1] + padding[0] + padding[1]
    return [(padded[i] - taps[i]) // down[i] + 1 for i in (0, 1)]


def taps_of(correlation):
    """Height and width of a filter [kh,kw] or, of both axes, [k]."""
    return correlation.shape[0], correlation.shape[-1]


def _check_place(name, t, x):
    if t is not None and t.device != x.device:
        raise ConfigError(f"{name} lies on {t.device}, and x on {x.device}")
