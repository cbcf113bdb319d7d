"""A chunk of scenes being painted: where the face is, how large its parts are, and what they are coloured with."""

from __future__ import annotations

from torch import Tensor

from styleT2I.data.minifaces.canvas import Canvas, Rect, ellipse
from styleT2I.data.minifaces.palette import mix, scene_palette
from styleT2I.data.minifaces.scene import ATTRIBUTES, NUISANCES, Scenes

_SCALE, _DROP = 1.14, 0.04  # how large the head is in the frame, and how far below its middle
_SCALE_RANGE = 0.05  # of the nuisance
_SLACK = 0.08  # room that shift and lean may need around a part
_RAMP = 0.3  # an attribute fades in over logits -0.15..0.15, a gap that no scene falls into


class Portrait:
    """The canvas and face coordinates that the painters of the single parts share.

    Numbers of a scene are tensors [N, 1, 1], its colours [N, 3, 1, 1]. Face coordinates have their origin between the
    eyes and the nose, x to the right, y down; the head reaches about 0.4 to the sides and 0.5 up and down.
    """

    def __init__(self, scenes: Scenes, canvas: Canvas):
        self.canvas = canvas
        self.nuisance = {name: scenes.nuisances[:, k].view(-1, 1, 1) for k, name in enumerate(NUISANCES)}
        logits = {name: scenes.logits[:, k].view(-1, 1, 1) for k, name in enumerate(ATTRIBUTES)}
        self.on = {name: (0.5 + v / _RAMP).clamp(0, 1) for name, v in logits.items()}  # 0 absent, 1 present
        self.much = {name: 0.8 + 0.2 * v.clamp(0, 1) for name, v in logits.items()}  # how pronounced, once present
        self.colours = scene_palette(self.nuisance, self.on)
        self._place_head()

    def _place_head(self) -> None:
        nuisance, he = self.nuisance, self.on["he"]
        scale = _SCALE + _SCALE_RANGE * nuisance["scale"]
        x = self.canvas.grid_x - 0.03 * nuisance["shift_x"]  # [N, size, size]
        y = self.canvas.grid_y - 0.03 * nuisance["shift_y"] - _DROP
        roll = 0.05 * nuisance["roll"]
        self.x = (x + roll * y) / scale  # small angles: the frame leans instead of turning
        self.y = (y - roll * x) / scale
        self.face_w = mix(0.375, 0.405, he) + 0.025 * nuisance["face_width"]
        self.face_h = 0.50 + 0.025 * nuisance["face_height"]
        self.jaw = mix(0.0, 0.7, he) + 0.25 * nuisance["jaw"]  # 0 pointed, 1 square
        self.turn, self.tilt = 0.05 * nuisance["yaw"], 0.03 * nuisance["pitch"]
        self.eye_y = -0.06 + 0.02 * nuisance["eye_height"] + self.tilt
        self.eye_dx = 0.165 + 0.012 * nuisance["eye_spacing"]
        self.mouth_y = 0.285 + 0.02 * nuisance["mouth_height"] + self.tilt

    def part(self, x0: float, x1: float, y0: float, y1: float) -> tuple[Tensor, Tensor, Rect]:
        """Face coordinates x and y [N, h, w] in a window given in them, and the window; wide enough for every pose."""
        near, far = _SCALE - _SCALE_RANGE, _SCALE + _SCALE_RANGE
        left, top = (min(near * v, far * v) - _SLACK for v in (x0, y0))
        right, bottom = (max(near * v, far * v) + _SLACK for v in (x1, y1))
        rect = self.canvas.window(left, right, top + _DROP, bottom + _DROP)
        return self.x[:, rect[0], rect[1]], self.y[:, rect[0], rect[1]], rect

    def side_part(self, side: int, x0: float, x1: float, y0: float, y1: float) -> tuple[Tensor, Tensor, Rect]:
        """`part` on the right (side 1) or its mirror image on the left (side -1)."""
        return self.part(x0, x1, y0, y1) if side > 0 else self.part(-x1, -x0, y0, y1)

    def fill(
        self,
        distance: Tensor,
        colour: Tensor,
        region: str | None,
        rect: Rect | None = None,
        opacity: Tensor | float = 1.0,
        softness: float = 1.0,
    ) -> None:
        """Paint the inside of a signed distance [N, h, w] over a window (None: the whole canvas)."""
        self.canvas.paint(self.canvas.coverage(distance, softness) * opacity, colour, region, rect)

    def chin_narrowing(self, low: Tensor) -> Tensor:
        """Width of the head as a fraction of its widest, `low` being 0 at the middle and 1 at the chin."""
        return 1 - (0.20 - 0.16 * self.jaw) * low * low

    def face_distance(self, x: Tensor, y: Tensor) -> Tensor:
        """The head: an ellipse whose lower half narrows to a chin (she) or stays square (he)."""
        narrowing = self.chin_narrowing(y.clamp_min(0) / self.face_h)
        return ellipse(x / narrowing, y, self.face_w, self.face_h)
