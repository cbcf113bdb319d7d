"""Expressions: how smile, open mouth, brows and lids weigh the head's 52 face units."""

from __future__ import annotations

from styleT2I.data.portraits.scenes.scene import Scene

_SIDES = ("Left", "Right")
REST = {"mouthSmile": 0.16, "mouthDimple": 0.05, "eyeSquint": 0.04}
SMILE = {"mouthSmile": 1.1, "cheekSquint": 0.9, "eyeSquint": 0.3, "mouthDimple": 0.35, "mouthStretch": 0.15}
TOOTHY = {"mouthUpperUp": 0.55, "mouthLowerDown": 0.4, "jawOpen": 0.1}
OPEN = {"jawOpen": 0.26, "mouthLowerDown": 0.3, "mouthUpperUp": 0.22}


def expression_weights(scene: Scene) -> dict[str, float]:
    """Return {face unit: weight} of the scene's expression.

    A smile with a closed mouth is all in corners and cheeks; one with an open mouth also bares the teeth.
    """
    opening = scene.mouth_open if scene.is_mouth_open else 0.0
    weights: dict[str, float] = {}
    parts = (
        (REST, 1 - scene.smile),
        (SMILE, scene.smile),
        (TOOTHY, scene.smile * min(opening * 2, 1.0)),
        (OPEN, opening * (1 - 0.6 * scene.smile)),
        (_brows(scene), 1.0),
        (_lids(scene), 1.0),
    )
    for units, strength in parts:
        for name, weight in units.items():
            for unit in _units(name):
                weights[unit] = weights.get(unit, 0.0) + weight * strength
    return {name: weight for name, weight in weights.items() if weight}


def _units(name: str) -> tuple[str, ...]:
    return (name,) if name in ("jawOpen", "browInnerUp") else tuple(name + side for side in _SIDES)


def _brows(scene: Scene) -> dict[str, float]:
    up, arch = scene.brow_raise, scene.brow_arch
    return {
        "browInnerUp": 0.03 + 0.12 * max(up, 0),
        "browOuterUp": 0.1 + 0.25 * max(up, 0) + 0.2 * max(arch, 0),
        "browDown": 0.15 * max(-up, 0),
    }


def _lids(scene: Scene) -> dict[str, float]:
    return {"eyeWide": 0.35 * max(scene.eye_open, 0) + 0.05, "eyeBlink": 0.12 * max(-scene.eye_open, 0)}
