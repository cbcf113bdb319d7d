"""The skin's colour: tone, mottling, blush, lips, make-up and freckles per vertex, defined on the base head."""

from __future__ import annotations

import numpy as np

from styleT2I.data.portraits.anatomy.head import Head
from styleT2I.data.portraits.anatomy.shape import old_share
from styleT2I.data.portraits.anatomy.wrinkles import shaded, wrinkle_depth
from styleT2I.data.portraits.scenes.scene import Scene
from styleT2I.data.portraits.tracing.colours import linear, mixed, smoothstep
from styleT2I.data.portraits.tracing.noise import octaves, value_noise
from styleT2I.torch_utils.seeding import derive_seed

_TONES = (0.0, 0.16, 0.35, 0.5, 0.65, 0.82, 1.0)
_TONE_COLOURS = ((0.93, 0.77, 0.695), (0.90, 0.72, 0.625), (0.83, 0.63, 0.52), (0.735, 0.53, 0.41),
                 (0.58, 0.39, 0.285), (0.42, 0.272, 0.20), (0.285, 0.185, 0.14))  # fmt: skip  # sRGB albedo
_ROUGHNESS = 0.48


def skin_tone(tone: float) -> np.ndarray:
    """Return the linear albedo [3] of a skin tone, 0 the lightest and 1 the darkest."""
    return np.array([np.interp(tone, _TONES, channel) for channel in linear(_TONE_COLOURS).T])


def _blob(points, centre, radii) -> np.ndarray:
    """Return a bell [V] about a point of the base head and its mirror image."""
    mirrored = np.abs(points) * [1, 0, 0] + points * [0, 1, 1]
    return np.exp(-(((mirrored - centre) / radii) ** 2).sum(1))


