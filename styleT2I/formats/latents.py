"""Latents that a user keeps in a file: w or W+ as .npy or .safetensors."""

from pathlib import Path

import numpy as np
import torch

from styleT2I.errors import CheckpointError
from styleT2I.formats.component import check_finite, read_safetensors
from styleT2I.formats.numpy_files import read_arrays


def read_latents(path: str | Path) -> torch.Tensor:
    """The one array of a .npy or .safetensors file as float32: w [w_dim], ws [num_ws, w_dim] or [N, num_ws, w_dim].

    A pickled .npy is refused unread. Raises CheckpointError when the file is missing, damaged, holds NaN, or more than
    one array.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        tensors = read_safetensors(path)
        if len(tensors) != 1:
            raise CheckpointError(f"{path}: holds {len(tensors)} tensors ({', '.join(tensors)}); keep only the latents")
        (latents,) = tensors.values()
    else:
        arrays = read_arrays(path)
        if "" not in arrays:
            raise CheckpointError(f"{path}: not latents in a .npy or .safetensors file, but {len(arrays)} arrays")
        if arrays[""].dtype.kind != "f":
            raise CheckpointError(f"{path}: holds {arrays[''].dtype} numbers; latents are floating-point")
        latents = torch.from_numpy(arrays[""].astype(np.float32))
    if not latents.is_floating_point():
        raise CheckpointError(f"{path}: holds {latents.dtype} numbers; latents are floating-point")
    check_finite({"latents": latents}, path)
    return latents.float()
