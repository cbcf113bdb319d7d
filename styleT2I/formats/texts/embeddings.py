"""Files of sentence features: char-CNN-RNN embeddings as published with the birds, and plain arrays.

.npy: [M, D], or [M, K, D] with K sentences per image; .npz: `embeddings` beside `texts`, the sentences themselves;
.pickle and .pth: an array or a list of one array per image, read as data (nothing in the file is executed).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from styleT2I.errors import CheckpointError, guarded
from styleT2I.formats.check_file import AGAIN, check_file
from styleT2I.formats.component import check_finite
from styleT2I.formats.numpy_files import read_arrays
from styleT2I.formats.pickles.torch_files import read_torch_file


@dataclass(frozen=True)
class Embeddings:
    """Features of M images' sentences, K each (they may differ), and the sentences where the file has them."""

    path: Path
    values: tuple[torch.Tensor, ...]  # M of [K, D] fp32
    texts: tuple[str, ...] = ()  # M where K is 1, else ()

    def __len__(self) -> int:
        return len(self.values)

    @property
    def dim(self) -> int:
        return self.values[0].shape[1]

    def rows(self, index: int) -> torch.Tensor:
        """Features [K, D] of one image's sentences."""
        return self.values[index]


def read_embeddings(path: str | Path) -> Embeddings:
    """Read a file of sentence features; CheckpointError, one line, when it is not one."""
    path = Path(path)
    check_file(path)
    with guarded(path, f"not sentence features, or damaged; {AGAIN}"):
        return _read(path)


def _read(path):
    is_numpy = path.suffix.lower() in (".npy", ".npz")
    held, texts = _read_numpy(path) if is_numpy else (read_torch_file(path), ())
    if isinstance(held, torch.Tensor):
        held = list(held)
    if not isinstance(held, (list, tuple)) or not held or not all(isinstance(one, torch.Tensor) for one in held):
        raise CheckpointError(f"{path}: not sentence features: a list of arrays, or one array, is expected; {AGAIN}")
    values = tuple(one.float() if one.ndim == 2 else one.float().unsqueeze(0) for one in held)
    if any(one.ndim != 2 or not one.numel() or one.shape[1] != values[0].shape[1] for one in values):
        raise CheckpointError(f"{path}: its features are not of one width; {AGAIN}")
    check_finite({f"row {index}": one for index, one in enumerate(values)}, path)
    if texts and len(texts) != len(values):
        raise CheckpointError(f"{path}: has {len(texts)} texts for {len(values)} features; {AGAIN}")
    return Embeddings(path, values, texts)


def _read_numpy(path):
    arrays = read_arrays(path)
    held = arrays.get("", arrays.get("embeddings"))
    if held is None:
        raise CheckpointError(f"{path}: lacks the array 'embeddings'; save them under that name")
    if held.dtype.kind not in "fiu":
        raise CheckpointError(f"{path}: its array is of {held.dtype}, not of numbers; {AGAIN}")
    texts = arrays.get("texts")
    if texts is not None and (texts.dtype.kind not in "US" or texts.ndim != 1):
        raise CheckpointError(f"{path}: its 'texts' are not a list of sentences; {AGAIN}")
    said = () if texts is None else tuple(t.decode("utf-8") if isinstance(t, bytes) else str(t) for t in texts)
    return torch.from_numpy(held.astype(np.float32)), said
