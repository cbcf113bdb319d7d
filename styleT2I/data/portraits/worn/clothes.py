"""Clothes of head-and-shoulders portraits: t-shirt, sweater, V-neck, shirt, suit, hoodie, and the necktie."""

from __future__ import annotations

import numpy as np

from styleT2I.data.portraits.tracing.colours import linear, smoothstep
from styleT2I.data.portraits.tracing.mesh import Mesh, grid_faces, make_mesh, tube
from styleT2I.data.portraits.worn.fitting import Fitting
from styleT2I.data.portraits.worn.garment import cloth
from styleT2I.data.portraits.worn.neck import neck_ring, on_neck

_CREW = {"front": 5.86, "back": 6.22}
_SHIRT = {"front": 6.07, "back": 6.36}


def clothes(fit: Fitting) -> list[Mesh]:
    """Return the scene's clothes."""
    build = {"tshirt": _tshirt, "sweater": _sweater, "vneck": _vneck, "shirt": _shirt, "suit": _suit, "hoodie": _hoodie}
    return build[fit.scene.clothes](fit) + (_necktie(fit) if fit.scene.necktie else [])


def _colours(fit: Fitting) -> tuple[np.ndarray, np.ndarray]:
    """Return the albedos of the main and of the second cloth; none is as bright as paper or as dark as a hole."""
    return tuple(0.025 + 0.72 * linear(c) for c in (fit.scene.clothes_colour, fit.scene.clothes_colour_2))


def _band(
    fit: Fitting, colour: np.ndarray, front: float, back: float, radius: float, clearance: float, depth: float = 0.0
) -> Mesh:
    """Return a sewn edge around the neck."""
    return tube(
        neck_ring(fit, 72, front, back, clearance, depth), radius, colour, "cloth", sides=7, closed=True, roughness=0.9
    )


def _tshirt(fit: Fitting) -> list[Mesh]:
    main, _ = _colours(fit)
    return [cloth(fit, main, **_CREW, thickness=0.035), _band(fit, main * 0.88, **_CREW, radius=0.030, clearance=0.022)]


def _sweater(fit: Fitting) -> list[Mesh]:
    """A thick one; half of them with a turtleneck."""
    main, _ = _colours(fit)
    if fit.stream("sweater").random() < 0.5:
        line = {"front": 6.10, "back": 6.44}
        folds = [
            _band(fit, main * light, line["front"] - low, line["back"] - low, 0.055, 0.05 + out)
            for low, out, light in ((0.0, 0.0, 1.0), (0.085, 0.012, 0.92), (0.17, 0.022, 0.97))
        ]
        return [cloth(fit, main, **line, thickness=0.05, loose=0.07), *folds]
    line = {"front": 5.92, "back": 6.26}
    return [
        cloth(fit, main, **line, thickness=0.06, loose=0.08),
        _band(fit, main * 0.92, **line, radius=0.058, clearance=0.04),
    ]


def _vneck(fit: Fitting) -> list[Mesh]:
    main, _ = _colours(fit)
    line = {"front": 5.88, "back": 6.20, "depth": 0.42}
    return [cloth(fit, main, **line, thickness=0.04), _band(fit, main * 0.85, **line, radius=0.026, clearance=0.03)]


def _shirt(fit: Fitting) -> list[Mesh]:
    """A shirt with a collar: buttoned below a tie, else open by a button or two."""
    main, second = _colours(fit)
    colour = second if fit.scene.necktie else main
    depth = 0.0 if fit.scene.necktie else 0.30
    return [cloth(fit, colour, **_SHIRT, depth=depth, thickness=0.035), *_collar(fit, colour, depth)]


def _collar(fit: Fitting, colour: np.ndarray, depth: float) -> list[Mesh]:
    """Return the two leaves of a turned-down collar: a strip that stands up along the neck and folds outwards."""
    gap = 0.12 if depth else 0.07
    angle = np.linspace(gap, 2 * np.pi - gap, 61)
    angle = np.where(angle > np.pi, angle - 2 * np.pi, angle)
    base = (
        _SHIRT["back"]
        + (_SHIRT["front"] - _SHIRT["back"]) * (0.5 + 0.5 * np.cos(angle))
        - 0.5 * depth * np.clip(1 - np.abs(angle) / 0.9, 0, 1)
    )
    tip = smoothstep(1.3, 0.15, np.abs(angle))
    rise = 0.15 - 0.05 * tip
    rows = [
        (0 * base, 0.02),
        (0.5 * rise, 0.04),
        (rise, 0.06),
        (rise + 0.015, 0.085),
        (0.7 * rise, 0.125),
        (-0.02 - 0.12 * tip, 0.15 + 0.02 * tip),
    ]
    points = np.stack(
        [
            on_neck(fit, angle * (1 + 0.25 * tip * k / 5), base + up, out * np.ones(len(base)))
            for k, (up, out) in enumerate(rows)
        ]
    )
    strip = make_mesh(points.reshape(-1, 3), grid_faces(len(rows), len(angle)), colour, "cloth", roughness=0.85)
    edge = tube(points[-1], 0.010, colour * 0.92, "cloth", sides=5, roughness=0.85)
    return [strip, edge]


