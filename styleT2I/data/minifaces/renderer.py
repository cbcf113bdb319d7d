"""Paints MiniFaces scenes: cartoon portraits of any size, anti-aliased, with the visible region of every part."""

from __future__ import annotations

import torch
from torch import Tensor

from .canvas import Canvas, arc, box, ellipse, segment
from .scene import ATTRIBUTES, NUISANCES, Scenes

REGIONS = ("hair", "skin", "eyes", "glasses", "mouth", "beard", "ears", "earrings", "hat", "background")
_CHUNK = 32  # images painted at once: small enough for the caches
_SCALE, _DROP = 1.14, 0.04  # how large the head is in the frame, and how far below its middle
_RAMP = 0.3  # an attribute fades in over logits -0.15..0.15, a gap that no scene falls into

_SKIN_PALE, _SKIN_DARK = (0.97, 0.82, 0.72), (0.41, 0.27, 0.21)
_HAIR = ((0.10, 0.09, 0.11), (0.50, 0.26, 0.12), (0.97, 0.80, 0.36), (0.74, 0.75, 0.79))
_LIPSTICK = ((0.80, 0.04, 0.12), (0.86, 0.05, 0.40))
_EARRING = ((0.98, 0.78, 0.12), (0.20, 0.80, 0.82))
_INK = (0.10, 0.08, 0.10)


def render(scenes: Scenes, size: int = 64, with_masks: bool = False) -> tuple[Tensor, Tensor | None]:
    """Paints scenes; returns (image [N, 3, size, size] float in [-1, 1], masks bool [N, 10, size, size] over REGIONS or None)."""
    images, masks = [], []
    for start in range(0, len(scenes), _CHUNK):
        painter = _Painter(scenes[start : start + _CHUNK], size, with_masks)
        painter.paint()
        images.append(painter.canvas.rgb.clamp(0, 1) * 2 - 1)
        if with_masks:
            masks.append(painter.canvas.masks())
    return torch.cat(images), torch.cat(masks) if with_masks else None


def _rgb(colour: tuple[float, float, float]) -> Tensor:
    return torch.tensor(colour).view(1, 3, 1, 1)


def _mix(a: Tensor | float, b: Tensor | float, t: Tensor) -> Tensor:
    return a + (b - a) * t


