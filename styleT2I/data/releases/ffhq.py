"""FFHQ (Karras et al., CVPR 2019): 70,000 aligned photographs of faces, without captions or labels.

images1024x1024/00000/00000.png ... 69000/69999.png, or thumbnails128x128, or all files in one folder. The first 60,000
are train, the others val, as its authors divide them.
"""

from __future__ import annotations

from pathlib import Path

from styleT2I.data.releases.release import Part, Record, Release, find_folder, listed, nearest_name
from styleT2I.errors import DataError

NUM, _NUM_TRAIN = 70_000, 60_000
_SOURCE = "https://github.com/NVlabs/ffhq-dataset"
_FOLDERS = ("images1024x1024", "thumbnails128x128", "images256x256")


class FFHQ(Release):
    """FFHQ at 1024 px where that is there, else what is."""

    kind, title = "ffhq", "FFHQ"
    splits = ("train", "val")

    def __init__(self, folder: str | Path):
        super().__init__(folder)
        where = find_folder([self.folder], _FOLDERS) or self.folder
        if not where.is_dir():
            raise DataError(f"{where}: no such folder; name the folder of FFHQ ({_SOURCE})")
        self._files = {}
        for path in where.rglob("*.png"):
            if path.stem.isascii() and path.stem.isdecimal():
                if int(path.stem) in self._files:
                    raise DataError(f"{path}: {self._files[int(path.stem)]} has the same number; remove one of them")
                self._files[int(path.stem)] = path
        if not self._files:
            hint = nearest_name(self.folder, _FOLDERS[0]) or "; name the folder of FFHQ"
            raise DataError(f"{where}: no images 00000.png, 00001.png, ...{hint} ({_SOURCE})")
        self.resolution = 128 if where.name == "thumbnails128x128" else 256

    def records(self, split: str | None) -> list[Record]:
        """The images by number."""
        numbers = sorted(i for i in self._files if split is None or (i < _NUM_TRAIN) == (split == "train"))
        return [Record(f"{i:05d}", i) for i in numbers]

    def where(self, record: Record) -> Path:
        """The image's file."""
        return self._files[record.key]

    def parts(self) -> list[Part]:
        """The images, and numbers between them that have none."""
        holes = sorted(set(range(max(self._files) + 1)) - set(self._files))
        problem = f"numbers without an image: {listed(holes)}" if holes else ""
        return [Part("images", len(self._files), NUM, _SOURCE, problem, True)]
