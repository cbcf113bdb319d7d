"""Releases of birds: what CUB-200-2011 and NABirds share (tables of images, boxes, classes, a split), and NABirds."""

from __future__ import annotations

import functools
from pathlib import Path, PurePosixPath

from styleT2I.data.releases.release import Part, Record, Release, listed, nearest_name, table_rows
from styleT2I.errors import DataError

_BOX = 0.75  # half side of the square that is cut out, in larger sides of the bird's box (StyleT2I's released code)


class Birds(Release):
    """images.txt, bounding_boxes.txt, image_class_labels.txt and train_test_split.txt beside images/.

    Every image is cut to a square around the bird's box, 1.5 times its larger side, as far as that lies in the image.
    """

    splits = ("train", "test")
    num: int  # images of the whole release
    source: str

    def __init__(self, folder: str | Path):
        super().__init__(folder)
        if not (self.folder / "images.txt").is_file():
            inner = next((d for d in (self.folder / self.inner,) if (d / "images.txt").is_file()), None)
            if inner is None:
                hint = nearest_name(self.folder, "images.txt")
                raise DataError(
                    f"{self.folder}: has no images.txt{hint}; name the unpacked {self.title} ({self.source})"
                )
            self.folder = inner
        if not (self.folder / "images").is_dir():
            hint = nearest_name(self.folder, "images")
            raise DataError(f"{self.folder}: has no folder images{hint} ({self.source})")

    inner = ""  # folder inside the archive

    @functools.cached_property
    def files(self) -> dict[str, str]:
        """Identifier -> path below images/."""
        found = {}
        for key, name in table_rows(self.folder / "images.txt", 2):
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts:
                raise DataError(f"{self.folder / 'images.txt'}: {name!r} leaves the folder of images; unpack it again")
            if key in found:
                raise DataError(f"{self.folder / 'images.txt'}: {key} is there twice; unpack it again")
            found[key] = name
        return found

    def records(self, split: str | None) -> list[Record]:
        """The images of a split of train_test_split.txt, in the order of images.txt."""
        boxes = self._boxes()
        keys = self.files if split is None else self.keys_of(split)
        return [Record(PurePosixPath(self.files[key]).with_suffix("").as_posix(), key, boxes.get(key))
                for key in self.files if key in keys]  # fmt: skip

    def keys_of(self, split: str) -> set[str]:
        """Identifiers of the images of a split."""
        rows = table_rows(self._table("train_test_split.txt"), 2)
        return {key for key, is_train in rows if (is_train == "1") == (split == "train")}

    def where(self, record: Record) -> Path:
        """The image's file."""
        return self.folder / "images" / self.files[record.key]

    def parts(self) -> list[Part]:
        """Images and tables."""
        missing = [name for name in self.files.values() if not (self.folder / "images" / name).is_file()]
        problem = f"files of images.txt that are not there: {listed(missing)}" if missing else ""
        images = Part("images", len(self.files) - len(missing), self.num, self.source, problem, True)
        return [images, *(self._part(name, file, number) for name, file, number in (
            ("boxes", "bounding_boxes.txt", 5), ("classes", "image_class_labels.txt", 2),
            ("split", "train_test_split.txt", 2),
        ))]  # fmt: skip

    def _part(self, name, file, num_fields):
        path = self.folder / file
        if not path.is_file():
            return Part(name, 0, self.num, self.source, f"no {file}{nearest_name(self.folder, file)}")
        try:
            keys = {row[0] for row in table_rows(path, num_fields)}
        except DataError as error:
            return Part(name, 0, self.num, self.source, str(error))
        without = [key for key in self.files if key not in keys]
        problem = f"images without a row: {listed(without)}" if without else ""
        return Part(name, len(keys & set(self.files)), self.num, self.source, problem)

    def _table(self, file):
        path = self.folder / file
        if not path.is_file():
            raise DataError(f"{self.folder}: has no {file}{nearest_name(self.folder, file)} ({self.source})")
        return path

    def _boxes(self):
        path = self.folder / "bounding_boxes.txt"
        if not path.is_file():
            return {}
        try:
            rows = [(key, *map(float, values)) for key, *values in table_rows(path, 5)]
        except ValueError as error:
            raise DataError(f"{path}: a box is x, y, width and height: {error}; unpack the release again") from error
        return {key: _square(*box) for key, *box in rows}


def _square(x, y, width, height):
    """The square around a box: left, top, right, bottom in whole pixels."""
    half = _BOX * max(width, height)
    across, down = x + width / 2, y + height / 2
    return round(across - half), round(down - half), round(across + half), round(down + half)


class NABirds(Birds):
    """NABirds (Van Horn et al., CVPR 2015): 48,562 photographs of 555 classes, without captions or attributes.

    Splits train and test; a generator of StyleT2I's cross-domain experiment is trained on it.
    """

    kind, title, inner = "nabirds", "NABirds", "nabirds"
    num, source = 48_562, "https://dl.allaboutbirds.org/nabirds"