class _Painter:
    """One chunk of scenes being painted; every per-scene number is a tensor [N, 1, 1], every colour [N, 3, 1, 1]."""

    def __init__(self, scenes: Scenes, size: int, with_masks: bool):
        self.canvas = Canvas(len(scenes), size, REGIONS if with_masks else ())
        self.n = {name: scenes.nuisances[:, k].view(-1, 1, 1) for k, name in enumerate(NUISANCES)}
        logits = {name: scenes.logits[:, k].view(-1, 1, 1) for k, name in enumerate(ATTRIBUTES)}
        self.on = {name: (0.5 + v / _RAMP).clamp(0, 1) for name, v in logits.items()}  # 0 absent, 1 present
        self.much = {name: 0.8 + 0.2 * v.clamp(0, 1) for name, v in logits.items()}  # how pronounced, once present
        self._geometry()
        self._colours()

    def _geometry(self) -> None:
        n, on = self.n, self.on
        scale = _SCALE + 0.05 * n["scale"]
        x = self.canvas.grid_x - 0.03 * n["shift_x"]
        y = self.canvas.grid_y - 0.03 * n["shift_y"] - _DROP
        roll = 0.05 * n["roll"]
        self.x = (x + roll * y) / scale  # small angles: the frame leans instead of turning
        self.y = (y - roll * x) / scale
        self.face_w = _mix(0.375, 0.405, on["he"]) + 0.025 * n["face_width"]
        self.face_h = 0.50 + 0.025 * n["face_height"]
        self.jaw = _mix(0.0, 0.7, on["he"]) + 0.25 * n["jaw"]
        self.turn, self.tilt = 0.05 * n["yaw"], 0.03 * n["pitch"]
        self.eye_y = -0.06 + 0.02 * n["eye_height"] + self.tilt
        self.eye_dx = 0.165 + 0.012 * n["eye_spacing"]
        self.mouth_y = 0.285 + 0.02 * n["mouth_height"] + self.tilt

    def _colours(self) -> None:
        n, on = self.n, self.on
        c = {name: v.unsqueeze(1) for name, v in n.items()}  # [N, 1, 1, 1], to mix colours with
        dark = on["dark_skin"].unsqueeze(1)
        self.skin = _mix(_rgb(_SKIN_PALE), _rgb(_SKIN_DARK), dark)
        self.skin = (
            self.skin + 0.045 * c["skin_shade"] + torch.tensor([0.03, 0.0, -0.04]).view(1, 3, 1, 1) * c["skin_warmth"]
        )
        weights = torch.cat([on[k].unsqueeze(1) for k in ATTRIBUTES[10:]], dim=1)  # [N, 4, 1, 1]
        weights = weights / weights.sum(dim=1, keepdim=True).clamp_min(1e-3)
        self.hair = torch.einsum("nkhw,kc->nchw", weights, torch.tensor(_HAIR)) * (1 + 0.10 * c["hair_shade"])
        old = on["old"].unsqueeze(1)
        self.brow = _mix(self.hair * 0.62, torch.tensor(0.80) + 0.0 * self.hair, 0.85 * old)
        self.beard_colour = self.hair * 0.88
        self.crease = self.skin * _mix(torch.tensor(0.45), torch.tensor(0.40), dark)
        self.background = _opponent(0.56 + 0.14 * c["background_l"], 0.16 * c["background_a"], 0.16 * c["background_b"])
        self.clothes = _opponent(0.44 + 0.14 * c["clothes_l"], 0.24 * c["clothes_a"], 0.24 * c["clothes_b"])
        self.hat = _opponent(0.48 + 0.0 * c["hat_a"], 0.28 * c["hat_a"], 0.28 * c["hat_b"])
        self.light = tuple(0.45 * n[k] for k in ("light_x", "light_y"))

    def paint(self) -> None:
        self._background()
        self._hair_behind()
        self._body()
        self._ears()
        self._head()
        self._eyes()
        self._nose()
        self._beard()
        self._wrinkles()
        self._mouth()
        self._hair_front()
        self._brows()
        self._glasses()
        self._hat()
        self._earrings()

    # -- helpers -------------------------------------------------------------------------------------------------------------

    def _part(self, x0: float, x1: float, y0: float, y1: float) -> tuple[Tensor, Tensor, tuple[slice, slice]]:
        """Face coordinates inside a window given in them, and the window itself; wide enough for every pose."""
        near, far, slack, drop = _SCALE - 0.05, _SCALE + 0.05, 0.08, _DROP
        low, high = (
            (min(near * v, far * v) - slack for v in (x0, y0)),
            (max(near * v, far * v) + slack for v in (x1, y1)),
        )
        (left, top), (right, bottom) = low, high
        rect = self.canvas.window(left, right, top + drop, bottom + drop)
        return self.x[:, rect[0], rect[1]], self.y[:, rect[0], rect[1]], rect

    def _fill(
        self,
        distance: Tensor,
        colour: Tensor,
        region: str | None,
        rect=None,
        opacity: Tensor | float = 1.0,
        softness=1.0,
    ) -> Tensor:
        alpha = self.canvas.coverage(distance, softness) * opacity
        self.canvas.paint(alpha, colour, region, rect)
        return alpha

    def _face_distance(self, x: Tensor, y: Tensor) -> Tensor:
        """The head: an ellipse whose lower half narrows to a chin (she) or stays square (he)."""
        low = y.clamp_min(0) / self.face_h
        narrowing = 1 - (0.20 - 0.16 * self.jaw) * low * low
        return ellipse(x / narrowing, y, self.face_w, self.face_h)

    # -- back to front -------------------------------------------------------------------------------------------------------

    def _background(self) -> None:
        n = self.n
        gx, gy = self.canvas.grid_x, self.canvas.grid_y
        fade = 1 - 0.16 * (gx * gx + gy * gy) - 0.10 * n["background_gradient"] * gy
        ones = torch.ones_like(self.x)
        self.canvas.paint(ones, self.background * fade.unsqueeze(1), "background")

    def _hair_shade(self, x: Tensor, y: Tensor) -> Tensor:
        """Strands and a sheen over the hair colour, [N, 3, h, w]."""
        strands = 0.05 * torch.sin(34 * x + 5 * y * x.sign())
        sheen = 0.20 * torch.exp(-((y + 0.40 - 0.5 * x * x) / 0.09).square())
        depth = -0.14 * (x.abs() * 1.6).clamp_max(1)
        return self.hair * (1 + strands + sheen + depth).unsqueeze(1) + 0.05 * sheen.unsqueeze(1)

    def _hair_behind(self) -> None:
        n, he = self.n, self.on["he"]
        x, y = self.x, self.y
        width = self.face_w + _mix(0.125, 0.02, he) + 0.02 * n["hair_volume"]
        bottom = _mix(0.52, 0.02, he) + 0.09 * n["hair_length"] * (1 - he)
        crown = ellipse(x, y + 0.12, width, 0.50 + 0.02 * n["hair_volume"])
        middle = (bottom - 0.15) / 2
        flare = 1 + 0.10 * (y / 0.5).clamp(0, 1) * (1 - he)
        locks = box(x / flare, y - middle, width, (bottom + 0.15) / 2, 0.16)
        shade = self._hair_shade(x, y) * (1 - 0.22 * (y + 0.1).clamp(0, 1)).unsqueeze(1)
        self._fill(torch.minimum(crown, locks), shade * 0.88, "hair")

    def _body(self) -> None:
        n, he = self.n, self.on["he"]
        x, y, rect = self._part(-1, 1, 0.3, 1)
        shoulders = ellipse(x, y - 1.06, _mix(0.72, 0.84, he), 0.43)
        self._fill(shoulders, self.clothes * (1.05 - 0.25 * (y - 0.7)).unsqueeze(1), "clothes", rect)
        neck_w = _mix(0.125, 0.175, he) + 0.015 * n["neck"]
        neck = box(x, y - 0.55, neck_w, 0.26, 0.06)
        self._fill(neck, self.skin * (0.84 - 0.10 * (0.6 - y).clamp(0, 0.3) * 2).unsqueeze(1), "skin", rect)
        opening = ellipse(x, y - 0.74, neck_w + 0.05, 0.09 + 0.03 * n["collar"])
        self._fill(opening, self.skin * 0.88, "skin", rect)

    def _ears(self) -> None:
        for side in (-1, 1):
            x, y, rect = self._part(-0.62, 0.62, -0.3, 0.3)
            dx, dy = x - side * (self.face_w + 0.015), y - 0.02
            size = 1 + 0.12 * self.n["ears"]
            self._fill(ellipse(dx, dy, 0.065 * size, 0.115 * size), self.skin * 0.90, "ears", rect)
            self._fill(ellipse(dx, dy, 0.030 * size, 0.065 * size), self.skin * 0.74, "ears", rect)

    def _head(self) -> None:
        x, y, rect = self._part(-0.62, 0.62, -0.7, 0.7)
        u, v = x / (self.face_w * 1.15), y / (self.face_h * 1.15)
        round_ = torch.sqrt((1 - u * u - v * v).clamp_min(0.02))
        shade = (
            0.80
            + 0.22 * round_
            + (0.13 + 0.05 * self.n["light_strength"]) * (u * self.light[0] * 2 + v * self.light[1] * 2)
        )
        self._fill(self._face_distance(x, y), self.skin * shade.unsqueeze(1), "skin", rect)
        blush = torch.tensor([0.92, 0.42, 0.40]).view(1, 3, 1, 1) * (0.35 + 0.65 * self.skin)
        for side in (-1, 1):
            glow = torch.exp(-(((x - side * 0.22 - self.turn) / 0.10).square() + ((y - 0.14) / 0.07).square()))
            self.canvas.paint(glow * (0.16 + 0.14 * self.n["blush"]), blush, None, rect)

    def _wrinkles(self) -> None:
        """Old age: folds beside the nose, hollow cheeks, bags, crow's feet, lines on forehead and neck; no part hides them all."""
        old = self.on["old"] * self.much["old"]
        x, y, rect = self._part(-0.5, 0.5, -0.55, 0.6)
        fx, fy = x - self.turn, y - self.tilt
        lines = []
        for k in (0, 1):
            lines.append(arc(fx, fy + 0.235 + 0.075 * k, 0.20 - 0.03 * k, 0.018, 0.013))
        for side in (-1, 1):
            sx = side * fx
            lines.append(segment(sx, fy, 0.105, 0.115, 0.225, 0.30, 0.021))  # nasolabial fold
            lines.append(segment(sx, fy, 0.275, 0.13, 0.285, 0.33, 0.016))  # hollow of the cheek
            lines.append(arc(sx - self.eye_dx, fy - self.eye_y + self.tilt - 0.105, 0.085, -0.035, 0.015))  # bag
            for dy in (-0.045, 0.0, 0.045):
                lines.append(segment(sx, fy - self.eye_y + self.tilt, 0.275, 0.5 * dy, 0.335, 1.4 * dy, 0.009))
        distance = lines[0]
        for line in lines[1:]:
            distance = torch.minimum(distance, line)
        inside = self.canvas.coverage(self._face_distance(x, y) + 0.02)
        self.canvas.paint(self.canvas.coverage(distance, 1.2) * inside * old * 0.85, self.crease, "skin", rect)
        x, y, rect = self._part(-0.3, 0.3, 0.5, 0.8)
        neck = torch.minimum(arc(x, y - 0.60, 0.12, 0.02, 0.014), arc(x, y - 0.685, 0.12, 0.02, 0.014))
        self.canvas.paint(self.canvas.coverage(neck, 1.2) * old * 0.85, self.crease, "skin", rect)

    def _eyes(self) -> None:
        n, he = self.n, self.on["he"]
        iris = _mix(torch.tensor([0.30, 0.18, 0.10]).view(1, 3, 1, 1), torch.tensor([0.22, 0.58, 0.66]).view(1, 3, 1, 1),
                    0.5 + 0.5 * n["iris"].unsqueeze(1))  # fmt: skip
        size = 1 + 0.09 * n["eye_size"]
        for side in (-1, 1):
            x, y, rect = self._part(*((-0.42, 0.02) if side < 0 else (-0.02, 0.42)), -0.26, 0.12)
            dx, dy = x - side * self.eye_dx - self.turn, y - self.eye_y
            white = ellipse(dx, dy, 0.088 * size, _mix(0.056, 0.046, he) * size)
            self._fill(white, _rgb((0.98, 0.98, 0.98)), "eyes", rect)
            inside = self.canvas.coverage(white)
            gx = dx - 0.018 * n["gaze"]
            self.canvas.paint(
                self.canvas.coverage(ellipse(gx, dy, 0.050 * size, 0.052 * size)) * inside, iris, "eyes", rect
            )
            self.canvas.paint(
                self.canvas.coverage(ellipse(gx, dy, 0.024 * size, 0.026 * size)) * inside, _rgb(_INK), "eyes", rect
            )
            self._fill(ellipse(gx + 0.018, dy + 0.02, 0.013, 0.013), _rgb((1.0, 1.0, 1.0)), "eyes", rect)
            lid = arc(dx, dy + 0.052 * size, 0.098 * size, 0.034, _mix(0.023, 0.012, he))
            self._fill(lid, _rgb(_INK), "eyes", rect)
            for k in (0, 1):  # lashes: she
                lash = segment(side * dx, dy, 0.075, -0.03 - 0.012 * k, 0.128, -0.045 - 0.04 * k, 0.011)
                self._fill(lash, _rgb(_INK), "eyes", rect, 1 - he)

    def _brows(self) -> None:
        n, he = self.n, self.on["he"]
        for side in (-1, 1):
            x, y, rect = self._part(*((-0.42, 0.04) if side < 0 else (-0.04, 0.42)), -0.36, -0.06)
            dx = side * (x - side * self.eye_dx - self.turn)
            dy = y - self.eye_y + _mix(0.140, 0.118, he) + (0.10 * n["brow_angle"]) * dx
            thick = _mix(0.014, 0.030, he) + 0.004 * n["brow_thickness"]
            self._fill(arc(dx, dy, 0.115, 0.030, thick), self.brow, "skin", rect)

    def _nose(self) -> None:
        n = self.n
        x, y, rect = self._part(-0.22, 0.22, -0.1, 0.26)
        dx, dy = x - 1.35 * self.turn, y - self.tilt
        tip = 0.115 + 0.02 * n["nose_length"]
        wide = 0.052 + 0.010 * n["nose_width"]
        bridge = segment(dx, dy, 0.012, -0.03, wide, tip - 0.02, 0.010)
        self._fill(bridge, self.skin * 0.74, "skin", rect, 0.55, 1.6)
        self._fill(arc(dx, dy - tip, wide, -0.022, 0.014), self.skin * 0.56, "skin", rect, 0.9)
        self._fill(ellipse(dx + 0.012, dy - tip + 0.045, 0.016, 0.020), self.skin * 1.14, "skin", rect, 0.6, 1.5)

    def _beard(self) -> None:
        beard = self.on["beard"]
        x, y, rect = self._part(-0.55, 0.55, 0.0, 0.75)
        length = 0.05 + 0.03 * self.n["beard_length"] + 0.04 * (self.much["beard"] - 0.8)
        low = (y.clamp_min(0) / self.face_h).clamp_max(1.2)
        narrowing = 1 - (0.20 - 0.16 * self.jaw) * low * low
        outer = ellipse(x / narrowing, y - 0.05, self.face_w + 0.012, self.face_h + length - 0.05)
        cheek = ellipse(x - 0.5 * self.turn, y - 0.02, self.face_w * 0.80, 0.22)  # cheeks stay bare
        distance = torch.maximum(torch.maximum(outer, -cheek), 0.10 - y)
        shade = 1 + 0.07 * torch.sin(46 * x) - 0.15 * (y - 0.35)
        self._fill(distance, self.beard_colour * shade.unsqueeze(1), "beard", rect, beard)
        moustache = arc(x - self.turn, y - self.mouth_y + 0.088, 0.165, 0.045, 0.034)
        self._fill(moustache, self.beard_colour * 0.94, "beard", rect, beard)

    def _mouth(self) -> None:
        n, on = self.n, self.on
        smile, paint = on["smiling"] * self.much["smiling"], on["lipstick"]
        x, y, rect = self._part(-0.36, 0.36, 0.1, 0.52)
        half = 0.118 + 0.055 * smile + 0.012 * n["mouth_width"]
        dx, dy = x - 1.1 * self.turn, y - self.mouth_y
        t = (dx / half).clamp(-1.05, 1.05)
        bow = (1 - t * t).clamp_min(0)
        centre = 0.012 - (0.100 * smile - 0.012) * t * t + 0.03 * smile
        gap = (0.042 + 0.010 * n["mouth_open"]) * smile * bow
        full = _mix(_mix(0.026, 0.018, on["he"]), 0.050 * self.much["lipstick"], paint) + 0.004 * n["lip_fullness"]
        lip = torch.maximum(dx.abs() - half, (dy - centre).abs() - gap - full * (0.25 + 0.75 * bow.sqrt()))
        rose = _mix(_rgb(_LIPSTICK[0]), _rgb(_LIPSTICK[1]), 0.5 + 0.5 * n["lipstick_hue"].unsqueeze(1))
        bare = self.skin * torch.tensor([0.86, 0.66, 0.64]).view(1, 3, 1, 1)
        self._fill(lip, _mix(bare, rose, paint.unsqueeze(1)), "mouth", rect)
        inner = torch.maximum(dx.abs() - half * 0.96, (dy - centre).abs() - gap)
        opened = self.canvas.coverage(inner) * (smile > 0)
        self.canvas.paint(opened * smile.clamp(0, 1).sqrt(), _rgb((0.99, 0.98, 0.96)), "mouth", rect)
        line = torch.maximum(dx.abs() - half * 0.95, (dy - centre).abs() - 0.009)
        self._fill(
            line, self.skin * torch.tensor([0.42, 0.26, 0.26]).view(1, 3, 1, 1), "mouth", rect, (1 - smile).clamp(0, 1)
        )

    def _hair_front(self) -> None:
        n, he = self.n, self.on["he"]
        x, y, rect = self._part(-0.7, 0.7, -0.8, 0.3)
        volume = 0.02 * n["hair_volume"]
        cap = ellipse(x, y + 0.13, self.face_w + _mix(0.105, 0.045, he) + volume, 0.475 + volume)
        part = 0.14 * n["parting"]
        receding = 0.05 * self.on["old"]
        top = -0.345 - receding - 0.5 * self.tilt
        forehead = ellipse(x - 0.3 * part, y - 0.16, self.face_w * _mix(0.90, 0.97, he), 0.16 - top)
        fringe_end = self.eye_y - 0.155 + 0.012 * torch.sin(30 * x + 8 * part)
        bangs = self.on["bangs"]
        bare = torch.maximum(
            forehead, -(y - fringe_end) * bangs - (1 - bangs)
        )  # what stays free of hair: all of it, or below the fringe
        sideburn = _mix(0.30, -0.02, he)
        distance = torch.maximum(torch.maximum(cap, -bare), y - sideburn)
        self._fill(distance, self._hair_shade(x, y), "hair", rect)
        strand = (fringe_end - y).abs() - 0.012
        edge = torch.maximum(torch.maximum(strand, forehead), cap)
        self._fill(edge, self.hair * 0.62, "hair", rect, bangs * 0.8, 1.3)

    def _glasses(self) -> None:
        on, n = self.on["eyeglasses"], self.n
        x, y, rect = self._part(-0.55, 0.55, -0.28, 0.16)
        frame = _mix(torch.tensor([0.06, 0.06, 0.08]).view(1, 3, 1, 1), torch.tensor([0.42, 0.10, 0.10]).view(1, 3, 1, 1),
                     0.5 + 0.5 * n["glasses_shade"].unsqueeze(1))  # fmt: skip
        dx, dy = x - self.turn, y - self.eye_y - 0.01
        thick = 0.015 + 0.006 * self.much["eyeglasses"]
        radius = 0.075 + 0.035 * n["glasses_shape"]
        lens = box(dx.abs() - self.eye_dx - 0.005, dy, 0.135, 0.112, radius)
        self._fill(lens, _rgb((0.90, 0.96, 1.0)), None, rect, 0.16 * on)
        bridge = box(dx, dy + 0.03, 0.045, thick, 0.01)
        arms = torch.maximum(box(dx.abs() - 0.36, dy + 0.035, 0.065, thick, 0.01), dx.abs() - self.face_w - 0.02)
        self._fill(torch.minimum(torch.minimum(lens.abs() - thick, bridge), arms), frame, "glasses", rect, on)

    def _hat(self) -> None:
        """A bowler above the hairline: hair, fringe and earrings stay in sight."""
        on, n = self.on["hat"], self.n
        x, y, rect = self._part(-0.8, 0.8, -1, -0.2)
        rise = 0.03 * (self.much["hat"] - 0.9) * 5
        crown = torch.maximum(ellipse(x, y + 0.44, self.face_w + 0.075, 0.42 + rise), y + 0.42)
        shade = (
            1 + 0.20 * (0.2 - x.abs()) + 0.25 * torch.exp(-((x + 0.16) / 0.12).square() - ((y + 0.66) / 0.12).square())
        )
        self._fill(crown, self.hat * shade.unsqueeze(1), "hat", rect, on)
        band = torch.maximum(crown, (y + 0.47).abs() - 0.035)
        self._fill(band, self.hat * 0.45, "hat", rect, on)
        brim = arc(x, y + 0.435, 0.60, 0.035, 0.055)
        self._fill(brim, self.hat * 0.82, "hat", rect, on)

    def _earrings(self) -> None:
        on, n = self.on["earrings"], self.n
        colour = _mix(_rgb(_EARRING[0]), _rgb(_EARRING[1]), (n["earring_shade"].unsqueeze(1) * 4 + 0.5).clamp(0, 1))
        for side in (-1, 1):
            x, y, rect = self._part(*((-0.75, -0.25) if side < 0 else (0.25, 0.75)), 0.05, 0.5)
            dx, dy = x - side * (self.face_w + 0.045), y - 0.245
            radius = 0.098 + 0.012 * (self.much["earrings"] - 0.8) * 5
            self._fill(torch.sqrt(dx * dx + dy * dy) - radius, _rgb((0.20, 0.13, 0.05)), "earrings", rect, on)
            self._fill(torch.sqrt(dx * dx + dy * dy) - radius + 0.032, colour, "earrings", rect, on)
            self._fill(ellipse(dx + 0.02, dy + 0.025, 0.022, 0.022), _rgb((1.0, 1.0, 0.94)), "earrings", rect, on * 0.8)


def _opponent(lightness: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Colour from lightness and two opponent axes (red-green, blue-yellow), linear so that colour mixes as light does."""
    return torch.cat([lightness + a + 0.5 * b, lightness - a + 0.5 * b, lightness - b], dim=1).clamp(0.03, 0.97)
