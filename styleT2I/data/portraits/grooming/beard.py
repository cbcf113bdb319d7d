"""Beards: full, goatee, moustache, both, and stubble, grown like hair on regions of the base head's face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from styleT2I.data.portraits.anatomy.regions import region_masks
from styleT2I.data.portraits.grooming.hair import drawn
from styleT2I.data.portraits.grooming.hair_colours import beard_albedo
from styleT2I.data.portraits.grooming.hair_layer import Layer
from styleT2I.data.portraits.grooming.scalp import azimuth, base_head
from styleT2I.data.portraits.tracing.colours import mixed, smoothstep
from styleT2I.data.portraits.tracing.mesh import Mesh, Paint
from styleT2I.data.portraits.worn.fitting import Fitting

_CHEEK_LINE = ((0, 26, 34, 44, 53, 60, 69), (6.56, 6.56, 6.66, 6.66, 6.84, 7.12, 7.12))  # azimuth, upper end
_LIP_TOP = 6.715


def regions(points: np.ndarray) -> dict[str, np.ndarray]:
    """Return the density [N] (0 ... 1) of jaw, chin, moustache and what joins them at points of the base head."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    angle = np.abs(azimuth(points))
    front = smoothstep(0.85, 1.0, z)
    jaw = smoothstep(0.03, -0.05, y - np.interp(angle, *_CHEEK_LINE)) * smoothstep(76, 68, angle)
    jaw *= smoothstep(6.02, 6.12, y - 0.45 * np.clip(0.95 - z, 0, 1)) * smoothstep(0.55, 0.68, z)
    bridge = (
        smoothstep(0.36, 0.31, x)
        * smoothstep(0.255, 0.285, x + 0.1 * (y > 6.66))
        * smoothstep(6.78, 6.70, y)
        * (y > 6.3)
        * front
    )
    chin = smoothstep(0.30, 0.22, x) * smoothstep(6.47, 6.42, y) * smoothstep(6.04, 6.12, y) * front
    soul = smoothstep(0.07, 0.05, x) * smoothstep(6.50, 6.48, y) * (y > 6.4) * front
    droop = 0.30 * np.clip(x - 0.08, 0, 1)
    moustache = (
        smoothstep(0.33, 0.27, x)
        * smoothstep(6.825, 6.80, y + droop)
        * smoothstep(6.68, 6.70, y + 0.35 * np.clip(x - 0.12, 0, 1))
        * front
    )
    moustache *= smoothstep(0.008, 0.03, x) * 0.6 + 0.4
    return {"jaw": jaw, "chin": np.maximum(chin, soul), "moustache": moustache, "bridge": bridge}


_KINDS = {
    "full": ("jaw", "chin", "moustache", "bridge"),
    "stubble": ("jaw", "chin", "moustache", "bridge"),
    "circle": ("chin", "moustache", "bridge"),
    "goatee": ("chin",),
    "moustache": ("moustache",),
    "none": (),
}


def beard_density(kind: str, points: np.ndarray, masks: dict[str, np.ndarray]) -> np.ndarray:
    """Return the density [N] of a kind of beard at vertices of a head, lips and the mouth's inside left free."""
    found = regions(points)
    density = np.max([found[name] for name in _KINDS[kind]], axis=0) if kind != "none" else np.zeros(len(points))
    return density * (masks["lips"] < 0.15) * (masks["inside_mouth"] < 0.3)


def beard(fit: Fitting, detail: float = 0.5) -> list[Mesh]:
    """Return the scene's beard as ribbons."""
    scene, rng = fit.scene, fit.stream("beard")
    albedo = beard_albedo(scene)
    return [drawn(layer, fit, detail, rng, albedo, "beard") for layer in _layers(scene.beard, scene.beard_length)]


