"""A stand-in for the renderer of Portraits: flat parts in fixed places, in time for tests."""

from typing import NamedTuple

import numpy as np

from styleT2I.data.portraits.parts import PART
from styleT2I.data.portraits.scenes.recipe import read_specs
from styleT2I.data.portraits.sets.rendering import render_set


class StubPortrait(NamedTuple):
    image: np.ndarray
    parts: np.ndarray
    landmarks: np.ndarray


def landmarks(resolution: int = 128) -> np.ndarray:
    """68 landmarks of a face in the middle, x and y in pixels: brows at 0.36, nose to 0.6, mouth to 0.71, chin 0.84."""
    points = np.full((68, 2), 0.5)
    points[:17] = np.stack([np.linspace(0.28, 0.72, 17), 0.4 + 0.44 * np.sin(np.linspace(0, np.pi, 17))], axis=1)
    points[17:27] = np.stack([np.linspace(0.32, 0.68, 10), np.full(10, 0.36)], axis=1)
    points[27:36, 1] = [0.42, 0.47, 0.52, 0.56, 0.59, 0.6, 0.6, 0.6, 0.59]
    points[48:68, 1] = 0.68
    points[48, 0], points[54, 0], points[57, 1], points[62, 1] = 0.4, 0.6, 0.71, 0.67
    return points * resolution


def stub_renderer(scene, resolution: int) -> StubPortrait:
    """Draw what the scene has as boxes of parts; the picture is the parts map in colours of the seed."""
    parts = np.zeros((resolution, resolution), np.uint8)

    def box(name, x0, x1, y0, y1):
        rows, columns = (slice(round(a * resolution), round(b * resolution)) for a, b in ((y0, y1), (x0, x1)))
        parts[rows, columns] = PART[name]

    box("cloth", 0.1, 0.9, 0.9, 1.0)
    box("neck", 0.4, 0.6, 0.8, 0.92)
    box("skin", 0.28, 0.72, 0.3, 0.84)
    if not scene.is_bald:
        box("hair", 0.25, 0.75, 0.1, 0.34 if scene.bangs else 0.3)
        if scene.hair_style in ("long", "shoulder"):
            box("hair", 0.15, 0.27, 0.2, 1.0)
    box("l_brow", 0.34, 0.46, 0.36, 0.38)
    if scene.beard in ("stubble", "full", "goatee", "circle"):
        box("beard", 0.4, 0.6, 0.71, 0.84)
    if scene.beard in ("moustache", "full", "circle"):
        box("beard", 0.4, 0.6, 0.61, 0.66)
    box("u_lip", 0.42, 0.58, 0.66, 0.68)
    box("l_lip", 0.42, 0.58, 0.69, 0.71)
    if scene.is_mouth_open:
        box("mouth", 0.42, 0.58, 0.67, 0.70)
    for worn, name, place in (
        (scene.glasses, "glasses", (0.32, 0.68, 0.42, 0.44)),
        (scene.hat, "hat", (0.25, 0.75, 0.05, 0.18)),
        (scene.earrings, "ear_r", (0.24, 0.28, 0.56, 0.62)),
        (scene.necklace, "neck_l", (0.4, 0.6, 0.87, 0.9)),
    ):
        if worn != "none":
            box(name, *place)
    colours = np.random.default_rng(scene.seed).integers(0, 256, (20, 3), dtype=np.uint8)
    return StubPortrait(colours[parts], parts, landmarks(resolution))


def fill_cache(*specs: str) -> None:
    """Put stand-ins of sets ("biased/test:8", "compositions/test:2") where rendered ones lie: the user's cache."""
    for spec in specs:
        for recipe, indices in read_specs(spec):
            for _ in render_set(recipe.cache_folder(), recipe, indices, renderer=stub_renderer):
                pass
