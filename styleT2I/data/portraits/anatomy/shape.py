"""The shape space: how sex, age, build and a person's own coefficients weigh the head's displacement targets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from styleT2I.data.portraits.scenes.scene import Scene

SHAPES = ("caucasian", "african", "asian")
"""MakeHuman's names of the three anchors that `Scene.shape_mix` mixes. They say nothing about skin colour here: every
mixture comes in every tone, so that no judge can learn one from the other."""


class Axis(NamedTuple):
    """A two-sided direction: coefficient +1 weighs `positive` by `gain`, -1 `negative`; {} stands for l and r."""

    positive: str
    negative: str
    gain: float


AXES = (
    Axis("head-scale-depth-incr", "head-scale-depth-decr", 0.16),
    Axis("head-scale-horiz-incr", "head-scale-horiz-decr", 0.16),
    Axis("head-scale-vert-incr", "head-scale-vert-decr", 0.14),
    Axis("head-round", "head-rectangular", 0.22),
    Axis("head-oval", "head-square", 0.22),
    Axis("head-triangular", "head-invertedtriangular", 0.2),
    Axis("forehead-scale-vert-incr", "forehead-scale-vert-decr", 0.15),
    Axis("forehead-temple-incr", "forehead-temple-decr", 0.2),
    Axis("forehead-nubian-incr", "forehead-nubian-decr", 0.15),
    Axis("eyebrows-trans-up", "eyebrows-trans-down", 0.2),
    Axis("{}-eye-scale-incr", "{}-eye-scale-decr", 0.22),
    Axis("{}-eye-height2-incr", "{}-eye-height2-decr", 0.22),
    Axis("{}-eye-corner1-up", "{}-eye-corner1-down", 0.25),
    Axis("{}-eye-corner2-up", "{}-eye-corner2-down", 0.25),
    Axis("{}-eye-eyefold-convex", "{}-eye-eyefold-concave", 0.3),
    Axis("{}-eye-eyefold-down", "{}-eye-eyefold-up", 0.2),
    Axis("{}-eye-trans-out", "{}-eye-trans-in", 0.2),
    Axis("{}-eye-trans-up", "{}-eye-trans-down", 0.2),
    Axis("nose-scale-vert-incr", "nose-scale-vert-decr", 0.2),
    Axis("nose-scale-depth-incr", "nose-scale-depth-decr", 0.18),
    Axis("nose-curve-convex", "nose-curve-concave", 0.2),
    Axis("nose-hump-incr", "nose-hump-decr", 0.2),
    Axis("nose-point-up", "nose-point-down", 0.2),
    Axis("nose-point-width-incr", "nose-point-width-decr", 0.25),
    Axis("nose-width1-incr", "nose-width1-decr", 0.22),
    Axis("nose-width2-incr", "nose-width2-decr", 0.22),
    Axis("nose-nostrils-width-incr", "nose-nostrils-width-decr", 0.25),
    Axis("mouth-scale-horiz-incr", "mouth-scale-horiz-decr", 0.25),
    Axis("mouth-trans-up", "mouth-trans-down", 0.22),
    Axis("mouth-upperlip-height-incr", "mouth-upperlip-height-decr", 0.22),
    Axis("mouth-cupidsbow-incr", "mouth-cupidsbow-decr", 0.25),
    Axis("mouth-philtrum-volume-incr", "mouth-philtrum-volume-decr", 0.25),
    Axis("chin-width-incr", "chin-width-decr", 0.2),
    Axis("chin-height-incr", "chin-height-decr", 0.2),
    Axis("chin-prominent-incr", "chin-prominent-decr", 0.2),
    Axis("chin-bones-incr", "chin-bones-decr", 0.22),
    Axis("{}-cheek-bones-incr", "{}-cheek-bones-decr", 0.3),
    Axis("{}-cheek-volume-incr", "{}-cheek-volume-decr", 0.22),
    Axis("{}-ear-scale-incr", "{}-ear-scale-decr", 0.25),
    Axis("{}-ear-wing-incr", "{}-ear-wing-decr", 0.3),
)
ASYMMETRIES = ("asym-brown-1", "asym-cheek-1", "asym-eye-1", "asym-eye-6", "asym-jaw-1", "asym-mouth-1", "asym-nose-1",
               "asym-ear-1")  # fmt: skip
_ASYMMETRY_GAIN = 0.22
_STEPS = ("min", "average", "max")

MASCULINE = {
    "chin-width-incr": 0.42, "chin-bones-incr": 0.45, "chin-height-incr": 0.25, "chin-prominent-incr": 0.2,
    "head-square": 0.22, "eyebrows-trans-down": 0.3, "eyebrows-trans-forward": 0.35, "forehead-nubian-decr": 0.2,
    "neck-scale-horiz-incr": 0.5, "neck-scale-depth-incr": 0.3, "nose-width1-incr": 0.15, "nose-scale-vert-incr": 0.12,
    "mouth-scale-horiz-incr": 0.12, "{}-eye-scale-decr": 0.12, "{}-cheek-volume-decr": 0.2,
}  # fmt: skip
FEMININE = {
    "chin-width-decr": 0.3, "chin-bones-decr": 0.35, "chin-height-decr": 0.2, "head-oval": 0.2,
    "eyebrows-trans-up": 0.35, "eyebrows-trans-backward": 0.3, "neck-scale-horiz-decr": 0.35,
    "neck-scale-vert-incr": 0.15, "nose-scale-horiz-decr": 0.2, "nose-width2-decr": 0.2, "nose-point-up": 0.15,
    "mouth-upperlip-volume-incr": 0.2, "mouth-lowerlip-volume-incr": 0.2, "mouth-cupidsbow-incr": 0.2,
    "{}-eye-scale-incr": 0.25, "{}-cheek-bones-incr": 0.3,
}  # fmt: skip
BIG_NOSE = {
    "nose-volume-incr": 0.7,
    "nose-scale-horiz-incr": 0.9,
    "nose-scale-depth-incr": 0.6,
    "nose-point-width-incr": 0.7,
    "nose-nostrils-width-incr": 0.6,
    "nose-scale-vert-incr": 0.35,
}
SMALL_NOSE = {"nose-volume-decr": 0.2, "nose-scale-horiz-decr": 0.25, "nose-scale-depth-decr": 0.15}
FULL_LIPS = {
    "mouth-upperlip-volume-incr": 0.7,
    "mouth-lowerlip-volume-incr": 0.7,
    "mouth-upperlip-height-incr": 0.85,
    "mouth-lowerlip-height-incr": 0.7,
}
THIN_LIPS = {"mouth-upperlip-height-decr": 0.35, "mouth-lowerlip-height-decr": 0.3, "mouth-upperlip-volume-decr": 0.2,
             "mouth-lowerlip-volume-decr": 0.2}  # fmt: skip
CHUBBY = {"head-fat-incr": 1.0, "{}-cheek-volume-incr": 0.75, "neck-double-incr": 0.9, "neck-scale-horiz-incr": 0.4}
LEAN = {"head-fat-decr": 0.35, "{}-cheek-volume-decr": 0.3}
OLD = {"head-age-incr": 0.5, "neck-double-incr": 0.3, "{}-eye-bag-incr": 0.5, "{}-eye-eyefold-down": 0.3,
       "mouth-laugh-lines-in": 0.4, "{}-ear-scale-incr": 0.2}  # fmt: skip
YOUNG = {"head-age-decr": 0.2}


OPEN_EYES = {"{}-eye-height2-incr": 0.35, "{}-eye-scale-incr": 0.25}  # of everyone: the base head's eyes are sleepy


def shape_weights(scene: Scene) -> dict[str, float]:
    """Return {target: weight} of the scene's resting face (see `Asset.morphed`)."""
    weights: dict[str, float] = {}
    parts = [*_macro(scene), *_traits(scene), *_person(scene)]
    for name, weight in parts:
        for side in "lr" if "{}" in name else ("",):
            target = name.format(side)
            weights[target] = weights.get(target, 0.0) + weight
    return {name: weight for name, weight in weights.items() if weight}


