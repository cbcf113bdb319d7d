"""The compute device a user names, checked before anything runs on it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from styleT2I.errors import DeviceError
from styleT2I.torch_utils.launch import launched_here
from styleT2I.torch_utils.words import counted

if TYPE_CHECKING:  # a name is checked before torch is imported
    import torch


def check_device_name(name: str) -> str:
    """The name of a device, which this machine need not have; DeviceError where no device is called so."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", name, re.ASCII):
        raise DeviceError(f"unknown device {name!r}; choose auto, cpu, cuda, cuda:INDEX or mps")
    return name


def resolve_device(name: str | torch.device = "auto") -> torch.device:
    """Return the torch.device for "auto" (cuda, then mps, then cpu), "cpu", "cuda", "cuda:INDEX" or "mps".

    A CUDA device is returned with TF32 decided (`decide_tf32`); without an INDEX it is, of the processes that torchrun
    started on this machine, each one's own. Raises DeviceError when the name is unknown or the machine has no such
    device.
    """
    import torch

    name = check_device_name(str(name))
    if name == "auto":
        if torch.cuda.is_available():
            decide_tf32()
            return _own_cuda()
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if kind == "cuda" and not torch.cuda.is_available():
        raise DeviceError(f"device {name!r} asked for, but no CUDA device is available; use cpu or auto")
    if kind == "cuda" and index and int(index) >= torch.cuda.device_count():
        raise DeviceError(f"device {name!r} asked for, but there are only {torch.cuda.device_count()} CUDA devices")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("device 'mps' asked for, but this machine has no Metal device; use cpu or auto")
    if kind == "cuda":
        decide_tf32()
    return _own_cuda() if name == "cuda" else torch.device(name)


def _own_cuda():
    """The CUDA device of this process, which is then the current one; DeviceError where there are too few."""
    import torch

    place, num = launched_here(), torch.cuda.device_count()
    if place.count == 1:
        return torch.device("cuda")
    if place.count > num:
        raise DeviceError(
            f"torchrun started {place.count} processes on a machine of {counted(num, 'CUDA device')}; start it with "
            f"--nproc-per-node {num}"
        )
    torch.cuda.set_device(place.index)
    return torch.device("cuda", place.index)


def decide_tf32() -> bool:
    """Set for the whole process whether float32 products on a GPU may round to TF32's 10 bits, and return it.

    They may not, though torch's own default lets convolutions; STYLET2I_TF32=1 in the environment trades exactness for
    speed. Images of seeds are drawn exactly either way.
    """
    import torch

    is_allowed = os.environ.get("STYLET2I_TF32", "").lower() in ("1", "true", "yes", "on")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = is_allowed
    return is_allowed


def replayed(function, *inputs: torch.Tensor, **settings) -> torch.Tensor:
    """function(*inputs, **settings), on a CUDA device as `cuda_graphs.replayed` replays it; elsewhere just called."""
    if not any(tensor.is_cuda for tensor in inputs):
        return function(*inputs, **settings)
    from styleT2I.torch_utils.hardware import cuda_graphs

    return cuda_graphs.replayed(function, *inputs, **settings)
