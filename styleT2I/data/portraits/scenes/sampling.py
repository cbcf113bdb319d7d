"""Scenes from attributes: every free choice is drawn from a random stream of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from styleT2I.data.portraits.scenes import scene as s
from styleT2I.data.portraits.scenes.distributions import draw_attributes
from styleT2I.data.portraits.scenes.streams import Streams

_STYLE_WEIGHTS = {  # style -> how usual it is for him and for her, of those that the attributes leave
    "buzz": (1.0, 1.0),
    "short": (1.0, 0.25),
    "side": (1.0, 0.35),
    "quiff": (0.9, 0.12),
    "curls": (1.0, 0.8),
    "afro": (0.6, 0.9),
    "pixie": (0.06, 1.0),
    "bob": (0.04, 1.6),
    "tied": (0.05, 1.2),
    "shoulder": (1.0, 0.8),
    "long": (0.6, 1.2),
}
_IRISES = {"brown": (0.30, 0.17, 0.09), "hazel": (0.42, 0.30, 0.14), "green": (0.30, 0.42, 0.26),
           "blue": (0.30, 0.47, 0.63), "gray": (0.46, 0.52, 0.55)}  # fmt: skip
_IRIS_SHARES = (0.42, 0.16, 0.14, 0.2, 0.08)
_LEGIBLE_NECKLACES = ("none", "pendant", "pearls")  # a chain reads as the collar's edge
_METALS = ((0.90, 0.72, 0.34), (0.80, 0.81, 0.84), (0.87, 0.62, 0.52))  # gold, silver, rose gold
_FRAMES = ((0.05, 0.05, 0.06), (0.05, 0.05, 0.06), (0.28, 0.15, 0.07), (0.09, 0.12, 0.26), (0.42, 0.06, 0.09),
           (0.30, 0.31, 0.33))  # fmt: skip
_LIPSTICKS = ((0.72, 0.05, 0.10), (0.80, 0.10, 0.22), (0.66, 0.08, 0.24), (0.83, 0.18, 0.36), (0.50, 0.05, 0.14))


def sample_scene(
    seed: int,
    distribution: str = "biased",
    wanted: Mapping[str, bool] | None = None,
    z: Sequence[float] | None = None,
) -> s.Scene:
    """The scene of a seed under "biased", "balanced" or "composition"; `wanted` are attributes that the last forces.

    z [Z_DIM] replaces the seed's own latent; the seed then decides the fine detail alone.
    """
    return scene_from_streams(seed, Streams(seed, z), distribution, wanted)


def scene_from_streams(
    seed: int, draw: Streams, distribution: str, wanted: Mapping[str, bool] | None = None
) -> s.Scene:
    """The scene that a source of random numbers gives under a distribution."""
    return _scene(seed, draw, draw_attributes(draw, distribution, wanted))


def scene_of(seed: int, attributes: Mapping[str, bool]) -> s.Scene:
    """The scene of a seed with the given attributes (all of `distributions.DECLARED`); equal seeds share the rest."""
    return _scene(seed, Streams(seed), attributes)


def _scene(seed: int, draw: Streams, attributes: Mapping[str, bool]) -> s.Scene:
    has = attributes.__getitem__
    return s.Scene(
        seed=seed,
        sex=draw.graded("sex", has("Male"), (-1, -0.7), (0.7, 1)),
        age=draw.graded("age", has("Young"), (57, 80), (19, 34)),
        smile=draw.graded("smile", has("Smiling"), (0, 0.1), (0.6, 1)),
        mouth_open=draw.graded("mouth open", has("Mouth_Slightly_Open"), (0, 0.03), (0.4, 1)),
        lipstick=draw.graded("lipstick", True, (0, 0), (0.7, 1)) if has("Wearing_Lipstick") else 0.0,
        makeup=draw.graded("makeup", True, (0, 0), (0.65, 1)) if has("Heavy_Makeup") else 0.0,
        rosy=draw.graded("rosy", has("Rosy_Cheeks"), (0, 0.1), (0.65, 1)),
        skin_tone=_skin_tone(draw, attributes),
        brow_thickness=draw.graded("brows", has("Bushy_Eyebrows"), (0, 0.45), (0.8, 1)),
        weight=draw.graded("weight", has("Chubby"), (-0.8, 0.15), (0.7, 1)),
        nose_size=draw.graded("nose", has("Big_Nose"), (-0.8, 0.1), (0.7, 1)),
        lip_fullness=draw.graded("lips", has("Big_Lips"), (-0.7, 0.1), (0.7, 1)),
        **_hair(draw, attributes),
        **_worn(draw, attributes),
        **_person(draw),
        **_view(draw),
    )


def _skin_tone(draw: Streams, attributes: Mapping[str, bool]) -> float:
    share = draw.shares("skin tone")[0]
    if attributes["Pale_Skin"]:
        return 0.1 * share
    return 0.68 + 0.32 * share if attributes["Dark_Skin"] else 0.24 + 0.28 * share


def _hair(draw: Streams, attributes: Mapping[str, bool]) -> dict:
    has = attributes.__getitem__
    style = _hair_style(draw, attributes)
    is_wavy = has("Wavy_Hair")
    textures = [t for t in s.HAIR_STYLES[style] if (t != "straight") == is_wavy] or s.HAIR_STYLES[style]
    colour = next((c for c in s.HAIR_COLOURS if attributes[f"{c.capitalize()}_Hair"]), None)
    return {
        "hair_style": style,
        "hair_texture": draw.pick("texture", textures),
        "hair_colour": colour or draw.pick("hidden hair colour", ("black", "brown", "gray")),  # brows of a bald head
        "bangs": has("Bangs"),
        "receding": draw.graded("receding", True, (0, 0), (0.6, 1)) if has("Receding_Hairline") else 0.0,
        "hair_shade": draw.uniform("hair shade"),
        "hair_warmth": draw.uniform("hair warmth"),
        "hair_volume": draw.bell("hair volume", 0.5, 1),
        "hair_length": draw.uniform("hair length"),
        "tucked": draw.uniform("tucked", 0, 1) < 0.5 or has("Wearing_Earrings"),
        "parting": draw.uniform("parting"),
        "beard": beard_of(attributes, draw),
        "beard_length": draw.uniform("beard length", 0, 1),
        "brow_arch": draw.bell("brow arch", 0.5, 1),
    }


def _hair_style(draw: Streams, attributes: Mapping[str, bool]) -> str:
    """A style that can show the declared length, texture and bangs."""
    has = attributes.__getitem__
    if has("Bald"):
        return "bald"
    if not (has("Wavy_Hair") or has("Straight_Hair")):
        return "buzz"
    weights = {
        style: _STYLE_WEIGHTS[style][0 if has("Male") else 1]
        for style, textures in s.HAIR_STYLES.items()
        if style not in ("bald", "buzz")
        and (style in s.LONG_STYLES) == has("Long_Hair")
        and any((t != "straight") == has("Wavy_Hair") for t in textures)
        and (style in s.BANG_STYLES or not has("Bangs"))
        and not (style in ("quiff", "afro") and has("Wearing_Hat"))
    }
    return draw.favourite("hair style", weights)


def beard_of(attributes: Mapping[str, bool], draw: Streams) -> str:
    """The kind of beard that shows the declared attributes."""
    goatee, moustache = attributes["Goatee"], attributes["Mustache"]
    if attributes["5_o_Clock_Shadow"]:
        return "stubble"
    if goatee:
        return "circle" if moustache else "goatee"
    if attributes["No_Beard"]:
        return "moustache" if moustache else "none"
    return "full"


def _worn(draw: Streams, attributes: Mapping[str, bool]) -> dict:
    has = attributes.__getitem__

    def kind(name: str, options: tuple[str, ...], attribute: str) -> str:
        return draw.pick(name, options[1:]) if has(attribute) else "none"

    clothes = draw.pick("clothes", ("tshirt", "vneck") if has("Wearing_Necklace") else s.CLOTHES)
    garment = ((0.0, 0.4), (0.08, 0.34)) if clothes == "suit" else ((0.1, 0.75), (0.12, 0.85))  # saturation and value
    return {
        "glasses": _glasses(draw, has("Heavy_Makeup")) if has("Eyeglasses") else "none",
        "glasses_size": draw.uniform("glasses size", 0, 1),
        "glasses_colour": draw.near("glasses shade", draw.pick("glasses colour", _FRAMES), 0.25),
        "hat": kind("hat", s.HATS, "Wearing_Hat"),
        "hat_colour": draw.hue("hat colour", (0.1, 0.8), (0.12, 0.8)),
        "earrings": kind("earrings", s.EARRINGS, "Wearing_Earrings"),
        "earring_size": draw.uniform("earring size", 0, 1),
        "metal": draw.near("metal shade", draw.pick("metal", _METALS), 0.1),
        "necklace": kind("necklace", _LEGIBLE_NECKLACES, "Wearing_Necklace"),
        "necktie": draw.uniform("necktie", 0, 1) < {"suit": 0.7, "shirt": 0.25}.get(clothes, 0.0),
        "lipstick_colour": draw.near("lipstick shade", draw.pick("lipstick colour", _LIPSTICKS), 0.15),
        "clothes": clothes,
        "clothes_colour": draw.hue("clothes colour", *garment),
        "clothes_colour_2": draw.hue("clothes colour 2", (0.0, 0.2), (0.7, 0.98)),
        "tie_colour": draw.hue("tie colour", (0.35, 0.85), (0.15, 0.7)),
    }


def _glasses(draw: Streams, are_eyes_made_up: bool) -> str:
    dark = 0.0 if are_eyes_made_up else 0.5  # they would hide the eyes
    return draw.favourite("glasses", {"round": 1.0, "square": 1.2, "browline": 0.8, "aviator": 0.8, "sunglasses": dark})


def _person(draw: Streams) -> dict:
    iris = draw.favourite("iris", dict(zip(_IRISES, _IRIS_SHARES, strict=True)))
    mix = [-math.log(1 - share) for share in draw.shares("shape mix", 3)]
    return {
        "shape": tuple(max(-2.0, min(2.0, v)) for v in draw.normals("shape", s.NUM_SHAPE)),
        "asymmetry": tuple(max(-1.0, min(1.0, 0.5 * v)) for v in draw.normals("asymmetry", s.NUM_ASYMMETRY)),
        "shape_mix": tuple(v / sum(mix) for v in mix),
        "muscle": draw.bell("muscle", 0.4, 1),
        "eye_colour": draw.near("iris shade", _IRISES[iris], 0.2),
        "freckles": max(0.0, draw.uniform("freckles", -2.0, 1.0)),
        "lip_colour": draw.uniform("lip colour"),
        "brow_raise": draw.bell("brow raise", 0.4, 1),
        "eye_open": draw.bell("eye open", 0.4, 1),
        "gaze_yaw": draw.bell("gaze yaw", 4, 12),
        "gaze_pitch": draw.bell("gaze pitch", 2, 6),
    }


def _view(draw: Streams) -> dict:
    return {
        "yaw": draw.bell("yaw", 11, 28),
        "pitch": draw.bell("pitch", 4, 10),
        "roll": draw.bell("roll", 2.5, 7),
        "shift_x": draw.bell("shift x", 0.4, 1),
        "shift_y": draw.bell("shift y", 0.4, 1),
        "zoom": draw.bell("zoom", 0.4, 1),
        "fov": draw.uniform("fov", 14, 30),
        "key_azimuth": draw.uniform("key azimuth", -75, 75),
        "key_elevation": draw.uniform("key elevation", 10, 55),
        "key_size": draw.uniform("key size", 0, 1),
        "warmth": draw.bell("warmth", 0.45, 1),
        "fill": draw.uniform("fill", 0, 1),
        "rim": draw.uniform("rim", 0, 1),
        "exposure": draw.bell("exposure", 0.4, 1),
        "contrast": draw.bell("contrast", 0.4, 1),
        "background": draw.pick("background", s.BACKGROUNDS),
        "background_colour": draw.hue("background colour", (0.05, 0.55), (0.12, 0.9)),
        "background_colour_2": draw.hue("background colour 2", (0.05, 0.6), (0.1, 0.9)),
    }
