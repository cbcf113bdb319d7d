"""An index of the words of a GloVe text file, built in one pass over the file and cached on disk."""

from __future__ import annotations

import hashlib
import re
import warnings
from functools import partial
from pathlib import Path

import torch

from styleT2I.errors import CheckpointError, DataError, OutputError
from styleT2I.formats.component import check_file, read_safetensors
from styleT2I.formats.model_folder import cache_dir
from styleT2I.torch_utils.files import check_writable_dir, save_safetensors_atomic

MIN_CACHED_BYTES = 16 << 20  # smaller files are indexed anew each time, in milliseconds
MAX_LINE_BYTES = 1 << 20
_SAMPLE_BYTES = 1 << 16
_HEADER = re.compile(rb"\d+ \d+\s*")  # word2vec's first line: the number of words and their dimension
_PLAIN = re.compile(rb"(\S+) [-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s")  # a word without spaces, then a number
_UNPACK = "give the unpacked text file, one word and its numbers per line"


def glove_index(path: str | Path, cache: str | Path | None = None) -> dict[str, torch.Tensor]:
    """The index of a GloVe text file: hashes (ascending), offsets and lines, int64 [num_words], and the scalar dim.

    Read from `cache` (the folder `glove` in the user's cache) where the same file was indexed before, else built and
    written there; a cache that cannot be written is warned of. Raises DataError on a file in another format.
    """
    path = Path(path)
    try:
        check_file(path)
        entry = Path(cache or cache_dir() / "glove") / f"{path.stem}-{_fingerprint(path)}.safetensors"
        if entry.is_file():
            try:
                return read_safetensors(entry)
            except CheckpointError:  # a damaged cache is built again
                pass
        index = build_index(path)
        if path.stat().st_size >= MIN_CACHED_BYTES:
            check_writable_dir(entry.parent)
            save_safetensors_atomic(entry, index)
    except CheckpointError as error:
        raise DataError(str(error)) from error
    except OutputError as error:
        warnings.warn(f"the index of {path} is built again each time: {error}", stacklevel=2)
    except OSError as error:
        raise DataError(f"{path}: cannot read the word vectors: {error.strerror or error}") from error
    return index


def build_index(path: str | Path) -> dict[str, torch.Tensor]:
    """Read the file once, a line at a time, and return its index; DataError where the first line is not GloVe's."""
    hashes, offsets, numbers, dim, offset = [], [], [], None, 0
    with open(path, "rb") as file:
        for number, line in enumerate(iter(partial(file.readline, MAX_LINE_BYTES), b""), start=1):
            if dim is None and not (number == 1 and _HEADER.fullmatch(line)):
                dim = _first_dim(line.rstrip(), f"{path}:{number}")
            if dim is not None and (word := _word(line, dim)):
                hashes.append(word_hash(word))
                offsets.append(offset)
                numbers.append(number)
            offset += len(line)
    if not hashes:
        raise DataError(f"{path}: holds no word vectors; {_UNPACK}")
    order = torch.argsort(torch.tensor(hashes), stable=True)  # of a repeated word, the first one comes first
    return {
        "hashes": torch.tensor(hashes)[order],
        "offsets": torch.tensor(offsets)[order],
        "lines": torch.tensor(numbers)[order],
        "dim": torch.tensor(dim),
    }


def word_hash(word: bytes) -> int:
    """64 bits of a word's BLAKE2b, as a signed integer."""
    return int.from_bytes(hashlib.blake2b(word, digest_size=8).digest(), "little", signed=True)


def split_line(text: bytes, dim: int) -> tuple[bytes, bytes]:
    """The word of a line and its numbers; a few words of the 840B vectors have spaces in them."""
    parts = text.rsplit(b" ", dim) if text.count(b" ") > dim else text.split(b" ", 1)
    return parts[0], text[len(parts[0]) + 1 :]


def _word(line, dim):
    """The word of a line, b"" of an empty one; its numbers are checked when they are read."""
    plain = _PLAIN.match(line)
    return plain[1] if plain else split_line(line.rstrip(), dim)[0]


def _first_dim(text, where):
    numbers = text.split(b" ")[1:]
    try:
        text.decode()
        [float(part) for part in numbers]
    except ValueError as error:  # UnicodeDecodeError is one
        raise DataError(f"{where}: not a GloVe text file ({str(error)[:80]}); {_UNPACK}") from error
    if not numbers:
        raise DataError(f"{where}: not a GloVe text file (a line without numbers); {_UNPACK}")
    return len(numbers)


def _fingerprint(path):
    """16 hexadecimal digits of the file's size, time of change and a sample of its bytes."""
    status = path.stat()
    digest = hashlib.sha256(f"{status.st_size} {status.st_mtime_ns}".encode())
    with open(path, "rb") as file:
        for place in (0, status.st_size // 2, max(0, status.st_size - _SAMPLE_BYTES)):
            file.seek(place)
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()[:16]