def _layers(kind: str, long: float) -> list[Layer]:
    found, masks = regions(base_head().vertices), region_masks()
    free = (masks["lips"] < 0.15) & (masks["inside_mouth"] < 0.3)
    if kind == "stubble":
        density = beard_density(kind, base_head().vertices, masks)
        return [
            _beard_layer(
                density,
                260,
                5200,
                lambda p: np.full(len(p), 0.020 + 0.010 * long),
                height=(0.002, 0.005),
                width=0.0040,
                points=3,
                lift_at=0.5,
            )
        ]
    layers = []
    if kind == "full":
        cheeks = np.maximum(found["jaw"], found["bridge"]) * free
        layers.append(_beard_layer(cheeks, 300, 4200, _jaw_length(long)))
    if kind in ("full", "circle", "goatee"):
        chin = (found["chin"] if kind == "goatee" else np.maximum(found["chin"], found["bridge"])) * free
        comb = _down if kind == "full" else _to_a_point
        layers.append(_beard_layer(chin, 160, 1700, _chin_length(long), comb=comb, ragged=0.16))
    if kind in ("full", "circle", "moustache"):
        layers.append(_moustache(found["moustache"] * free, long))
    return layers


def _jaw_length(long: float):
    return lambda p: 0.07 + (0.06 + 0.30 * long) * smoothstep(6.95, 6.25, p[:, 1]) * smoothstep(0.5, 1.0, p[:, 2])


def _chin_length(long: float):
    return lambda p: (
        0.07 + (0.10 + 0.26 * long) * smoothstep(6.62, 6.25, p[:, 1]) * (1 - 2.2 * np.minimum(np.abs(p[:, 0]), 0.3))
    )


def _down(points: np.ndarray, _: float) -> np.ndarray:
    return np.stack([0.5 * points[:, 0], np.full(len(points), -1.0), 0.15 + 0 * points[:, 0]], 1)


def _to_a_point(points: np.ndarray, _: float) -> np.ndarray:
    return np.stack([-1.6 * points[:, 0], np.full(len(points), -1.0), 0.15 + 0 * points[:, 0]], 1)


def _beard_layer(density: np.ndarray, guides: int, children: int, length_at, **changes) -> Layer:
    layer = Layer(
        density,
        guides,
        children,
        length_at,
        _down,
        lift_at=0.42,
        stiffness=0.6,
        hold=0.6,
        hold_tip=0.1,
        gravity=0.35,
        height=(0.01, 0.07),
        clump=0.45,
        spread=0.2,
        width=0.013,
        steps=7,
        points=5,
        stray=0.018,
        ragged=0.12,
    )
    return replace(layer, **changes)


def _moustache(density: np.ndarray, long: float) -> Layer:
    def comb(points: np.ndarray, _: float) -> np.ndarray:
        x = points[:, 0]
        return np.stack([np.sign(x) * np.minimum(1, 0.35 + 4 * np.abs(x)), np.full(len(x), -0.75), 0 * x], 1)

    def above_lip(points: np.ndarray) -> np.ndarray:
        kept = points.copy()
        low = _LIP_TOP - 0.02 - 0.6 * np.clip(np.abs(points[:, 0]) - 0.16, 0, 1)
        kept[:, 1] = np.maximum(points[:, 1], low)
        return kept

    def length(points: np.ndarray) -> np.ndarray:
        return 0.09 + (0.05 + 0.05 * long) * smoothstep(0.02, 0.2, np.abs(points[:, 0]))

    return _beard_layer(
        density,
        140,
        1300,
        length,
        comb=comb,
        fence=above_lip,
        lift_at=0.25,
        gravity=0.15,
        hold=1.0,
        hold_tip=0.6,
        height=(0.015, 0.055),
        stray=0.008,
        parting=0.0,
    )


def beard_paint(fit: Fitting) -> list[Paint]:
    """Return the beard's shade on the skin below it; stubble is mostly that."""
    scene, head = fit.scene, fit.head
    if scene.beard == "none":
        return []
    density = beard_density(scene.beard, head.canonical, head.masks)
    if scene.beard == "stubble":
        return [
            Paint(
                0.70 * density,
                mixed(head.mesh.colour, 0.6 * beard_albedo(scene), 0.55 + 0.2 * scene.beard_length),
                "beard",
            )
        ]
    return [Paint(0.85 * density, 0.7 * beard_albedo(scene), "beard", 0.7)]
