"""CelebA-HQ with the parts, attributes, captions and splits that belong to it, as each was released.

CelebAMask-HQ (Lee et al., CVPR 2020), the folder that is named:
    CelebA-HQ-img/0.jpg ... 29999.jpg                 1024 x 1024
    CelebAMask-HQ-mask-anno/0/00000_hair.png ...      512 x 512, white inside; a part that is not visible has no file;
                                                      folder k holds the images 2000 k ... 2000 k + 1999
    CelebAMask-HQ-attribute-anno.txt                  a count, 40 names, then "0.jpg -1 1 ..."
    CelebA-HQ-to-CelebA-mapping.txt                   idx, number and file in CelebA, which tells the split
In it, or in the folder around it:
    celeba-caption/0.txt ...                          captions, one per line (Multi-Modal-CelebA-HQ, Xia et al., 2021)
    novel_composition_caption_unseen_test_cached.pkl  the captions of the unseen test images that its authors drew
    list_eval_partition.csv, filter_mask.csv,         splits, captions kept, and the images whose attribute sets
    unseen_split.csv                                  training lacks (StyleT2I, Li et al., CVPR 2022)
"""

from __future__ import annotations

import csv
import functools
import io
from pathlib import Path

import numpy as np
import torch

from styleT2I.config import read_bytes
from styleT2I.data.folder import resize_plane
from styleT2I.data.releases.release import (
    Part,
    Record,
    Release,
    caption_lines,
    find_folder,
    listed,
    nearest_name,
    read_cached_captions,
    text_of,
)
from styleT2I.data.writer import pack_masks
from styleT2I.errors import DataError
from styleT2I.torch_utils.images import MAX_BYTES, decode_image

AUTHORS_CAPTIONS = "novel_composition_caption_unseen_test_cached.pkl"  # of the unseen split
# Our parts, named as in MiniFaces, and the annotations they unite. Left and right are one part: a data set that is
# mirrored stays right, and 13 parts fit the 16 bits of a mask, where they may overlap (eyes behind glasses).
PARTS = {
    "hair": ("hair",),
    "skin": ("skin",),
    "eyes": ("l_eye", "r_eye"),
    "brows": ("l_brow", "r_brow"),
    "glasses": ("eye_g",),
    "nose": ("nose",),
    "mouth": ("mouth", "u_lip", "l_lip"),
    "ears": ("l_ear", "r_ear"),
    "earrings": ("ear_r",),
    "hat": ("hat",),
    "neck": ("neck",),
    "necklace": ("neck_l",),
    "clothes": ("cloth",),
}
NUM, NUM_UNSEEN = 30_000, 1_941
_SPLIT_NUMBERS = {"train": 0, "val": 1, "test": 2}  # in list_eval_partition.csv
_LAST_OF_CELEBA = {
    "train": 162_770,
    "val": 182_637,
    "test": 202_599,
}  # last file of each split of CelebA, counted from 1
_IMAGES, _MASKS, _ATTRIBUTES = "CelebA-HQ-img", "CelebAMask-HQ-mask-anno", "CelebAMask-HQ-attribute-anno.txt"
_MAPPING, _PARTITION = "CelebA-HQ-to-CelebA-mapping.txt", "list_eval_partition.csv"
_FILTER, _UNSEEN = "filter_mask.csv", "unseen_split.csv"
_CAPTIONS = ("celeba-caption", "text/celeba-caption", "text")
_SUFFIXES = {".jpg", ".png"}
_PER_FOLDER = 2000
_RELEASE = "https://github.com/switchablenorms/CelebAMask-HQ"
_TEXTS = "https://github.com/IIGROUP/MM-CelebA-HQ-Dataset (text.zip)"
_SPLITS = "https://github.com/zhihengli-UR/StyleT2I"


