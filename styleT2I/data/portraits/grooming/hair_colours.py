"""Colours of hair, brows and beards: linear albedos clearly apart under every light, and how strands differ."""

from __future__ import annotations

import numpy as np

from styleT2I.data.portraits.scenes.scene import Scene
from styleT2I.data.portraits.tracing.colours import smoothstep

_RANGE = {  # darkest and lightest albedo of the name
    "black": ((0.009, 0.008, 0.008), (0.016, 0.014, 0.013)),
    "brown": ((0.088, 0.042, 0.020), (0.150, 0.076, 0.037)),
    "blond": ((0.520, 0.310, 0.125), (0.700, 0.460, 0.225)),
    "gray": ((0.410, 0.415, 0.430), (0.660, 0.665, 0.680)),
}
_WARMTH = {"black": 0.05, "brown": 0.30, "blond": 0.08, "gray": 0.02}  # fraction that red gains and blue loses
_BROW_SHARE = {"black": 1.0, "brown": 0.75, "blond": np.array([0.36, 0.28, 0.22]), "gray": 0.36}


def hair_albedo(scene: Scene) -> np.ndarray:
    """Return the albedo [3] of the scene's hair."""
    low, high = np.array(_RANGE[scene.hair_colour], np.float32)
    colour = low + (high - low) * 0.5 * (scene.hair_shade + 1)
    tilt = _WARMTH[scene.hair_colour] * scene.hair_warmth
    return (colour * np.array([1 + tilt, 1, 1 - tilt])).astype(np.float32)


def brow_albedo(scene: Scene) -> np.ndarray:
    """Return the albedo [3] of the brows: as the hair, but darker where it is light, and never lighter than skin."""
    colour = hair_albedo(scene) * _BROW_SHARE[scene.hair_colour]
    return (colour * (0.55 if scene.is_dark else 1.0)).astype(np.float32)


def beard_albedo(scene: Scene) -> np.ndarray:
    """Return the albedo [3] of the beard, a little darker than the hair."""
    return hair_albedo(scene) * np.float32(0.85)


def strand_colours(
    albedo: np.ndarray, shape: tuple[int, int], owner: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return colours [N, S, 3]: lighter and darker strands and locks, dark roots, lighter tips."""
    lock = rng.normal(0, 0.10, owner.max() + 1)[owner]
    own = np.exp(lock + rng.normal(0, 0.16, shape[0]))[:, None]
    along = 0.62 + 0.38 * smoothstep(0, 0.30, np.linspace(0, 1, shape[1])) + 0.08 * np.linspace(0, 1, shape[1])
    return (albedo * (own * along)[..., None]).astype(np.float32)
