"""The files of a data set in a folder or a zip of one: images from images/, or all that are there."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path, PurePosixPath

from styleT2I.config import read_bytes
from styleT2I.errors import DataError, guarded
from styleT2I.torch_utils.images import SUFFIXES

IMAGES = "images"
MAX_FILE = 1 << 28  # bytes of an image or a table
_BESIDE = ("masks", "text")  # folders of a data set that hold no images of its own
_SHEETS = {"grid.png", "explain.png"}  # sheets that generate writes beside its faces
_RECORD = "generate.json"


class ImageFiles:
    """Files by their paths below a data set, with slashes; `images` are those of images, in order, below `root`.

    root: "images" where there is such a folder, whose every file is taken for an image; else "": every file with an
    image's extension, sub-folders included, but for those that belong to other images.
    """

    def __init__(self, where: Path):
        self.where = where
        self.root = IMAGES if self._has_folder(IMAGES) else ""
        names = sorted(PurePosixPath(name) for name in self._names(self.root))
        names = [name for name in names if not any(p.startswith((".", "__MACOSX")) for p in name.parts)]
        if not self.root:
            others = set(names)
            names = [name for name in names if _is_own_image(name, others)]
        self.images = [name.as_posix() for name in names]
        self.has_texts = self._has_folder("text")

    def path(self, name: str) -> Path:
        """The name of a file in messages."""
        return self.where / name

    def read_image(self, image: str) -> bytes:
        """The bytes of one of `images`; DataError."""
        return self.read(f"{self.root}/{image}" if self.root else image)

    def image_path(self, image: str) -> Path:
        """The name of one of `images` in messages."""
        return self.where / self.root / image

    def has(self, name: str) -> bool:
        """Whether there is a regular file of this name."""
        raise NotImplementedError

    def read(self, name: str) -> bytes:
        """The bytes of a file; DataError where it is missing, no regular file, damaged or has over MAX_FILE bytes."""
        raise NotImplementedError

    def read_text(self, name: str) -> str:
        """The UTF-8 text of a file; DataError."""
        with guarded(self.path(name), "not UTF-8 text; save it as UTF-8", DataError):
            return self.read(name).decode("utf-8-sig")

    def _names(self, root):
        raise NotImplementedError

    def _has_folder(self, name):
        raise NotImplementedError


def open_image_files(where: str | Path) -> ImageFiles:
    """The files of a data set: a folder or a zip; DataError where it is neither."""
    where = Path(where)
    with guarded(where, "cannot be read; check the path", DataError):
        if where.is_dir():
            return _Folder(where)
        if where.is_file() and zipfile.is_zipfile(where):
            return _Zip(where)
    raise DataError(f"{str(where)[:300]}: neither a folder nor a zip of images; check the path")


class _Folder(ImageFiles):
    def has(self, name):
        return (self.where / name).is_file()

    def read(self, name):
        return read_bytes(self.where / name, DataError, MAX_FILE)

    def _names(self, root):
        top = self.where / root
        return [path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file()]

    def _has_folder(self, name):
        return (self.where / name).is_dir()


class _Zip(ImageFiles):
    """A zip of a folder; if all of it lies in one folder, this one is meant."""

    def __init__(self, where):
        with guarded(where, "a damaged zip archive; pack it again", DataError):
            self._archive, self._opened_by = zipfile.ZipFile(where), os.getpid()
            self._entries = {info.filename: info for info in self._archive.infolist() if not info.is_dir()}
        tops = {name.partition("/")[0] for name in self._entries if not name.startswith("__MACOSX/")}
        top = f"{tops.pop()}/" if len(tops) == 1 else ""
        if top and top != f"{IMAGES}/" and all(name.startswith((top, "__MACOSX/")) for name in self._entries):
            self._entries = {name.removeprefix(top): info for name, info in self._entries.items()}
        super().__init__(where)

    def has(self, name):
        return name in self._entries

    def read(self, name):
        if name not in self._entries:
            raise DataError(f"{self.path(name)}: is not in the archive")
        info = self._entries[name]
        if info.file_size > MAX_FILE:
            raise DataError(f"{self.path(name)}: has {info.file_size} bytes, the limit is {MAX_FILE}")
        with guarded(self.path(name), "damaged in the archive; pack it again", DataError):
            if self._opened_by != os.getpid():  # processes must not share the place that is read at
                self._archive, self._opened_by = zipfile.ZipFile(self.where), os.getpid()
            return self._archive.read(info)  # zipfile compares the checksum

    def _names(self, root):
        start = f"{root}/" if root else ""
        return [name.removeprefix(start) for name in self._entries if name.startswith(start)]

    def _has_folder(self, name):
        return any(entry.startswith(f"{name}/") for entry in self._entries)


def _is_own_image(name, others):
    is_image = name.suffix.lower() in SUFFIXES and name.parts[0] not in _BESIDE
    return is_image and not (name.name in _SHEETS and name.with_name(_RECORD) in others)
