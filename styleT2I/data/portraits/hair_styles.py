"""The hair styles: what each one grows, in layers of guide strands on the base head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from styleT2I.data.portraits.colours import smoothstep
from styleT2I.data.portraits.scalp import AXIS_Z, azimuth, base_head, hairline, inside
from styleT2I.data.portraits.scene import Scene
from styleT2I.data.portraits.strands import Comb, Fence
from styleT2I.data.portraits.surface import unit

WHORL = np.array([0.06, 8.30, 0.02], np.float32)
NAPE_TIE = np.array([0.0, 7.45, -0.62], np.float32)


@dataclass(frozen=True)
class Layer:
    """Hair that grows alike. `*_at` take canonical points [N, 3] of roots; lengths in dm.

    `height` is how far above the skin the lowest and the highest strands lie; `ends` cuts strands off at a height (y); every
    strand is then shorter by a random share around `ragged` and its tip off by `stray` dm. `curl` is (radius, pitch, flatness), or None where hair hangs straight.
    """

    density: np.ndarray  # [V] of the base head, 0 ... 1
    guides: int
    children: int
    length_at: Callable[[np.ndarray], np.ndarray]
    comb: Comb
    fence: Fence | None = None
    lift_at: Callable[[np.ndarray], np.ndarray] | float = 0.3
    stiffness: float = 0.5
    hold: float = 1.0
    hold_tip: float = 0.3
    gravity: float = 0.3
    height: tuple[float, float] = (0.01, 0.08)
    reach: float = 0.1
    ends: float | None = None
    ragged: float = 0.06
    stray: float = 0.012
    clump: float = 0.4
    spread: float = 0.35
    width: float = 0.016
    steps: int = 14
    points: int = 8
    curl: tuple[float, float, float] | None = None
    shade: float = 1.0
    parting: float | None = None  # x of a line that no strand of the layer crosses


def scalp_density(scene: Scene, feather: float = 0.10) -> np.ndarray:
    """Return the density [V] of hair over the base head, soft at the hairline."""
    return smoothstep(-0.01, feather, inside(base_head().vertices, scene_hairline(scene)))


def scene_hairline(scene: Scene) -> np.ndarray:
    """Return the hairline of the scene: hers is a little lower, without sideburns."""
    line = hairline(scene.receding, sideburn=0.0 if scene.is_male else -0.15)
    line[:, 1] -= 0.03 * (line[:, 0] < 50) * (not scene.is_male)
    return line


# Where hair may be

_OPEN_FACE = ((5.0, 6.1, 6.9, 7.5, 7.75, 7.92, 8.03, 8.12), (50, 62, 66, 64, 54, 40, 20, 0))
_TUCKED = ((5.0, 6.2, 7.10, 7.36, 7.48, 7.62, 7.80, 7.95, 8.05, 8.12), (70, 108, 112, 110, 84, 62, 50, 38, 18, 0))


def fence(table: tuple[tuple[float, ...], tuple[float, ...]], margin: float = 0.0) -> Fence:
    """Return the fence that turns points about the head's axis until their azimuth is at least the table's."""

    def turn(points: np.ndarray) -> np.ndarray:
        side = np.where(points[:, 0] < 0, -1, 1)
        least = np.interp(points[:, 1], *table) + margin
        angle = np.radians(np.maximum(np.abs(azimuth(points)), least))
        radius = np.hypot(points[:, 0], points[:, 2] - AXIS_Z)
        turned = points.copy()
        turned[:, 0], turned[:, 2] = side * radius * np.sin(angle), AXIS_Z + radius * np.cos(angle)
        return turned

    return turn


# Which way hair is combed


def away_from(centre: np.ndarray) -> Comb:
    return lambda points, _: points - centre


def towards(target: np.ndarray) -> Comb:
    return lambda points, _: target - points


def constant(x: float, y: float, z: float) -> Comb:
    direction = np.array([x, y, z], np.float32)
    return lambda points, _: np.broadcast_to(direction, points.shape)


def from_part(part_x: float, back: float) -> Comb:
    """Sideways from a line front to back, downwards and a little back."""

    def comb(points: np.ndarray, _: float) -> np.ndarray:
        side = np.where(points[:, 0] < part_x, -1.0, 1.0)
        front = smoothstep(0.2, 1.2, points[:, 2])
        return np.stack([side, np.full(len(points), -0.55), -back * front], 1)

    return comb


# The styles


def by_height(sides: float, top: float, low: float = 7.55, high: float = 8.15) -> Callable[[np.ndarray], np.ndarray]:
    """Return a length for each root: `sides` below `low`, `top` above `high`."""
    return lambda points: sides + (top - sides) * smoothstep(low, high, points[:, 1])


def _volume(scene: Scene) -> float:
    return 1 + 0.3 * scene.hair_volume


def _buzz(scene: Scene) -> list[Layer]:
    return [Layer(scalp_density(scene, 0.16), 300, 7000, by_height(0.05, 0.09), away_from(WHORL), lift_at=0.75,
                  gravity=0, height=(0, 0), clump=0.1, width=0.010, steps=5, points=3)]  # fmt: skip


def _short(scene: Scene) -> list[Layer]:
    side = 1.0 if scene.parting < 0 else -1.0
    forward = away_from(WHORL)

    def comb(points: np.ndarray, share: float) -> np.ndarray:
        front = smoothstep(0.8, 1.3, points[:, 2])[:, None]
        swept = np.array([0.7 * side, 0.8, 0.25], np.float32)
        return unit(forward(points, share)) * (1 - front) + swept * front

    lift = lambda points: 0.35 + 0.25 * smoothstep(0.8, 1.3, points[:, 2])  # noqa: E731
    return [Layer(scalp_density(scene), 420, 6500, by_height(0.13, 0.42 + 0.1 * scene.hair_length), comb, fence(_OPEN_FACE),
                  lift_at=lift, gravity=0.15, height=(0.01, 0.12 * _volume(scene)), clump=0.5, steps=10, points=6)]  # fmt: skip


def _side(scene: Scene) -> list[Layer]:
    side = -1.0 if scene.parting > 0 else 1.0
    part = -0.38 * side

    def comb(points: np.ndarray, _: float) -> np.ndarray:
        across = np.where(points[:, 0] * side > part * side, side, -side)
        top = smoothstep(7.6, 8.1, points[:, 1])
        return np.stack([across * (0.2 + 0.8 * top), -0.9 + 0.8 * top, -0.35 + 0.1 * top], 1)

    lift = lambda points: 0.15 + 0.4 * smoothstep(7.9, 8.3, points[:, 1])  # noqa: E731
    return [Layer(scalp_density(scene), 460, 6500, by_height(0.16, 0.85 + 0.15 * scene.hair_length), comb, fence(_OPEN_FACE),
                  lift_at=lift, gravity=0.25, height=(0.01, 0.17 * _volume(scene)), clump=0.45, steps=14, points=8, parting=part)]  # fmt: skip


def _quiff(scene: Scene) -> list[Layer]:
    def comb(points: np.ndarray, share: float) -> np.ndarray:
        top = smoothstep(7.75, 8.1, points[:, 1])
        x = np.sign(points[:, 0]) * (1 - top) * 0.2
        return np.stack([x, -0.7 + 0.9 * top, -1.0 + 0 * top], 1)

    lift = lambda points: 0.12 + 0.75 * smoothstep(8.0, 8.15, points[:, 1]) * smoothstep(0.5, 1.1, points[:, 2])  # noqa: E731
    return [Layer(scalp_density(scene), 460, 6500, by_height(0.16, 0.75 + 0.12 * scene.hair_length), comb, fence(_OPEN_FACE),
                  lift_at=lift, stiffness=0.72, gravity=0.05, height=(0.01, 0.22 * _volume(scene)), clump=0.45, steps=14, points=8)]  # fmt: skip


def _curls(scene: Scene) -> list[Layer]:
    return [Layer(scalp_density(scene), 420, 3400, by_height(0.22, 0.55 + 0.1 * scene.hair_length), away_from(WHORL), fence(_OPEN_FACE),
                  lift_at=0.6, stiffness=0.7, gravity=0.15, height=(0.02, 0.16), clump=0.75, width=0.018, steps=10, points=20,
                  curl=(0.055, 0.17, 0.2))]  # fmt: skip


def _afro(scene: Scene) -> list[Layer]:
    centre = np.array([0, 7.5, 0.5], np.float32)
    return [Layer(scalp_density(scene), 420, 3800, by_height(0.42, 0.72 + 0.15 * scene.hair_volume, 7.0, 8.1), away_from(centre), fence(_OPEN_FACE),
                  lift_at=0.9, stiffness=0.8, gravity=0.0, height=(0.02, 0.10), clump=0.55, width=0.018, steps=8, points=18,
                  curl=(0.045, 0.13, 0.1))]  # fmt: skip


def _pixie(scene: Scene) -> list[Layer]:
    side = -1.0 if scene.parting > 0 else 1.0
    part = -0.30 * side

    def comb(points: np.ndarray, _: float) -> np.ndarray:
        across = np.where(points[:, 0] * side > part * side, side, -side)
        top = smoothstep(7.6, 8.1, points[:, 1])
        return np.stack([across * (0.3 + 0.7 * top), -1.0 + 0.7 * top, 0.1 + 0.15 * top], 1)

    return [Layer(scalp_density(scene), 460, 6500, by_height(0.32, 1.0), comb, fence(_OPEN_FACE), lift_at=0.2, gravity=0.35,
                  height=(0.01, 0.14 * _volume(scene)), clump=0.5, steps=14, points=8, parting=part)]  # fmt: skip


def _hanging(scene: Scene, ends: float, length: float) -> list[Layer]:
    part = 0.32 * scene.parting
    tucked = scene.earrings != "none"
    return [Layer(scalp_density(scene), 560, 6000, lambda points: np.full(len(points), length), from_part(part, 0.9 if tucked else 0.45),
                  fence(_TUCKED if tucked else _OPEN_FACE), lift_at=0.12, stiffness=0.55, hold=1.0, hold_tip=0.0, gravity=0.75,
                  height=(0.02, 0.19 * _volume(scene)), ends=ends, clump=0.35, steps=26, points=14, parting=part, ragged=0.06)]  # fmt: skip


def _bob(scene: Scene) -> list[Layer]:
    return _hanging(scene, 6.42 + 0.12 * scene.hair_length, 2.9)


def _shoulder(scene: Scene) -> list[Layer]:
    return _hanging(scene, 5.75 - 0.15 * scene.hair_length, 3.6)


def _long(scene: Scene) -> list[Layer]:
    return _hanging(scene, 4.9, 4.3)


def _tied(scene: Scene) -> list[Layer]:
    def comb(points: np.ndarray, _: float) -> np.ndarray:
        return unit(NAPE_TIE - points) + np.array([0, 0.35, 0])

    return [Layer(scalp_density(scene), 420, 6000, lambda p: 0.25 + np.linalg.norm(p - NAPE_TIE, axis=1), comb, fence(_OPEN_FACE), lift_at=0.08,
                  stiffness=0.3, gravity=0.0, height=(0.008, 0.06), clump=0.3, steps=16, points=9)]  # fmt: skip


_STYLES: dict[str, Callable[[Scene], list[Layer]]] = {
    "buzz": _buzz, "short": _short, "side": _side, "quiff": _quiff, "curls": _curls, "afro": _afro, "pixie": _pixie,
    "bob": _bob, "tied": _tied, "shoulder": _shoulder, "long": _long,
}  # fmt: skip

_WAVES = {"wavy": (0.075, 0.62, 0.8), "curly": (0.085, 0.30, 0.25)}


def layers(scene: Scene) -> list[Layer]:
    """Return the layers that the scene's style grows; none for a bald head."""
    if scene.is_bald:
        return []
    grown = _STYLES[scene.hair_style](scene)
    return [_textured(layer, scene) for layer in grown] + ([_fringe(scene)] if scene.bangs else [])


def _textured(layer: Layer, scene: Scene) -> Layer:
    if layer.curl or scene.hair_texture == "straight" or scene.hair_style == "buzz":
        return layer
    radius, pitch, flatness = _WAVES[scene.hair_texture]
    shorter = 1.0 if scene.hair_style in ("shoulder", "long", "bob") else 0.55
    return replace(layer, curl=(radius * shorter, pitch * shorter, flatness), points=int(layer.points * 1.6), clump=max(layer.clump, 0.6))


def _fringe(scene: Scene) -> Layer:
    points = base_head().vertices
    front = smoothstep(48, 34, np.abs(azimuth(points))) * smoothstep(7.75, 7.95, points[:, 1]) * smoothstep(8.42, 8.3, points[:, 1])
    density = scalp_density(scene, 0.06) * front * smoothstep(0.5, 0.8, points[:, 2])
    sweep = 0.25 * scene.parting
    return Layer(density, 160, 1500, lambda p: np.full(len(p), 1.3), constant(sweep, -0.55, 0.8), lift_at=0.25, stiffness=0.55,
                 hold_tip=0.0, gravity=0.9, height=(0.05, 0.12), ends=7.56, ragged=0.05, clump=0.6, steps=14, points=8)  # fmt: skip
