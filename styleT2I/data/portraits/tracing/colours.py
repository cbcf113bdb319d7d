"""Colours between sRGB, in which scenes are written, and linear light, in which they are rendered."""

from __future__ import annotations

import numpy as np


def linear(srgb) -> np.ndarray:
    """Return sRGB values in 0 ... 1 as linear light (IEC 61966-2-1).

    Example:
        >>> linear([0.0, 0.5, 1.0]).round(3).tolist()
        [0.0, 0.214, 1.0]
    """
    srgb = np.asarray(srgb, float)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0.04045) + 0.055) / 1.055) ** 2.4)


def srgb(light) -> np.ndarray:
    """Return linear light as sRGB values, cut to 0 ... 1."""
    light = np.clip(np.asarray(light, float), 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055)


def luminance(light: np.ndarray) -> np.ndarray:
    """Return the luminance [...] of linear RGB [..., 3]."""
    return light @ np.array([0.2126, 0.7152, 0.0722])


def mixed(first, second, share) -> np.ndarray:
    """Return `first` moved towards `second` by `share` (scalar, or one per row)."""
    share = np.asarray(share, float)
    share = share[..., None] if share.ndim else share
    return np.asarray(first) * (1 - share) + np.asarray(second) * share


def smoothstep(low: float, high: float, value) -> np.ndarray:
    """Return 0 below `low`, 1 above `high` and a smooth step between; `low` > `high` falls."""
    t = np.clip((np.asarray(value, float) - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)
