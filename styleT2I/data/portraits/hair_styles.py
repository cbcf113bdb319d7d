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
_BACK, _TOP = np.array([0.0, 7.90, -0.45], np.float32), np.array([0.0, 8.42, -0.02], np.float32)  # where hair is tied


@dataclass(frozen=True)
class Layer:
    """Hair that grows alike. `*_at` take canonical points [N, 3] of roots; lengths in dm.

    `height` is how far above the skin the lowest and the highest strands lie; `ends` cuts strands off at a height (y); every
    strand is then shorter by a random share around `ragged` and its tip off by `stray` dm. `curl` is (radius, pitch, flatness), reached `onset` dm from the root, or
    None where hair is straight.
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
    crowding: float = 1.0  # > 1: more of the points near the root
    curl: tuple[float, float, float] | None = None
    onset: float = 0.35
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

_SHORT = ((6.9, 7.5, 7.7, 7.85, 7.96, 8.06), (55, 54, 46, 34, 16, 0))
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


def _fence(scene: Scene, open_face: tuple) -> Fence:
    """Return the fence of a style; earrings are shown, so that hair goes behind the ears then."""
    return fence(open_face if scene.earrings == "none" else _TUCKED)


# Which way hair is combed


def away_from(centre: np.ndarray) -> Comb:
    return lambda points, _: points - centre


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


def with_sideburns(comb: Comb) -> Comb:
    """The comb, but straight down before the ears."""

    def combed(points: np.ndarray, share: float) -> np.ndarray:
        before = (smoothstep(7.55, 7.40, points[:, 1]) * smoothstep(0.48, 0.58, points[:, 2]))[:, None]
        return unit(comb(points, share)) * (1 - before) + np.array([0, -1, 0.1]) * before

    return combed


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
        front = smoothstep(0.6, 1.25, points[:, 2])[:, None] * smoothstep(7.7, 8.0, points[:, 1])[:, None]
        swept = np.array([0.75 * side, 0.55, -0.25], np.float32)
        return unit(forward(points, share)) * (1 - front) + swept * front

    def lift(points: np.ndarray) -> np.ndarray:
        return 0.22 + 0.28 * smoothstep(7.8, 8.2, points[:, 1])

    return [Layer(scalp_density(scene), 460, 6500, by_height(0.12, 0.40 + 0.1 * scene.hair_length), with_sideburns(comb), _fence(scene, _SHORT),
                  lift_at=lift, hold=1.0, hold_tip=0.8, gravity=0.12, height=(0.01, 0.13 * _volume(scene)), clump=0.5, steps=10, points=6)]  # fmt: skip


def _side(scene: Scene) -> list[Layer]:
    side = -1.0 if scene.parting > 0 else 1.0
    part = -0.38 * side

    def comb(points: np.ndarray, _: float) -> np.ndarray:
        across = np.where(points[:, 0] * side > part * side, side, -side)
        top = smoothstep(7.6, 8.1, points[:, 1])
        return np.stack([across * (0.2 + 0.8 * top), -0.9 + 0.8 * top, -0.35 + 0.1 * top], 1)

    lift = lambda points: 0.15 + 0.4 * smoothstep(7.9, 8.3, points[:, 1])  # noqa: E731
    return [Layer(scalp_density(scene), 460, 6500, by_height(0.16, 0.85 + 0.15 * scene.hair_length), with_sideburns(comb), _fence(scene, _SHORT),
                  lift_at=lift, gravity=0.25, height=(0.01, 0.17 * _volume(scene)), clump=0.45, steps=14, points=8, parting=part)]  # fmt: skip


def _quiff(scene: Scene) -> list[Layer]:
    def comb(points: np.ndarray, share: float) -> np.ndarray:
        top = smoothstep(7.75, 8.1, points[:, 1])
        x = np.sign(points[:, 0]) * (1 - top) * 0.1 + 0.15 * scene.parting * top
        return np.stack([x, -0.45 + 0.75 * top, -1.0 + 0 * top], 1)

    def lift(points: np.ndarray) -> np.ndarray:
        return 0.10 + 0.72 * smoothstep(7.82, 8.02, points[:, 1]) * smoothstep(0.5, 1.15, points[:, 2])

    return [Layer(scalp_density(scene), 480, 6500, by_height(0.15, 0.78 + 0.12 * scene.hair_length), with_sideburns(comb), _fence(scene, _SHORT), lift_at=lift,
                  stiffness=0.72, hold_tip=1.0, gravity=0.06, height=(0.01, 0.24 * _volume(scene)), reach=0.8, clump=0.5, steps=14, points=8)]  # fmt: skip


def _curls(scene: Scene) -> list[Layer]:
    return [Layer(scalp_density(scene), 420, 3400, by_height(0.20, 0.50 + 0.1 * scene.hair_length), away_from(WHORL), _fence(scene, _SHORT),
                  lift_at=0.6, stiffness=0.7, gravity=0.15, height=(0.02, 0.16), clump=0.75, width=0.018, steps=10, points=20, curl=_RINGLETS)]  # fmt: skip


def _afro(scene: Scene) -> list[Layer]:
    """Hair that ends on a ball around the skull."""
    middle = np.array([0, 7.86, 0.42], np.float32)
    ball = 1.24 + 0.16 * scene.hair_volume

    def length(points: np.ndarray) -> np.ndarray:
        return np.clip(ball - np.linalg.norm(points - middle, axis=1), 0.12, 1.0)

    density = scalp_density(scene) * smoothstep(7.0, 7.3, base_head().vertices[:, 1] + 0.8 * (base_head().vertices[:, 2] < 0.4))
    return [Layer(density, 460, 4600, length, away_from(middle), _fence(scene, _SHORT), lift_at=0.92, stiffness=0.85, gravity=0.0,
                  height=(0.02, 0.05), clump=0.45, width=0.019, steps=8, points=16, curl=(0.036, 0.115, 0.1))]  # fmt: skip


def _pixie(scene: Scene) -> list[Layer]:
    side = -1.0 if scene.parting > 0 else 1.0
    part = -0.30 * side

    def comb(points: np.ndarray, _: float) -> np.ndarray:
        across = np.where(points[:, 0] * side > part * side, side, -side)
        top = smoothstep(7.6, 8.1, points[:, 1])
        return np.stack([across * (0.3 + 0.7 * top), -1.0 + 0.7 * top, 0.1 + 0.15 * top], 1)

    return [Layer(scalp_density(scene), 460, 6500, by_height(0.32, 1.0), with_sideburns(comb), _fence(scene, _SHORT), lift_at=0.2, gravity=0.35,
                  height=(0.01, 0.14 * _volume(scene)), clump=0.5, steps=14, points=8, parting=part)]  # fmt: skip


def _hanging(scene: Scene, ends: float, length: float) -> list[Layer]:
    part = 0.32 * scene.parting
    tucked = scene.earrings != "none"
    return [Layer(scalp_density(scene), 560, 6000, lambda points: np.full(len(points), length), from_part(part, 0.9 if tucked else 0.45),
                  _fence(scene, _OPEN_FACE), lift_at=0.12, stiffness=0.55, hold=1.0, hold_tip=0.0, gravity=0.75,
                  height=(0.02, 0.16 * _volume(scene)), ends=ends, clump=0.35, steps=26, points=16, crowding=1.5, parting=part, ragged=0.06)]  # fmt: skip


def _bob(scene: Scene) -> list[Layer]:
    return _hanging(scene, 6.42 + 0.12 * scene.hair_length, 2.9)


def _shoulder(scene: Scene) -> list[Layer]:
    return _hanging(scene, 5.75 - 0.15 * scene.hair_length, 3.6)


def _long(scene: Scene) -> list[Layer]:
    return _hanging(scene, 4.9, 4.3)


def wears_bun(scene: Scene) -> bool:
    """Return whether tied hair makes a knot on top of the head; else it hangs behind the head."""
    return scene.hair_style == "tied" and scene.hat == "none" and scene.hair_length > -0.2


def tie_of(scene: Scene) -> np.ndarray:
    """Return the point [3] on the base head where tied hair is held."""
    return _TOP if wears_bun(scene) else _BACK


def _tied(scene: Scene) -> list[Layer]:
    tie = tie_of(scene)

    def comb(points: np.ndarray, _: float) -> np.ndarray:
        return unit(tie - points) + np.array([0, 0.12, 0])

    return [Layer(scalp_density(scene), 460, 6000, lambda p: 1.3 * np.linalg.norm(p - tie, axis=1), comb, fence(_SHORT), lift_at=0.10,
                  stiffness=0.15, hold_tip=1.0, gravity=0.0, height=(0.008, 0.05 * _volume(scene)), clump=0.25, ragged=0.0, steps=18, points=10)]  # fmt: skip


_STYLES: dict[str, Callable[[Scene], list[Layer]]] = {
    "buzz": _buzz, "short": _short, "side": _side, "quiff": _quiff, "curls": _curls, "afro": _afro, "pixie": _pixie,
    "bob": _bob, "tied": _tied, "shoulder": _shoulder, "long": _long,
}  # fmt: skip

_RINGLETS = (0.055, 0.17, 0.2)
_WAVES = {"wavy": (0.10, 0.74, 0.75), "curly": (0.095, 0.46, 0.2)}


def layers(scene: Scene) -> list[Layer]:
    """Return the layers that the scene's style grows; none for a bald head."""
    if scene.is_bald:
        return []
    grown = [_textured(layer, scene) for layer in _STYLES[scene.hair_style](scene)]
    if scene.bangs:
        grown.append(_curly_fringe(scene) if scene.hair_texture == "curly" else _fringe(scene))
    return grown


