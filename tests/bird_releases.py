"""CUB-200-2011 and NABirds in small, as their authors lay them out."""

import cv2
import numpy as np

BIRDS = ("001.Black_footed_Albatross/Albatross_0001_796111", "001.Black_footed_Albatross/Albatross_0002_55",
         "002.Laysan_Albatross/Laysan_0001_545", "003.Sooty_Albatross/Sooty_0001_1071")  # fmt: skip
NAMES = ("has_bill_shape::curved_(up_or_down)", "has_wing_color::blue", "has_size::small_(5_-_9_in)")
BOX = (20.0, 30.0, 40.0, 20.0)  # x, y, width, height; the square around it: left 10, top 10, side 60
PARTS = ("back", "beak", "left eye", "right eye")


def write_cub(root):
    """Four images of 100 x 80 pixels in three classes, the last in the test split; returns the folder to name."""
    folder = root / "CUB_200_2011"
    _write_tables(folder, [str(i + 1) for i in range(len(BIRDS))], [f"{name}.jpg" for name in BIRDS])
    (folder / "attributes").mkdir()
    (folder / "parts").mkdir()
    rows = []
    for image in range(1, 5):
        for attribute in range(1, 4):
            is_there, certainty = int(image >= attribute), 2 if (image, attribute) == (3, 2) else 4
            more = " 0" if (image, attribute) == (4, 1) else ""  # the release has rows with a field too many
            rows.append(f"{image} {attribute} {is_there} {certainty}{more} 12.5")
    (folder / "attributes/image_attribute_labels.txt").write_text("\n".join(rows))
    (root / "attributes.txt").write_text("\n".join(f"{i + 1} {name}" for i, name in enumerate(NAMES)))
    (folder / "parts/parts.txt").write_text("\n".join(f"{i + 1} {name}" for i, name in enumerate(PARTS)))
    places = [f"{image} {part} {40.0 if part == 2 else 0.0} {40.0 if part == 2 else 0.0} {int(part == 2)}"
              for image in range(1, 5) for part in range(1, 5)]  # fmt: skip
    (folder / "parts/part_locs.txt").write_text("\n".join(places))
    for name in BIRDS:
        mask = np.zeros((80, 100), np.uint8)
        mask[30:50, 20:60] = 204  # four of five persons
        _save(root / "segmentations" / f"{name}.png", mask)
        text = root / "text_c10" / f"{name}.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text("\n".join(f"a bird with a long bill, told {i}." for i in range(10)))
    (root / "testclasses.txt").write_text("003.Sooty_Albatross\n")
    return folder


def write_nabirds(root):
    """Two images; returns the folder to name."""
    folder = root / "nabirds"
    _write_tables(folder, ["0000139e-21dc-4d0c-bfe1-4cae3c85c829", "0000d9fc-4e02-4c06-a0af-a55cfb16b12b"],
                  ["0817/0000139e21dc.jpg", "0860/0000d9fc4e02.jpg"])  # fmt: skip
    return folder


def _write_tables(folder, keys, files):
    for file in files:
        pixels = np.zeros((80, 100, 3), np.uint8)
        pixels[10:70, 10:70] = 200  # what the square around the box cuts out
        _save(folder / "images" / file, pixels)
    tables = {
        "images.txt": zip(keys, files, strict=True),
        "bounding_boxes.txt": ((key, *BOX) for key in keys),
        "image_class_labels.txt": ((key, i + 1) for i, key in enumerate(keys)),
        "train_test_split.txt": ((key, int(key != keys[-1])) for key in keys),
    }
    for name, rows in tables.items():
        (folder / name).write_text("\n".join(" ".join(map(str, row)) for row in rows) + "\n")


def _save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)
