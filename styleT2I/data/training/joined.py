"""Several data sets behind one index, read for training step by step or in order."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from typing import Any

from styleT2I.data.dataset import Batch, Dataset, index_order, open_dataset
from styleT2I.torch_utils.distributed import own_rows


class JoinedData:
    """The data sets of several specs, one behind the other; a subclass says what a batch of them is.

    `parts` are the open data sets, `starts` the index of each one's first sample and the number of all.
    """

    def __init__(self, specs: Sequence[str], resolution: int | None, *, with_masks: bool = False):
        self.parts: list[Dataset] = [open_dataset(spec, resolution, with_masks=with_masks) for spec in specs]
        self.starts = [0]
        for part in self.parts:
            self.starts.append(self.starts[-1] + len(part))

    def __len__(self) -> int:
        return self.starts[-1]

    def batch(self, indices: Sequence[int]) -> Any:
        """The samples of the given indices."""
        raise NotImplementedError

    def batches(self, indices: Sequence[int]) -> list[Batch]:
        """The samples of the given indices, one batch per data set that has any; a batch's mean does not notice."""
        return [part.batch(rows) for part, rows in self.by_part(indices)]

    def by_part(self, indices: Sequence[int]) -> Iterator[tuple[Dataset, list[int]]]:
        """Each data set that has any of the samples, with their numbers in it."""
        for part, start, end in zip(self.parts, self.starts, self.starts[1:], strict=False):
            if rows := [index - start for index in indices if start <= index < end]:
                yield part, rows

    def training_indices(self, seed: int, batch_size: int, step: int) -> list[int]:
        """The samples that a step of a run with this seed trains on, in the order in which `batches` has them."""
        indices = index_order(seed, len(self), batch_size, step)
        return sorted(indices, key=lambda index: bisect.bisect_right(self.starts, index))

    def training_batch(self, seed: int, batch_size: int, step: int) -> Any:
        """`batch` of the samples that a step of a run with this seed trains on; of several processes, of one's own."""
        indices = self.training_indices(seed, batch_size, step)
        return self.batch(indices[own_rows(len(indices))])

    def in_order(self, batch_size: int, num: int | None = None) -> Iterator[Any]:
        """Yield `batch` of the first `num` samples (all by default) in order."""
        num = len(self) if num is None else min(num, len(self))
        for start in range(0, num, batch_size):
            yield self.batch(range(start, min(start + batch_size, num)))
