"""The first look at a file that should hold weights, and at a manifest's SHA-256 of itself; needs no torch."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path

from styleT2I.errors import CheckpointError
from styleT2I.torch_utils.files import sha256_file

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


SEAL = "manifest_sha256"


def sealed(manifest: dict) -> dict:
    """`manifest` with the hash of everything else in it."""
    return {**manifest, SEAL: _digest(manifest)}


def check_seal(manifest: dict, where, known: tuple[str, ...]) -> None:
    """Raise CheckpointError when a manifest is not the one that was sealed; one without a hash (older ones) passes.

    known: the keys that such a manifest may have, as a damaged key must not hide the hash.
    """
    if unknown := sorted(manifest.keys() - {*known, SEAL}):
        raise CheckpointError(f"{where}: unknown key {unknown[0][:80]!r}; fetch or write it again, or update styleT2I")
    if SEAL in manifest and manifest[SEAL] != _digest(manifest):
        raise CheckpointError(
            f"{where}: changed since it was written, as its SHA-256 shows; fetch or write it again (or take out "
            f"{SEAL!r}, if you changed it on purpose)"
        )


def _digest(manifest):
    content = {key: value for key, value in manifest.items() if key != SEAL}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def checked_weights(path: Path, sha256_start: str, remedy: str) -> str:
    """SHA-256 of a published file of weights; CheckpointError where it is missing or is another one."""
    if not path.is_file():
        raise CheckpointError(f"{path}: the weights are not there; {remedy}")
    sha256 = sha256_file(path)
    if not sha256.startswith(sha256_start):
        raise CheckpointError(
            f"{path}: not the published weights (its SHA-256 does not begin {sha256_start}); {remedy}"
        )
    return sha256
