"""Drawn faces laid out as CelebA-HQ and what belongs to it: `python -m tests.celebahq_stand_in DIR`.

DIR/CelebAMask-HQ has images, parts, attributes and the mapping to CelebA, DIR/celeba-caption the captions, and DIR the
tables of splits. Everything is a function of the number of an image. No photograph is in it, and nothing measured on it
says anything about photographs; layout, sizes and times are those of the real ones.
"""

import csv
from pathlib import Path

import click
import cv2
import numpy as np

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.data.minifaces.dataset import MiniFaces
from styleT2I.torch_utils.images import encode_png

NAMES = load_vocabulary("celeba").names
DRAWN_AT = 128  # side that faces are drawn at before they are enlarged, px
_SAME = {"smiling": "Smiling", "eyeglasses": "Eyeglasses", "lipstick": "Wearing_Lipstick", "bangs": "Bangs",
         "hat": "Wearing_Hat", "earrings": "Wearing_Earrings", "he": "Male", "black_hair": "Black_Hair",
         "brown_hair": "Brown_Hair", "blond_hair": "Blond_Hair", "gray_hair": "Gray_Hair"}  # fmt: skip
_OPPOSITE = {"old": "Young", "beard": "No_Beard", "dark_skin": "Pale_Skin"}
_INVENTED = {"High_Cheekbones": 0.4, "Arched_Eyebrows": 0.3, "Big_Lips": 0.3, "Wavy_Hair": 0.3, "Oval_Face": 0.2}
_PARTS = {"hair": "hair", "skin": "skin", "glasses": "eye_g", "mouth": "mouth", "earrings": "ear_r", "hat": "hat"}
_PAIRED = {"eyes": ("r_eye", "l_eye"), "ears": ("r_ear", "l_ear")}  # the face's right is the image's left
_HAS = {"Bangs": "bangs", "Black_Hair": "black hair", "Brown_Hair": "brown hair", "Blond_Hair": "blond hair",
        "Gray_Hair": "gray hair", "Wavy_Hair": "wavy hair", "High_Cheekbones": "high cheekbones",
        "Big_Lips": "big lips", "Arched_Eyebrows": "arched eyebrows", "Oval_Face": "an oval face",
        "Pale_Skin": "pale skin"}  # fmt: skip
_WEARS = {"Wearing_Hat": "a hat", "Wearing_Earrings": "earrings", "Wearing_Lipstick": "lipstick",
          "Eyeglasses": "eyeglasses"}  # fmt: skip
_SPLITS = ("train", "train", "val", "test")  # of images 0, 1, 2, 3, 4 ... in turn
_CELEBA = {"train": 1, "val": 162_771, "test": 182_638}  # first file of each split of CelebA


def write_stand_in(folder, num=24, side=128, mask_side=64, tables=True):
    """Write `num` images of `side` pixels; return the folder that is named CelebAMask-HQ."""
    folder = Path(folder)
    release, texts = folder / "CelebAMask-HQ", folder / "celeba-caption"
    for made in (release / "CelebA-HQ-img", texts):
        made.mkdir(parents=True)
    world = MiniFaces("biased", "train", num, min(DRAWN_AT, side), seed=0)
    rows, mapping = [], ["idx orig_idx orig_file"]
    for index in range(num):
        batch, dice = world.batch([index]), np.random.default_rng(index)
        face = batch.images_u8[0].permute(1, 2, 0).numpy()[:, :, ::-1]
        large = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(release / "CelebA-HQ-img" / f"{index}.jpg"), large)
        _write_parts(release / "CelebAMask-HQ-mask-anno" / str(index // 2000), index,
                     dict(zip(world.region_names, batch.masks[0].numpy(), strict=True)), mask_side)  # fmt: skip
        labels = _labels(dict(zip(world.attribute_names, batch.attributes[0].tolist(), strict=True)), dice)
        rows.append(" ".join([f"{index}.jpg ", *("1" if labels[name] else "-1" for name in NAMES)]))
        (texts / f"{index}.txt").write_text("".join(f"{_caption(labels, dice)}\n" for _ in range(10)))
        number = _CELEBA[_SPLITS[index % 4]] + index
        mapping.append(f"{index} {number - 1} {number:06d}.jpg")
    table = "\n".join([str(num), " ".join(NAMES), *rows]) + "\n"
    (release / "CelebAMask-HQ-attribute-anno.txt").write_text(table)
    (release / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(mapping) + "\n")
    if tables:
        _write_tables(folder, num)
    return release


def _write_tables(folder, num):
    numbers = {"train": 0, "val": 1, "test": 2}
    _write_csv(folder / "list_eval_partition.csv", ["idx", "split"], [(i, numbers[_SPLITS[i % 4]]) for i in range(num)])
    _write_csv(folder / "filter_mask.csv", ["filter_mask"], [(int(i % 40 != 0),) for i in range(num)])
    flags = [(int(_SPLITS[i % 4] == "test"), int(_SPLITS[i % 4] == "val")) for i in range(num)]
    _write_csv(folder / "unseen_split.csv", ["unseen_test", "unseen_valid"], flags)


def _write_csv(path, header, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def _write_parts(folder, index, masks, side):
    folder.mkdir(parents=True, exist_ok=True)
    width = next(iter(masks.values())).shape[1]
    half = np.arange(width)[None] < width // 2
    planes = {ours: masks[name] for name, ours in _PARTS.items()}
    for name, (left, right) in _PAIRED.items():
        planes |= {left: masks[name] & half, right: masks[name] & ~half}
    for name, plane in planes.items():
        if plane.any():
            enlarged = cv2.resize(plane.astype(np.uint8) * 255, (side, side), interpolation=cv2.INTER_NEAREST)
            (folder / f"{index:05d}_{name}.png").write_bytes(encode_png(enlarged))


def _labels(drawn, dice):
    labels = dict.fromkeys(NAMES, False) | {name: bool(dice.random() < rate) for name, rate in _INVENTED.items()}
    labels |= {ours: bool(drawn[name]) for name, ours in _SAME.items()}
    return labels | {ours: not drawn[name] for name, ours in _OPPOSITE.items()}


def _caption(labels, dice):
    """A sentence of the kind that Multi-Modal-CelebA-HQ's grammar makes of the labels."""
    subject = "man" if labels["Male"] else "woman"
    start = dice.choice([f"The {subject}", f"This {subject}", "The person", "This person"])
    has = [text for name, text in _HAS.items() if labels[name]]
    wears = [text for name, text in _WEARS.items() if labels[name]]
    has = [text for text in has if dice.random() < 0.6] or has[:1] or ["a face"]
    told = [f"{start} has {_join(has)}."]
    pronoun = "He" if labels["Male"] else "She"
    if labels["Smiling"] and dice.random() < 0.5:
        told.append(f"{pronoun} is smiling.")
    if wears:
        told.append(f"{pronoun} wears {_join(wears)}.")
    return " ".join(told)


def _join(items):
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


@click.command()
@click.argument("folder")
@click.option("--num", default=500, show_default=True)
@click.option("--side", default=1024, show_default=True, help="Of the images, px.")
def main(folder, num, side):
    """Write the stand-in of CelebA-HQ into FOLDER."""
    click.echo(write_stand_in(folder, num, side, mask_side=512))


if __name__ == "__main__":
    main()
