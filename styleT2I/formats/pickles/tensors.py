"""Tensors that still lie in their file: shape and type are known and checked, the numbers are read on demand."""

from __future__ import annotations

import math

import torch

from styleT2I.errors import CheckpointError, UnsafeFileError
from styleT2I.formats.pickles.blobs import AGAIN, TRUST, Blob
from styleT2I.formats.pickles.records import Inert, Name, Record
from styleT2I.formats.pickles.zip_archive import crc32

MAX_DIMS = 16
MAX_REUSE = 2  # how often, on average, each stored byte may be used by tensors
SLACK = 1 << 24  # bytes of tensors that are always allowed


class Storage(Inert):
    """`numel` stored numbers of one type, which tensors are views of; `blob` is set once its place is known."""

    __slots__ = ("dtype", "numel", "blob", "is_swapped", "crc")

    def __init__(self, dtype: torch.dtype, numel: int, blob: Blob | None = None, *, is_swapped=False, crc=None):
        self.dtype, self.numel, self.is_swapped, self.crc = dtype, numel, is_swapped, crc
        self.blob = None
        if blob is not None:
            self.place(blob)

    def place(self, blob: Blob) -> None:
        """Say where the numbers are; CheckpointError when there are more or fewer bytes than they take."""
        if blob.size != self.numel * self.dtype.itemsize:
            raise CheckpointError(
                f"damaged: {self.numel} numbers of type {self.dtype} have {blob.size} bytes in the file; {AGAIN}"
            )
        self.blob = blob

    def read(self, start: int, numel: int) -> torch.Tensor:
        """Numbers [numel] from `start` on; CheckpointError when the checksum that the file holds is not theirs."""
        if self.blob is None:
            raise CheckpointError(f"damaged: the numbers of a tensor are not in the file; {AGAIN}")
        if self.crc is not None and crc32(self.blob) != self.crc:
            raise CheckpointError(f"{self.blob.where}: damaged, a tensor's checksum is not the stored one; {AGAIN}")
        self.crc = None  # once is enough
        size = self.dtype.itemsize
        part = self.blob.part(start * size, numel * size)
        data = torch.empty(part.size, dtype=torch.uint8)
        if part.size:
            part.read_into(memoryview(data.numpy()))
        if self.is_swapped and size > 1:
            data = data.view(-1, size).flip(1).reshape(-1)
        return data.view(self.dtype)


class TensorRef(Inert):
    """A tensor as a view of a Storage: `shape` and `stride` count numbers, as torch does."""

    __slots__ = ("storage", "offset", "shape", "stride")

    def __init__(self, storage: Storage, offset: int, shape: tuple, stride: tuple):
        self.storage, self.offset, self.shape, self.stride = storage, offset, shape, stride
        is_plain = all(isinstance(n, int) and not isinstance(n, bool) for n in (offset, *shape, *stride))
        if not is_plain or len(shape) != len(stride) or len(shape) > MAX_DIMS:
            raise CheckpointError(f"damaged: a tensor's shape is not a list of sizes; {AGAIN}")
        if offset < 0 or min((*shape, *stride), default=0) < 0:
            raise CheckpointError(f"damaged: a tensor of shape {list(shape)} has negative sizes or strides; {AGAIN}")
        if offset + self.extent > storage.numel or self.numel > storage.numel:
            raise CheckpointError(
                f"damaged: a tensor of shape {list(shape)} reaches beyond its {storage.numel} stored numbers; {AGAIN}"
            )

    @property
    def dtype(self) -> torch.dtype:
        return self.storage.dtype

    @property
    def numel(self) -> int:
        return math.prod(self.shape)

    @property
    def extent(self) -> int:
        """How many stored numbers lie from the first to the last one used."""
        if self.numel == 0:
            return 0
        return 1 + sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))

    def load(self) -> torch.Tensor:
        """The tensor itself, contiguous, in memory of its own."""
        data = self.storage.read(self.offset, self.extent)
        return data.as_strided(self.shape, self.stride).contiguous()


class Tally:
    """Counts the bytes that the tensors of a file take once read, so that a small file cannot fill the memory."""

    def __init__(self, file_size: int):
        self.left = MAX_REUSE * file_size + SLACK

    def count(self, tensor: TensorRef) -> TensorRef:
        """Return `tensor`, or raise UnsafeFileError when the file has asked for too much by now."""
        self.left -= tensor.extent * tensor.dtype.itemsize
        if self.left < 0:
            raise UnsafeFileError(f"its tensors would take far more memory than the file has bytes; {TRUST}")
        return tensor


def contiguous_stride(shape: tuple) -> tuple:
    """Strides of a tensor whose last dimension varies fastest."""
    return tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))


def load_tensors(tree, _loaded=None):
    """Return `tree` (of read_pickle) with every TensorRef read as a torch tensor and every Blob as bytes.

    A Record keeps its name and a Name stays a label; a tensor that stands at several places is read once.
    """
    loaded = {} if _loaded is None else _loaded
    if isinstance(tree, (TensorRef, Blob)):
        if id(tree) not in loaded:
            loaded[id(tree)] = tree.load() if isinstance(tree, TensorRef) else tree.read()
        return loaded[id(tree)]
    if isinstance(tree, dict):
        return {key: load_tensors(value, loaded) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(load_tensors(value, loaded) for value in tree)
    if isinstance(tree, Record):
        return Record(tree.name, load_tensors(tree.state, loaded))
    return tree.text if isinstance(tree, Name) else tree
