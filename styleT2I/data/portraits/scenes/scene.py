"""A portrait's scene: every parameter of one image, in plain numbers and names."""

from __future__ import annotations

from dataclasses import dataclass

HAIR_STYLES = {  # name -> textures that it comes in
    "bald": ("straight",),
    "buzz": ("straight",),
    "short": ("straight", "wavy"),
    "side": ("straight", "wavy"),
    "quiff": ("straight", "wavy"),
    "curls": ("curly",),
    "afro": ("curly",),
    "pixie": ("straight", "wavy"),
    "bob": ("straight", "wavy"),
    "tied": ("straight", "wavy"),
    "shoulder": ("straight", "wavy", "curly"),
    "long": ("straight", "wavy", "curly"),
}
LONG_STYLES = ("shoulder", "long")
BANG_STYLES = ("short", "side", "curls", "pixie", "bob", "tied", "shoulder", "long")  # that may have bangs
HAIR_COLOURS = ("black", "brown", "blond", "gray")
TEXTURES = ("straight", "wavy", "curly")
BEARDS = ("none", "stubble", "moustache", "goatee", "circle", "full")  # circle: goatee and moustache
GLASSES = ("none", "round", "square", "browline", "aviator", "sunglasses")
HATS = ("none", "beanie", "cap", "brimmed")
EARRINGS = ("none", "hoop", "drop")
NECKLACES = ("none", "chain", "pendant", "pearls")
CLOTHES = ("tshirt", "sweater", "vneck", "shirt", "suit", "hoodie")  # a necktie comes with shirt or suit only
BACKGROUNDS = ("plain", "gradient", "studio", "bokeh", "indoor", "outdoor")
NUM_SHAPE, NUM_ASYMMETRY = 40, 8
PALE_BELOW, DARK_ABOVE = 0.16, 0.62  # of `skin_tone`
YOUNG_BELOW = 44.0  # years

WORLD_VERSION = 1  # goes up when the same seed shows another image: sets rendered before are not continued

Colour = tuple[float, float, float]  # sRGB in 0 ... 1


