"""The hair styles: what each one grows, in layers of guide strands on the base head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from styleT2I.data.portraits.anatomy.surface import unit
from styleT2I.data.portraits.grooming.bangs import RINGLETS, bangs
from styleT2I.data.portraits.grooming.combs import (
    OPEN_FACE,
    SHORT,
    across_from,
    away_from,
    fence,
    fence_of,
    from_part,
    with_sideburns,
)
from styleT2I.data.portraits.grooming.hair_layer import Layer, by_height, scalp_density
from styleT2I.data.portraits.grooming.scalp import base_head
from styleT2I.data.portraits.grooming.tied_hair import tied
from styleT2I.data.portraits.scenes.scene import Scene
from styleT2I.data.portraits.tracing.colours import smoothstep

_WHORL = np.array([0.06, 8.30, 0.02], np.float32)


def _volume(scene: Scene) -> float:
    return 1 + 0.3 * scene.hair_volume


def _buzz(scene: Scene) -> list[Layer]:
    return [
        Layer(
            scalp_density(scene, 0.16),
            300,
            7000,
            by_height(0.05, 0.09),
            away_from(_WHORL),
            lift_at=0.75,
            gravity=0,
            height=(0, 0),
            clump=0.1,
            width=0.010,
            steps=5,
            points=3,
        )
    ]


def _short(scene: Scene) -> list[Layer]:
    side = 1.0 if scene.parting < 0 else -1.0
    forward = away_from(_WHORL)

    def comb(points: np.ndarray, share: float) -> np.ndarray:
        front = smoothstep(0.6, 1.25, points[:, 2])[:, None] * smoothstep(7.7, 8.0, points[:, 1])[:, None]
        swept = np.array([0.75 * side, 0.55, -0.25], np.float32)
        return unit(forward(points, share)) * (1 - front) + swept * front

    def lift(points: np.ndarray) -> np.ndarray:
        return 0.22 + 0.28 * smoothstep(7.8, 8.2, points[:, 1])

    return [
        Layer(
            scalp_density(scene),
            460,
            6500,
            by_height(0.12, 0.40 + 0.1 * scene.hair_length),
            with_sideburns(comb),
            fence(SHORT),
            lift_at=lift,
            hold=1.0,
            hold_tip=0.8,
            gravity=0.12,
            height=(0.01, 0.13 * _volume(scene)),
            clump=0.5,
            steps=10,
            points=6,
        )
    ]


def _side(scene: Scene) -> list[Layer]:
    side = -1.0 if scene.parting > 0 else 1.0
    part = -0.38 * side

    def lift(points: np.ndarray) -> np.ndarray:
        return 0.15 + 0.4 * smoothstep(7.9, 8.3, points[:, 1])

    comb = across_from(part, side, (0.2, -0.9, -0.35), (1.0, -0.1, -0.25))
    return [
        Layer(
            scalp_density(scene),
            460,
            6500,
            by_height(0.16, 0.85 + 0.15 * scene.hair_length),
            with_sideburns(comb),
            fence(SHORT),
            lift_at=lift,
            gravity=0.25,
            height=(0.01, 0.17 * _volume(scene)),
            clump=0.45,
            steps=14,
            points=8,
            parting=part,
        )
    ]


def _quiff(scene: Scene) -> list[Layer]:
    def comb(points: np.ndarray, share: float) -> np.ndarray:
        top = smoothstep(7.75, 8.1, points[:, 1])
        x = np.sign(points[:, 0]) * (1 - top) * 0.1 + 0.15 * scene.parting * top
        return np.stack([x, -0.45 + 0.75 * top, -1.0 + 0 * top], 1)

    def lift(points: np.ndarray) -> np.ndarray:
        return 0.10 + 0.72 * smoothstep(7.82, 8.02, points[:, 1]) * smoothstep(0.5, 1.15, points[:, 2])

    return [
        Layer(
            scalp_density(scene),
            480,
            6500,
            by_height(0.15, 0.78 + 0.12 * scene.hair_length),
            with_sideburns(comb),
            fence(SHORT),
            lift_at=lift,
            stiffness=0.72,
            hold_tip=1.0,
            gravity=0.06,
            height=(0.01, 0.24 * _volume(scene)),
            reach=0.8,
            clump=0.5,
            steps=14,
            points=8,
        )
    ]


def _curls(scene: Scene) -> list[Layer]:
    return [
        Layer(
            scalp_density(scene),
            420,
            3400,
            by_height(0.20, 0.50 + 0.1 * scene.hair_length),
            away_from(_WHORL),
            fence(SHORT),
            lift_at=0.6,
            stiffness=0.7,
            gravity=0.15,
            height=(0.02, 0.16),
            clump=0.75,
            width=0.018,
            steps=10,
            points=20,
            curl=RINGLETS,
        )
    ]


def _afro(scene: Scene) -> list[Layer]:
    """Hair that ends on a ball around the skull."""
    middle = np.array([0, 7.86, 0.42], np.float32)
    ball = 1.24 + 0.16 * scene.hair_volume

    def length(points: np.ndarray) -> np.ndarray:
        return np.clip(ball - np.linalg.norm(points - middle, axis=1), 0.12, 1.0)

    density = scalp_density(scene) * smoothstep(
        7.0, 7.3, base_head().vertices[:, 1] + 0.8 * (base_head().vertices[:, 2] < 0.4)
    )
    return [
        Layer(
            density,
            460,
            4600,
            length,
            away_from(middle),
            fence(SHORT),
            lift_at=0.92,
            stiffness=0.85,
            gravity=0.0,
            height=(0.02, 0.05),
            clump=0.45,
            width=0.019,
            steps=8,
            points=16,
            curl=(0.036, 0.115, 0.1),
        )
    ]


def _pixie(scene: Scene) -> list[Layer]:
    side = -1.0 if scene.parting > 0 else 1.0
    part = -0.30 * side

    comb = across_from(part, side, (0.3, -1.0, 0.1), (1.0, -0.3, 0.25))
    return [
        Layer(
            scalp_density(scene),
            460,
            6500,
            by_height(0.32, 1.0),
            with_sideburns(comb),
            fence(SHORT),
            lift_at=0.2,
            gravity=0.35,
            height=(0.01, 0.14 * _volume(scene)),
            clump=0.5,
            steps=14,
            points=8,
            parting=part,
        )
    ]


def _hanging(scene: Scene, ends: float, length: float) -> list[Layer]:
    part = 0.32 * scene.parting
    tucked = scene.tucked
    return [
        Layer(
            scalp_density(scene),
            560,
            6000,
            lambda points: np.full(len(points), length),
            from_part(part, 0.9 if tucked else 0.45),
            fence_of(scene, OPEN_FACE),
            lift_at=0.12,
            stiffness=0.55,
            hold=1.0,
            hold_tip=0.4,
            gravity=0.75,
            height=(0.02, 0.16 * _volume(scene)),
            ends=ends,
            clump=0.35,
            steps=26,
            points=16,
            crowding=1.5,
            parting=part,
            ragged=0.06,
        )
    ]


def _bob(scene: Scene) -> list[Layer]:
    return _hanging(scene, 6.42 + 0.12 * scene.hair_length, 2.9)


def _shoulder(scene: Scene) -> list[Layer]:
    return _hanging(scene, 5.75 - 0.15 * scene.hair_length, 3.6)


def _long(scene: Scene) -> list[Layer]:
    return _hanging(scene, 4.9, 4.3)


_STYLES: dict[str, Callable[[Scene], list[Layer]]] = {
    "buzz": _buzz,
    "short": _short,
    "side": _side,
    "quiff": _quiff,
    "curls": _curls,
    "afro": _afro,
    "pixie": _pixie,
    "bob": _bob,
    "tied": tied,
    "shoulder": _shoulder,
    "long": _long,
}

_WAVES = {"wavy": (0.10, 0.74, 0.75), "curly": (0.095, 0.46, 0.2)}
_SHORT_WAVES = (0.05, 0.26, 0.5)


def layers(scene: Scene) -> list[Layer]:
    """Return the layers that the scene's style grows; none for a bald head."""
    if scene.is_bald:
        return []
    grown = [_textured(layer, scene) for layer in _STYLES[scene.hair_style](scene)]
    if scene.bangs:
        grown.append(bangs(scene))
    return grown


def _textured(layer: Layer, scene: Scene) -> Layer:
    """Return the layer waved or curled as the scene asks, if it is not yet."""
    if layer.curl or scene.hair_texture == "straight" or scene.hair_style == "buzz":
        return layer
    radius, pitch, flatness = _WAVES[scene.hair_texture]
    if scene.hair_style not in ("shoulder", "long", "bob"):
        return replace(
            layer,
            length_at=lambda points: 1.2 * layer.length_at(points),
            curl=_SHORT_WAVES,
            onset=0.15,
            points=int(layer.points * 1.8),
            clump=max(layer.clump, 0.75),
            height=(layer.height[0], layer.height[1] + 0.04),
        )
    share = 0.6 if scene.hair_texture == "curly" else 0.8  # of the strands: they need more points each
    return replace(
        layer,
        curl=(radius, pitch, flatness),
        onset=0.9,
        points=int(layer.points * (1.3 + 0.7 * (1 - flatness))),
        crowding=1.1,
        clump=max(layer.clump, 0.6),
        children=int(layer.children * share),
        width=layer.width * share**-0.7,
    )
