"""What an inversion found, and its two files: NAME.safetensors and NAME.json, which names the generator it is for."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from styleT2I.config import read_json
from styleT2I.errors import CheckpointError, guarded
from styleT2I.formats.component import check_finite, read_safetensors
from styleT2I.inversion.bending import bent
from styleT2I.torch_utils.files import save_safetensors_atomic, write_json_atomic

__all__ = ["Inversion", "read_inversion", "write_inversion"]

_NOISE, _CHANGE = "noise.", "change."
_AGAIN = "invert the image again"


@dataclass(frozen=True)
class Inversion:
    """A latent ws [num_ws, w_dim] of an image, on the CPU, and what else of its generator draws it.

    noise: maps [R, R] by layer in place of the stored ones. change: the difference by which the generator is bent
    (`bending`); {} where it is not. record: how it was found and how well it fits, ready for JSON.
    """

    ws: Tensor
    noise: dict[str, Tensor] = field(default_factory=dict)
    change: dict[str, Tensor] = field(default_factory=dict)
    record: dict = field(default_factory=dict)

    def drawing(self, G) -> contextlib.AbstractContextManager[None]:
        """While the block runs, the generator draws with the noise maps and the difference of this image."""
        return bent(G.synthesis, self.change, self.noise)

    @property
    def num_bytes(self) -> int:
        """Of the difference to the generator, as stored."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.change.values())


def write_inversion(path: str | Path, inversion: Inversion) -> Path:
    """Write the two files, the JSON last, whose path is given and returned; OutputError where the disk refuses."""
    path = Path(path)
    tensors = {"ws": inversion.ws}
    tensors |= {f"{_NOISE}{key}": map.half() for key, map in inversion.noise.items()}
    tensors |= {f"{_CHANGE}{key}": factor for key, factor in inversion.change.items()}
    weights = path.with_suffix(".safetensors")
    sha256 = save_safetensors_atomic(weights, tensors)
    write_json_atomic(path, {**inversion.record, "weights": {weights.name: sha256}})
    return path


def read_inversion(path: str | Path, generator_sha256: str | None = None) -> Inversion:
    """Read what `write_inversion` wrote; path: of the JSON.

    generator_sha256: of the generator that is to draw it. CheckpointError where a file is missing, damaged, changed or
    of another generator.
    """
    path = Path(path)
    record = read_json(path, CheckpointError, remedy=_AGAIN)
    with guarded(path, f"damaged, its entries are not an inversion's; {_AGAIN}"):
        ((name, sha256),) = record.pop("weights").items()
        is_plain = Path(name).name == name and isinstance(sha256, str)
        own = record["generator_sha256"]
    if not is_plain:
        raise CheckpointError(f"{path}: names no file beside it; {_AGAIN}")
    if generator_sha256 is not None and own is not None and own != generator_sha256:
        raise CheckpointError(f"{path}: is of another generator ({str(own)[:12]}); {_AGAIN} with this one")
    tensors = read_safetensors(path.with_name(name), sha256)
    check_finite(tensors, path.with_name(name))
    if "ws" not in tensors or tensors["ws"].ndim != 2:
        raise CheckpointError(f"{path.with_name(name)}: holds no latent; {_AGAIN}")
    noise = {key.removeprefix(_NOISE): map.float() for key, map in tensors.items() if key.startswith(_NOISE)}
    change = {key.removeprefix(_CHANGE): factor for key, factor in tensors.items() if key.startswith(_CHANGE)}
    return Inversion(tensors["ws"].to(torch.float32), noise, change, record)
