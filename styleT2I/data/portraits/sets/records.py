"""records.jsonl: a line of facts per rendered image, written when the image is on the disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from styleT2I.data.portraits.scenes.attributes import ATTRIBUTES
from styleT2I.data.portraits.scenes.recipe import Recipe
from styleT2I.data.writer import FORMAT, refuse_foreign_folder
from styleT2I.errors import OutputError
from styleT2I.torch_utils.files import check_writable_dir, write_json_atomic, write_text_atomic

_FILE = "records.jsonl"


@dataclass(frozen=True)
class Record:
    """One image: its place in the set, which attempt at its scene it shows, what is true of it, its landmarks."""

    index: int
    attempt: int
    file: str  # below images/
    true: tuple[str, ...]  # names of the attributes that hold
    landmarks: tuple[tuple[float, float], ...]  # 68, x and y in pixels

    def labels(self) -> dict[str, bool]:
        """Every attribute of the vocabulary, in its order."""
        return {name: name in self.true for name in ATTRIBUTES}

    @property
    def name(self) -> str:
        """NAME in the layout of `data.folder`."""
        return Path(self.file).stem


def read_records(folder: Path) -> dict[int, Record]:
    """The records of a set by index, {} where there are none; a line cut off by a kill is ignored."""
    path = Path(folder) / _FILE
    records = {}
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            record = Record(**json.loads(line))
        except (ValueError, TypeError):
            continue
        records[record.index] = record
    return records


def append_record(folder: Path, record: Record) -> None:
    """Add a record; raises OutputError where the disk does not take it."""
    try:
        with open(Path(folder) / _FILE, "a", encoding="utf-8") as f:
            f.write(json.dumps(asdict(record), separators=(",", ":")) + "\n")
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"cannot write {folder}: {reason}; free some space or choose another folder") from error


def begin_or_continue(folder: Path, recipe: Recipe) -> dict[int, Record]:
    """Prepare the folder of a set for writing and return the records it has.

    OutputError where it holds anything but images of the same recipe.
    """
    refuse_foreign_folder(folder)
    for name in ("images", "masks"):
        for leftover in check_writable_dir(folder / name).glob("tmp.*"):  # of a run that was killed while it wrote
            leftover.unlink()
    about = folder / "dataset.json"
    if not about.exists():
        write_json_atomic(about, {"format": FORMAT, "format_version": 1, **recipe.info()})
    there = json.loads(about.read_text(encoding="utf-8"))
    for key, value in recipe.info().items():
        if there.get(key) != value:
            raise OutputError(
                f"{folder} holds another set ({key} {there.get(key)!r}, not {value!r}); choose another folder"
            )
    records = read_records(folder)
    _drop_torn_lines(folder, records)
    return records


def _drop_torn_lines(folder: Path, records: Mapping[int, Record]) -> None:
    """Write the file again without what a kill cut off, so that the next line starts on a line of its own."""
    lines = [json.dumps(asdict(record), separators=(",", ":")) + "\n" for record in records.values()]
    path = folder / _FILE
    if path.exists() and path.read_text(encoding="utf-8", errors="replace") != "".join(lines):
        write_text_atomic(path, "".join(lines))
