"""Hats: beanie, cap and brimmed hat, shaped around the base head, and the hair that they press down.

A hat is laid out in rows around the skull. Each row has a height above the band and a factor on the radius that the
skull, a little padded, has at the band; `hat_space` tilts it all, so that the band runs from above the brows to the
nape.
"""

from __future__ import annotations

import numpy as np

from styleT2I.data.portraits.scenes.scene import Scene
from styleT2I.data.portraits.tracing.colours import linear
from styleT2I.data.portraits.tracing.mesh import Mesh, grid_faces, make_mesh, sphere, tube
from styleT2I.data.portraits.worn.fitting import Fitting

_CENTRE = np.array([0.0, 7.68, 0.545])  # of the band, on the base head
_TILT = np.radians(9.0)  # the band's front is higher than its back
_HALF_X, _HALF_Z = 0.80, 1.02  # of the band's ellipse, dm
_CROWN = 0.90  # height of the padded skull's top above the band's centre
_SIDES = 60


def hat(fit: Fitting) -> list[Mesh]:
    """Return the scene's hat."""
    build = {"none": lambda _: [], "beanie": _beanie, "cap": _cap, "brimmed": _brimmed}[fit.scene.hat]
    return build(fit)


def hat_space(points: np.ndarray) -> np.ndarray:
    """Return points [..., 3] (right-angled to the band, its centre 0) in the base head's space."""
    c, s = np.cos(_TILT), np.sin(_TILT)
    x, y, z = np.moveaxis(points, -1, 0)
    return np.stack([x, c * y + s * z, c * z - s * y], -1) + _CENTRE


def _to_hat_space(points: np.ndarray) -> np.ndarray:
    c, s = np.cos(_TILT), np.sin(_TILT)
    x, y, z = np.moveaxis(points - _CENTRE, -1, 0)
    return np.stack([x, c * y - s * z, c * z + s * y], -1)


def _rows(fit: Fitting, rows: np.ndarray, ripple: np.ndarray | float = 0.0, squareness: float = 2.3) -> np.ndarray:
    """Return the person's vertices [R * _SIDES, 3] of rows (radius factor, height) [R, 2]; `ripple` [_SIDES] in dm."""
    angle = np.linspace(0, 2 * np.pi, _SIDES, endpoint=False)
    s, c = np.sin(angle), np.cos(angle)
    ring = np.stack(
        [np.sign(s) * np.abs(s) ** (2 / squareness) * _HALF_X, np.sign(c) * np.abs(c) ** (2 / squareness) * _HALF_Z], -1
    )
    factor = rows[:, None, :1] + (ripple / _HALF_X * np.ones(_SIDES))[None, :, None] * np.minimum(
        1, 2 * rows[:, None, :1]
    )
    flat = factor * ring
    points = np.stack([flat[..., 0], np.broadcast_to(rows[:, 1:], flat.shape[:2]), flat[..., 1]], -1)
    return fit.warp.smooth(hat_space(points)).reshape(-1, 3)


def _shell(fit: Fitting, rows, colour: np.ndarray, roughness: float, ripple: np.ndarray | float = 0.0) -> Mesh:
    rows = np.asarray(rows, float)
    vertices = _rows(fit, rows, ripple)
    shade = np.broadcast_to(colour, (len(rows), _SIDES, 3)).reshape(-1, 3)
    return make_mesh(vertices, grid_faces(len(rows), _SIDES, closed=True), shade, "hat", roughness=roughness)


def _dome(height: float, steps: int, power: float = 2.25, start: float = 0.0) -> np.ndarray:
    """Return rows of a dome over the band, from its rim up to its top."""
    t = np.linspace(start, 1, steps) * np.pi / 2
    return np.stack([np.cos(t) ** (2 / power), height * np.sin(t) ** (2 / power)], -1)


def _beanie(fit: Fitting) -> list[Mesh]:
    """A knitted cap with a folded cuff."""
    rng = fit.stream("hat")
    colour = linear(fit.scene.hat_colour)
    angle = np.linspace(0, 2 * np.pi, _SIDES, endpoint=False)
    rib = 0.5 + 0.5 * np.cos(angle * _SIDES / 4)
    knit = colour * (0.80 + 0.28 * rib)[:, None]
    slack = 0.06 + 0.10 * rng.random()
    crown = _dome(_CROWN + slack, 15) * [1.03, 1] + [0, 0.02]
    cuff = [(1.02, -0.02), (1.085, -0.05), (1.12, -0.02), (1.135, 0.10), (1.125, 0.22), (1.09, 0.28), (1.03, 0.27)]
    return [_shell(fit, crown, knit, 0.9, 0.012 * rib), _shell(fit, cuff, knit * 0.96, 0.9, 0.016 * rib)]


