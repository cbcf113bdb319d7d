"""Truthful labels: an attribute is true when the scene has it and enough of it is visible in the parts map."""

from __future__ import annotations

import numpy as np

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.data.portraits.parts import PART
from styleT2I.data.portraits.scenes.scene import HAIR_COLOURS, LONG_STYLES, Scene

ATTRIBUTES = load_vocabulary("portraits").names
_BEARDED = ("stubble", "goatee", "circle", "full")  # a moustache alone does not count as a beard
_GOATEES, _MOUSTACHES = ("goatee", "circle"), ("moustache", "circle", "full")
_LIPS, _BROWS = ("u_lip", "l_lip"), ("l_brow", "r_brow")

# Pixels that must be visible of an image of 128 x 128
_HAIR, _LONG, _BANGS, _BEARD, _CHIN, _MOUSTACHE = 60, 80, 40, 20, 16, 8
_GLASSES, _HAT, _EARRINGS, _NECKLACE = 20, 100, 8, 20
_MOUTH, _LIP, _BROW, _SKIN = 6, 20, 10, 150


class Visible:
    """Areas of a parts map u8 [H, W] in pixels of an image of 128 x 128, whole or inside a box."""

    def __init__(self, parts: np.ndarray, landmarks: np.ndarray):
        self._parts, self._scale = parts, (128 / parts.shape[0]) ** 2
        self.landmarks = landmarks  # [68, 2] as x, y in pixels

    def area(self, *names: str) -> float:
        """Area of these parts together."""
        return self._count(self._parts, names)

    def area_in(self, x0: float, x1: float, y0: float, y1: float, *names: str) -> float:
        """Area of these parts inside a box of pixels."""
        x0, x1, y0, y1 = (max(0, round(v)) for v in (x0, x1, y0, y1))
        return self._count(self._parts[y0:y1, x0:x1], names)

    def _count(self, parts: np.ndarray, names: tuple[str, ...]) -> float:
        return float(np.isin(parts, [PART[name] for name in names]).sum() * self._scale)

    @property
    def chin_y(self) -> float:
        return self.landmarks[8, 1]

    def on_forehead(self) -> float:
        """Hair between the outer ends of the brows, from the brows up to half as far again as down to the nose."""
        (left, brow_y), right = self.landmarks[17:27].min(axis=0), self.landmarks[17:27, 0].max()
        unit = self.landmarks[33, 1] - brow_y
        return self.area_in(left, right, brow_y - 0.5 * unit, brow_y + 0.25 * unit, "hair")

    def on_upper_lip(self) -> float:
        """Beard between nose and mouth."""
        left, right = self.landmarks[[48, 54], 0]
        return self.area_in(left, right, self.landmarks[33, 1] - 1, self.landmarks[62, 1] + 1, "beard")

    def on_chin(self) -> float:
        """Beard below the mouth."""
        left, right = self.landmarks[[48, 54], 0]
        return self.area_in(left, right, self.landmarks[57, 1], 1e6, "beard")

    def long_hair(self) -> float:
        """Hair below the chin."""
        return self.area_in(0, 1e6, self.chin_y, 1e6, "hair")


def labels_of(scene: Scene, parts: np.ndarray, landmarks: np.ndarray) -> dict[str, bool]:
    """The truth about an image, in the vocabulary's order: {"Bald": False, ...}.

    parts: u8 [H, W], indices into PARTS; landmarks: [68, 2], x and y in pixels.
    """
    seen = Visible(parts, landmarks)
    found = {**_hair(scene, seen), **_beard(scene, seen), **_face(scene, seen), **_worn(scene, seen)}
    return {name: bool(found[name]) for name in ATTRIBUTES}


def _hair(scene: Scene, seen: Visible) -> dict[str, bool]:
    is_seen = seen.area("hair") >= _HAIR and not scene.is_bald
    is_styled = is_seen and scene.hair_style != "buzz"
    is_bareheaded = scene.hat == "none"
    return {
        "Bald": scene.is_bald and is_bareheaded,
        **{f"{c.capitalize()}_Hair": is_seen and scene.hair_colour == c for c in HAIR_COLOURS},
        "Straight_Hair": is_styled and scene.hair_texture == "straight",
        "Wavy_Hair": is_styled and scene.hair_texture != "straight",
        "Long_Hair": scene.hair_style in LONG_STYLES and seen.long_hair() >= _LONG,
        "Bangs": scene.bangs and seen.on_forehead() >= _BANGS,
        "Receding_Hairline": scene.receding > 0.3 and is_bareheaded,
    }  # fmt: skip


def _beard(scene: Scene, seen: Visible) -> dict[str, bool]:
    is_seen = seen.area("beard") >= _BEARD
    return {
        "5_o_Clock_Shadow": scene.beard == "stubble" and is_seen,
        "Goatee": scene.beard in _GOATEES and seen.on_chin() >= _CHIN,
        "Mustache": scene.beard in _MOUSTACHES and seen.on_upper_lip() >= _MOUSTACHE,
        "No_Beard": not (scene.beard in _BEARDED and is_seen),
    }


def _face(scene: Scene, seen: Visible) -> dict[str, bool]:
    has_skin, has_lips = seen.area("skin") >= _SKIN, seen.area(*_LIPS) >= _LIP
    return {
        "Male": scene.is_male,
        "Young": scene.is_young,
        "Chubby": scene.weight > 0.4,
        "Big_Nose": scene.nose_size > 0.4,
        "Big_Lips": scene.lip_fullness > 0.4 and has_lips,
        "Smiling": scene.is_smiling,
        "Mouth_Slightly_Open": scene.is_mouth_open and seen.area("mouth") >= _MOUTH,
        "Pale_Skin": scene.is_pale and has_skin,
        "Dark_Skin": scene.is_dark and has_skin,
        "Rosy_Cheeks": scene.rosy > 0.3,
        "Bushy_Eyebrows": scene.brow_thickness > 0.6 and seen.area(*_BROWS) >= _BROW,
        "Heavy_Makeup": scene.makeup > 0.3 and scene.glasses != "sunglasses",
        "Wearing_Lipstick": scene.lipstick > 0.3 and has_lips,
    }


def _worn(scene: Scene, seen: Visible) -> dict[str, bool]:
    return {
        "Eyeglasses": scene.glasses != "none" and seen.area("glasses") >= _GLASSES,
        "Wearing_Hat": scene.hat != "none" and seen.area("hat") >= _HAT,
        "Wearing_Earrings": scene.earrings != "none" and seen.area("ear_r") >= _EARRINGS,
        "Wearing_Necklace": scene.necklace != "none" and seen.area("neck_l") >= _NECKLACE,
    }
