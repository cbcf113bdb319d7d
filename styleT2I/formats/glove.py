"""GloVe's text format: one word a line, then its coordinates, all separated by spaces (Pennington et al. 2014)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from styleT2I.errors import DataError


def read_glove(path: str | Path, words: Iterable[str]) -> tuple[torch.Tensor, list[str]]:
    """Vectors [num_words, dim] of the given words, zero for those the file lacks, and the list of the lacking ones.

    Only the asked-for lines are kept in memory. DataError names the file and line of what is not GloVe's format.
    """
    words = list(words)
    wanted, found, dim = set(words), {}, None
    try:
        with open(path, encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                word, _, rest = line.rstrip().partition(" ")
                if dim is None:
                    dim = len(rest.split())
                if word in wanted:
                    found[word] = _numbers(rest, dim, f"{path}:{number}")
    except OSError as error:
        raise DataError(f"{path}: cannot read the word vectors: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not a GloVe text file (it is no UTF-8); unpack the archive first") from error
    if not found:
        raise DataError(f"{path}: has vectors for none of the {len(words)} words of the captions; is it a GloVe file?")
    missing = [word for word in words if word not in found]
    return torch.tensor([found.get(word, [0.0] * dim) for word in words]), missing


def _numbers(text: str, dim: int, where: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split()]
    except ValueError as error:
        raise DataError(f"{where}: not a GloVe line: {error}") from error
    if len(numbers) != dim or not dim:
        raise DataError(f"{where}: {len(numbers)} numbers where the first line has {dim}; the file is damaged")
    return numbers
