"""The first check of a file that should hold weights; needs no torch."""

import os
import stat
from pathlib import Path

from styleT2I.errors import CheckpointError

AGAIN = "fetch or write it again"
# First bytes of files that are mistaken for weights; a tar archive has its mark at byte 257.
_OTHERS = {
    b"\xff\xd8\xff": "a JPEG image", b"\x89png": "a PNG image", b"gif8": "a GIF image", b"%pdf": "a PDF document",
    b"\x1f\x8b": "a gzip archive", b"bzh": "a bzip2 archive", b"\xfd7zxz": "an xz archive", b"rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7-zip archive", b"\x89hdf": "an HDF5 file", b"\x7felf": "a program",
}  # fmt: skip
_TAR = b"ustar"
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<!--", b"<head", b"<body", b"<error")
# Torch7's binary and text archives: an object or a table, numbered 1; an object then has its version.
_TORCH7 = (b"\4\0\0\0\1\0\0\0\3\0\0\0v ", b"\3\0\0\0\1\0\0\0", b"4\n1\n3\nv ")


def check_file(path: Path) -> None:
    """Raise CheckpointError when `path` is missing, no regular file, empty or of a kind that never holds weights."""
    start = read_start(path, 4096)
    if not start.strip():
        raise CheckpointError(f"{path}: the file is empty; {AGAIN}")
    start = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    while start.startswith(b"<!--") and b"-->" in start:
        start = start.partition(b"-->")[2].lstrip()
    if start.startswith(b"version https://git-lfs"):
        raise CheckpointError(f"{path}: a git-LFS pointer, not the file itself; run `git lfs pull`")
    if start.startswith(_PAGES):
        raise CheckpointError(f"{path}: a web page saved in place of the file; download it again")
    if start.startswith(_TORCH7) or path.suffix.lower() == ".t7":
        raise CheckpointError(
            f"{path}: a Torch7 file, whose Lua objects are not read; train the system here (python -m "
            "styleT2I.train_baseline), or save sentence embeddings as .npy [M, D]"
        )
    for beginning, kind in _OTHERS.items():
        if start.startswith(beginning):
            raise CheckpointError(f"{path}: {kind}, which holds no weights itself; name the file of weights")
    if start[257:262] == _TAR:
        raise CheckpointError(f"{path}: a tar archive, which holds no weights itself; name the file of weights")


def read_start(path: Path, size: int) -> bytes:
    """The first `size` bytes of a regular file; CheckpointError as `check_regular`, and where it cannot be read."""
    check_regular(path)
    try:
        with open(path, "rb") as file:
            return file.read(size)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}; check the path") from error


def check_regular(path: str | Path) -> None:
    """Raise CheckpointError unless `path` is a regular file: reading a pipe or a device may never end."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"{str(path)[:300]}: cannot be read: {reason}; check the path") from error
    if stat.S_ISDIR(mode):
        raise CheckpointError(f"{path}: is a folder; name a file in it")
    if not stat.S_ISREG(mode):
        raise CheckpointError(f"{path}: is a pipe or a device, not a file; save its content to a file first")
