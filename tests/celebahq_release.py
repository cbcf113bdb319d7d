"""A release of CelebAMask-HQ in small, as its authors lay it out."""

import cv2
import numpy as np

from styleT2I.torch_utils.images import encode_png

INDICES = (0, 1, 2, 3, 1999, 2000, 2001)
ANNOTATIONS, ATTRIBUTES = "CelebAMask-HQ-mask-anno", "CelebAMask-HQ-attribute-anno.txt"
NAMES = ("Male", "Eyeglasses")
# Rows and columns of the 512 x 512 annotations that each part fills.
DRAWN = {
    "skin": (slice(128, 448), slice(128, 384)),
    "hair": (slice(0, 160), slice(96, 416)),
    "l_eye": (slice(224, 256), slice(160, 224)),
    "r_eye": (slice(224, 256), slice(288, 352)),
    "eye_g": (slice(208, 272), slice(144, 368)),
    "u_lip": (slice(352, 358), slice(208, 304)),
    "l_lip": (slice(358, 364), slice(208, 304)),
    "mouth": (slice(364, 368), slice(208, 304)),
}


def write_release(folder):
    """Seven images: eyes behind glasses in the even ones, attributes; captions and a split beside the folder."""
    (folder / "CelebA-HQ-img").mkdir(parents=True)
    (folder.parent / "text").mkdir()
    for index in INDICES:
        picture = np.full((256, 256, 3), 40 + index % 7 * 20, np.uint8)
        cv2.imwrite(str(folder / "CelebA-HQ-img" / f"{index}.jpg"), picture)
        masks = folder / ANNOTATIONS / str(index // 2000)
        masks.mkdir(parents=True, exist_ok=True)
        for name, where in DRAWN.items():
            if name != "eye_g" or index % 2 == 0:
                plane = np.zeros((512, 512), np.uint8)
                plane[where] = 255
                (masks / f"{index:05d}_{name}.png").write_bytes(encode_png(plane))
        (folder.parent / "text" / f"{index}.txt").write_text(f"picture {index}.\n\n he smiles. \n")
    rows = [f"{i}.jpg  {'1' if i < 2 else '-1'} {'-1' if i % 2 else '1'}" for i in INDICES]
    table = "\n".join([str(len(INDICES)), " ".join(NAMES), *rows])
    (folder / ATTRIBUTES).write_text(table)
    split = [f"{i},{0 if i < 3 else 1 if i < 2000 else 2}" for i in INDICES]
    (folder.parent / "list_eval_partition.csv").write_text("\n".join(["idx,split", *split]))
    return folder
