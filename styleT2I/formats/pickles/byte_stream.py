"""The bytes of a Blob in order, with a small buffer so that short reads are fast."""

from __future__ import annotations

import struct

from styleT2I.errors import CheckpointError
from styleT2I.formats.pickles.blobs import AGAIN, Blob

WINDOW = 1 << 16  # bytes read ahead
MAX_LINE = 1 << 12  # of a line that is not a string


class ByteStream:
    """Reads `blob` from `position` on; CheckpointError where it ends too early."""

    def __init__(self, blob: Blob, position: int = 0):
        self.blob, self.position = blob, position
        self.window, self.window_start = b"", position

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        start = self.position - self.window_start
        if start + size > len(self.window):
            rest = self.blob.size - self.position
            if size > rest:
                raise CheckpointError(f"cut off or damaged: a pickle ends before its last step; {AGAIN}")
            self.window, self.window_start = self.blob.read(self.position, min(max(size, WINDOW), rest)), self.position
            start = 0
        self.position += size
        return self.window[start : start + size]

    def number(self, code: str) -> int:
        return struct.unpack("<" + code, self.take(struct.calcsize(code)))[0]

    def line(self, limit=MAX_LINE) -> bytes:
        """The bytes up to a newline, which is passed over; `limit` None: however many there are."""
        parts, size = [], 0
        while True:
            start = self.position - self.window_start
            end = self.window.find(b"\n", start)
            part = self.window[start:] if end < 0 else self.window[start:end]
            parts.append(part)
            size += len(part)
            if limit is not None and size > limit:
                raise CheckpointError(f"a damaged pickle: a line of {size} bytes; {AGAIN}")
            if end >= 0:
                self.position += len(part) + 1
                return b"".join(parts)
            self.position += len(part)
            self.take(1)  # refills the window
            self.position -= 1
