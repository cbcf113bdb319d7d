"""Runs of bytes inside a file, read only when they are needed."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

from styleT2I.errors import CheckpointError
from styleT2I.formats.check_file import check_regular

AGAIN = "fetch it again"
TRUST = "nothing was run, get the file from a source you trust"


class Blob:
    """`size` bytes of an open file from `offset` on; a part of it is a Blob again and costs no memory."""

    __slots__ = ("_file", "offset", "size", "where")

    def __init__(self, file, offset: int, size: int, where: str):
        self._file, self.offset, self.size, self.where = file, offset, size, where

    @classmethod
    def of_bytes(cls, data: bytes, where: str) -> Blob:
        """A Blob of bytes in memory."""
        return cls(io.BytesIO(data), 0, len(data), where)

    def part(self, start: int, size: int) -> Blob:
        """The `size` bytes from `start` on; CheckpointError where the Blob has no such bytes."""
        if start < 0 or size < 0 or start + size > self.size:
            raise CheckpointError(f"{self.where}: cut off or damaged, it states more bytes than it has; {AGAIN}")
        return Blob(self._file, self.offset + start, size, self.where)

    def read(self, start: int = 0, size: int | None = None) -> bytes:
        """The bytes of `part(start, size)`, by default all of them."""
        part = self.part(start, self.size - start if size is None else size)
        self._file.seek(part.offset)
        data = self._file.read(part.size)
        if len(data) != part.size:  # the file shrank after its size was taken
            raise CheckpointError(f"{self.where}: changed while it was read; {AGAIN}")
        return data

    def read_into(self, view: memoryview) -> None:
        """Fill `view`, as long as the Blob, with its bytes."""
        self._file.seek(self.offset)
        if self._file.readinto(view) != self.size:
            raise CheckpointError(f"{self.where}: changed while it was read; {AGAIN}")


@contextlib.contextmanager
def open_blob(path: str | Path) -> Iterator[Blob]:
    """Yield the whole of a regular file as a Blob; CheckpointError for a folder, a pipe, a device or no permission."""
    check_regular(path)
    try:
        file = open(path, "rb")
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}; check the path") from error
    with file:
        yield Blob(file, 0, os.fstat(file.fileno()).st_size, str(path))
