"""The first look at a file that should hold weights; needs no torch."""

from pathlib import Path

from styleT2I.errors import CheckpointError
from styleT2I.formats.blobs import check_regular

AGAIN = "fetch or write it again"


def check_file(path: Path) -> None:
    """Raise CheckpointError when `path` is missing, no regular file, empty, a web page or a git-LFS pointer."""
    check_regular(path)
    try:
        with open(path, "rb") as f:
            start = f.read(512).lstrip().lower()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}; check the path") from error
    if not start:
        raise CheckpointError(f"{path}: the file is empty; {AGAIN}")
    if start.startswith(b"version https://git-lfs"):
        raise CheckpointError(f"{path}: a git-LFS pointer, not the file itself; run `git lfs pull`")
    if start.startswith((b"<!doctype html", b"<html", b"<?xml")):
        raise CheckpointError(f"{path}: a web page saved in place of the file; download it again")
