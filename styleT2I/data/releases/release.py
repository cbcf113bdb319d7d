"""What a reader of a downloaded data set is: its records, their bytes and labels, and the parts that it should have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from styleT2I.config import read_bytes, suggestion
from styleT2I.errors import CheckpointError, DataError
from styleT2I.formats.pickles.blobs import open_blob
from styleT2I.formats.pickles.machine import read_pickle
from styleT2I.formats.pickles.records import Names
from styleT2I.torch_utils.images import MAX_BYTES

__all__ = ["Part", "Record", "Release", "find_folder", "read_cached_captions", "table_rows"]

_MAX_TABLE = 1 << 29  # bytes of a release's table; CUB's attribute labels have 105 MB


class Record(NamedTuple):
    """One image of a release."""

    name: str  # of the sample; file name without suffix in our own layout
    key: Any  # by which the release finds what belongs to it: a number, or a path
    box: tuple[int, int, int, int] | None = None  # cut out before all else: left, top, right, bottom in pixels
    captions: tuple[str, ...] | None = None  # in place of the release's own


@dataclass(frozen=True)
class Part:
    """One part of a release: whether it is there, in one line."""

    name: str
    found: int  # files, or rows of a table
    expected: int | None  # of the whole release; None: unknown
    source: str  # where it comes from
    problem: str = ""  # what is missing or damaged, in one line; "" for nothing
    is_needed: bool = False  # whether nothing can be read without it

    @property
    def state(self) -> str:
        """ "complete", "incomplete" or "missing"."""
        if not self.found:
            return "missing"
        return "incomplete" if self.problem or self.found < (self.expected or 0) else "complete"

    def line(self) -> str:
        """One line: what was found, what is wrong, and where to get it.

        >>> Part("captions", 2, 3, "https://example.org/captions.zip", "no 2.txt").line()
        'captions: incomplete, 2 of 3; no 2.txt; from https://example.org/captions.zip'
        """
        number = f"{self.found:,} of {self.expected:,}" if self.expected else f"{self.found:,}"
        told = [f"{self.name}: {self.state}, {number}" if self.found else f"{self.name}: missing"]
        told += [self.problem] if self.problem else []
        return "; ".join([*told, *([f"from {self.source}"] if self.state != "complete" else [])])


class Release:
    """A downloaded data set in `folder`; a subclass says where its parts lie.

    Opening one looks at names alone; DataError, one line, where a part that is needed is not there.
    """

    kind: ClassVar[str]  # before the colon of its specification
    title: ClassVar[str]
    splits: ClassVar[tuple[str, ...]] = ()
    resolution: ClassVar[int | None] = 256  # side of its images unless told, px; None: the first image's

    attribute_names: tuple[str, ...] = ()
    region_names: tuple[str, ...] = ()

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)

    def records(self, split: str | None) -> list[Record]:
        """The images of a split, one of `splits`, or all; DataError where the split's table is missing."""
        raise NotImplementedError

    def read(self, record: Record) -> bytes:
        """The bytes of an image's file."""
        return read_bytes(self.where(record), DataError, MAX_BYTES)

    def where(self, record: Record) -> Path:
        """An image's file, or its name in messages."""
        raise NotImplementedError

    def captions(self, record: Record) -> tuple[str, ...]:
        """The captions of an image; none where the release has none."""
        return ()

    def labels(self, record: Record) -> Sequence[int]:
        """A value above 0 for each of `attribute_names` that the image has."""
        return ()

    def mask_bits(self, record: Record, resolution: int) -> np.ndarray:
        """[resolution, resolution] uint16 whose bit k is region k of `region_names`."""
        raise NotImplementedError

    def parts(self) -> list[Part]:
        """Every part of the release with what was found of it; looks at tables and at names of files."""
        raise NotImplementedError

    def check_split(self, split: str | None) -> None:
        """DataError unless the release has a split of this name."""
        if split is not None and split not in self.splits:
            raise DataError(f"{self.kind}:{self.folder}: no split {split!r}{suggestion(split, self.splits)}")


def find_folder(where: Iterable[Path], names: Sequence[str], test: Callable[[Path], bool] = Path.is_dir) -> Path | None:
    """The first of the folders of these names that lies in one of the places; None where there is none.

    test: what it has to be, say Path.is_file.
    """
    return next((place / name for place in where for name in names if test(place / name)), None)


def nearest_name(folder: Path, name: str) -> str:
    """ "; did you mean ..." for the entry of a folder whose name is nearest to a missing one, else ""."""
    there = [entry.name for entry in sorted(folder.iterdir())] if folder.is_dir() else []
    near = suggestion(name, there, lists_all=False)
    return f"{near} rename it to {name}" if near else ""


def table_rows(path: Path, num_fields: int) -> list[list[str]]:
    """Rows of a table with spaces between its fields, as CUB has them; the last of `num_fields` may hold spaces.

    DataError, one line, for a row with fewer fields or a file that is no text.
    """
    text = text_of(path)
    rows = [line.split(None, num_fields - 1) for line in text.splitlines() if line.strip()]
    short = next((row for row in rows if len(row) < num_fields), None)
    if short is not None:
        raise DataError(
            f"{path}: a row with {len(short)} of {num_fields} fields: {' '.join(short)[:60]!r}; unpack it again"
        )
    return rows


def text_of(path: Path) -> str:
    """A table of a release as text; DataError, one line."""
    try:
        return read_bytes(path, DataError, _MAX_TABLE).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); unpack it again") from error


def caption_lines(path: Path) -> tuple[str, ...]:
    """The captions of a file with one per line; DataError where it cannot be read."""
    return tuple(line.strip() for line in text_of(path).splitlines() if line.strip())


def listed(names: Iterable, most: int = 3) -> str:
    """The first names and the number of the others.

    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    names = [str(name) for name in names]
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def read_cached_captions(path: Path) -> list[tuple[str, ...]]:
    """Captions as StyleT2I's authors store those of the unseen split: a pickled list of lists, an image each, in order.

    Nothing in the file is executed.

    DataError, one line, where it is damaged or no list of lists of texts.
    """
    try:
        with open_blob(path) as blob:
            tree, _ = read_pickle(blob, Names())
    except CheckpointError as error:
        raise DataError(str(error)) from error
    rows = tree if isinstance(tree, (list, tuple)) else [None]
    if not all(isinstance(row, (list, tuple)) and row and all(isinstance(text, str) for text in row) for row in rows):
        raise DataError(f"{path}: not a list of lists of captions; get it again from the authors")
    return [tuple(text.strip() for text in row) for row in rows]
