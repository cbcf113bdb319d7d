"""From radiance to the image: down-sampling, the background behind, exposure and a tone curve."""

from __future__ import annotations

import numpy as np

from styleT2I.data.portraits.scenes.scene import Scene
from styleT2I.data.portraits.tracing.colours import luminance, srgb

_MIDDLE = 0.18


def downsampled(image: np.ndarray, factor: int) -> np.ndarray:
    """Return the image [N, N, ...] averaged over factor x factor pixels."""
    size = len(image) // factor
    return image.reshape(size, factor, size, factor, *image.shape[2:]).mean((1, 3))


def developed(light: np.ndarray, scene: Scene) -> np.ndarray:
    """Return linear light [N, N, 3] as the 8-bit sRGB image that the scene's exposure and contrast make of it.

    The curve acts on luminance, so that pale skin keeps its colour where each channel alone would wash out.
    """
    light = light * 2 ** (0.25 * scene.exposure)
    bright = np.maximum(luminance(light), 1e-6)
    power = 1 + 0.12 * scene.contrast
    curved = _MIDDLE * (bright / _MIDDLE) ** power
    shoulder = np.where(curved > 0.5, 0.5 + 0.5 * np.tanh((curved - 0.5) / 0.62), curved)
    toned = light * (shoulder / bright)[..., None]
    over = np.maximum(toned.max(-1, keepdims=True) - 1, 0)
    toned = toned + (shoulder[..., None] - toned) * np.clip(over * 1.5, 0, 1)
    return np.rint(srgb(toned) * 255).astype(np.uint8)
