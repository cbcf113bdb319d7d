"""WebDataset: tar files whose members of one name are one sample: 000000.jpg, 000000.txt, 000000.json.

Captions are the lines of KEY.txt, or "caption" or "captions" of KEY.json. Images are read by their place in
the tar; nothing is unpacked, and names inside are never used as paths.
"""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from styleT2I.data.releases.release import Part, Record, Release, listed
from styleT2I.errors import DataError
from styleT2I.torch_utils.images import MAX_BYTES, SUFFIXES

_SOURCE = "whoever made the shards; write them again"


class _Member(NamedTuple):
    shard: Path
    offset: int
    size: int


class Shards(Release):
    """The .tar files of a folder, in the order of their names, or one of them."""

    kind, title, resolution = "webdataset", "WebDataset", None

    def __init__(self, folder: str | Path):
        super().__init__(folder)
        is_one = self.folder.is_file()
        self._shards = [self.folder] if is_one else sorted(self.folder.glob("*.tar"))
        if not self._shards:
            packed = listed(path.name for path in sorted(self.folder.glob("*.tar.*")))
            hint = f"; unpack {packed}, only plain .tar is read in place" if packed else "; name a folder of shards"
            raise DataError(f"{self.folder}: no .tar files in it{hint}")
        self._samples: dict[str, dict[str, _Member]] = {}  # key -> suffix -> where
        self._without_image: list[str] = []
        for shard in self._shards:
            self._index(shard)
        for key in [key for key, members in self._samples.items() if _image_of(members) is None]:
            self._without_image.append(key)
            del self._samples[key]
        if not self._samples:
            raise DataError(f"{self.folder}: no images in its shards ({', '.join(SUFFIXES)}); name shards of images")

    def records(self, split: str | None) -> list[Record]:
        """Every sample with an image."""
        return [Record(key, key) for key in self._samples]

    def read(self, record: Record) -> bytes:
        """The bytes of the sample's image."""
        return self._bytes(record.key, _image_of(self._samples[record.key]))

    def where(self, record: Record) -> Path:
        """The image in messages: its shard and its name."""
        suffix = _image_of(self._samples[record.key])
        return self._samples[record.key][suffix].shard / f"{record.key}{suffix}"

    def captions(self, record: Record) -> tuple[str, ...]:
        """The lines of its .txt, else the captions of its .json."""
        members = self._samples[record.key]
        if ".txt" in members:
            lines = self._text(record.key, ".txt").splitlines()
            return tuple(line.strip() for line in lines if line.strip())
        if ".json" not in members:
            return ()
        where = f"{members['.json'].shard}: {record.key}.json"
        try:
            told = json.loads(self._text(record.key, ".json"))
            texts = told.get("captions", told.get("caption", told.get("text", ())))
        except (ValueError, AttributeError, RecursionError) as error:
            raise DataError(f"{where}: not a JSON object; {_SOURCE}") from error
        texts = [texts] if isinstance(texts, str) else texts
        if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
            raise DataError(f"{where}: its captions are not a text or a list of texts; {_SOURCE}")
        return tuple(text.strip() for text in texts if text.strip())

    def parts(self) -> list[Part]:
        """Images, and captions where any sample has them."""
        problem = f"samples without an image: {listed(self._without_image)}" if self._without_image else ""
        images = Part("images", len(self._samples), None, _SOURCE, problem, True)
        told = {key for key, members in self._samples.items() if {".txt", ".json"} & members.keys()}
        without = [key for key in self._samples if key not in told]
        problem = f"images without a .txt or .json: {listed(without)}" if without else ""
        return [images, Part("captions", len(told), len(self._samples), _SOURCE, problem)]

    def _index(self, shard):
        """Note where every member of a shard lies; DataError for one that is cut off or no tar."""
        size = os.path.getsize(shard)
        try:
            with tarfile.open(shard, "r:") as archive:
                for member in archive:
                    if not member.isreg() or member.issparse():
                        continue
                    name = PurePosixPath(member.name)
                    if name.name.startswith("."):
                        continue
                    key, dot, rest = name.name.partition(".")
                    key = (name.parent / key).as_posix()
                    place = _Member(shard, member.offset_data, member.size)
                    if place.offset + place.size > size:
                        raise DataError(f"{shard}: cut off in {member.name}; download it again")
                    members = self._samples.setdefault(key, {})
                    suffix = f"{dot}{rest}".lower()
                    if suffix in members:
                        raise DataError(f"{shard}: {member.name} is there twice; keys are unique over all shards")
                    members[suffix] = place
        except (tarfile.TarError, OSError, EOFError, ValueError) as error:
            raise DataError(f"{shard}: not a plain tar, or cut off: {error}; download it again") from error

    def _bytes(self, key, suffix):
        shard, offset, size = self._samples[key][suffix]
        if size > MAX_BYTES:
            raise DataError(f"{shard}: {key}{suffix} has {size} bytes, the limit is {MAX_BYTES}")
        try:
            with open(shard, "rb") as file:
                file.seek(offset)
                data = file.read(size)
        except OSError as error:
            raise DataError(f"{shard}: cannot be read: {error.strerror or error}; check the path") from error
        if len(data) < size:
            raise DataError(f"{shard}: cut off in {key}{suffix}; download it again")
        return data

    def _text(self, key, suffix):
        try:
            return self._bytes(key, suffix).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(f"{self._samples[key][suffix].shard}: {key}{suffix} is not UTF-8; {_SOURCE}") from error


def _image_of(members):
    """The suffix of a sample's image; None where it has none."""
    return next((suffix for suffix in members if suffix.endswith(SUFFIXES)), None)