def _suit(fit: Fitting) -> list[Mesh]:
    """A jacket with lapels over a shirt."""
    main, second = _colours(fit)
    depth = 0.0 if fit.scene.necktie else 0.22
    jacket = cloth(fit, main, front=5.55, back=6.14, depth=0.85, thickness=0.11, loose=0.09)
    return [
        cloth(fit, second, **_SHIRT, depth=depth, thickness=0.035),
        *_collar(fit, second, depth),
        jacket,
        _lapels(fit, main),
    ]


def _lapels(fit: Fitting, colour: np.ndarray) -> Mesh:
    """Return the folded-back edge of the jacket all around the neck, wider down the chest."""
    angle = np.linspace(0.03, 2 * np.pi - 0.03, 61)
    angle = np.where(angle > np.pi, angle - 2 * np.pi, angle)
    inner = 6.16 + (5.57 - 6.16) * (0.5 + 0.5 * np.cos(angle)) - 0.83 * np.clip(1 - np.abs(angle), 0, 1)
    wide = 0.13 + 0.10 * smoothstep(1.6, 0.6, np.abs(angle))
    rows = [(0.0, 0.125), (0.0, 0.165), (0.5, 0.175), (1.0, 0.16), (1.0, 0.12)]
    points = [
        on_neck(
            fit,
            angle * (1 + 0.45 * share * smoothstep(1.8, 0.3, np.abs(angle))),
            inner - share * wide * 0.55,
            out * np.ones(61),
        )
        for share, out in rows
    ]
    return make_mesh(
        np.stack(points).reshape(-1, 3), grid_faces(len(rows), 61)[:, ::-1], colour * 1.12, "cloth", roughness=0.8
    )


def _hoodie(fit: Fitting) -> list[Mesh]:
    """A hooded sweater: the hood lies in thick folds behind and beside the neck."""
    main, _ = _colours(fit)
    line = {"front": 5.84, "back": 6.22}
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    behind = 0.5 - 0.5 * np.cos(angle)
    folds = []
    for low, out, size in ((-0.02, 0.05, 0.05), (0.04, 0.14, 0.09)):
        ring = neck_ring(fit, 72, line["front"] - low, line["back"] + 0.10 - low, out)
        folds.append(
            tube(
                ring,
                size * (0.55 + 0.75 * behind),
                main * (0.9 if low < 0 else 1.0),
                "cloth",
                sides=9,
                closed=True,
                roughness=0.95,
            )
        )
    return [cloth(fit, main, **line, thickness=0.06, loose=0.09), *folds]


def _necktie(fit: Fitting) -> list[Mesh]:
    """Return knot and blade, down from the collar."""
    colour = 0.02 + 0.8 * linear(fit.scene.tie_colour)
    height = np.array([6.17, 6.14, 6.06, 5.97, 5.94, 5.88, 5.70, 5.46, 5.20])
    half = np.array([0.080, 0.110, 0.105, 0.080, 0.072, 0.090, 0.12, 0.15, 0.17])
    bulge = np.array([0.08, 0.14, 0.165, 0.15, 0.10, 0.12, 0.13, 0.13, 0.13])
    across = np.linspace(-1, 1, 7)
    middle = on_neck(fit, np.zeros(len(height)), height, bulge + 0.015)
    middle[:, 0] = middle[:, 0].mean()
    offset = np.stack(
        [half[:, None] * across, np.zeros((len(height), 7)), -0.045 * np.square(across) * np.ones((len(height), 1))], -1
    )
    stripe = 1 + 0.45 * (np.sin(46 * (middle[:, None, 1] + 0.8 * offset[..., 0])) > 0.55) * (
        fit.stream("tie").random() < 0.5
    )
    points = middle[:, None] + offset
    return [
        make_mesh(
            points.reshape(-1, 3),
            grid_faces(len(height), 7)[:, ::-1],
            np.clip(colour * stripe[..., None], 0, 0.8).reshape(-1, 3),
            "cloth",
            roughness=0.45,
        )
    ]
