"""A scene's image, with all that is known about it: `render(scene, resolution)`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from styleT2I.data.portraits.person import build_person
from styleT2I.data.portraits.scenes.scene import Scene
from styleT2I.data.portraits.tracing.background import background
from styleT2I.data.portraits.tracing.camera import Camera
from styleT2I.data.portraits.tracing.engine import Engine
from styleT2I.data.portraits.tracing.finish import developed, downsampled
from styleT2I.data.portraits.tracing.gbuffer import surfaces
from styleT2I.data.portraits.tracing.illumination import irradiance
from styleT2I.data.portraits.tracing.light import environment_map
from styleT2I.data.portraits.tracing.shade import shade
from styleT2I.data.portraits.truth import Truth, truth_of

SUPERSAMPLING = 2  # sub-pixels per pixel, each way
LIGHTS = 12  # directions tested per sub-pixel, of 16 times as many


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
    truth: Truth = truth_of(seen, person, SUPERSAMPLING)
    image = developed(radiance + (1 - cover) * background(scene, resolution), scene)
    return Portrait(image, truth.parts, truth.depth, truth.normals, truth.landmarks, person.camera)
