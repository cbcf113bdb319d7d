"""The compute device a user names, checked before anything runs on it."""

import torch

from styleT2I.errors import DeviceError


def resolve_device(name: str | torch.device = "auto") -> torch.device:
    """Return the torch.device for "auto" (cuda, then mps, then cpu), "cpu", "cuda", "cuda:INDEX" or "mps".

    Raises DeviceError when the name is unknown or the machine has no such device.
    """
    if isinstance(name, torch.device):
        name = str(name)
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (index and not (kind == "cuda" and index.isdecimal())):
        raise DeviceError(f"unknown device {name!r}; choose auto, cpu, cuda, cuda:INDEX or mps")
    if kind == "cuda" and not torch.cuda.is_available():
        raise DeviceError(f"device {name!r} asked for, but no CUDA device is available; use cpu or auto")
    if kind == "cuda" and index and int(index) >= torch.cuda.device_count():
        raise DeviceError(f"device {name!r} asked for, but there are only {torch.cuda.device_count()} CUDA devices")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("device 'mps' asked for, but this machine has no Metal device; use cpu or auto")
    return torch.device(name)