@dataclass(frozen=True)
class Scene:
    """All parameters of one image; the same scene renders to the same image.

    Graded attributes keep a gap between absent and present, so that no image is undecided: the ranges below give
    both. Left and right are the viewer's, angles are degrees, colours sRGB in 0 ... 1.
    """

    seed: int  # of the fine detail: strands, pores, blurred shapes of the background (`derive_seed(seed, "hair")`)

    # Attributes
    sex: float  # -1 feminine ... 1 masculine shape; magnitude at least 0.7
    age: float  # years; young 19 to 35, old 56 to 80
    smile: float  # 0 to 0.1 rest face; 0.55 to 1 smiling
    mouth_open: float  # 0 to 0.03 closed; 0.4 to 1 open (teeth, or a dark gap where it does not smile)
    lipstick: float  # 0 none; 0.65 to 1 strength
    makeup: float  # 0 none; 0.65 to 1 heavy: eye shadow, liner, lashes, some blush
    rosy: float  # 0 to 0.1 none; 0.65 to 1 rosy cheeks
    glasses: str  # of GLASSES
    beard: str  # of BEARDS
    hair_style: str  # of HAIR_STYLES
    hair_texture: str  # of TEXTURES
    hair_colour: str  # of HAIR_COLOURS; also of brows and beard; a bald person has one as well
    bangs: bool
    receding: float  # 0 full hairline; 0.6 to 1 receding (never together with bangs or bald)
    hat: str  # of HATS
    earrings: str  # of EARRINGS
    necklace: str  # of NECKLACES
    necktie: bool  # with shirt or suit; mostly below the image, so no attribute
    skin_tone: float  # 0 lightest ... 1 darkest; pale 0 to 0.1, medium 0.24 to 0.52, dark 0.68 to 1
    brow_thickness: float  # 0 thin ... 1; bushy 0.8 to 1, else at most 0.45
    weight: float  # -1 lean ... 1; chubby 0.7 to 1, else at most 0.15
    nose_size: float  # -1 small ... 1; big 0.7 to 1, else at most 0.15
    lip_fullness: float  # -1 thin ... 1; big 0.7 to 1, else at most 0.15

    # Person (nuisances)
    shape: tuple[float, ...]  # [NUM_SHAPE] standard normal cut at +-2: face shape, a coefficient a target
    asymmetry: tuple[float, ...]  # [NUM_ASYMMETRY] in -1 ... 1: left against right
    shape_mix: tuple[float, float, float]  # weights of shapes a, b, c, sum 1; independent of `skin_tone`
    muscle: float  # -1 ... 1
    eye_colour: Colour  # of the iris
    freckles: float  # 0 none ... 1
    lip_colour: float  # -1 pale ... 1 rosy, of bare lips
    brow_arch: float  # -1 flat ... 1 arched
    brow_raise: float  # -1 lowered a little ... 1 raised
    eye_open: float  # -1 narrow ... 1 wide
    gaze_yaw: float  # -12 ... 12, of the eyes in the head; + to the viewer's right
    gaze_pitch: float  # -6 ... 6; + up

    # Hair and things worn (nuisances)
    hair_shade: float  # -1 darker ... 1 lighter within the colour's name
    hair_warmth: float  # -1 ashen ... 1 reddish within the colour's name
    hair_volume: float  # -1 flat ... 1 full
    hair_length: float  # -1 shorter ... 1 longer within the style
    tucked: bool  # hair behind the ears; always so where earrings are, and half of the time else
    parting: float  # -1 left ... 0 middle ... 1 right
    beard_length: float  # 0 trimmed ... 1 long within the kind
    glasses_size: float  # 0 ... 1
    glasses_colour: Colour
    hat_colour: Colour
    earring_size: float  # 0 ... 1; the smallest is still legible at 128 pixels
    metal: Colour  # of earrings and necklace
    lipstick_colour: Colour
    clothes: str  # of CLOTHES
    clothes_colour: Colour
    clothes_colour_2: Colour  # shirt below a suit, tie, pattern
    tie_colour: Colour

    # Pose, camera and light (nuisances)
    yaw: float  # -28 ... 28; + to the viewer's right
    pitch: float  # -10 ... 10; + up
    roll: float  # -7 ... 7; + clockwise as seen
    shift_x: float  # -1 ... 1: framing, 1 = 3 % of the image's side
    shift_y: float  # -1 ... 1
    zoom: float  # -1 farther ... 1 nearer, about +-8 % of the face's size
    fov: float  # 14 ... 30: vertical field of view; the distance follows so that the face keeps its size
    key_azimuth: float  # -75 ... 75; + from the viewer's right
    key_elevation: float  # 10 ... 55
    key_size: float  # 0 hard ... 1 soft
    warmth: float  # -1 cool ... 1 warm
    fill: float  # 0 ... 1
    rim: float  # 0 ... 1
    exposure: float  # -1 ... 1, about +-0.25 stops
    contrast: float  # -1 ... 1: tone curve
    background: str  # of BACKGROUNDS
    background_colour: Colour
    background_colour_2: Colour

    @property
    def is_male(self) -> bool:
        return self.sex > 0

    @property
    def is_young(self) -> bool:
        return self.age < YOUNG_BELOW

    @property
    def is_smiling(self) -> bool:
        return self.smile > 0.3

    @property
    def is_mouth_open(self) -> bool:
        return self.mouth_open > 0.2

    @property
    def is_bald(self) -> bool:
        return self.hair_style == "bald"

    @property
    def is_pale(self) -> bool:
        return self.skin_tone < PALE_BELOW

    @property
    def is_dark(self) -> bool:
        return self.skin_tone > DARK_ABOVE
