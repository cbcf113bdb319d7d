"""A scene's image, with all that is known about it: `render(scene, resolution)`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from styleT2I.data.portraits.parts import voted_parts
from styleT2I.data.portraits.person import Person, build_person
from styleT2I.data.portraits.scenes.scene import Scene
from styleT2I.data.portraits.tracing.background import background
from styleT2I.data.portraits.tracing.camera import Camera
from styleT2I.data.portraits.tracing.colours import luminance, srgb
from styleT2I.data.portraits.tracing.engine import Engine
from styleT2I.data.portraits.tracing.gbuffer import Surfaces, surfaces
from styleT2I.data.portraits.tracing.illumination import irradiance
from styleT2I.data.portraits.tracing.light import environment_map
from styleT2I.data.portraits.tracing.shade import shade

SUPERSAMPLING = 2  # sub-pixels per pixel, each way
LIGHTS = 12  # directions tested per sub-pixel, of 16 times as many
_MIDDLE = 0.18  # the luminance that contrast leaves alone


@dataclass(frozen=True)
class Portrait:
    """An image and what is true of it."""

    image: np.ndarray  # u8 [H, W, 3], sRGB
    parts: np.ndarray  # u8 [H, W], index into `parts.PARTS`
    depth: np.ndarray  # f32 [H, W], dm from the camera along its axis; 0 is background
    normals: np.ndarray  # f32 [H, W, 3] (right, up, towards the camera); 0 is background
    landmarks: np.ndarray  # f32 [68, 2] in pixels (x, y), iBUG's order; may be hidden behind hair or glasses
    camera: Camera


def render(scene: Scene, resolution: int = 128) -> Portrait:
    """Return the scene's portrait; the same scene gives the same bytes on one machine.

    Raises DependencyError where Mitsuba is not installed.
    """
    person = build_person(scene)
    engine = Engine(person.mesh, person.camera)
    seen = surfaces(person.mesh, engine.hits(SUPERSAMPLING * resolution), person.camera)
    environment = environment_map(person.camera, scene)
    light = irradiance(engine, seen, environment, LIGHTS)
    radiance = downsampled(shade(seen, light, environment, person.camera, scene), SUPERSAMPLING)
    cover = downsampled(seen.seen.astype(np.float32), SUPERSAMPLING)[..., None]
    truth = truth_of(seen, person, SUPERSAMPLING)
    image = developed(radiance + (1 - cover) * background(scene, resolution), scene)
    return Portrait(image=image, camera=person.camera, **truth)


def truth_of(seen: Surfaces, person: Person, factor: int) -> dict[str, np.ndarray]:
    """Return `Portrait`'s parts, depth, normals and landmarks, where `factor` x `factor` sub-pixels make one pixel."""
    size = len(seen.part) // factor
    cover = downsampled(seen.seen.astype(np.float32), factor)
    depth = downsampled(seen.depth, factor) / np.maximum(cover, 1e-6)
    normals = downsampled(person.camera.to_view(seen.normal), factor)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    places, _ = person.camera.project(person.head.landmarks)
    visible = cover >= 0.5
    return dict(
        parts=voted_parts(seen.part, factor),
        depth=np.where(visible, depth, 0).astype(np.float32),
        normals=np.where(visible[..., None], normals / np.maximum(length, 1e-6), 0).astype(np.float32),
        landmarks=(places * size - 0.5).astype(np.float32),
    )


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
