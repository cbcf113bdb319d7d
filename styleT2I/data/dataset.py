"""The interface of data sets, `open_dataset`, and the order in which a training reads them."""

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from styleT2I.data.releases.specs import is_release
from styleT2I.errors import DataError
from styleT2I.torch_utils.seeding import generator


@dataclass
class Batch:
    """N samples; a field is None where the data set does not have it."""

    images_u8: torch.Tensor  # [N, 3, H, W] uint8
    captions: list[tuple[str, ...]]  # N, each of any length
    attributes: torch.Tensor | None = None  # [N, A] bool
    masks: torch.Tensor | None = None  # [N, R, H, W] bool, regions may overlap
    nuisances: torch.Tensor | None = None  # [N, K] float32


class Dataset(Protocol):
    """Captioned images of one resolution, with attributes, region masks and nuisances where they are known."""

    resolution: int
    attribute_names: tuple[str, ...]
    region_names: tuple[str, ...]
    nuisance_names: tuple[str, ...]

    def __len__(self) -> int: ...

    def batch(self, indices: Sequence[int]) -> Batch:
        """Return the samples of the given indices, in that order."""
        ...

    def captions_of(self, index: int) -> tuple[str, ...]:
        """Return the captions of one sample without touching its image."""
        ...

    def labels_of(self, indices: Sequence[int]) -> torch.Tensor:
        """Return bool [N, A] of the given samples without touching their images; A is 0 where none are known."""
        ...


def open_dataset(spec: str, resolution: int | None = None, *, with_masks: bool = True) -> Dataset:
    """Open a data set: a folder or a zip of images (`data.folder`), a download (`data.releases`), or a world of faces.

    Args:
        spec: A path, "celebahq:DIR:test" or another download read in place (docs/datasets.md),
            "minifaces:biased/train:20000" (painted when asked for) or "portraits:biased/train:10000" (read from the
            user's cache).
        resolution: Side of the images in pixels; None: the data set's own.
        with_masks: False where no masks are read: MiniFaces then paints none (half the time, a fifth of the memory).

    Raises:
        DataError: There is no such data set.

    Example:
        >>> from styleT2I import open_dataset
        >>> data = open_dataset("minifaces:balanced/test:4", with_masks=False)
        >>> len(data), data.resolution
        (4, 64)
    """
    kind, _, rest = str(spec).partition(":")
    if kind == "portraits":
        from styleT2I.data.portraits.dataset import open_portraits

        return open_portraits(rest, resolution, with_masks=with_masks)
    if kind == "minifaces":
        from styleT2I.data.minifaces.dataset import open_minifaces

        return open_minifaces(rest, resolution, with_masks=with_masks)
    if is_release(spec):
        from styleT2I.data.releases.opening import open_release

        return open_release(spec, resolution, with_masks=with_masks)
    if not os.path.exists(spec):  # False where pathlib raises: a name too long
        raise DataError(
            f"no data set {str(spec)[:200]!r}; name a folder or a zip, portraits:biased/train or minifaces:biased/train"
        )
    from styleT2I.data.folder import FolderDataset

    return FolderDataset(spec, resolution)


def index_order(seed: int, num: int, batch_size: int, step: int) -> list[int]:
    """Return the `batch_size` indices of training step `step`, counted from 0, over a data set of `num` samples.

    Epochs follow each other without a gap, each shuffled by (seed, epoch): a pure function, so resuming needs no state.
    """
    if num < 1:
        raise DataError("the data set is empty")
    start = step * batch_size
    return [_epoch_order(seed, num, i // num)[i % num] for i in range(start, start + batch_size)]


@functools.lru_cache(maxsize=4)
def _epoch_order(seed, num, epoch):
    return torch.randperm(num, generator=generator("epoch", seed, epoch)).tolist()
