"""Captions without images: a text file of one a line, which Text-to-Direction can be trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from styleT2I.errors import DataError

if TYPE_CHECKING:
    from styleT2I.data.dataset import Dataset


class CaptionsFile:
    """The captions of a text file, UTF-8, one a line; empty lines are passed over. DataError where there are none.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "captions.txt"
        >>> _ = path.write_text("a man with a hat\\n\\nshe is smiling\\n")
        >>> captions = CaptionsFile(path)
        >>> len(captions), captions.captions_of(1)
        (2, ('she is smiling',))
    """

    def __init__(self, path: str | Path):
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
            raise DataError(f"{path}: cannot read the captions: {reason}; give a text file of one a line") from error
        self._captions = [line.strip() for line in lines if line.strip()]
        if not self._captions:
            raise DataError(f"{path}: holds no caption; write one a line")

    def __len__(self) -> int:
        return len(self._captions)

    def captions_of(self, index: int) -> tuple[str, ...]:
        """The caption of a line, alone."""
        return (self._captions[index],)


def is_captions_file(spec: str) -> bool:
    """Whether a specification names a text file of captions rather than a data set."""
    return spec.lower().endswith(".txt")


def open_captions(spec: str, resolution: int) -> Dataset | CaptionsFile:
    """What captions are read from: a text file (.txt), or a data set as `open_dataset` takes it. DataError."""
    if is_captions_file(spec):
        return CaptionsFile(spec)
    from styleT2I.data.dataset import open_dataset

    return open_dataset(spec, resolution, with_masks=False)
