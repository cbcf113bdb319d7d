"""Light: a studio of soft boxes about the camera, as radiance over all directions and as an environment map."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from styleT2I.data.portraits.scenes.scene import Scene
from styleT2I.data.portraits.tracing.camera import Camera
from styleT2I.data.portraits.tracing.colours import smoothstep

WIDTH, HEIGHT = 96, 48  # of the environment map


def warm_white(warmth: float) -> np.ndarray:
    """Return the linear colour [3] of a light, -1 cool to 1 warm, of about unit luminance."""
    return np.array([1 + 0.14 * warmth, 1.0, 1 - 0.2 * warmth])


def _direction(azimuth: float, elevation: float) -> np.ndarray:
    """Return the unit direction (right, up, towards the camera) of a light; + azimuth at the viewer's right."""
    a, e = np.radians([azimuth, elevation])
    return np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])


def _soft_box(directions: np.ndarray, towards: np.ndarray, half: float) -> np.ndarray:
    """Return a square of half-angle `half` (radians) with soft edges, as weights [...]."""
    right = np.cross([0.0, 1.0, 0.0], towards)
    right /= np.linalg.norm(right)
    up = np.cross(towards, right)
    depth = directions @ towards
    x, y = (np.abs(directions @ axis) / np.maximum(depth, 1e-3) for axis in (right, up))
    edge = np.tan(half)
    inside = smoothstep(edge * 1.25, edge * 0.8, x) * smoothstep(edge * 1.25, edge * 0.8, y)
    return inside * (depth > 0.05)


def radiance(directions: np.ndarray, scene: Scene) -> np.ndarray:
    """Return the linear radiance [..., 3] that comes from directions (right, up, towards the camera) [..., 3]."""
    key = _direction(scene.key_azimuth, scene.key_elevation)
    half = 0.24 + 0.3 * scene.key_size
    fill = _direction(-0.8 * scene.key_azimuth + (20 if scene.key_azimuth < 0 else -20), 12)
    rim_side = -1 if scene.key_azimuth > 0 else 1
    rim = _direction(150 * rim_side, 25)
    warm, cool = warm_white(scene.warmth), warm_white(-0.35 * scene.warmth)
    box = _soft_box(directions, key, half) / (np.tan(half) ** 2)
    sky = 0.5 + 0.5 * directions[..., 1]
    light = 0.86 * box[..., None] * warm
    light = light + (0.2 + 0.6 * scene.fill) * _soft_box(directions, fill, 0.62)[..., None] * 0.75 * cool
    light = light + 2.6 * scene.rim * _soft_box(directions, rim, 0.35)[..., None] * cool
    ambient = (0.2 + 0.14 * scene.fill) * (0.45 + 0.75 * sky)
    return light + ambient[..., None] * warm_white(0.3 * scene.warmth)


@lru_cache(maxsize=1)
def map_directions() -> np.ndarray:
    """Return the unit directions [HEIGHT, WIDTH, 3] of an environment map's pixels, as Mitsuba lays them out.

    Column u and row v (both 0 ... 1) stand for (sin(2 pi u) sin(pi v), cos(pi v), -cos(2 pi u) sin(pi v)).
    """
    u, v = np.meshgrid((np.arange(WIDTH) + 0.5) / WIDTH, (np.arange(HEIGHT) + 0.5) / HEIGHT)
    around, down = 2 * np.pi * u, np.pi * v
    return np.stack([np.sin(around) * np.sin(down), np.cos(down), -np.cos(around) * np.sin(down)], -1)


@lru_cache(maxsize=1)
def solid_angles() -> np.ndarray:
    """Return the solid angles [HEIGHT, WIDTH] of the map's pixels, in steradians."""
    edges = np.cos(np.pi * np.arange(HEIGHT + 1) / HEIGHT)
    return np.repeat((edges[:-1] - edges[1:])[:, None] * 2 * np.pi / WIDTH, WIDTH, 1)


def environment_map(camera: Camera, scene: Scene) -> np.ndarray:
    """Return the radiance f32 [HEIGHT, WIDTH, 3] about the head, in the head's coordinates (`map_directions`)."""
    return radiance(camera.to_view(map_directions()), scene).astype(np.float32)
