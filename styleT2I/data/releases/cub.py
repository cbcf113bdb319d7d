"""CUB-200-2011 (Wah et al., 2011) with Reed's captions (CVPR 2016), as each was released.

CUB_200_2011/, the folder that is named:
    images.txt, images/001.Black_footed_Albatross/NAME.jpg, bounding_boxes.txt, image_class_labels.txt, classes.txt,
    train_test_split.txt                              (`birds`)
    attributes/image_attribute_labels.txt             image, attribute, is present, certainty (1 to 4), seconds
    parts/parts.txt, parts/part_locs.txt              15 parts; image, part, x, y, visible
In it, or in the folder around it:
    attributes.txt                                    312 names
    segmentations/CLASS/NAME.png                      0 to 255: how many of five persons saw the bird there
    text_c10/CLASS/NAME.txt                           ten captions, one per line (also as text/)
    testclasses.txt                                   classes that training leaves out
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import torch

from styleT2I.config import read_bytes
from styleT2I.data.folder import resize_plane
from styleT2I.data.releases.birds import Birds
from styleT2I.data.releases.reading import cut
from styleT2I.data.releases.release import (
    Part,
    Record,
    caption_lines,
    find_folder,
    listed,
    nearest_name,
    table_rows,
    text_of,
)
from styleT2I.data.writer import pack_masks
from styleT2I.errors import DataError
from styleT2I.torch_utils.images import MAX_BYTES, decode_image

PROBABLY = 3  # certainty from which on a present attribute counts: 1 not visible, 2 guessing, 3 probably, 4 definitely
_REGIONS = {  # ours, and the parts that they unite; "bird" is the segmentation
    "bird": (), "back": ("back",), "bill": ("beak",), "belly": ("belly",), "breast": ("breast",), "crown": ("crown",),
    "forehead": ("forehead",), "eyes": ("left eye", "right eye"), "legs": ("left leg", "right leg"),
    "wings": ("left wing", "right wing"), "nape": ("nape",), "tail": ("tail",), "throat": ("throat",),
}  # fmt: skip
_REACH = 0.12  # radius of a part around its point, in sides of the square that is cut out
_SOURCE = "https://www.vision.caltech.edu/datasets/cub_200_2011 (CUB_200_2011.tgz)"
_MASKS_SOURCE = "https://www.vision.caltech.edu/datasets/cub_200_2011 (segmentations.tgz)"
_TEXTS = "https://github.com/reedscot/cvpr2016 (text_c10)"


class CUB(Birds):
    """CUB-200-2011; splits train and test, seen and unseen classes where testclasses.txt says which.

    An attribute counts as present where a worker said so and was at least probably certain.
    """

    kind, title, inner = "cub", "CUB-200-2011", "CUB_200_2011"
    splits = ("train", "test", "seen", "unseen")
    num, source = 11_788, _SOURCE

    def __init__(self, folder: str | Path):
        super().__init__(folder)
        places = [self.folder, self.folder.parent]
        self._segmentations = find_folder(places, ["segmentations"])
        self._texts = find_folder(places, ["text_c10", "text", "cvpr2016_cub/text_c10"])
        self._names_file = find_folder([self.folder / "attributes", *places], ["attributes.txt"], Path.is_file)
        self._labels_file = self.folder / "attributes" / "image_attribute_labels.txt"
        self._test_classes = find_folder(places, ["testclasses.txt"], Path.is_file)
        self.region_names = tuple(_REGIONS) if self._segmentations and self._has_parts() else ()

    @functools.cached_property
    def attribute_names(self) -> tuple[str, ...]:
        """The names of attributes.txt; none where it or the labels are missing."""
        if self._names_file is None or not self._labels_file.is_file():
            return ()
        rows = table_rows(self._names_file, 2)
        if [row[0] for row in rows] != [str(i + 1) for i in range(len(rows))]:
            raise DataError(f"{self._names_file}: its attributes are not numbered 1, 2, 3, ...; unpack it again")
        return tuple(name for _, name in rows)

    @functools.cached_property
    def certainties(self) -> dict[str, np.ndarray]:
        """Identifier -> int8 [A]: how certain it is, 1 to 4, that an attribute is there; below 0: that it is not.

        0: nobody said. Some rows of the release have a field too many; the first four count.
        """
        row_of = {key: row for row, key in enumerate(self.files)}
        table = np.zeros((len(row_of), len(self.attribute_names)), np.int8)
        where = self._labels_file
        for number, line in enumerate(text_of(where).splitlines(), start=1):
            fields = line.split(None, 4)
            if not fields:
                continue
            try:
                row, column, certainty = row_of.get(fields[0]), int(fields[1]) - 1, int(fields[3])
                if row is None or not 0 <= column < table.shape[1] or not 1 <= certainty <= 4:
                    raise IndexError("an image, attribute or certainty that there is not")
                table[row, column] = certainty if fields[2] == "1" else -certainty
            except (ValueError, IndexError) as error:
                raise DataError(f"{where}: line {number}, {line[:60]!r}: {error}; unpack the release again") from error
        return {key: table[row] for key, row in row_of.items()}

    def keys_of(self, split: str) -> set[str]:
        """Identifiers of the images of a split."""
        if split in ("train", "test"):
            return super().keys_of(split)
        if self._test_classes is None:
            raise DataError(
                f"{self.folder}: no testclasses.txt in it or beside it, which says what is {split} ({_TEXTS})"
            )
        unseen = set(text_of(self._test_classes).split())
        return {key for key, name in self.files.items() if (name.partition("/")[0] in unseen) == (split == "unseen")}

    def captions(self, record: Record) -> tuple[str, ...]:
        """Reed's ten."""
        return () if self._texts is None else caption_lines(self._texts / f"{record.name}.txt")

    def labels(self, record: Record) -> list[bool]:
        """Whether each attribute is present, at least probably."""
        return (self.certainties[record.key] >= PROBABLY).tolist() if self.attribute_names else []

    def mask_bits(self, record: Record, resolution: int) -> np.ndarray:
        """Bits of the bird and of its parts: discs around their points, inside the bird."""
        path = self._segmentations / f"{record.name}.png"
        if not path.is_file():
            raise DataError(f"{path}: is missing; unpack segmentations.tgz again")
        seen = decode_image(read_bytes(path, DataError, MAX_BYTES), path).max(axis=2) > 127
        bird = cut(seen, record)
        height, width = bird.shape
        left, top = (max(edge, 0) for edge in record.box[:2]) if record.box else (0, 0)
        rows, columns = np.mgrid[:height, :width]
        planes = {name: np.zeros_like(bird) for name in _REGIONS} | {"bird": bird}
        for part, x, y in self._points.get(record.key, ()):
            disc = (columns - (x - left)) ** 2 + (rows - (y - top)) ** 2 <= (_REACH * max(height, width)) ** 2
            planes[part] |= disc & bird
        bits = np.stack([resize_plane(plane, resolution) for plane in planes.values()])
        return pack_masks(torch.from_numpy(bits))

    def parts(self) -> list[Part]:
        """Those of all birds, and attributes, points, segmentations, captions, unseen classes."""
        found = super().parts()
        found.append(self._part_of_attributes())
        points = "" if self._has_parts() else f"no parts/part_locs.txt{nearest_name(self.folder, 'parts')}"
        found.append(Part("points of parts", len(self._points) if self._has_parts() else 0, self.num, _SOURCE, points))
        found.append(self._beside("segmentations", self._segmentations, ".png", _MASKS_SOURCE))
        found.append(self._beside("captions", self._texts, ".txt", _TEXTS))
        classes = len(text_of(self._test_classes).split()) if self._test_classes else 0
        problem = "" if classes else f"no testclasses.txt in {self.folder} or beside it"
        return [*found, Part("unseen classes", classes, None, _TEXTS, problem)]

    def _part_of_attributes(self):
        if not self.attribute_names:
            name = "attributes.txt" if self._names_file is None else "attributes/image_attribute_labels.txt"
            return Part("attributes", 0, self.num, _SOURCE, f"no {name}")
        try:
            without = [key for key, row in self.certainties.items() if not row.all()]
        except DataError as error:
            return Part("attributes", 0, self.num, _SOURCE, str(error))
        problem = f"images without a label for each: {listed(without)}" if without else ""
        return Part("attributes", len(self.files) - len(without), self.num, _SOURCE, problem)

    def _beside(self, name, folder, suffix, source):
        if folder is None:
            return Part(name, 0, self.num, source, f"no folder {name} in {self.folder} or beside it")
        names = [str(Path(file).with_suffix("")) for file in self.files.values()]
        without = [each for each in names if not (folder / f"{each}{suffix}").is_file()]
        problem = f"images without a file in {folder.name}: {listed(without)}" if without else ""
        return Part(name, len(names) - len(without), self.num, source, problem)

    def _has_parts(self):
        return all((self.folder / "parts" / name).is_file() for name in ("parts.txt", "part_locs.txt"))

    @functools.cached_property
    def _points(self):
        """Identifier -> (region, x, y) of every visible part."""
        region_of = {part: region for region, parts in _REGIONS.items() for part in parts}
        names = {key: name for key, name in table_rows(self.folder / "parts" / "parts.txt", 2)}
        path, points = self.folder / "parts" / "part_locs.txt", {}
        for key, part, x, y, is_visible in table_rows(path, 5):
            try:
                if is_visible.strip() == "1":
                    points.setdefault(key, []).append((region_of[names[part].strip()], float(x), float(y)))
            except (KeyError, ValueError) as error:
                raise DataError(f"{path}: not image, part, x, y, visible: {key} {part} {x} {y} ({error})") from error
        return points
