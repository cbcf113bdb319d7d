"""Backgrounds, painted behind the person in two dimensions: plain, gradients, studio, blurred places."""

from __future__ import annotations

import cv2
import numpy as np

from styleT2I.data.portraits.scenes.scene import Scene
from styleT2I.data.portraits.tracing.colours import linear, mixed, smoothstep
from styleT2I.torch_utils.seeding import derive_seed

_SIZE = 192  # painted at this size whatever the image's, so that a scene has one background


def background(scene: Scene, resolution: int) -> np.ndarray:
    """Return the scene's background as linear light f32 [resolution, resolution, 3]."""
    rng = np.random.default_rng(derive_seed(scene.seed, "background"))
    first, second = linear(scene.background_colour), linear(scene.background_colour_2)
    y, x = np.mgrid[0:_SIZE, 0:_SIZE] / (_SIZE - 1)
    image = _PAINTERS[scene.background](x, y, first, second, rng)
    how = cv2.INTER_AREA if resolution < _SIZE else cv2.INTER_CUBIC
    return cv2.resize(np.clip(image, 0, 1.5).astype(np.float32), (resolution, resolution), interpolation=how)


def _plain(x, y, first, second, rng) -> np.ndarray:
    away = smoothstep(0.2, 1.0, np.hypot(x - 0.5, y - 0.45))
    return mixed(first, first * 0.82, away)


def _gradient(x, y, first, second, rng) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    along = 0.5 + 0.6 * ((x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle))
    return mixed(first, second, smoothstep(0, 1, along))


def _studio(x, y, first, second, rng) -> np.ndarray:
    centre = rng.uniform(0.3, 0.7), rng.uniform(0.25, 0.55)
    glow = np.exp(-(((x - centre[0]) / 0.45) ** 2 + ((y - centre[1]) / 0.5) ** 2))
    cloth = _noise(rng, 5) * 0.12 + _noise(rng, 11) * 0.06
    return mixed(first * 0.45, first * 1.15, glow) * (1 + cloth)[..., None]


def _bokeh(x, y, first, second, rng) -> np.ndarray:
    image = mixed(first * 0.5, second * 0.5, smoothstep(-0.6, 0.6, _noise(rng, 3)))
    for _ in range(26):
        cx, cy, radius = rng.uniform(-0.05, 1.05), rng.uniform(-0.05, 0.95), rng.uniform(0.025, 0.08)
        colour = mixed(first, second, rng.uniform()) * rng.uniform(0.7, 1.8) + 0.08 * rng.uniform()
        disc = smoothstep(radius + 0.012, radius - 0.004, np.hypot(x - cx, y - cy))
        image = mixed(image, colour, 0.42 * disc)
    return cv2.GaussianBlur(image, (0, 0), 1.6)


def _indoor(x, y, first, second, rng) -> np.ndarray:
    """A room out of focus: wall, window or images, shelf, a lamp."""
    image = np.broadcast_to(first * 0.8, x.shape + (3,)).copy()
    floor = rng.uniform(0.7, 0.95)
    image[y > floor] = second * 0.4
    for _ in range(rng.integers(3, 7)):
        left, top, width, height = (
            rng.uniform(-0.2, 0.95),
            rng.uniform(-0.1, 0.6),
            rng.uniform(0.1, 0.4),
            rng.uniform(0.12, 0.5),
        )
        colour = mixed(second, rng.uniform(0.1, 0.9, 3) ** 2, 0.3) * rng.uniform(0.4, 1.3)
        inside = (x > left) & (x < left + width) & (y > top) & (y < top + height)
        image[inside] = colour
    lamp = np.hypot(x - rng.uniform(0, 1), (y - rng.uniform(0.05, 0.5)) * 1.2)
    image += np.exp(-((lamp / 0.13) ** 2))[..., None] * np.array([0.8, 0.62, 0.38]) * rng.uniform(0.2, 0.9)
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(6, 11))


def _outdoor(x, y, first, second, rng) -> np.ndarray:
    """Sky over trees and ground out of focus."""
    horizon = rng.uniform(0.35, 0.65) + 0.05 * np.sin(x * rng.uniform(3, 9) + rng.uniform(0, 6))
    sky = mixed(np.array([0.55, 0.66, 0.82]), np.array([0.85, 0.88, 0.9]), np.clip(y / 0.5, 0, 1))
    green = mixed(np.array([0.07, 0.12, 0.04]), first * 0.6, 0.35)
    leaves = mixed(green * 0.6, green * 1.9, smoothstep(-0.5, 0.6, _noise(rng, 9)))
    ground = mixed(second * 0.5, np.array([0.2, 0.19, 0.15]), 0.5)
    image = np.where((y < horizon - 0.2 - 0.12 * _noise(rng, 4))[..., None], sky * rng.uniform(0.6, 1.0), leaves)
    image = np.where((y > horizon + 0.25)[..., None], ground, image)
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(4, 8))


def _noise(rng, cells: int) -> np.ndarray:
    """Return smooth noise [_SIZE, _SIZE], about -1 to 1."""
    return cv2.resize(rng.uniform(-1, 1, (cells + 3, cells + 3)), (_SIZE, _SIZE), interpolation=cv2.INTER_CUBIC)


_PAINTERS = {"plain": _plain, "gradient": _gradient, "studio": _studio, "bokeh": _bokeh, "indoor": _indoor,
             "outdoor": _outdoor}  # fmt: skip
