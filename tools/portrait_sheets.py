"""Draws the contact sheets of docs/portraits.md again, into docs/portraits/:

    python tools/portrait_sheets.py [people] [small] [switched] [rare] [parts]

`people`: 24 unselected people of `biased` at 256 pixels; `small`: the same at 128; `switched`: she and he with one
attribute switched at a time; `rare`: two people of every rare pair and every held-out composition, and below each the
same person as the frequent twin; `parts`: images beside their parts maps.
"""

import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
OUT = ROOT / "docs" / "portraits"

SWITCHES = (
    {}, {"Smiling": True, "Mouth_Slightly_Open": True}, {"Wearing_Lipstick": True}, {"Heavy_Makeup": True},
    {"Eyeglasses": True}, {"Wearing_Hat": True}, {"Wearing_Earrings": True}, {"Bangs": True},
    {"No_Beard": False, "5_o_Clock_Shadow": True}, {"No_Beard": False},
    {"No_Beard": False, "Goatee": True}, {"Mustache": True}, {"Young": False},
    {"Brown_Hair": False, "Gray_Hair": True}, {"Brown_Hair": False, "Blond_Hair": True},
    {"Brown_Hair": False, "Black_Hair": True}, {"Straight_Hair": False, "Wavy_Hair": True}, {"Receding_Hairline": True},
    {"Brown_Hair": False, "Straight_Hair": False, "Bald": True, "Long_Hair": False}, {"Dark_Skin": True},
    {"Pale_Skin": True}, {"Rosy_Cheeks": True}, {"Bushy_Eyebrows": True}, {"Chubby": True}, {"Big_Nose": True},
    {"Big_Lips": True}, {"Wearing_Necklace": True}, {"Mouth_Slightly_Open": True},
)  # fmt: skip


def people(name: str, resolution: int) -> None:
    """Draw 24 unselected people."""
    from styleT2I.data.portraits.render import render
    from styleT2I.data.portraits.scenes.sampling import sample_scene

    save(name, [render(sample_scene(seed), resolution).image for seed in range(24)], 6)


def switched() -> None:
    """Draw her and him with one attribute switched at a time."""
    from styleT2I.data.portraits.render import render
    from styleT2I.data.portraits.scenes.distributions import DECLARED
    from styleT2I.data.portraits.scenes.sampling import scene_of

    usual = ("Young", "No_Beard", "Brown_Hair", "Straight_Hair")
    plain = dict.fromkeys(DECLARED, False) | dict.fromkeys(usual, True)
    images = []
    for seed, person in ((5, {"Male": False, "Long_Hair": True}), (17, {"Male": True})):
        scenes = [scene_of(seed, plain | person | switch) for switch in SWITCHES]
        images += [render(scene, 128).image for scene in scenes]
    save("switched", images, len(SWITCHES) // 2)


def rare() -> None:
    """Draw two people of every composition, and below each the twin of the same index."""
    from styleT2I.data.portraits.scenes.recipe import Recipe
    from styleT2I.data.portraits.sets.rendering import render_one
    from styleT2I.data.worlds import WORLDS

    world, rows = WORLDS["portraits"], []
    for compositions in (world.rare_pairs, world.held_out):
        for first in (0, len(world.rare_pairs)):
            for wanted in ([c.attributes for c in compositions], [c.twin for c in compositions]):
                sets = [Recipe("composition", "test", 128, wanted=attributes) for attributes in wanted]
                images = [imdecode(render_one(each, first + k, "png").image) for k, each in enumerate(sets)]
                rows += images + [np.full_like(images[0], 255)] * (len(world.rare_pairs) - len(images))
    save("rare", rows, len(world.rare_pairs))


def imdecode(data: bytes) -> np.ndarray:
    """The pixels [H, W, 3] of an encoded image."""
    return np.asarray(Image.open(io.BytesIO(data)))


def parts() -> None:
    """Draw images over their parts maps."""
    from styleT2I.data.portraits.parts import PARTS
    from styleT2I.data.portraits.render import render
    from styleT2I.data.portraits.scenes.sampling import sample_scene

    palette = np.random.default_rng(3).integers(40, 255, (len(PARTS), 3)).astype(np.uint8)
    palette[0] = 0
    portraits = [render(sample_scene(seed), 192) for seed in range(24, 30)]
    save("parts", [p.image for p in portraits] + [palette[p.parts] for p in portraits], 6)


def save(name: str, images: list[np.ndarray], columns: int) -> None:
    """Save images of one size in rows."""
    OUT.mkdir(parents=True, exist_ok=True)
    rows = [np.concatenate(images[i : i + columns], 1) for i in range(0, len(images), columns)]
    Image.fromarray(np.concatenate(rows)).save(OUT / f"{name}.jpg", quality=88)


SHEETS = {
    "people": lambda: people("people", 256),
    "small": lambda: people("small", 128),
    "switched": switched,
    "rare": rare,
    "parts": parts,
}

if __name__ == "__main__":
    for sheet in sys.argv[1:] or SHEETS:
        SHEETS[sheet]()
