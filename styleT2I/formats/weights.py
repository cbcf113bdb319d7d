"""Safetensors files read with care: hash, damage and non-finite numbers are found before anything is used."""

import struct
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from styleT2I.errors import CheckpointError
from styleT2I.formats.check_file import AGAIN, check_file
from styleT2I.torch_utils.files import sha256_file

MAX_HEADER = 1 << 23  # bytes: a hundred thousand tensors


def read_safetensors(path: str | Path, sha256: str | None = None) -> dict[str, torch.Tensor]:
    """Read a safetensors file whose SHA-256 is `sha256` (unchecked when None) to a flat dict of CPU tensors.

    Raises CheckpointError when the file is missing, damaged, a web page or a git-LFS pointer, or has another hash.
    """
    path = Path(path)
    check_file(path)
    size = path.stat().st_size
    with open(path, "rb") as f:
        header_size = struct.unpack("<Q", f.read(8))[0] if size >= 8 else None
    if header_size is None or header_size + 8 > size:
        raise CheckpointError(f"{path}: cut off, or not a safetensors file; {AGAIN}")
    if header_size > MAX_HEADER:
        raise CheckpointError(f"{path}: its header of {header_size} bytes cannot be a network's; {AGAIN}")
    if sha256 is not None and sha256_file(path) != sha256:
        raise CheckpointError(f"{path}: its SHA-256 is not the one its manifest names (cut off or changed); {AGAIN}")
    try:
        return load_file(str(path))
    except (SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path}: damaged safetensors file ({error}); {AGAIN}") from error


def check_finite(state_dict: dict[str, torch.Tensor], where: str | Path) -> None:
    """Raise CheckpointError naming the first tensor that holds NaN or infinity."""
    for name, tensor in state_dict.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise CheckpointError(f"{where}: tensor {name!r} holds NaN or infinite numbers; use an earlier checkpoint")
