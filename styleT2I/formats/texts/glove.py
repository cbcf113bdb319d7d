"""GloVe's text format: one word per line, then its coordinates, all separated by spaces (Pennington et al. 2014)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from styleT2I.errors import DataError
from styleT2I.formats.texts.glove_index import MAX_LINE_BYTES, glove_index, split_line, word_hash


class Glove:
    """The vectors of a GloVe text file by word; only the lines that are asked for are read.

    The file is gone through once, to index it (glove_index). DataError names the file and the line of what is
    not GloVe's format.
    """

    def __init__(self, path: str | Path, cache: str | Path | None = None):
        self.path = Path(path)
        self._index = glove_index(path, cache)
        self._offsets = self._index["offsets"].numpy()
        self.dim = int(self._index["dim"])

    def __len__(self) -> int:
        return len(self._index["hashes"])

    def vectors(self, words: Sequence[str]) -> tuple[torch.Tensor, list[str]]:
        """Vectors [num_words, dim] of the given words, zero for those the file lacks, and the list of the lacking ones.

        A word is looked up as it is spelt: the usual files hold lower case.
        """
        spellings = [word.encode(errors="backslashreplace") for word in words]
        keys = torch.tensor([word_hash(spelling) for spelling in spellings], dtype=torch.int64)
        ends = (torch.searchsorted(self._index["hashes"], keys, right=right).tolist() for right in (False, True))
        table, missing = torch.zeros(len(words), self.dim), []
        with self._open() as file:
            for row, (spelling, first, last) in enumerate(zip(spellings, *ends, strict=True)):
                vector = self._vector(file, spelling, first, last)
                if vector is None:
                    missing.append(words[row])
                else:
                    table[row] = torch.tensor(vector)
        return table, missing

    def first_words(self, num: int) -> list[str]:
        """The words of the first `num` lines: the most frequent ones, as GloVe's files are sorted."""
        with self._open() as file:
            file.seek(int(self._offsets.min()))
            lines = [file.readline(MAX_LINE_BYTES).rstrip() for _ in range(min(num, len(self)))]
        return [split_line(line, self.dim)[0].decode(errors="replace") for line in lines if line]

    def _open(self):
        try:
            return open(self.path, "rb")
        except OSError as error:
            raise DataError(f"{self.path}: cannot read the word vectors: {error.strerror or error}") from error

    def _vector(self, file, spelling, first, last):
        """The numbers of a word, or None; the entries [first, last) of the index have its hash and are compared."""
        for place in range(first, last):
            file.seek(self._offsets[place])
            found, numbers = split_line(file.readline(MAX_LINE_BYTES).rstrip(), self.dim)
            if found == spelling:
                return _numbers(numbers, self.dim, self.path, self._index["lines"][place])
        return None


def read_glove(path: str | Path, words: Iterable[str]) -> tuple[torch.Tensor, list[str]]:
    """`Glove.vectors` of a file that must know at least one of the words; DataError when it knows none."""
    words = list(words)
    vectors, missing = Glove(path).vectors(words)
    if len(missing) == len(words):
        raise DataError(f"{path}: has vectors for none of the {len(words)} words of the captions; is it a GloVe file?")
    return vectors, missing


def _numbers(text: bytes, dim: int, path: Path, line: torch.Tensor) -> list[float]:
    try:
        numbers = [float(part) for part in text.split()]
    except ValueError as error:
        raise DataError(f"{path}:{int(line)}: not a GloVe line: {error}") from error
    if len(numbers) != dim:
        raise DataError(f"{path}:{int(line)}: {len(numbers)} numbers where the first line has {dim}; it is damaged")
    if not math.isfinite(sum(numbers)):
        raise DataError(f"{path}:{int(line)}: a vector with NaN or infinity; the file is damaged, download it again")
    return numbers
