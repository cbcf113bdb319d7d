"""The captions of the unseen split that StyleT2I's authors drew, as they store them: a pickled list of lists."""

from __future__ import annotations

from pathlib import Path

from styleT2I.errors import CheckpointError, DataError
from styleT2I.formats.pickles.blobs import open_blob
from styleT2I.formats.pickles.machine import read_pickle
from styleT2I.formats.pickles.records import Names

__all__ = ["FILE", "read_cached_captions"]

FILE = "novel_composition_caption_unseen_test_cached.pkl"


def read_cached_captions(path: Path) -> list[tuple[str, ...]]:
    """The captions of every image of the split, in its order; nothing in the file is executed.

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
