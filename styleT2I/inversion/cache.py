"""Inversions in the user's cache, by the content of everything that they follow from."""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from styleT2I.errors import CheckpointError, OutputError
from styleT2I.formats.model_folder import cache_dir
from styleT2I.inversion.inverter import Inverter
from styleT2I.inversion.result import Inversion, read_inversion, write_inversion
from styleT2I.torch_utils.files import check_writable_dir

__all__ = ["cached_inversion", "inverted_alone"]

_ROLES = ("generator", "encoder", "judges.guide", "clip")
_VERSION = 1  # of the methods: another one when they compute something else


def cached_inversion(
    inverter: Inverter, image_u8: Tensor, method: str = "auto", weight: Tensor | None = None
) -> tuple[Inversion, bool]:
    """The inversion of an image [3, R, R] uint8, and whether it was in the cache.

    weight: [1, R, R], as `Inverter.invert`. A damaged entry is made again; one that cannot be written is a warning.
    """
    method = inverter.checked(method)
    path = _path(inverter, image_u8, method, weight)
    if path is not None and path.is_file():
        try:
            return read_inversion(path, inverter.model.describe()["components"]["generator"]), True
        except CheckpointError:
            pass  # as if it was not there
    inversion = inverted_alone(inverter, image_u8, method, weight)
    if path is not None:
        try:
            check_writable_dir(path.parent)
            write_inversion(path, inversion)
        except OutputError as error:
            warnings.warn(f"the photo is inverted again each time: {error}", stacklevel=2)
    return inversion, False


def inverted_alone(
    inverter: Inverter, image_u8: Tensor, method: str = "auto", weight: Tensor | None = None
) -> Inversion:
    """The inversion of an image, as `cached_inversion`, without a look at the cache and nothing written there."""
    method = inverter.checked(method)
    weights = None if weight is None else weight.unsqueeze(0)
    (found,) = inverter.invert(image_u8.unsqueeze(0), [method], weights)
    return found[method]


def _path(inverter, image_u8, method, weight) -> Path | None:
    """Where an inversion lies; None for a network that has no file, and so no hash."""
    model = inverter.model
    hashes = model.describe(unused=True)["components"]
    hashes = {role: hashes[role] for role in _ROLES if role in hashes}
    if None in hashes.values():
        return None
    device = model.device.type
    facts = [_VERSION, hashes, inverter.distance.name, asdict(inverter.config), method, device, model.precision]
    digest = hashlib.sha256(json.dumps(facts).encode())
    for part in (image_u8, weight):
        digest.update(b"-" if part is None else part.contiguous().numpy().tobytes())
    return cache_dir() / "inversions" / f"{digest.hexdigest()[:32]}.json"