class CelebAHQ(Release):
    """CelebAMask-HQ, and what else of CelebA-HQ lies in it or beside it.

    Splits: train, val, test as in CelebA; filtered-train ... without the captions about attractiveness that StyleT2I
    left out; unseen-test and unseen-val, whose sets of attributes no training caption has (StyleT2I, sec. 6.1).
    """

    kind, title = "celebahq", "CelebA-HQ"
    splits = ("train", "val", "test", "filtered-train", "filtered-val", "filtered-test", "unseen-test", "unseen-val")

    def __init__(self, folder: str | Path):
        super().__init__(folder)
        inner = find_folder([self.folder], ["CelebAMask-HQ"])
        if inner and not (self.folder / _IMAGES).is_dir():
            self.folder = inner
        self._places = [self.folder, self.folder / "stylet2i", self.folder.parent, self.folder.parent / "stylet2i"]
        images = find_folder([self.folder], [_IMAGES, "images", "image"])
        if images is None:
            hint = nearest_name(self.folder, _IMAGES) or "; name the unpacked CelebAMask-HQ"
            raise DataError(f"{self.folder}: has no folder {_IMAGES}{hint} ({_RELEASE})")
        self._images = _numbered(images)
        if not self._images:
            raise DataError(f"{images}: no images 0.jpg, 1.jpg, ...; name the unpacked CelebAMask-HQ")
        self.indices = sorted(self._images)
        self._masks = find_folder([self.folder], [_MASKS])
        self._captions = find_folder(self._places[:1] + [self.folder.parent], _CAPTIONS)
        self.region_names = tuple(PARTS) if self._masks else ()

    @functools.cached_property
    def attribute_names(self) -> tuple[str, ...]:
        """The 40 names of the attribute file; none where there is no such file."""
        return self._table[0]

    @functools.cached_property
    def _table(self):
        return _read_attributes(self.folder / _ATTRIBUTES)

    def records(self, split: str | None) -> list[Record]:
        """The images of a split, by number; of unseen-test with the authors' captions, where those are there."""
        chosen = None if split is None else self._numbers_of(split)
        records = [Record(f"{i:05d}", i) for i in self.indices if chosen is None or i in chosen]
        path = find_folder(self._places, [AUTHORS_CAPTIONS], Path.is_file)
        return self._with_authors_captions(records, chosen, path) if path and split == "unseen-test" else records

    def where(self, record: Record) -> Path:
        """The image's file."""
        return self._images[record.key]

    def captions(self, record: Record) -> tuple[str, ...]:
        """Those of Multi-Modal-CelebA-HQ."""
        return () if self._captions is None else caption_lines(self._captions / f"{record.key}.txt")

    def labels(self, record: Record) -> tuple[int, ...]:
        """The row of the attribute file, values -1 and 1."""
        if not self.attribute_names:
            return ()
        if record.key not in self._table[1]:
            raise DataError(f"{self.folder / _ATTRIBUTES}: no row {record.key}.jpg; complete the file or remove it")
        return self._table[1][record.key]

    def mask_bits(self, record: Record, resolution: int) -> np.ndarray:
        """Bits of the parts of one image, in the order of PARTS."""
        folder, index = self._masks / str(record.key // _PER_FOLDER), record.key
        bits = np.zeros((len(PARTS), resolution, resolution), bool)
        num_found = 0
        for k, names in enumerate(PARTS.values()):
            found = [p for p in (folder / f"{index:05d}_{name}.png" for name in names) if p.exists()]
            planes = [decode_image(read_bytes(p, DataError, MAX_BYTES), p).max(axis=2) > 127 for p in found]
            if len({plane.shape for plane in planes}) > 1:
                raise DataError(f"{found[0]}: is not as large as {found[1].name}; unpack the release again")
            if planes:  # united at full size, as a thin lip alone might cover less than half of every pixel
                bits[k] = resize_plane(np.logical_or.reduce(planes), resolution)
            num_found += len(found)
        if not num_found:
            raise DataError(f"{folder}: no annotation {index:05d}_*.png; is the release unpacked completely?")
        return pack_masks(torch.from_numpy(bits))

    def use_captions(self, folder: str | Path | None) -> None:
        """Take the captions NUMBER.txt of a folder that lies elsewhere, or none."""
        self._captions = folder and Path(folder)

    def needs_masks(self) -> None:
        """DataError where the release has no folder of annotated parts."""
        if self._masks is None:
            hint = nearest_name(self.folder, _MASKS) or "; name the unpacked CelebAMask-HQ"
            raise DataError(f"{self.folder}: has no folder {_MASKS}{hint}")

    def parts(self) -> list[Part]:
        """Images, annotated parts, attributes, captions, partition, filter, unseen split and its captions."""
        holes = sorted(set(range(max(self.indices) + 1)) - set(self.indices))
        problem = f"numbers without an image: {listed(holes)}" if holes else ""
        return [
            Part("images", len(self.indices), NUM, f"{_RELEASE} (CelebAMask-HQ.zip)", problem, True),
            self._part_of_masks(),
            self._part_of_attributes(),
            self._part_of_captions(),
            *(self._part_of_table(*told) for told in (
                ("partition", _PARTITION, ("idx", "split"), f"{_SPLITS}, or {_MAPPING} of the release"),
                ("filter", _FILTER, ("filter_mask",), _SPLITS),
                ("unseen split", _UNSEEN, ("unseen_test", "unseen_valid"), _SPLITS),
            )),
            self._part_of_authors_captions(),
        ]  # fmt: skip

    def _part_of_masks(self):
        source = f"{_RELEASE} (CelebAMask-HQ.zip, folder {_MASKS})"
        if self._masks is None:
            return Part("parts of the face", 0, NUM, source, f"no folder {_MASKS}{nearest_name(self.folder, _MASKS)}")
        found = {
            entry.name[:5] for folder in self._masks.iterdir() if folder.is_dir() for entry in folder.glob("*.png")
        }
        found = {int(name) for name in found if name.isdecimal()}
        without = [i for i in self.indices if i not in found]
        problem = f"images without any: {listed(without)}" if without else ""
        return Part("parts of the face", len(found & set(self.indices)), NUM, source, problem)

    def _part_of_attributes(self):
        source = f"{_RELEASE} (CelebAMask-HQ.zip, {_ATTRIBUTES})"
        try:
            names, table = self._table
        except DataError as error:
            return Part("attributes", 0, NUM, source, str(error))
        if not names:
            return Part("attributes", 0, NUM, source, f"no {_ATTRIBUTES}{nearest_name(self.folder, _ATTRIBUTES)}")
        without = [i for i in self.indices if i not in table]
        problem = f"images without a row: {listed(without)}" if without else ""
        return Part("attributes", len(table), NUM, source, problem)

    def _part_of_captions(self):
        if self._captions is None:
            return Part("captions", 0, NUM, _TEXTS, f"no folder {_CAPTIONS[0]} in {self.folder} or beside it")
        found = set(_numbered(self._captions, {".txt"}))
        without = [i for i in self.indices if i not in found]
        problem = f"images without a file: {listed(without)}" if without else ""
        return Part("captions", len(found & set(self.indices)), NUM, _TEXTS, problem)

    def _part_of_table(self, name, file, columns, source):
        path = find_folder(self._places, [file], Path.is_file)
        if path is None:
            has_mapping = file == _PARTITION and (self.folder / _MAPPING).is_file()
            found = len(self._partition_of_celeba()) if has_mapping else 0
            return Part(name, found, NUM, source, "" if found else f"no {file} in {self.folder} or beside it")
        try:
            return Part(name, len(_columns(path, columns)), NUM, source)
        except DataError as error:
            return Part(name, 0, NUM, source, str(error))

    def _with_authors_captions(self, records, chosen, path):
        captions = read_cached_captions(path)
        if len(captions) != len(chosen):
            raise DataError(f"{path}: captions of {len(captions)} images, and {_UNSEEN} names {len(chosen)}")
        of_number = dict(zip(sorted(chosen), captions, strict=True))
        return [record._replace(captions=of_number[record.key]) for record in records]

    def _part_of_authors_captions(self):
        path = find_folder(self._places, [AUTHORS_CAPTIONS], Path.is_file)
        if path is None:
            return Part(
                "unseen captions", 0, NUM_UNSEEN, _SPLITS, f"no {AUTHORS_CAPTIONS} in {self.folder} or beside it"
            )
        try:
            return Part("unseen captions", len(read_cached_captions(path)), NUM_UNSEEN, _SPLITS)
        except DataError as error:
            return Part("unseen captions", 0, NUM_UNSEEN, _SPLITS, str(error))

    def _numbers_of(self, split):
        """Numbers of the images of a split."""
        kind, _, part = split.rpartition("-")
        path = find_folder(self._places, [_PARTITION], Path.is_file)
        if path:
            chosen = indices_of_split(path, part)
        elif (self.folder / _MAPPING).is_file():
            chosen = {i for i, name in self._partition_of_celeba().items() if name == part}
        else:
            raise DataError(f"{self.folder}: no {_PARTITION} or {_MAPPING}, which say what is {part}; from {_SPLITS}")
        if kind:
            chosen &= self._flagged(_FILTER, "filter_mask")
        if kind == "unseen":
            chosen &= self._flagged(_UNSEEN, "unseen_valid" if part == "val" else "unseen_test")
        return chosen

    def _flagged(self, file, column):
        path = find_folder(self._places, [file], Path.is_file)
        if path is None:
            raise DataError(f"{self.folder}: no {file} in it or beside it; from {_SPLITS}")
        return {i for i, (value,) in enumerate(_columns(path, (column,))) if value == 1}

    def _partition_of_celeba(self):
        """Number -> "train", "val" or "test", by the number of the image's file in CelebA."""
        path, found = self.folder / _MAPPING, {}
        for line in text_of(path).splitlines()[1:]:
            fields = line.split()
            if not fields:
                continue
            try:
                number = int(Path(fields[2]).stem)
                found[int(fields[0])] = next(name for name, last in _LAST_OF_CELEBA.items() if number <= last)
            except (ValueError, IndexError, StopIteration) as error:
                raise DataError(f"{path}: not columns idx, orig_idx and orig_file: {line[:60]!r}") from error
        return found


def indices_of_split(path: str | Path, split: str) -> set[int]:
    """Numbers of the images of "train", "val" or "test" in a list_eval_partition.csv with columns idx and split."""
    return {index for index, number in _columns(Path(path), ("idx", "split")) if number == _SPLIT_NUMBERS[split]}


def _columns(path, names):
    """Tuples of the integers in the named columns of a CSV table; DataError."""
    try:
        rows = csv.DictReader(io.StringIO(text_of(path)))
        return [tuple(int(row[name]) for name in names) for row in rows]
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        detail = " (0, 1, 2)" if "split" in names else " (0, 1)"
        plural = "columns" if len(names) > 1 else "a column"
        raise DataError(f"{path}: not a table with {plural} {' and '.join(names)}{detail}: {error}") from error


def _numbered(folder, suffixes=_SUFFIXES):
    """Number -> file, of the files named by a number; DataError where two have the same."""
    found = {}
    for path in folder.iterdir():
        if path.suffix.lower() in suffixes and path.stem.isascii() and path.stem.isdecimal():
            if int(path.stem) in found:
                other = found[int(path.stem)].name
                raise DataError(f"{folder}: {other} and {path.name} are the same number; remove one of them")
            found[int(path.stem)] = path
    return found


def _read_attributes(path):
    """Return (attribute names, {number: values of -1 and 1}), both empty when the file is absent."""
    if not path.exists():
        return (), {}
    try:
        lines = text_of(path).splitlines()[1:]
        names = tuple(lines[0].split())
        rows = [line.split() for line in lines[1:] if line.strip()]
        table = {int(Path(name).stem): tuple(map(int, values)) for name, *values in rows}
    except (ValueError, IndexError) as error:
        raise DataError(f"{path}: not a count, a line of names and one row per image: {error}") from error
    wrong = next((index for index, values in table.items() if len(values) != len(names)), None)
    if wrong is not None:
        raise DataError(f"{path}: row {wrong}.jpg has {len(table[wrong])} values for {len(names)} names")
    return names, table