def _cap(fit: Fitting) -> list[Mesh]:
    """A baseball cap: six panels, a button, and a visor over the brows."""
    colour = linear(fit.scene.hat_colour)
    angle = np.linspace(0, 2 * np.pi, _SIDES, endpoint=False)
    seam = 1 - 0.30 * np.exp(-np.square(np.remainder(angle + 0.01, np.pi / 3) / 0.06))
    crown = np.concatenate(
        [[(1.035, -0.035), (1.05, -0.03), (1.055, 0.0)], _dome(_CROWN + 0.03, 15, 2.4, 0.08) * [1.055, 1]]
    )
    top = fit.warp.smooth(hat_space(np.array([[0, _CROWN + 0.03, 0]])))[0]
    button = sphere(top, (0.05, 0.025, 0.05), colour, "hat", rings=6, sides=10, roughness=0.8)
    visor = linear(fit.scene.clothes_colour_2) * 0.8 if fit.stream("hat").random() < 0.25 else colour
    return [_shell(fit, crown, colour * seam[:, None], 0.8), button, *_visor(fit, visor)]


def _visor(fit: Fitting, colour: np.ndarray) -> list[Mesh]:
    across, along = np.linspace(-1, 1, 25), np.linspace(0, 1, 7)
    angle = across * np.radians(66)
    length = 0.62 * np.sqrt(np.maximum(1 - np.abs(across) ** 2.6, 0))
    rim = np.stack([np.sin(angle) * _HALF_X * 1.05, np.cos(angle) * _HALF_Z * 1.05], -1)
    x = rim[:, 0] * (1 + 0.06 * along[:, None])
    z = rim[:, 1] + length * along[:, None]
    y = -0.02 - 0.20 * np.square(x / 0.75) + 0.05 * along[:, None] - 0.14 * np.square(along[:, None])
    sheets = []
    for drop, light, faces in ((0.0, 1.0, grid_faces(7, 25)[:, ::-1]), (-0.028, 0.7, grid_faces(7, 25))):
        points = fit.warp.smooth(hat_space(np.stack([x, y + drop, z], -1)))
        sheets.append(make_mesh(points.reshape(-1, 3), faces, colour * light, "hat", roughness=0.75))
    edge = fit.warp.smooth(hat_space(np.stack([x[-1], y[-1] - 0.014, z[-1]], -1)))
    return [*sheets, tube(edge, 0.018, colour * 0.9, "hat", sides=6, roughness=0.75)]


def _brimmed(fit: Fitting) -> list[Mesh]:
    """A felt hat with a ribbon and a brim all around."""
    rng = fit.stream("hat")
    colour = linear(fit.scene.hat_colour)
    height, reach = _CROWN + 0.10 + 0.15 * rng.random(), 0.46 + 0.16 * rng.random()
    pinch = height * 0.90
    crown = [
        (1.06, -0.02),
        (1.06, 0.10),
        (1.03, 0.35 * height),
        (0.98, 0.62 * height),
        (0.93, 0.82 * height),
        (0.87, 0.94 * height),
        (0.76, height),
        (0.60, height * 0.99),
        (0.35, 0.96 * height),
        (0.0, pinch),
    ]
    ribbon = [(1.075, 0.0), (1.085, 0.02), (1.065, 0.20), (1.045, 0.22)]
    dark = colour * 0.25 if colour.mean() > 0.12 else colour * 2.5 + 0.05
    share = np.linspace(0, 1, 8)
    brim = np.stack([1.04 + reach * share, -0.02 - 0.03 * np.sin(np.pi * share) + 0.06 * share**2], -1)
    around = np.concatenate([brim - [0, 0.03], brim[::-1]])  # below from the band outwards, above back to it
    return [_shell(fit, crown, colour, 0.85), _shell(fit, ribbon, dark, 0.6), _shell(fit, around, colour * 0.95, 0.85)]


# Hair below a hat


def shows_below_hat(scene: Scene, roots: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Return which strands may come out below the scene's hat: roots [N, 3] on the base head, lengths [N] in dm."""
    if scene.hat == "none":
        return np.ones(len(roots), bool)
    return _to_hat_space(roots)[:, 1] < 0.8 * length


def press_hair(scene: Scene, points: np.ndarray, room: float = 0.0) -> np.ndarray:
    """Return points [..., 3] of strands on the base head, pulled inside the scene's hat where they would be in it.

    Above the band hair lies inside the dome, `room` dm more for what is curled later; below it the hair may stand off
    the more the farther it is from the band.
    """
    if scene.hat == "none":
        return points
    at = _to_hat_space(points)
    across = np.hypot(at[..., 0] / _HALF_X, at[..., 2] / _HALF_Z)
    height = at[..., 1]
    above = np.sqrt(np.clip(1 - np.square(np.clip(height / (_CROWN - 0.03), 0, 1)), 0, 1))
    allowed = np.where(
        height > 0, (0.955 - 1.6 * room) * above, 0.955 - 1.6 * room + 0.9 * np.clip(-height - 0.03, 0, 1)
    )
    shrink = np.minimum(1, allowed / np.maximum(across, 1e-6))
    at = at.copy()
    at[..., 0] *= shrink
    at[..., 2] *= shrink
    at[..., 1] = np.minimum(at[..., 1], _CROWN - 0.04)
    return hat_space(at)