def old_share(scene: Scene) -> float:
    """Return how much of the way from the young to the old anchor the scene's age is, 0 to 1."""
    return float(np.clip((scene.age - 24) / 54, 0, 1))


def _macro(scene: Scene) -> Iterator[tuple[str, float]]:
    male, old = (1 + scene.sex) / 2, old_share(scene)
    sexes, ages = {"male": male, "female": 1 - male}, {"young": 1 - old, "old": old}
    builds = {
        f"{m}muscle-{w}weight": x * y
        for m, x in _between(0.55 * scene.muscle + 0.15 * scene.sex)
        for w, y in _between(0.75 * scene.weight)
    }
    for sex, of_sex in sexes.items():
        for age, of_age in ages.items():
            for shape, share in zip(SHAPES, scene.shape_mix, strict=True):
                yield f"{shape}-{sex}-{age}", of_sex * of_age * share
            for build, share in builds.items():
                yield f"universal-{sex}-{age}-{build}", of_sex * of_age * share


def _between(value: float) -> list[tuple[str, float]]:
    """Return the weights of min, average and max that make a value in -1 to 1."""
    value = float(np.clip(value, -1, 1))
    return list(zip(_STEPS, (max(-value, 0), 1 - abs(value), max(value, 0)), strict=True))


def _traits(scene: Scene) -> Iterator[tuple[str, float]]:
    for value, positive, negative in (
        (scene.sex, MASCULINE, FEMININE),
        (scene.nose_size, BIG_NOSE, SMALL_NOSE),
        (scene.lip_fullness, FULL_LIPS, THIN_LIPS),
        (scene.weight, CHUBBY, LEAN),
        (2 * old_share(scene) - 1, OLD, YOUNG),
    ):
        for name, weight in (positive if value > 0 else negative).items():
            yield name, weight * abs(value)


def _person(scene: Scene) -> Iterator[tuple[str, float]]:
    yield from OPEN_EYES.items()
    yield "mouth-angles-up", 0.15 + 0.35 * scene.smile
    for coefficient, axis in zip(scene.shape, AXES, strict=True):
        yield (axis.positive if coefficient > 0 else axis.negative), axis.gain * abs(coefficient)
    for coefficient, name in zip(scene.asymmetry, ASYMMETRIES, strict=True):
        gain = _ASYMMETRY_GAIN * (0.4 if "mouth" in name or "jaw" in name else 1.0)
        yield f"{name}-{'l' if coefficient > 0 else 'r'}", gain * abs(coefficient)