def colour_skin(head: Head, scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Return (linear albedo f64 [V, 3], roughness f64 [V]) of the head's vertices."""
    base = head.canonical
    tone = skin_tone(scene.skin_tone)
    colour = np.tile(tone, (len(base), 1))
    colour = _mottled(colour, base, scene)
    colour = _flushed(colour, base, head, scene)
    colour = shaded(_freckled(colour, base, scene), wrinkle_depth(base, scene))
    roughness = _ROUGHNESS + 0.06 * value_noise(base, 6, derive_seed(scene.seed, "skin gloss"))
    roughness -= 0.07 * _blob(base, (0.0, 7.0, 1.66), (0.25, 0.35, 0.3)) + 0.05 * _blob(
        base, (0, 7.7, 1.5), (0.5, 0.3, 0.3)
    )
    colour = _eyes_made_up(colour, base, head, scene)
    colour, roughness = _lips(colour, roughness, base, head, scene)
    inside = head.masks["inside_mouth"] * (base[:, 2] > 0.4)
    return mixed(colour, (0.10, 0.018, 0.016), np.clip(inside * 1.4, 0, 1)), roughness


def _mottled(colour, base, scene: Scene) -> np.ndarray:
    """Three octaves of noise in brightness and a slower one in redness, stronger in the old; a person's undertone."""
    seed, old = derive_seed(scene.seed, "skin"), old_share(scene)
    bright = 1 + (0.026 + 0.035 * old) * octaves(base, 4.0, seed) + 0.018 * value_noise(base, 30.0, seed + 9)
    red = (0.018 + 0.02 * old) * octaves(base, 2.2, seed + 17)
    undertone = 0.03 * value_noise(np.zeros((1, 3)), 1.0, derive_seed(scene.seed, "undertone"))[0]
    return colour * bright[:, None] * np.stack([1 + red + undertone, 1 - 0.5 * red, 1 - red - undertone], 1)


def _flushed(colour, base, head: Head, scene: Scene) -> np.ndarray:
    """Cheeks, nose and ears redder; rosy cheeks and blusher; shade about the eyes; yellower brow."""
    blood = 1 - 0.55 * scene.skin_tone
    redness = 0.45 * _blob(base, (0.48, 6.92, 1.28), (0.24, 0.24, 0.4))
    redness += 0.55 * _blob(base, (0.0, 6.93, 1.66), (0.17, 0.13, 0.22)) + 0.6 * head.masks["ears"]
    redness += 0.25 * _blob(base, (0.0, 6.24, 1.44), (0.22, 0.15, 0.3))
    colour = colour * (1 + np.clip(redness, 0, 1)[:, None] * blood * np.array([0.05, -0.13, -0.12]))
    cheeks = _blob(base, (0.47, 6.95, 1.28), (0.25, 0.2, 0.5))
    colour = mixed(colour, colour * [1.04, 0.58, 0.6], 0.85 * cheeks * max(scene.rosy, 0.35 * scene.makeup))
    under = _blob(base, (0.33, 7.1, 1.4), (0.17, 0.08, 0.3))
    colour = colour * (1 - (0.12 + 0.12 * old_share(scene)) * under[:, None] * np.array([0.9, 1.1, 0.9]))
    lids = np.clip(head.masks["eyelids"], 0, 1)
    return colour * (1 - 0.12 * lids[:, None] * np.array([0.8, 1.15, 1.1]))


def _freckled(colour, base, scene: Scene) -> np.ndarray:
    if scene.freckles <= 0:
        return colour
    seed = derive_seed(scene.seed, "freckles")
    spots = smoothstep(0.42, 0.62, value_noise(base, 34, seed)) + 0.7 * smoothstep(
        0.5, 0.7, value_noise(base, 20, seed + 1)
    )
    where = np.clip(
        _blob(base, (0.28, 7.0, 1.5), (0.42, 0.3, 0.6)) + 0.35 * _blob(base, (0, 7.6, 1.5), (0.7, 0.35, 0.5)), 0, 1
    )
    return mixed(colour, colour * [0.66, 0.5, 0.42], np.clip(spots, 0, 1) * where * 0.45 * scene.freckles)


def _eyes_made_up(colour, base, head: Head, scene: Scene) -> np.ndarray:
    """Eye shadow above the lids, liner along them."""
    if scene.makeup <= 0:
        return colour
    side = np.abs(base[:, 0])
    above = smoothstep(7.24, 7.3, base[:, 1]) * (1 - smoothstep(7.33, 7.44, base[:, 1]))
    above *= smoothstep(0.12, 0.2, side) * (1 - smoothstep(0.5, 0.58, side)) * smoothstep(1.15, 1.25, base[:, 2])
    hue = value_noise(np.zeros((1, 3)), 1.0, derive_seed(scene.seed, "eye shadow"))[0]
    shadow = linear(np.where(hue > 0.3, (0.36, 0.22, 0.36), np.where(hue > -0.3, (0.33, 0.2, 0.16), (0.2, 0.24, 0.36))))
    colour = mixed(colour, np.minimum(shadow, 0.55 * colour + 0.02), 0.7 * scene.makeup * above)
    liner = np.clip(head.masks["eyelids"] * 1.5 - 0.3, 0, 1) * (np.abs(base[:, 1] - 7.283) < 0.055)
    return mixed(colour, 0.02, 0.85 * scene.makeup * liner)


def _lips(colour, roughness, base, head: Head, scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Natural lips near the skin's own colour, or lipstick over them."""
    lips = smoothstep(0.25, 0.75, head.masks["lips"])
    tone = scene.skin_tone
    bare = colour * mixed([0.93, 0.66, 0.66], [0.95, 0.78, 0.80], tone) * (1 - 0.06 * scene.lip_colour)
    bare = mixed(bare, bare * [1.06, 0.86, 0.88], np.clip(scene.lip_colour, 0, 1))
    crease = 1 - 0.35 * np.exp(-(((base[:, 1] - 6.608) / 0.012) ** 2)) * lips
    colour = mixed(colour, bare * crease[:, None], 0.85 * lips)
    roughness = mixed(roughness[:, None], [0.36], lips)[:, 0]
    if scene.lipstick > 0:
        stick = linear(scene.lipstick_colour) * (1 - 0.25 * tone)
        colour = mixed(colour, stick * crease[:, None], np.clip(lips * 1.1, 0, 1) * (0.55 + 0.45 * scene.lipstick))
        roughness = np.where(lips > 0.5, 0.3, roughness)
    return colour, roughness
