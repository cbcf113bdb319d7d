"""Data sets of the Hugging Face Hub by name, through the package `datasets`: hub:owner/name[:split]."""

from __future__ import annotations

from pathlib import Path

from styleT2I.data.releases.collections.rows import caption_texts, columns_of, image_bytes
from styleT2I.data.releases.release import Part, Record, Release
from styleT2I.errors import DataError, DependencyError, guarded


class HubData(Release):
    """A data set with a column of images; it is downloaded into the cache of `datasets`, and no code in it is run."""

    kind, title, resolution = "hub", "Hub", None

    def __init__(self, folder: str | Path):
        super().__init__(folder)
        self._tables: dict[str, object] = {}

    def check_split(self, split: str | None) -> None:
        """Every name may be a split; the Hub knows."""

    def records(self, split: str | None) -> list[Record]:
        """The rows of a split, of train where none is named."""
        table = self._open(split or "train")
        return [Record(f"{row:08d}", (split or "train", row)) for row in range(len(table))]

    def read(self, record: Record) -> bytes:
        """The bytes of the row's image."""
        return image_bytes(self._row(record)[self._columns[0]], self.where(record))

    def where(self, record: Record) -> Path:
        """The row in messages."""
        return self.folder / f"{record.key[0]}, row {record.key[1]}"

    def captions(self, record: Record) -> tuple[str, ...]:
        """The row's captions."""
        return caption_texts(self._row(record)[self._columns[1]], self.where(record)) if self._columns[1] else ()

    def parts(self) -> list[Part]:
        """Images and captions of the split that is open, of train where none is."""
        table = next(iter(self._tables.values()), None) or self._open("train")
        source, num = f"https://huggingface.co/datasets/{self.folder}", len(table)
        problem = "" if self._columns[1] else "no column caption, captions or text"
        return [
            Part("images", num, None, source, "", True),
            Part("captions", num if self._columns[1] else 0, num, source, problem),
        ]

    def _row(self, record):
        split, row = record.key
        with guarded(self.where(record), "cannot be read; clear the cache of datasets", DataError):
            return self._open(split)[row]

    def _open(self, split):
        if split not in self._tables:
            try:
                import datasets
            except ImportError as error:
                raise DependencyError(
                    "data sets of the Hub are read by datasets: pip install 'styleT2I[hub]'"
                ) from error
            with guarded(
                f"hub:{self.folder}", "cannot be opened; check its name, its split and the network", DataError
            ):
                table = datasets.load_dataset(str(self.folder), split=split)
                self._columns = columns_of(table.column_names, f"hub:{self.folder}")
                self._tables[split] = table.cast_column(self._columns[0], datasets.Image(decode=False))
        return self._tables[split]
