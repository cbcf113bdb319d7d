"""Parquet files with a column of images and one of captions, as the Hub keeps data sets; needs pyarrow."""

from __future__ import annotations

import bisect
import functools
from pathlib import Path

from styleT2I.data.releases.collections.rows import caption_texts, columns_of, image_bytes
from styleT2I.data.releases.release import Part, Record, Release
from styleT2I.errors import DataError, DependencyError, guarded

_SOURCE = "whoever made the files; write or download them again"
_MAX_GROUPS = 4  # row groups in memory


class ParquetImages(Release):
    """The .parquet files of a folder (sub-folders included), in the order of their names, or one of them.

    Rows are read a row group at a time. Shuffled reading jumps between groups: a training is fed faster from a folder,
    which `python -m styleT2I.dataset convert` writes.
    """

    kind, title, resolution = "parquet", "Parquet", None

    def __init__(self, folder: str | Path):
        super().__init__(folder)
        paths = [self.folder] if self.folder.is_file() else sorted(self.folder.rglob("*.parquet"))
        if not paths:
            raise DataError(f"{self.folder}: no .parquet files in it; name a folder of them, or one")
        self._files, self._starts = [], [0]  # (path, first row of every row group); first row of every file
        for path in paths:
            with guarded(path, "not a Parquet file, or cut off; download it again", DataError):
                about = _pyarrow().ParquetFile(path).metadata
                names = [about.schema.to_arrow_schema().names[i] for i in range(len(about.schema.to_arrow_schema()))]
                sizes = [about.row_group(i).num_rows for i in range(about.num_row_groups)]
            self._image, self._caption = columns_of(names, path)
            firsts = [sum(sizes[:i]) for i in range(len(sizes))]
            self._files.append((path, firsts))
            self._starts.append(self._starts[-1] + sum(sizes))
        self._group = functools.lru_cache(maxsize=_MAX_GROUPS)(self._read_group)

    def records(self, split: str | None) -> list[Record]:
        """Every row."""
        return [Record(f"{row:08d}", row) for row in range(self._starts[-1])]

    def read(self, record: Record) -> bytes:
        """The bytes of the row's image."""
        return image_bytes(self._row(record)[0], self.where(record))

    def where(self, record: Record) -> Path:
        """The row in messages."""
        file = bisect.bisect_right(self._starts, record.key) - 1
        return self._files[file][0] / f"row {record.key - self._starts[file]}"

    def captions(self, record: Record) -> tuple[str, ...]:
        """The row's captions."""
        return caption_texts(self._row(record)[1], self.where(record))

    def parts(self) -> list[Part]:
        """Images, and captions where there is a column of them."""
        num = self._starts[-1]
        problem = "" if self._caption else "no column caption, captions or text"
        return [
            Part("images", num, None, _SOURCE, "", True),
            Part("captions", num if self._caption else 0, num, _SOURCE, problem),
        ]

    def _row(self, record):
        file = bisect.bisect_right(self._starts, record.key) - 1
        row, firsts = record.key - self._starts[file], self._files[file][1]
        group = bisect.bisect_right(firsts, row) - 1
        images, captions = self._group(file, group)
        return images[row - firsts[group]], captions[row - firsts[group]]

    def _read_group(self, file, group):
        path = self._files[file][0]
        columns = [name for name in (self._image, self._caption) if name]
        with guarded(path, "damaged; download it again", DataError):
            table = _pyarrow().ParquetFile(path).read_row_group(group, columns=columns)
            images = table.column(self._image).to_pylist()
            captions = table.column(self._caption).to_pylist() if self._caption else [None] * len(images)
        return images, captions


def _pyarrow():
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise DependencyError("Parquet files are read by pyarrow: pip install 'styleT2I[parquet]'") from error
    return pyarrow.parquet
