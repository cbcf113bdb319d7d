"""Existing images as subject of an audit: a folder, and a CSV file with the sentence each was made from."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from styleT2I.attributes.compositions import composition_name, read_composition
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.config import MAX_SEED, read_bytes, suggestion
from styleT2I.errors import ConfigError, DataError
from styleT2I.fairness.plan import AuditPlan
from styleT2I.torch_utils.images import MAX_BYTES, SUFFIXES, centre_crop_resize, check_image, load_image

__all__ = ["ImagesSubject"]


class Row(NamedTuple):
    """One line of the CSV file."""

    line: int
    file: str  # relative to the folder, with slashes
    prompt: str
    composition: str  # empty where the line has none
    seed: int | None


class ImagesSubject:
    """A folder of images and a CSV file with columns `file`, `prompt` or `composition`, and `seed` where it is known.

    Everything is read and hashed on opening. Compositions with exactly the same seeds are paired by them; otherwise the
    seed of an image is its line in the table.

    Raises:
        DataError: A file is absent, not listed, listed twice or not an image, or the table is not one; one line.
    """

    kind, model, has_settings, block, is_slow = "images", None, False, 8, False

    def __init__(self, folder: str | Path, table: str | Path):
        self.folder, self.table = Path(folder), Path(table)
        data = read_bytes(self.table, DataError, MAX_BYTES)
        self._rows = _read_rows(data, self.table)
        self._hashes = {"images": _checked_images(self.folder, self._rows, self.table),
                        "prompts": hashlib.sha256(data).hexdigest()}  # fmt: skip
        self._files: dict[str, dict[int, str]] = {}  # composition -> seed -> file
        self.is_paired = False

    def prepare(self, plan: AuditPlan, vocabulary: Vocabulary) -> None:
        """Assign each image to a composition, by the `composition` column if present, else by its prompt.

        Raises:
            DataError: An image matches no composition, a composition has no image, or a seed is there twice.
        """
        cells = plan.drawn_cells(vocabulary)
        by_sentence = {_plain(text): name for name, text in plan.sentences_of(vocabulary).items()}
        rows: dict[str, list[Row]] = {name: [] for name in cells}
        for row in self._rows:
            rows[_cell_of(row, cells, by_sentence, vocabulary, self.table)].append(row)
        if empty := [name for name, listed in rows.items() if not listed]:
            raise DataError(f"{self.table}: has no image of {empty[0]!r}, which the plan declares; add some")
        for name, listed in rows.items():
            seeds = [row.seed for row in listed if row.seed is not None]
            if len(set(seeds)) < len(seeds):
                twice = next(seed for seed in seeds if seeds.count(seed) > 1)
                raise DataError(f"{self.table}: has seed {twice} of {name!r} twice; pairs need one image per seed")
        kinds = {frozenset(row.seed for row in listed) for listed in rows.values()}
        self.is_paired = len(kinds) == 1 and None not in next(iter(kinds))
        if not self.is_paired and any(row.seed is not None for row in self._rows):
            warnings.warn(
                f"{self.table}: compositions do not have the same seeds throughout, so nothing is paired", stacklevel=2
            )
        for name, listed in rows.items():
            files = {row.line if row.seed is None or not self.is_paired else row.seed: row.file for row in listed}
            self._files[name] = dict(sorted(files.items()))

    def describe(self) -> dict:
        return {"name": self.folder.resolve().name, "components": self._hashes}

    def seeds(self, name: str, first_seed: int, num: int) -> Sequence[int]:
        """The seeds in the table; num has no effect."""
        return list(self._files[name])

    def images(self, cell, seeds: Sequence[int]) -> list[torch.Tensor]:
        """As `Subject.images`, the central squares; DataError for a damaged file."""
        arrays = [load_image(self.folder / self._files[cell.name][seed]).permute(1, 2, 0).numpy() for seed in seeds]
        squares = [centre_crop_resize(array, min(array.shape[:2])).copy() for array in arrays]
        return [torch.from_numpy(square).permute(2, 0, 1) for square in squares]

    def plain(self, setting, seeds: Sequence[int]) -> None:
        return None


def _read_rows(data, table):
    """The rows of a CSV file; DataError in one line that names the line where it goes wrong."""
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        lines = [(reader.line_num, fields) for fields in reader if any(field.strip() for field in fields)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table}: not a CSV file in UTF-8: {error}") from error
    if len(lines) < 2:
        raise DataError(f"{table}: lists no image; write a header file,prompt,seed and one line per image")
    header = [field.strip().lower() for field in lines[0][1]]
    if "file" not in header or not {"prompt", "composition"} & set(header):
        raise DataError(f"{table}: its header is {','.join(header)[:80]!r}; it needs file, and prompt or composition")
    if len(set(header)) < len(header):
        raise DataError(f"{table}: its header names a column twice: {','.join(header)[:80]!r}")
    rows = []
    for number, fields in lines[1:]:
        if len(fields) != len(header):
            raise DataError(f"{table}, line {number}: has {len(fields)} fields in place of {len(header)}; quote commas")
        named = {name: field.strip() for name, field in zip(header, fields, strict=True)}
        rows.append(_row(number, named, table))
    return rows


def _row(number, named, table):
    file, seed = named["file"].replace("\\", "/"), named.get("seed", "")
    if not file or "\0" in file or Path(file).is_absolute() or ".." in Path(file).parts:
        raise DataError(f"{table}, line {number}: {file[:80]!r} is not a file below the folder of images")
    if seed and (not re.fullmatch("[0-9]{1,19}", seed, re.ASCII) or int(seed) > MAX_SEED):
        raise DataError(f"{table}, line {number}: the seed {seed[:40]!r} is not an integer from 0 to {MAX_SEED}")
    return Row(number, Path(file).as_posix(), named.get("prompt", ""), named.get("composition", ""),
               int(seed) if seed else None)  # fmt: skip


def _checked_images(folder, rows, table):
    """One hash of all images and their names; DataError unless folder and table list the same files."""
    if not folder.is_dir():
        raise DataError(f"{folder}: this folder of images does not exist; check the path")
    listed: dict[str, int] = {}  # file -> its line
    for row in rows:
        if row.file in listed:
            raise DataError(f"{table}, line {row.line}: lists {row.file!r} again, after line {listed[row.file]}")
        listed[row.file] = row.line
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*")
             if path.suffix.lower() in SUFFIXES and path.is_file()}  # fmt: skip
    if absent := [file for file in listed if file not in there and not os.path.isfile(folder / file)]:
        raise DataError(f"{table}: lists {absent[0]!r}, which is not in {folder} ({len(absent)} such in all)")
    if missing := sorted(there - listed.keys()):
        raise DataError(f"{folder}: has {missing[0]!r}, which {table} does not list ({len(missing)} such in all)")
    digest = hashlib.sha256()
    for file in sorted(listed):
        data = read_bytes(folder / file, DataError, MAX_BYTES)
        check_image(data, folder / file)
        digest.update(f"{file}\0{hashlib.sha256(data).hexdigest()}\n".encode())
    return digest.hexdigest()


def _cell_of(row, cells, by_sentence, vocabulary, table):
    where = f"{table}, line {row.line}"
    if row.composition:
        try:
            name = composition_name(read_composition(row.composition, vocabulary), vocabulary)
        except ConfigError as error:
            raise DataError(f"{where}: {error}") from error
        if name not in cells:
            raise DataError(f"{where}: the plan declares no composition {name!r}{suggestion(name, cells)}")
        return name
    if _plain(row.prompt) not in by_sentence:
        raise DataError(
            f"{where}: {row.prompt[:80]!r} is not the sentence of any composition in the plan"
            f"{suggestion(_plain(row.prompt), by_sentence)[:200]} (sentences in the plan, or a column composition)"
        )
    return by_sentence[_plain(row.prompt)]


def _plain(text):
    return " ".join(text.lower().split()).rstrip(".")
