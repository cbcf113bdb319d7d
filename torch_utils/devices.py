"""The compute device a user names, checked before anything runs on it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from styleT2I.errors import DeviceError

if TYPE_CHECKING:  # a name is checked before torch is imported
    import torch


def check_device_name(name: str) -> str:
    """The name of a device, which this machine need not have; DeviceError where no device is called so."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", name, re.ASCII):
        raise DeviceError(f"unknown device {name!r}; choose auto, cpu, cuda, cuda:INDEX or mps")
    return name


def resolve_device(name: str | torch.device = "auto") -> torch.device:
    """Return the torch.device for "auto" (cuda, then mps, then cpu), "cpu", "cuda", "cuda:INDEX" or "mps".

    Raises DeviceError when the name is unknown or the machine has no such device.
    """
    import torch

    name = check_device_name(str(name))
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if kind == "cuda" and not torch.cuda.is_available():
        raise DeviceError(f"device {name!r} asked for, but no CUDA device is available; use cpu or auto")
    if kind == "cuda" and index and int(index) >= torch.cuda.device_count():
        raise DeviceError(f"device {name!r} asked for, but there are only {torch.cuda.device_count()} CUDA devices")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("device 'mps' asked for, but this machine has no Metal device; use cpu or auto")
    return torch.device(name)