def _textured(layer: Layer, scene: Scene) -> Layer:
    """Return the layer waved or curled as the scene asks, if it is not yet."""
    if layer.curl or scene.hair_texture == "straight" or scene.hair_style == "buzz":
        return layer
    radius, pitch, flatness = _WAVES[scene.hair_texture]
    if scene.hair_style not in ("shoulder", "long", "bob"):
        return replace(layer, curl=(0.5 * radius, 0.5 * pitch, flatness), points=int(layer.points * 1.6), clump=max(layer.clump, 0.6))
    share = 0.6 if scene.hair_texture == "curly" else 0.8  # of the strands: they need more points each
    return replace(layer, curl=(radius, pitch, flatness), onset=0.9, points=int(layer.points * (1.3 + 0.7 * (1 - flatness))), crowding=1.1,
                   clump=max(layer.clump, 0.6), children=int(layer.children * share), width=layer.width * share**-0.7)  # fmt: skip


# Bangs


def _front_density(scene: Scene) -> np.ndarray:
    points = base_head().vertices
    front = smoothstep(46, 34, np.abs(azimuth(points))) * smoothstep(8.42, 8.3, points[:, 1]) * smoothstep(0.5, 0.8, points[:, 2])
    return scalp_density(scene, 0.06) * front


def _fringe(scene: Scene) -> Layer:
    """Straight bangs, blunt or in wisps, more or less to one side."""
    sweep = 0.55 * scene.parting
    wispy = 0.5 + 0.5 * scene.hair_shade * np.sign(scene.hair_warmth)  # any two free numbers of the scene
    comb = constant(sweep, -0.55, 0.8)
    return Layer(_front_density(scene), 170, 1500, lambda p: np.full(len(p), 1.3 + 0.15 * abs(sweep)), comb, lift_at=0.22, stiffness=0.55,
                 hold_tip=0.25, gravity=0.9, height=(0.045, 0.10), ends=7.555, ragged=0.05 + 0.05 * wispy, clump=0.5 + 0.35 * wispy,
                 spread=0.2, steps=14, points=9)  # fmt: skip


def _curly_fringe(scene: Scene) -> Layer:
    return Layer(_front_density(scene), 120, 900, lambda p: np.full(len(p), 1.0), constant(0.1 * scene.parting, -0.5, 0.9), lift_at=0.4, stiffness=0.6,
                 hold_tip=0.2, gravity=0.7, height=(0.06, 0.16), ends=7.58, ragged=0.12, clump=0.8, width=0.018, steps=12, points=20, curl=_RINGLETS)  # fmt: skip
