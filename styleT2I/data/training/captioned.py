"""Captioned images of one or more data sets, and which caption is true of which image."""

from __future__ import annotations

import bisect
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.data.dataset import Dataset
from styleT2I.data.training.joined import JoinedData
from styleT2I.errors import DataError
from styleT2I.torch_utils.distributed import num_processes, own_rows
from styleT2I.torch_utils.images import from_uint8


class CaptionedBatch(NamedTuple):
    """Captions of N samples, and the images of those of them that are this process's: all, where it is the only one."""

    image: torch.Tensor  # [n, 3, H, W] in [-1, 1]
    captions: list[tuple[str, ...]]  # N, each of at least one
    labels: torch.Tensor | None  # bool [N, A], or None where not every data set has them


class CaptionedData(JoinedData):
    """Captioned images behind one index; `names` are the attributes that all of the data sets label, else ().

    Raises DataError when there are no data or a data set has no captions.
    """

    def __init__(self, specs: Sequence[str], resolution: int):
        if not specs:
            raise DataError("no captioned data named; give --data SPEC, for example minifaces:balanced/train:60000")
        super().__init__(specs, resolution)
        labelled = {tuple(part.attribute_names) for part in self.parts}
        self.names = labelled.pop() if len(labelled) == 1 else ()
        self._captions_of = functools.lru_cache(maxsize=200_000)(self._find_captions)
        for spec, part in zip(specs, self.parts, strict=True):
            if not len(part) or not part.captions_of(0):
                raise DataError(f"{spec}: has no captions, which CLIP learns from; add them or leave it out")

    def batch(self, indices: Sequence[int]) -> CaptionedBatch:
        """The samples of the given indices, grouped by data set; their order does not change a batch's loss."""
        batches = self.batches(indices)
        image = from_uint8(torch.cat([batch.images_u8 for batch in batches]))
        captions = [captions for batch in batches for captions in batch.captions]
        labels = torch.cat([batch.attributes for batch in batches]) if self.names else None
        return CaptionedBatch(image, captions, labels)

    def training_batch(self, seed: int, batch_size: int, step: int) -> CaptionedBatch:
        """Captions and labels of all samples that a step trains on, and the images of this process's."""
        indices = self.training_indices(seed, batch_size, step)
        batch = self.batch(indices[own_rows(batch_size)])
        if num_processes() == 1:
            return batch
        labels = None
        if self.names:
            labels = torch.cat([part.labels_of(rows) for part, rows in self.by_part(indices)])
        return CaptionedBatch(batch.image, [self._captions_of(index) for index in indices], labels)

    def _find_captions(self, index):
        part = bisect.bisect_right(self.starts, index) - 1
        return self.parts[part].captions_of(index - self.starts[part])


def captions_required(spec: str, data: Dataset) -> Callable[[int], tuple[str, ...]]:
    """What returns the captions of a sample by its index; DataError, one line, from it where a sample has none."""

    def captions_of(index: int) -> tuple[str, ...]:
        captions = data.captions_of(index)
        if not captions:
            raise DataError(f"{spec}: image {index} has no caption, which this training learns from; add it")
        return captions

    return functools.cache(captions_of)


class Mentions(NamedTuple):
    """What M captions state about A attributes."""

    asserted: torch.Tensor  # bool [M, A]
    denied: torch.Tensor  # bool [M, A]
    is_checkable: torch.Tensor  # bool [M]: every attribute that the caption speaks of is among the A

    @property
    def asked(self) -> torch.Tensor:
        return self.asserted | self.denied


class CaptionReader:
    """Captions -> Mentions over given attribute names, by a vocabulary's parser; remembers what it has read."""

    def __init__(self, vocabulary: Vocabulary, names: Sequence[str]):
        self.vocabulary, self.names = vocabulary, tuple(names)
        self.attributes_of = functools.lru_cache(maxsize=200_000)(self._attributes_of)

    def __call__(self, captions: Sequence[str]) -> Mentions:
        column = {name: index for index, name in enumerate(self.names)}
        asserted = torch.zeros(len(captions), len(self.names), dtype=torch.bool)
        denied, is_checkable = torch.zeros_like(asserted), torch.zeros(len(captions), dtype=torch.bool)
        for row, caption in enumerate(captions):
            attributes = self.attributes_of(caption)
            is_checkable[row] = bool(attributes) and column.keys() >= attributes.keys()
            for name, value in attributes.items():
                if name in column:
                    (asserted if value else denied)[row, column[name]] = True
        return Mentions(asserted, denied, is_checkable)

    def _attributes_of(self, caption: str) -> Mapping[str, bool]:
        return parse(caption, self.vocabulary).attributes


def captions_true_of(labels: torch.Tensor, mentions: Mentions) -> torch.Tensor:
    """Which captions are true of which images in all that they mention: labels bool [N, A] -> bool [N, M].

    A caption that mentions nothing checkable is not known to hold for any image.
    """
    lacking = (~labels).float() @ mentions.asserted.float().t()  # [N, M]: how many asserted attributes are absent
    unwanted = labels.float() @ mentions.denied.float().t()  # [N, M]: how many denied ones are present
    return (lacking + unwanted == 0) & mentions.is_checkable


def equal_captions(captions: Sequence[str]) -> torch.Tensor:
    """Which captions are the same sentence but for case, spaces and the full stop: bool [N, N]."""
    ids: dict[str, int] = {}
    codes = torch.tensor([ids.setdefault(normal_caption(text), len(ids)) for text in captions])
    return codes.unsqueeze(0) == codes.unsqueeze(1)


def normal_caption(text: str) -> str:
    """A caption in lower case with single spaces and without its full stop."""
    return " ".join(text.lower().strip(" .").split())
