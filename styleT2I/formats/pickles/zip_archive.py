"""Zip archives whose entries are stored, not compressed, as torch writes them: each entry is a run of the file."""

from __future__ import annotations

import itertools
import struct
import zlib
from dataclasses import dataclass

from styleT2I.errors import CheckpointError, UnsafeFileError
from styleT2I.formats.pickles.blobs import AGAIN, TRUST, Blob

MAX_ENTRIES = 100_000
_END = struct.Struct("<4s4H2LH")  # signature, disks, entries here and in all, size and offset of the directory, comment
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s4H2H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_TAIL = _END.size + 0xFFFF  # the end record and the longest comment
_FULL = 0xFFFFFFFF  # stands for "see the zip64 field"
_ENCRYPTED, _UTF8 = 0x1, 0x800
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Entry:
    """One file in the archive: where its bytes lie and the CRC-32 they should have."""

    name: str
    blob: Blob
    crc: int
    start: int  # of its header in the archive
    is_packed: bool = False

    def check(self) -> None:
        """Raise CheckpointError unless its bytes have the checksum that the archive holds of them."""
        if crc32(self.blob) != self.crc:
            raise CheckpointError(
                f"{self.blob.where}: damaged, the checksum of {self.name[:80]!r} is not the stored one; {AGAIN}"
            )


def crc32(blob: Blob) -> int:
    """The CRC-32 of all bytes of a Blob, read block by block."""
    value = 0
    for start in range(0, blob.size, _BLOCK):
        value = zlib.crc32(blob.read(start, min(_BLOCK, blob.size - start)), value)
    return value


def read_zip(blob: Blob) -> dict[str, Entry]:
    """The entries of an archive by name, their checksums not yet compared (`Entry.check`).

    Source text in a folder `code` is left packed. Raises CheckpointError for a cut-off archive, UnsafeFileError for
    other compressed or encrypted entries, repeated or overlapping ones and names that lead out of the archive.
    """
    count, size, offset = _directory(blob)
    if count > MAX_ENTRIES:
        raise UnsafeFileError(f"{blob.where}: a zip archive of {count} files; {TRUST}")
    directory, position, entries = blob.read(offset, size), 0, {}
    for _ in range(count):
        if position + _ENTRY.size > size or directory[position : position + 4] != b"PK\x01\x02":
            raise _damaged(blob)
        entry, position = _entry(blob, directory, position)
        if entry.name in entries:
            raise UnsafeFileError(f"{blob.where}: the archive has two files {entry.name[:80]!r}; {TRUST}")
        entries[entry.name] = entry
    if position != size:
        raise _damaged(blob)
    runs = [(entry.start, entry.blob.offset - blob.offset + entry.blob.size) for entry in entries.values()]
    runs = [*sorted(runs), (offset, offset + size)]
    if any(end > start for (_, end), (start, _) in itertools.pairwise(runs)):
        raise UnsafeFileError(f"{blob.where}: the files in the archive overlap; {TRUST}")
    return entries


def _directory(blob):
    """(number of entries, size, offset) of the central directory."""
    start = max(0, blob.size - _TAIL)
    tail = blob.read(start)
    found = tail.rfind(b"PK\x05\x06")
    if found < 0 or found + _END.size > len(tail):
        raise _damaged(blob)
    *_, count, size, offset, comment_size = _END.unpack_from(tail, found)
    if found + _END.size + comment_size != len(tail):
        raise CheckpointError(f"{blob.where}: damaged, bytes follow the archive's end; {AGAIN}")
    if count == 0xFFFF or size == _FULL or offset == _FULL:
        locator = start + found - _LOCATOR64.size
        signature, _, end, _ = _LOCATOR64.unpack(blob.read(locator, _LOCATOR64.size))
        if signature != b"PK\x06\x07":
            raise _damaged(blob)
        *_, count, size, offset = _END64.unpack(blob.read(end, _END64.size))
    return count, size, offset


def _entry(blob, directory, position):
    """(the Entry at `position` of the central directory, the position of the next one)."""
    fields = _ENTRY.unpack_from(directory, position)
    flags, method, crc, packed_size, size = fields[3], fields[4], *fields[7:10]
    name_size, extra_size, comment_size, offset = *fields[10:13], fields[16]
    position += _ENTRY.size
    stored_name = directory[position : position + name_size]
    name = stored_name.decode("utf-8" if flags & _UTF8 else "cp437")
    extra = directory[position + name_size : position + name_size + extra_size]
    if _FULL in (size, packed_size, offset):
        size, packed_size, offset = _zip64(extra, size, packed_size, offset)
    is_packed = method != 0 or flags & _ENCRYPTED or size != packed_size
    if is_packed and "/code/" not in name:  # TorchScript packs its source text, which is never read
        raise UnsafeFileError(
            f"{blob.where}: {name[:80]!r} in the archive is compressed, which torch never does; {TRUST}"
        )
    if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/"):
        raise UnsafeFileError(f"{blob.where}: {name[:80]!r} leads out of the archive; {TRUST}")
    local = blob.read(offset, _LOCAL.size)
    start = offset + _LOCAL.size
    if local[:4] != b"PK\x03\x04" or blob.read(start, _LOCAL.unpack(local)[-2]) != stored_name:
        raise _damaged(blob)
    start += sum(_LOCAL.unpack(local)[-2:])
    entry = Entry(name, blob.part(start, packed_size), crc, offset, bool(is_packed))
    return entry, position + name_size + extra_size + comment_size


def _zip64(extra, *values):
    """`values` with each that says so replaced by the next number of the zip64 field."""
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<2H", extra)
        if kind == 1:
            numbers = iter(struct.unpack_from(f"<{size // 8}Q", extra, 4))
            return [next(numbers, value) if value == _FULL else value for value in values]
        extra = extra[4 + size :]
    return values


def _damaged(blob):
    return CheckpointError(f"{blob.where}: a cut-off or damaged archive; {AGAIN}")
