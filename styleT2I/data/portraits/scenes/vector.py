"""A scene as one vector of numbers, for regression from scenes to images.

Layout, in the order of Scene's fields: a number becomes one entry, scaled from its range to [-1, 1]; a flag one of -1
and 1; a name one entry for each of its options, 1 for what it is and 0 for the rest; a colour or tuple its entries,
scaled. The seed is left out: it moves single strands and pores only. VECTOR_NAMES names every entry; the entries from
NUISANCE_START on, NUISANCE_NAMES, are of no attribute.
"""

from __future__ import annotations

import numpy as np

from styleT2I.data.portraits.scenes import scene as s

_NUMBERS = {  # field -> its range, the ends of which become -1 and 1
    "sex": (-1, 1), "age": (19, 80), "smile": (0, 1), "mouth_open": (0, 1), "lipstick": (0, 1), "makeup": (0, 1),
    "rosy": (0, 1), "receding": (0, 1), "skin_tone": (0, 1), "brow_thickness": (0, 1), "weight": (-1, 1),
    "nose_size": (-1, 1), "lip_fullness": (-1, 1), "muscle": (-1, 1), "freckles": (0, 1), "lip_colour": (-1, 1),
    "brow_arch": (-1, 1), "brow_raise": (-1, 1), "eye_open": (-1, 1), "gaze_yaw": (-12, 12), "gaze_pitch": (-6, 6),
    "hair_shade": (-1, 1), "hair_warmth": (-1, 1), "hair_volume": (-1, 1), "hair_length": (-1, 1), "parting": (-1, 1),
    "beard_length": (0, 1), "glasses_size": (0, 1), "earring_size": (0, 1), "yaw": (-28, 28), "pitch": (-10, 10),
    "roll": (-7, 7), "shift_x": (-1, 1), "shift_y": (-1, 1), "zoom": (-1, 1), "fov": (14, 30),
    "key_azimuth": (-75, 75), "key_elevation": (10, 55), "key_size": (0, 1), "warmth": (-1, 1), "fill": (0, 1),
    "rim": (0, 1), "exposure": (-1, 1), "contrast": (-1, 1),
}  # fmt: skip
_NAMES = {
    "glasses": s.GLASSES, "beard": s.BEARDS, "hair_style": tuple(s.HAIR_STYLES), "hair_texture": s.TEXTURES,
    "hair_colour": s.HAIR_COLOURS, "hat": s.HATS, "earrings": s.EARRINGS, "necklace": s.NECKLACES,
    "clothes": s.CLOTHES, "background": s.BACKGROUNDS,
}  # fmt: skip
_FLAGS = ("bangs", "tucked", "necktie")
_TUPLES = {  # field -> number of entries and their range
    "shape": (s.NUM_SHAPE, (-2, 2)), "asymmetry": (s.NUM_ASYMMETRY, (-1, 1)), "shape_mix": (3, (0, 1)),
    **{name: (3, (0, 1)) for name in (
        "eye_colour", "glasses_colour", "hat_colour", "metal", "lipstick_colour", "clothes_colour",
        "clothes_colour_2", "tie_colour", "background_colour", "background_colour_2")},
}  # fmt: skip


def _entry_names(field: str) -> tuple[str, ...]:
    if field in _NAMES:
        return tuple(f"{field}={option}" for option in _NAMES[field])
    if field in _TUPLES:
        return tuple(f"{field}[{k}]" for k in range(_TUPLES[field][0]))
    return (field,)


_FIELDS = tuple(field for field in s.Scene.__dataclass_fields__ if field != "seed")
VECTOR_NAMES = tuple(name for field in _FIELDS for name in _entry_names(field))
VECTOR_SIZE = len(VECTOR_NAMES)
_TURNED = ("yaw", "roll", "gaze_yaw", "parting", "shift_x", "key_azimuth", "asymmetry")
MIRRORED = tuple(name.partition("[")[0] in _TURNED for name in VECTOR_NAMES)  # entries that a mirror negates
NUISANCE_START = VECTOR_NAMES.index("shape[0]")
NUISANCE_NAMES = VECTOR_NAMES[NUISANCE_START:]


def scene_vector(scene: s.Scene) -> np.ndarray:
    """Everything but the seed that determines an image: float32 [VECTOR_SIZE], in [-1, 1], named by VECTOR_NAMES."""
    return np.array([v for field in _FIELDS for v in _entries(field, getattr(scene, field))], dtype=np.float32)


def _entries(field: str, value) -> list[float]:
    if field in _NAMES:
        return [float(value == option) for option in _NAMES[field]]
    if field in _FLAGS:
        return [1.0 if value else -1.0]
    if field in _TUPLES:
        return [_scaled(v, *_TUPLES[field][1]) for v in value]
    return [_scaled(value, *_NUMBERS[field])]


def _scaled(value: float, low: float, high: float) -> float:
    return 2 * (value - low) / (high - low) - 1
